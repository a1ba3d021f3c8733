//! Quantities of the PVM: ticks.

use std::fmt;

/// A number of steps of the machine, or a point in time counted from the origination.
///
/// 128 bits: at 50·10¹² ticks a cycle, 64 would last for 370,000 cycles only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u128);

impl Tick {
    /// The next tick.
    pub fn next(self) -> Tick {
        Tick(self.0.saturating_add(1))
    }

    /// The tick `ticks` later.
    pub fn after(self, ticks: Tick) -> Tick {
        Tick(self.0.saturating_add(ticks.0))
    }

    /// Ticks passed since `earlier`, 0 if it is later.
    pub fn since(self, earlier: Tick) -> Tick {
        Tick(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
