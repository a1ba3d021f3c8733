//! The macros of Michelson and what they expand to. Expansions are part of contracts' hashes, so they are the
//! reference client's to the byte, annotations included.

use super::{Ast, MAX_DEPTH, Node, Span, SyntaxError, SyntaxProblem};
use num_bigint::BigInt;

/// Longest word that is looked at as a macro: bounds the depth of what it expands to.
const MAX_MACRO: usize = 128;

/// Why a macro was used wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacroProblem {
    /// Wrong number of arguments.
    #[error("macro {name} takes {wanted} arguments, {given} given")]
    Arity {
        /// The macro.
        name: String,
        /// Arguments it takes.
        wanted: usize,
        /// Arguments it got.
        given: usize,
    },
    /// An argument must be a sequence.
    #[error("macro {name} takes a sequence {{ … }}")]
    SequenceExpected {
        /// The macro.
        name: String,
    },
    /// An annotation this macro does not take.
    #[error("macro {name} does not take these annotations")]
    Annotation {
        /// The macro.
        name: String,
    },
}

/// A macro at work: where it stands and how it was written.
struct Macro<'a> {
    span: Span,
    name: &'a str,
    args: &'a [Ast],
    annots: &'a [String],
}

type Expansion = Result<Option<Ast>, MacroProblem>;

/// Expands `ast` and everything in it.
pub(super) fn expand(mut ast: Ast, depth: usize) -> Result<Ast, SyntaxError> {
    expand_in_place(&mut ast, depth)?;
    Ok(ast)
}

/// The recursion has frames as small as can be: it goes [`MAX_DEPTH`] levels deep on a thread's stack.
fn expand_in_place(ast: &mut Ast, depth: usize) -> Result<(), SyntaxError> {
    if depth > MAX_DEPTH {
        return Err(SyntaxError { span: ast.span, problem: SyntaxProblem::Deep });
    }
    replace(ast)?;
    if let Node::Seq(items) | Node::Prim { args: items, .. } = &mut ast.node {
        for item in items {
            expand_in_place(item, depth + 1)?;
        }
    }
    Ok(())
}

/// Puts the expansion of a macro in its place.
#[inline(never)]
fn replace(ast: &mut Ast) -> Result<(), SyntaxError> {
    let span = ast.span;
    let Node::Prim { name, args, annots } = &ast.node else { return Ok(()) };
    if name.len() <= MAX_MACRO {
        let found = Macro { span, name, args, annots };
        let expansion =
            found.expansion().map_err(|problem| SyntaxError { span, problem: SyntaxProblem::Macro(problem) })?;
        if let Some(expansion) = expansion {
            ast.node = expansion.node;
        }
    }
    Ok(())
}

fn texts(annots: &[&str]) -> Vec<String> {
    annots.iter().map(|annot| (*annot).to_owned()).collect()
}

/// The field annotation (`%…`) and the others; none, when there is more than one field annotation.
fn split_field(annots: &[String]) -> Option<(Option<&str>, Vec<String>)> {
    let (fields, others): (Vec<_>, Vec<_>) = annots.iter().partition(|annot| annot.starts_with('%'));
    let others = others.into_iter().cloned().collect();
    match fields[..] {
        [] => Some((None, others)),
        [field] => Some((Some(field), others)),
        _ => None,
    }
}

