//! Michelson as text: read, printed, read again, typechecked as a script, and run as a unit test in the TZT format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soru_michelson::{syntax, tzt};

fuzz_target!(|text: &str| {
    for parsed in [syntax::parse_expression(text), syntax::parse_script(text)].into_iter().flatten() {
        let printed = syntax::print(&parsed.expr);
        let again = syntax::parse_expression(&printed).expect("what was printed can be read");
        assert_eq!(parsed.expr, again.expr, "printed as {printed}");
        let line = syntax::parse_expression(&syntax::print_line(&parsed.expr)).expect("so can a line");
        assert_eq!(parsed.expr, line.expr);
    }
    _ = tzt::run(text);
});
