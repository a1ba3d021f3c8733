//! Micheline to text, in the layout of the reference client: an expression whose parts take fewer than 80 columns stays
//! on one line, any other has one part per line.

use soru_tezos::micheline::{Micheline, PrimApp};

/// Width from which an expression is broken up.
const WIDTH: usize = 80;
/// A word up to this long keeps its first argument on its line.
const SHORT_WORD: usize = 4;

/// The expression in the reference client's layout, without outer parentheses. Lines after the first are indented as
/// if the text began in column 0.
pub fn print(expr: &Micheline) -> String {
    let mut printer = Printer { out: String::new(), line_start: 0, wide: true };
    printer.unwrapped(expr);
    printer.out
}

/// The expression on one line, without outer parentheses.
pub fn print_line(expr: &Micheline) -> String {
    let mut printer = Printer { out: String::new(), line_start: 0, wide: false };
    printer.unwrapped(expr);
    printer.out
}

/// The expression on one line, in parentheses where it needs them as an argument.
pub fn print_argument(expr: &Micheline) -> String {
    let mut printer = Printer { out: String::new(), line_start: 0, wide: false };
    printer.wrapped(expr);
    printer.out
}

/// Whether an expression is taken to fit on a line. Quotes and escapes of strings do not count. Stops at the first part
/// too many, so that breaking up a large expression stays linear.
fn fits(expr: &Micheline) -> bool {
    take(expr, &mut (WIDTH - 1)).is_some()
}

/// Takes the width of `expr` from what is left.
fn take(expr: &Micheline, left: &mut usize) -> Option<()> {
    let mut spend = |width: usize| {
        *left = left.checked_sub(width)?;
        Some(())
    };
    match expr {
        Micheline::Int(value) => spend(value.to_string().len()),
        Micheline::String(text) => spend(text.len()),
        Micheline::Bytes(bytes) => spend(2 + 2 * bytes.len()),
        Micheline::Seq(items) => {
            spend(4)?;
            items.iter().try_for_each(|item| {
                *left = left.checked_sub(3)?;
                take(item, left)
            })
        }
        Micheline::Prim(app) => {
            let annots = if app.annots.is_empty() { 0 } else { app.annots.join(" ").len() + 2 };
            spend(app.prim.name().len() + annots)?;
            app.args.iter().try_for_each(|arg| {
                *left = left.checked_sub(1)?;
                take(arg, left)
            })
        }
    }
}

struct Printer {
    out: String,
    /// Where in `out` the present line starts.
    line_start: usize,
    /// Whether lines may be broken.
    wide: bool,
}

impl Printer {
    fn column(&self) -> usize {
        self.out.len() - self.line_start
    }

    fn break_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.line_start = self.out.len();
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn wrapped(&mut self, expr: &Micheline) {
        match expr {
            Micheline::Prim(app) if !(app.args.is_empty() && app.annots.is_empty()) => {
                self.out.push('(');
                self.unwrapped(expr);
                self.out.push(')');
            }
            _ => self.unwrapped(expr),
        }
    }

    fn unwrapped(&mut self, expr: &Micheline) {
        match expr {
            Micheline::Int(value) => self.out.push_str(&value.to_string()),
            Micheline::String(text) => self.string(text),
            Micheline::Bytes(bytes) => {
                self.out.push_str("0x");
                self.out.push_str(&hex::encode(bytes));
            }
            Micheline::Seq(items) if items.is_empty() => self.out.push_str("{}"),
            Micheline::Seq(items) => {
                let broken = self.wide && !fits(expr);
                self.out.push_str("{ ");
                let indent = self.column();
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(" ;");
                        self.separate(broken, indent);
                    }
                    self.unwrapped(item);
                }
                self.out.push_str(" }");
            }
            Micheline::Prim(app) => self.application(app, self.wide && !fits(expr)),
        }
    }

    fn separate(&mut self, broken: bool, indent: usize) {
        if broken { self.break_line(indent) } else { self.out.push(' ') }
    }

    fn application(&mut self, app: &PrimApp, broken: bool) {
        let start = self.column();
        self.out.push_str(app.prim.name());
        for annot in &app.annots {
            self.out.push(' ');
            self.out.push_str(annot);
        }
        let word = self.column() - start;
        let indent = if word <= SHORT_WORD { start + word + 1 } else { start + 2 };
        for (index, arg) in app.args.iter().enumerate() {
            self.separate(broken && (index > 0 || word > SHORT_WORD), indent);
            self.wrapped(arg);
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\u{8}' => self.out.push_str("\\b"),
                '\t' => self.out.push_str("\\t"),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
