//! What parameters hold themselves or in a file: texts, Michelson expressions, scripts.

use soru_michelson::syntax::{Parsed, SyntaxError, parse_expression, parse_script};
use soru_tezos::micheline::Micheline;

/// The text of a parameter, or of the file that it names, with `file:` or plainly.
pub fn text_or_file(text: &str) -> Result<String, String> {
    match text.strip_prefix("file:").or_else(|| std::path::Path::new(text).is_file().then_some(text)) {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("cannot read file {path} ({error})")),
        None => Ok(text.strip_prefix("text:").unwrap_or(text).to_owned()),
    }
}

/// A text, and the expression it says.
#[derive(Clone)]
pub struct Source {
    /// The text.
    pub text: String,
    /// The expression, and where its parts stand.
    pub parsed: Parsed,
}

impl Source {
    /// An expression in a parameter.
    pub fn data(text: &str) -> Result<Source, SyntaxError> {
        Ok(Source { text: text.to_owned(), parsed: parse_expression(text)? })
    }

    /// The script in a parameter: the text itself, or a file that has it.
    pub fn script(text: &str) -> Result<Source, String> {
        let text = text_or_file(text)?;
        let parsed = parse_script(&text).map_err(|error| error.to_string())?;
        Ok(Source { text, parsed })
    }
}

/// An expression in a parameter.
pub fn data(text: &str) -> Result<Micheline, SyntaxError> {
    parse_expression(text).map(|parsed: Parsed| parsed.expr)
}

/// The script in a parameter: the text itself, or a file that has it.
pub fn script(text: &str) -> Result<Micheline, String> {
    Source::script(text).map(|source| source.parsed.expr)
}