impl Macro<'_> {
    fn prim(&self, name: &str, annots: &[&str]) -> Ast {
        Ast::prim(self.span, name, Vec::new(), texts(annots))
    }

    fn apply(&self, name: &str, args: Vec<Ast>) -> Ast {
        Ast::prim(self.span, name, args, Vec::new())
    }

    fn seq(&self, items: Vec<Ast>) -> Ast {
        Ast::seq(self.span, items)
    }

    fn int(&self, value: impl Into<BigInt>) -> Ast {
        Ast { span: self.span, node: Node::Int(value.into()) }
    }

    fn arity(&self, wanted: usize) -> Result<(), MacroProblem> {
        let given = self.args.len();
        if given == wanted {
            return Ok(());
        }
        Err(MacroProblem::Arity { name: self.name.to_owned(), wanted, given })
    }

    fn sequence(&self) -> Result<&Ast, MacroProblem> {
        self.arity(1)?;
        match &self.args[0] {
            code if code.as_seq().is_some() => Ok(code),
            _ => Err(MacroProblem::SequenceExpected { name: self.name.to_owned() }),
        }
    }

    fn annotation<T>(&self) -> Result<T, MacroProblem> {
        Err(MacroProblem::Annotation { name: self.name.to_owned() })
    }

    fn dip(&self, depth: usize, code: Ast, annots: &[String]) -> Ast {
        let args = if depth == 1 { vec![code] } else { vec![self.int(depth), code] };
        Ast::prim(self.span, "DIP", args, annots.to_vec())
    }

    /// What the macro expands to, or nothing when the word is no macro.
    fn expansion(&self) -> Expansion {
        let name = self.name;
        match name {
            "CAR" | "CDR" => return Ok(self.numbered_access()),
            "IF_SOME" => return self.swapped("IF_NONE"),
            "IF_RIGHT" => return self.swapped("IF_LEFT"),
            "FAIL" if self.args.is_empty() && self.annots.is_empty() => {
                return Ok(Some(self.seq(vec![self.prim("UNIT", &[]), self.prim("FAILWITH", &[])])));
            }
            _ => {}
        }
        if let Some(path) = inner(name, "C", "R", 2, "AD") {
            return self.access(path);
        }
        if let Some(path) = inner(name, "SET_C", "R", 1, "AD") {
            return self.set_field(path);
        }
        if let Some(path) = inner(name, "MAP_C", "R", 1, "AD") {
            return self.map_field(path);
        }
        if let Some(number) = inner(name, "D", "P", 2, "IVXLCDM") {
            let code = self.sequence()?.clone();
            return Ok(Some(self.dip(roman(number), code, self.annots)));
        }
        if let Some(ups) = inner(name, "D", "P", 2, "U") {
            self.arity(0)?;
            return Ok(Some(Ast::prim(self.span, "DUP", vec![self.int(ups.len())], self.annots.to_vec())));
        }
        if let Some(tree) = inner(name, "P", "R", 3, "PAI").and_then(|rest| pair_tree(&format!("P{rest}"))) {
            return self.pair(&tree);
        }
        if let Some(tree) = inner(name, "UNP", "R", 3, "PAI").and_then(|rest| pair_tree(&format!("P{rest}"))) {
            return self.unpair(&tree);
        }
        match name.strip_prefix("ASSERT") {
            Some(kind) => self.assertion(kind),
            None => self.comparison(),
        }
    }

    fn swapped(&self, name: &str) -> Expansion {
        self.arity(2)?;
        let args = vec![self.args[1].clone(), self.args[0].clone()];
        Ok(Some(self.seq(vec![Ast::prim(self.span, name, args, self.annots.to_vec())])))
    }

    /// `CAR n` and `CDR n`.
    fn numbered_access(&self) -> Option<Ast> {
        let [Ast { node: Node::Int(n), span }] = self.args else { return None };
        let place = if self.name == "CAR" { n * 2 + 1 } else { n * 2 };
        let place = Ast { span: *span, node: Node::Int(place) };
        Some(self.seq(vec![Ast::prim(self.span, "GET", vec![place], self.annots.to_vec())]))
    }

    /// `CADR` and the like.
    fn access(&self, path: &str) -> Expansion {
        self.arity(0)?;
        let passed: Vec<&str> = self.annots.iter().map(String::as_str).filter(|a| matches!(*a, "@%" | "@%%")).collect();
        let all: Vec<&str> = self.annots.iter().map(String::as_str).collect();
        let last = path.len() - 1;
        let step = |(index, letter): (usize, char)| {
            self.prim(if letter == 'A' { "CAR" } else { "CDR" }, if index == last { &all } else { &passed })
        };
        Ok(Some(self.seq(path.chars().enumerate().map(step).collect())))
    }

    /// Wraps the code for the innermost field into the code that walks down `path` and pairs up again.
    fn descend(&self, path: &str, innermost: Ast, annots: &[String]) -> Ast {
        path.char_indices().rev().fold(innermost, |code, (index, letter)| {
            let mut pair = texts(&["%@", "%@"]);
            if index == 0 {
                pair.extend_from_slice(annots);
            }
            let (down, other, swap) = if letter == 'A' { ("CAR", "CDR", true) } else { ("CDR", "CAR", false) };
            let mut items = vec![
                self.prim("DUP", &[]),
                self.apply("DIP", vec![self.seq(vec![self.prim(down, &["@%%"]), code])]),
                self.prim(other, &["@%%"]),
            ];
            if swap {
                items.push(self.prim("SWAP", &[]));
            }
            items.push(Ast::prim(self.span, "PAIR", Vec::new(), pair));
            self.seq(items)
        })
    }

    fn set_field(&self, path: &str) -> Expansion {
        self.arity(0)?;
        let Some((field, annots)) = split_field(self.annots) else { return self.annotation() };
        let (outer, last) = path.split_at(path.len() - 1);
        let (access, name) = if last == "A" { ("CAR", "CDR") } else { ("CDR", "CAR") };
        let mut items = Vec::new();
        if let Some(field) = field {
            items.extend([self.prim("DUP", &[]), self.prim(access, &[field]), self.prim("DROP", &[])]);
        }
        items.push(self.prim(name, &["@%%"]));
        let field = field.unwrap_or("%");
        if last == "A" {
            items.extend([self.prim("SWAP", &[]), self.prim("PAIR", &[field, "%@"])]);
        } else {
            items.push(self.prim("PAIR", &["%@", field]));
        }
        Ok(Some(self.descend(outer, self.seq(items), &annots)))
    }

    fn map_field(&self, path: &str) -> Expansion {
        let code = self.sequence()?.clone();
        let Some((field, annots)) = split_field(self.annots) else { return self.annotation() };
        let (outer, last) = path.split_at(path.len() - 1);
        let variable = field.map(|field| format!("@{}", &field[1..]));
        let variable: Vec<&str> = variable.as_deref().into_iter().collect();
        let field = field.unwrap_or("%");
        let items = if last == "A" {
            vec![
                self.prim("DUP", &[]),
                self.prim("CDR", &["@%%"]),
                self.apply("DIP", vec![self.seq(vec![self.prim("CAR", &variable), code])]),
                self.prim("SWAP", &[]),
                self.prim("PAIR", &[field, "%@"]),
            ]
        } else {
            vec![
                self.prim("DUP", &[]),
                self.prim("CDR", &variable),
                code,
                self.prim("SWAP", &[]),
                self.prim("CAR", &["@%%"]),
                self.prim("PAIR", &["%@", field]),
            ]
        };
        Ok(Some(self.descend(outer, self.seq(items), &annots)))
    }

    /// The nodes of a pair tree in prefix order with the stack depth at which each pair is made.
    fn pair_steps<'t>(tree: &'t PairTree, depth: &mut usize, steps: &mut Vec<(usize, &'t PairTree)>) {
        match tree {
            PairTree::Pair(left, right) => {
                steps.push((*depth, tree));
                Self::pair_steps(left, depth, steps);
                Self::pair_steps(right, depth, steps);
            }
            PairTree::Leaf => *depth += 1,
        }
    }

    /// `PAPAIR` and the like; field annotations go to the leaves in order.
    fn pair(&self, tree: &PairTree) -> Expansion {
        let (fields, others): (Vec<_>, Vec<_>) = self.annots.iter().cloned().partition(|annot| annot.starts_with('%'));
        let mut fields = fields.into_iter();
        let (mut steps, mut depth) = (Vec::new(), 0);
        Self::pair_steps(tree, &mut depth, &mut steps);
        let leaf_annots = leaf_annotations(tree, &mut fields);
        let mut code = Vec::new();
        for (index, (depth, _)) in steps.iter().enumerate() {
            let mut annots = match leaf_annots.get(index) {
                Some((None, Some(right))) => vec!["%".to_owned(), right.clone()],
                Some((left, right)) => left.iter().chain(right).cloned().collect(),
                None => Vec::new(),
            };
            if index == 0 {
                annots.extend_from_slice(&others);
            }
            let pair = Ast::prim(self.span, "PAIR", Vec::new(), annots);
            code.push(if *depth == 0 { pair } else { self.dip(*depth, self.seq(vec![pair]), &[]) });
        }
        code.reverse();
        self.arity(0)?;
        Ok(Some(self.seq(code)))
    }

    fn unpair(&self, tree: &PairTree) -> Expansion {
        self.arity(0)?;
        let (mut steps, mut depth) = (Vec::new(), 0);
        Self::pair_steps(tree, &mut depth, &mut steps);
        let unpair = || self.prim("UNPAIR", &[]);
        let step = |(depth, _): (usize, _)| {
            if depth == 0 { unpair() } else { self.dip(depth, self.seq(vec![unpair()]), &[]) }
        };
        Ok(Some(self.seq(steps.into_iter().map(step).collect())))
    }

    /// `CMPEQ`, `IFEQ`, `IFCMPEQ` and the like.
    fn comparison(&self) -> Expansion {
        let name = self.name;
        if let Some(order) = name.strip_prefix("CMP").filter(|order| is_order(order)) {
            self.arity(0)?;
            let last = Ast::prim(self.span, order, Vec::new(), self.annots.to_vec());
            return Ok(Some(self.seq(vec![self.prim("COMPARE", &[]), last])));
        }
        let Some(rest) = name.strip_prefix("IF") else { return Ok(None) };
        let (compare, order) = rest.strip_prefix("CMP").map_or((false, rest), |order| (true, order));
        if !is_order(order) {
            return Ok(None);
        }
        self.arity(2)?;
        let mut code = Vec::new();
        if compare {
            code.push(self.prim("COMPARE", &[]));
        }
        code.push(self.prim(order, &[]));
        code.push(Ast::prim(self.span, "IF", self.args.to_vec(), self.annots.to_vec()));
        Ok(Some(self.seq(code)))
    }

    /// `ASSERT` and all that starts with it.
    fn assertion(&self, kind: &str) -> Expansion {
        let fail = || self.seq(vec![self.prim("FAIL", &[])]);
        let rename = || {
            let renamed = Ast::prim(self.span, "RENAME", Vec::new(), self.annots.to_vec());
            self.seq(if self.annots.is_empty() { Vec::new() } else { vec![renamed] })
        };
        let branch = |word: &str, branches: Vec<Ast>| self.apply(word, branches);
        let order = kind.strip_prefix("_CMP").or(kind.strip_prefix('_')).filter(|order| is_order(order));
        let code = match (kind, order) {
            ("", _) => vec![branch("IF", vec![rename(), fail()])],
            ("_NONE", _) => vec![branch("IF_NONE", vec![rename(), fail()])],
            ("_SOME", _) => vec![branch("IF_NONE", vec![fail(), rename()])],
            ("_LEFT", _) => vec![branch("IF_LEFT", vec![rename(), fail()])],
            ("_RIGHT", _) => vec![branch("IF_LEFT", vec![fail(), rename()])],
            (_, Some(order)) => {
                let test = if kind.starts_with("_CMP") {
                    self.seq(vec![self.prim("COMPARE", &[]), self.prim(order, &[])])
                } else {
                    self.prim(order, &[])
                };
                vec![test, branch("IF", vec![rename(), fail()])]
            }
            _ => return Ok(None),
        };
        self.arity(0)?;
        if !self.annots.is_empty() && !matches!(kind, "_SOME" | "_LEFT" | "_RIGHT") {
            return self.annotation();
        }
        Ok(Some(self.seq(code)))
    }
}

