//! Taking floats out of test modules, so that the integer functions beside them can run.
//!
//! The machine refuses any module with a float type or a float instruction, and the suite seldom keeps them apart. Float types
//! become types that integer tests do not use; a function that computes with floats becomes one that sets a global and traps, so
//! that a test which comes upon it is known to say nothing.

/// An expression of the text format: an atom, or a list.
pub enum Expr<'a> {
    Atom(&'a str),
    List(Vec<Expr<'a>>),
}

use Expr::{Atom, List};

/// Reads all expressions of a text, without comments.
pub fn read(text: &str) -> Vec<Expr<'_>> {
    let mut open = vec![Vec::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' if rest.starts_with("(;") => block_comment(rest),
            ';' if rest.starts_with(";;") => rest.find('\n').unwrap_or(rest.len()),
            '(' => {
                open.push(Vec::new());
                1
            }
            ')' => {
                let list = open.pop().unwrap();
                open.last_mut().unwrap().push(List(list));
                1
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                let length = atom(rest);
                open.last_mut().unwrap().push(Atom(&rest[..length]));
                length
            }
        };
        rest = &rest[length..];
    }
    assert_eq!(open.len(), 1, "unbalanced parentheses");
    open.pop().unwrap()
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match &text.as_bytes()[at..] {
            [b'(', b';', ..] => (depth, at) = (depth + 1, at + 2),
            [b';', b')', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

fn atom(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'(' | b')' | b';' => break,
            byte if byte.is_ascii_whitespace() => break,
            _ => at += 1,
        }
    }
    at.max(1)
}

impl Expr<'_> {
    /// Writes the expression.
    pub fn write(&self, out: &mut String) {
        match self {
            Atom(atom) => out.push_str(atom),
            List(list) => {
                out.push('(');
                for (index, expr) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    expr.write(out);
                }
                out.push(')');
            }
        }
    }

    /// What a list begins with.
    pub fn head(&self) -> &str {
        match self {
            List(list) => match list.first() {
                Some(Atom(atom)) => atom,
                _ => "",
            },
            Atom(_) => "",
        }
    }

    fn any(&self, wanted: fn(&str) -> bool) -> bool {
        match self {
            Atom(atom) => wanted(atom),
            List(list) => list.iter().any(|expr| expr.any(wanted)),
        }
    }

    /// Whether the expression has float types, float constants or float instructions.
    pub fn has_floats(&self) -> bool {
        self.any(|atom| is_type(atom) || is_constant(atom) || computes(atom))
    }
}

fn is_type(atom: &str) -> bool {
    matches!(atom, "f32" | "f64")
}

fn is_constant(atom: &str) -> bool {
    matches!(atom, "f32.const" | "f64.const")
}

/// Whether an instruction takes or gives floats. The saturating truncations of vectors do not: their operands are bits.
fn computes(atom: &str) -> bool {
    if atom.starts_with('"') || atom.starts_with('$') || atom.starts_with("i32x4.trunc_sat") {
        return false;
    }
    let float = ["f32.", "f64.", "f32x4.", "f64x2."].iter().any(|prefix| atom.starts_with(prefix));
    (float && !is_constant(atom)) || atom.contains("_f32") || atom.contains("_f64")
}

/// Name of the global set by functions that would have computed with floats.
pub const MARK: &str = "$soru_float";

/// The module without floats.
pub fn remove<'a>(module: Expr<'a>) -> Expr<'a> {
    let List(fields) = module else { return module };
    let mut without: Vec<Expr<'a>> = fields.into_iter().map(field).collect();
    without.extend(read("(global $soru_float (mut i32) (i32.const 0))"));
    List(without)
}

fn field(field: Expr<'_>) -> Expr<'_> {
    if field.head() != "func" {
        return renamed(field);
    }
    let List(parts) = field else { return field };
    let is_head = |index: usize, part: &Expr<'_>| match part {
        Atom(atom) => index < 2 && (*atom == "func" || atom.starts_with('$')),
        List(_) => matches!(part.head(), "export" | "import" | "type" | "param" | "result" | "local"),
    };
    let head = parts.iter().enumerate().take_while(|(index, part)| is_head(*index, part)).count();
    let computing = parts[head..].iter().any(|part| part.any(computes));
    let mut kept: Vec<_> = parts.into_iter().collect();
    if computing {
        kept.truncate(head);
        kept.extend(read("(global.set $soru_float (i32.const 1)) (unreachable)"));
    }
    List(kept.into_iter().map(renamed).collect())
}

/// The expression with other types in the place of floats.
fn renamed(expr: Expr<'_>) -> Expr<'_> {
    match expr {
        Atom("f32") => Atom("v128"),
        Atom("f64") => Atom("externref"),
        Atom(_) => expr,
        List(list) => {
            let mut renamed_list = Vec::with_capacity(list.len());
            let mut list = list.into_iter();
            while let Some(expr) = list.next() {
                match expr {
                    Atom("f32.const") => {
                        list.next();
                        renamed_list.extend(read("v128.const i64x2 0 0"));
                    }
                    Atom("f64.const") => {
                        list.next();
                        renamed_list.extend(read("ref.null extern"));
                    }
                    expr => renamed_list.push(renamed(expr)),
                }
            }
            List(renamed_list)
        }
    }
}
