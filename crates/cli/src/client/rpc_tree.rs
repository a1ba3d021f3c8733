//! The tree of a node's services, as the reference's client lays it out (`rpc list`): what has few branches is written on one
//! line, the rest in groups.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The methods, in the order in which they are listed.
pub const METHODS: [&str; 5] = ["get", "post", "delete", "put", "patch"];

/// Columns of a paragraph.
const WIDTH: usize = 77;

/// Most parts of a path that is listed: the node chooses its paths, and trees are walked by recursion.
const DEEPEST: usize = 64;

/// A node of the tree of paths.
#[derive(Default)]
pub struct Tree {
    /// Methods that the path itself answers to, with what they do.
    services: Vec<(String, String)>,
    children: BTreeMap<String, Tree>,
    argument: Option<(String, Box<Tree>)>,
}

impl Tree {
    /// Adds a service under the parts of its path; a part in braces stands for any one.
    pub fn add(&mut self, parts: &[&str], method: &str, doc: &str) {
        if parts.len() <= DEEPEST {
            let tree = parts.iter().fold(self, |tree, part| tree.child(part));
            tree.services.push((method.to_owned(), doc.to_owned()));
        }
    }

    fn child(&mut self, part: &str) -> &mut Tree {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => &mut self.argument.get_or_insert_with(|| (name.to_owned(), Box::default())).1,
            None => self.children.entry(part.to_owned()).or_default(),
        }
    }

    /// Adds what a node of the reference says of itself under `/describe`, and what it says of the arguments of paths.
    pub fn describe(&mut self, described: &Value, arguments: &mut BTreeMap<String, String>) {
        let directory = &described["static"];
        for method in METHODS {
            if let Some(service) = directory.get(format!("{method}_service")) {
                let doc = service["description"].as_str().unwrap_or_default();
                self.services.push((method.to_uppercase(), doc.to_owned()));
            }
        }
        for suffix in directory["subdirs"]["suffixes"].as_array().into_iter().flatten() {
            if let Some(name) = suffix["name"].as_str() {
                self.children.entry(name.to_owned()).or_default().describe(&suffix["tree"], arguments);
            }
        }
        let argument = &directory["subdirs"]["dynamic_dispatch"];
        if let Some(name) = argument["arg"]["name"].as_str() {
            arguments.insert(name.to_owned(), argument["arg"]["descr"].as_str().unwrap_or_default().to_owned());
            let (_, below) = self.argument.get_or_insert_with(|| (name.to_owned(), Box::default()));
            below.describe(&argument["tree"], arguments);
        }
    }

    /// Number of services.
    fn count(&self) -> usize {
        let below = self.children.values().chain(self.argument.iter().map(|(_, tree)| &**tree));
        self.services.len() + below.map(Tree::count).sum::<usize>()
    }

    /// Whether there is no service at all.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

/// The text of a tree below a path, indented by two, with the names of the arguments met, the last one first.
pub fn render(tree: &Tree, path: &[&str]) -> (String, Vec<String>) {
    let mut printer = Printer { out: String::new(), arguments: Vec::new() };
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    printer.tree(tree, &path, &path, 2);
    printer.arguments.reverse();
    (printer.out, printer.arguments)
}

struct Printer {
    out: String,
    arguments: Vec<String>,
}

impl Printer {
    /// Prints a tree whose whole path is `whole`; `path` is what its group does not say yet.
    fn tree(&mut self, tree: &Tree, path: &[String], whole: &[String], indent: usize) {
        let grow = |path: &[String], part: &str| [path, &[part.to_owned()]].concat();
        if let (Some((name, below)), true) = (&tree.argument, tree.children.is_empty()) {
            self.services(tree, whole, indent);
            self.argument(name);
            let part = format!("<{name}>");
            return self.tree(below, &grow(path, &part), &grow(whole, &part), indent);
        }
        let only = tree.children.first_key_value().filter(|_| tree.children.len() == 1 && tree.services.is_empty());
        if let (Some((part, below)), None) = (only, &tree.argument) {
            return self.tree(below, &grow(path, part), &grow(whole, part), indent);
        }
        let grouped = !tree.children.is_empty() && tree.count() >= 3 && !path.is_empty();
        let (path, indent) = if grouped {
            let _ = writeln!(self.out, "{:indent$}+ {}/", "", path.join("/"));
            (&[][..], indent + 2)
        } else {
            (path, indent)
        };
        self.services(tree, whole, indent);
        for (part, below) in &tree.children {
            self.tree(below, &grow(path, part), &grow(whole, part), indent);
        }
        if let Some((name, below)) = &tree.argument {
            self.argument(name);
            let part = format!("<{name}>");
            self.tree(below, &grow(path, &part), &grow(whole, &part), indent);
        }
    }

