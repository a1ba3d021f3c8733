//! Why two types are not the same, as the protocol tells it: an error for every type on the way to the difference.

use super::{Kind, Type};
use crate::error::{Location, Problem};

/// The errors about two types that differ, the outermost first. Without a location neither type stands in a script.
pub fn differences(location: Option<Location>, first: &Type, other: &Type) -> Vec<Problem> {
    let inconsistent = |first: &Type, other: &Type| Problem::InconsistentTypes {
        location,
        first: first.to_micheline(),
        other: other.to_micheline(),
    };
    let mut trace = vec![inconsistent(first, other)];
    let (mut a, mut b) = (first, other);
    loop {
        let Some(parts) = parts(a, b) else {
            trace.push(inconsistent(a, b));
            return trace;
        };
        if a.size() != b.size() {
            trace.push(inconsistent(first, other));
            trace.push(Problem::InconsistentTypeSizes { first: a.size(), other: b.size() });
            return trace;
        }
        let Some((c, d)) = parts.into_iter().find(|(c, d)| c != d) else { return trace };
        trace.push(inconsistent(c, d));
        (a, b) = (c, d);
    }
}

/// The parts of two types of the same shape, in the order in which they are compared.
fn parts<'t>(first: &'t Type, other: &'t Type) -> Option<Vec<(&'t Type, &'t Type)>> {
    Some(match (first.kind(), other.kind()) {
        (Kind::Pair(a, b), Kind::Pair(c, d))
        | (Kind::Or(a, b), Kind::Or(c, d))
        | (Kind::Lambda(a, b), Kind::Lambda(c, d))
        // of maps the values come first
        | (Kind::Map(b, a), Kind::Map(d, c))
        | (Kind::BigMap(b, a), Kind::BigMap(d, c)) => vec![(a, c), (b, d)],
        (Kind::Option(a), Kind::Option(c))
        | (Kind::List(a), Kind::List(c))
        | (Kind::Set(a), Kind::Set(c))
        | (Kind::Contract(a), Kind::Contract(c))
        | (Kind::Ticket(a), Kind::Ticket(c)) => vec![(a, c)],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse_expression;
    use crate::types::Allow;

    fn told(first: &str, other: &str) -> Vec<String> {
        let of = |text: &str| Type::of(&parse_expression(text).unwrap().expr, Allow::ANY).unwrap();
        let show = |problem: Problem| match problem {
            Problem::InconsistentTypes { first, other, .. } => {
                format!("{} / {}", crate::syntax::print_line(&first), crate::syntax::print_line(&other))
            }
            Problem::InconsistentTypeSizes { first, other } => format!("{first} / {other}"),
            other => other.to_string(),
        };
        differences(None, &of(first), &of(other)).into_iter().map(show).collect()
    }

    #[test]
    fn every_type_on_the_way() {
        assert_eq!(told("int", "nat"), ["int / nat", "int / nat"]);
        assert_eq!(
            told("pair int (list nat)", "pair int (list string)"),
            ["pair int (list nat) / pair int (list string)", "list nat / list string", "nat / string", "nat / string"]
        );
        assert_eq!(
            told("list (option int)", "list int"),
            ["list (option int) / list int", "list (option int) / list int", "3 / 2"]
        );
        assert_eq!(told("map int nat", "map nat int")[1], "nat / int");
    }
}
