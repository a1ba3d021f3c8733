//! Which annotations a node may have. They say nothing any more, but the protocol still refuses some.

use crate::error::{Location, Problem, Result};
use crate::node::Node;
use soru_tezos::micheline::Prim;

/// Longest annotation, in bytes.
const MAX_LENGTH: usize = 255;

/// How many annotations of each kind are allowed, and which special ones.
#[derive(Debug, Clone, Copy, Default)]
struct Allowed {
    variables: usize,
    types: usize,
    fields: usize,
    /// `@%` and `@%%`.
    special_variable: bool,
    /// `%@`.
    special_field: bool,
}

const NOTHING: Allowed = Allowed { variables: 0, types: 0, fields: 0, special_variable: false, special_field: false };
const VARIABLE: Allowed = Allowed { variables: 1, ..NOTHING };
const TWO_VARIABLES: Allowed = Allowed { variables: 2, ..NOTHING };
const VARIABLE_TYPE: Allowed = Allowed { variables: 1, types: 1, ..NOTHING };
const CONSTRUCTOR: Allowed = Allowed { variables: 1, types: 1, fields: 2, special_field: true, ..NOTHING };
const ACCESS: Allowed = Allowed { variables: 1, fields: 1, special_variable: true, ..NOTHING };
const TAKE_APART: Allowed = Allowed { variables: 2, fields: 2, special_variable: true, ..NOTHING };
const ENTRYPOINT: Allowed = Allowed { variables: 1, fields: 1, ..NOTHING };

/// What an instruction with so many arguments allows; nothing when it does not care.
fn allowed(prim: Prim, arguments: usize) -> Option<Allowed> {
    Some(match prim {
        Prim::DIG
        | Prim::DUG
        | Prim::DIP
        | Prim::DROP
        | Prim::SWAP
        | Prim::FAILWITH
        | Prim::NEVER
        | Prim::IF
        | Prim::IF_CONS
        | Prim::IF_LEFT
        | Prim::IF_NONE
        | Prim::ITER
        | Prim::LOOP => NOTHING,
        Prim::UNPAIR if arguments > 0 => NOTHING,
        Prim::UNPAIR => TAKE_APART,
        Prim::PAIR if arguments > 0 => VARIABLE,
        Prim::PAIR | Prim::LEFT | Prim::RIGHT => CONSTRUCTOR,
        Prim::CAR | Prim::CDR => ACCESS,
        Prim::CREATE_CONTRACT => TWO_VARIABLES,
        Prim::EMPTY_BIG_MAP
        | Prim::EMPTY_MAP
        | Prim::EMPTY_SET
        | Prim::MAP
        | Prim::MEM
        | Prim::SIZE
        | Prim::NIL
        | Prim::NONE
        | Prim::SOME
        | Prim::UNIT
        | Prim::UNPACK => VARIABLE_TYPE,
        Prim::SELF | Prim::CONTRACT | Prim::EMIT => ENTRYPOINT,
        Prim::MIN_BLOCK_TIME | Prim::OPEN_CHEST | Prim::SAPLING_VERIFY_UPDATE => return None,
        _ => VARIABLE,
    })
}

/// Refuses annotations an instruction does not take.
pub(super) fn check(node: &Node<'_>, prim: Prim) -> Result<()> {
    match (node.annots(), allowed(prim, node.children.len())) {
        ([], _) | (_, None) => Ok(()),
        (annots, Some(allowed)) => check_all(node.location, annots.iter().map(String::as_str), allowed),
    }
}

/// Refuses annotations a type does not take; `field` tells whether it stands where it may have a name.
pub(crate) fn check_type(node: &Node<'_>, field: bool) -> Result<()> {
    let mut named = !field;
    let rest = node.annots().iter().map(String::as_str).filter(|annot| {
        let name = !named && annot.len() > 1 && annot.starts_with('%') && is_word(&annot[1..]);
        named |= name;
        !name
    });
    check_all(node.location, rest, Allowed { types: 1, ..NOTHING })
}

fn check_all<'a>(location: Location, annots: impl Iterator<Item = &'a str>, allowed: Allowed) -> Result<()> {
    let unexpected = || Problem::UnexpectedAnnotation { location }.into();
    let mut counts = [0usize; 3];
    let mut last = None;
    let mut ungrouped = false;
    for annot in annots {
        let kind = match annot.as_bytes().first() {
            Some(b'@') => 0,
            Some(b':') => 1,
            Some(b'%') => 2,
            _ => return Err(unexpected()),
        };
        let special = match annot {
            "@%" | "@%%" => allowed.special_variable,
            "%@" => allowed.special_field,
            _ => false,
        };
        if annot.len() > MAX_LENGTH || !(special || annot.len() == 1 || is_word(&annot[1..])) {
            return Err(unexpected());
        }
        ungrouped |= counts[kind] > 0 && last != Some(kind);
        counts[kind] += 1;
        last = Some(kind);
    }
    if ungrouped {
        return Err(Problem::UngroupedAnnotations { location }.into());
    }
    let most = [allowed.variables, allowed.types, allowed.fields];
    if counts.iter().zip(most).any(|(count, most)| *count > most) { Err(unexpected()) } else { Ok(()) }
}

fn is_word(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    first && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%' | '@'))
}
