//! How deep JSON nests. Scripts nest deeper than JSON readers allow by default; this bound, checked before anything is
//! read or kept, takes the place of their own.

/// Deepest nesting of JSON that is read or kept.
pub const MAX_NESTING: usize = 600;

/// Whether a JSON text nests at most [`MAX_NESTING`] deep. Texts that are no JSON may get either answer.
pub fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_shallow(nested(MAX_NESTING).as_bytes()));
        assert!(!is_shallow(nested(MAX_NESTING + 1).as_bytes()));
        assert!(is_shallow(format!("\"\\\"{}\"", "[".repeat(10_000)).as_bytes()));
        assert!(is_shallow(b"[] {} ".repeat(10_000).as_slice()));
    }
}