fn is_order(word: &str) -> bool {
    matches!(word, "EQ" | "NEQ" | "LT" | "GT" | "LE" | "GE")
}

/// What stands between `start` and `end`, when that is at least `least` letters, all of `letters`.
fn inner<'n>(name: &'n str, start: &str, end: &str, least: usize, letters: &str) -> Option<&'n str> {
    let middle = name.strip_prefix(start)?.strip_suffix(end)?;
    (middle.len() >= least && middle.chars().all(|c| letters.contains(c))).then_some(middle)
}

/// The value of a number in Roman digits.
fn roman(digits: &str) -> usize {
    let value = |digit| match digit {
        'M' => 1000,
        'D' => 500,
        'C' => 100,
        'L' => 50,
        'X' => 10,
        'V' => 5,
        _ => 1,
    };
    let (mut sum, mut last) = (0i64, 0i64);
    for digit in digits.chars().rev() {
        let here = value(digit);
        sum += if here < last { -here } else { here };
        last = here;
    }
    usize::try_from(sum).unwrap_or(0)
}

/// The shape of a `P…R` word: `P` makes a pair of what follows, `A` is a left leaf, `I` a right one.
enum PairTree {
    Pair(Box<PairTree>, Box<PairTree>),
    Leaf,
}

fn pair_tree(word: &str) -> Option<PairTree> {
    fn node(letters: &mut std::str::Chars<'_>, left: bool) -> Option<PairTree> {
        match letters.next()? {
            'P' => {
                let first = node(letters, true)?;
                Some(PairTree::Pair(Box::new(first), Box::new(node(letters, false)?)))
            }
            'A' if left => Some(PairTree::Leaf),
            'I' if !left => Some(PairTree::Leaf),
            _ => None,
        }
    }
    let mut letters = word.chars();
    let tree = node(&mut letters, false)?;
    letters.next().is_none().then_some(tree)
}

type LeafAnnotations = Vec<(Option<String>, Option<String>)>;

/// Hands the field annotations out to the leaves from left to right: the annotations of the two sides of each pair, pairs
/// in prefix order.
fn leaf_annotations(tree: &PairTree, fields: &mut impl Iterator<Item = String>) -> LeafAnnotations {
    fn walk(tree: &PairTree, fields: &mut impl Iterator<Item = String>, out: &mut LeafAnnotations) {
        let PairTree::Pair(left, right) = tree else { return };
        let index = out.len();
        out.push((None, None));
        match **left {
            PairTree::Leaf => out[index].0 = fields.next(),
            PairTree::Pair(..) => walk(left, fields, out),
        }
        match **right {
            PairTree::Leaf => out[index].1 = fields.next(),
            PairTree::Pair(..) => walk(right, fields, out),
        }
    }
    let mut out = Vec::new();
    walk(tree, fields, &mut out);
    out
}
