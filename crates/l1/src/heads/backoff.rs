//! How long to wait before connecting again (`spec/node.md` §4.2).

use std::time::Duration;

/// Longest wait before an attempt, jitter aside.
const LONGEST: f64 = 3600.0;

/// The wait before attempt `attempt`: none before the first, then growing by half each time; `random` in 0..=1 spreads it
/// by half to either side.
pub fn delay(first: Duration, attempt: u32, random: f64) -> Duration {
    if attempt == 0 {
        return Duration::ZERO;
    }
    let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
    let base = (first.as_secs_f64() * 1.5f64.powi(exponent)).min(LONGEST);
    Duration::from_secs_f64(base * (0.5 + random.clamp(0.0, 1.0)))
}

/// A random number in 0..1; one half when the system has none.
pub fn random() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_half_up_to_an_hour() {
        let first = Duration::from_secs(2);
        assert_eq!(delay(first, 0, 0.9), Duration::ZERO);
        assert_eq!(delay(first, 1, 0.5), Duration::from_secs(2));
        assert_eq!(delay(first, 2, 0.5), Duration::from_secs(3));
        assert_eq!(delay(first, 1, 0.0), Duration::from_secs(1));
        assert_eq!(delay(first, 1, 1.0), Duration::from_secs(3));
        assert_eq!(delay(first, u32::MAX, 0.5), Duration::from_secs(3600));
    }
}