    fn services(&mut self, tree: &Tree, whole: &[String], indent: usize) {
        for (method, doc) in &tree.services {
            let _ = writeln!(self.out, "{:indent$}- {method} /{}", "", whole.join("/"));
            paragraph(&mut self.out, doc, indent + 4);
        }
    }

    fn argument(&mut self, name: &str) {
        if !self.arguments.iter().any(|known| known == name) {
            self.arguments.push(name.to_owned());
        }
    }
}

/// The words of a text in lines; each word that does not end a line is followed by a blank, the last one too.
pub fn paragraph(out: &mut String, text: &str, indent: usize) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let size = word.chars().count();
        match column {
            0 => {}
            _ if column + 1 + size > WIDTH => {
                out.push('\n');
                column = 0;
            }
            _ => {
                out.push(' ');
                column += 1;
            }
        }
        if column == 0 {
            let _ = write!(out, "{:indent$}", "");
            column = indent;
        }
        out.push_str(word);
        column += size;
    }
    if column > 0 {
        out.push_str(" \n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_branches_stand_on_one_line_and_many_in_groups() {
        let mut tree = Tree::default();
        let rows: [(&str, &[&str]); 7] = [
            ("GET", &["all"]),
            ("GET", &["all", "inbox"]),
            ("GET", &["one", "{address}", "kind"]),
            ("GET", &["one", "{address}", "staker", "{pkh}", "games"]),
            ("GET", &["one", "{address}", "staker", "{pkh}", "index"]),
            ("GET", &["one", "{address}", "staker", "{pkh}", "moves"]),
            ("POST", &["one", "{address}", "level", "{n}", "x"]),
        ];
        for (method, path) in rows {
            tree.add(path, method, "Some words");
        }
        let (text, arguments) = render(&tree, &["root"]);
        let wanted = "  + root/
    - GET /root/all
        Some words \n    - GET /root/all/inbox
        Some words \n    + one/<address>/
      - GET /root/one/<address>/kind
          Some words \n      - POST /root/one/<address>/level/<n>/x
          Some words \n      + staker/<pkh>/
        - GET /root/one/<address>/staker/<pkh>/games
            Some words \n        - GET /root/one/<address>/staker/<pkh>/index
            Some words \n        - GET /root/one/<address>/staker/<pkh>/moves
            Some words \n";
        assert_eq!(text, wanted);
        assert_eq!(arguments, ["pkh", "n", "address"]);
    }

    #[test]
    fn a_node_of_the_reference_describes_itself() {
        let service =
            |method: &str| serde_json::json!({"meth": method, "path": ["x"], "description": "Does it.", "query": []});
        let described = serde_json::json!({"static": {"subdirs": {"suffixes": [
            {"name": "errors", "tree": {"static": {"get_service": service("GET"), "post_service": service("POST")}}},
            {"name": "blocks", "tree": {"static": {"subdirs": {"dynamic_dispatch": {
                "arg": {"id": "single", "name": "block_id", "descr": "A block"},
                "tree": {"static": {"get_service": service("GET")}},
            }}}}},
            {"name": "nothing", "tree": "empty"},
        ]}}});
        let (mut tree, mut docs) = (Tree::default(), BTreeMap::new());
        tree.describe(&described, &mut docs);
        let (text, arguments) = render(&tree, &[]);
        let does = "      Does it. \n";
        let rows = ["- GET /blocks/<block_id>", "- GET /errors", "- POST /errors"];
        assert_eq!(text, rows.map(|row| format!("  {row}\n{does}")).concat());
        assert_eq!((arguments.as_slice(), docs["block_id"].as_str()), (&["block_id".to_owned()][..], "A block"));
    }

    #[test]
    fn paragraphs_break_where_the_reference_breaks_them() {
        let mut out = String::new();
        let text = "Access the smart rollup's balance of ticket with specified ticketer, content type, and content.";
        paragraph(&mut out, text, 10);
        let wanted = "          Access the smart rollup's balance of ticket with specified\n          ticketer, content type, and content. \n";
        assert_eq!(out, wanted);
        out.clear();
        paragraph(
            &mut out,
            "Whitelist for private smart rollups. If the output is None then the rollup is public.",
            10,
        );
        assert_eq!(out.lines().next().unwrap().len(), 77);
    }

    #[test]
    fn paths_of_endless_depth_are_not_listed() {
        let mut tree = Tree::default();
        tree.add(&vec!["a"; 1_000_000], "GET", "");
        assert!(tree.is_empty());
        tree.add(&["a"; DEEPEST], "GET", "");
        assert_eq!(tree.count(), 1);
    }
}
