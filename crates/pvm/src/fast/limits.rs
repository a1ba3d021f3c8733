//! The limits of the exact machine, as far as native code can keep to them: ticks, nested calls (`spec/pvm.md` §5.1, §5.6).

use super::validate::Facts;
use crate::error::Undecided;
use crate::units::Tick;
use crate::version::Version;

/// Fewest bytes of native stack that a call takes: return address and frame pointer.
const FRAME: usize = 16;

/// Native stack that holds fewer frames than the reference's limit of 60,000, so that a kernel beyond the limit overflows.
pub const STACK_BYTES: usize = FRAME * 59_900;

/// How certain it must be that a run ends within its ticks and frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TickPolicy {
    /// A run counts only when an upper bound of its ticks is below the limit. With the limits of real networks that holds
    /// for billions of instructions.
    #[default]
    Proven,
    /// A run counts unless a lower bound of its ticks reaches the limit, as in the reference's own fast execution. For
    /// small limits, in tests and conformance cases.
    Assumed,
}

/// What bounds one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    ticks: Tick,
    setup: u128,
    per_instruction: u128,
    /// Instructions may take the ticks left divided by this; what remains is for host functions.
    share: u128,
}

/// Ticks an instruction takes at least: three to fetch it and three to execute it.
const INSTRUCTION_AT_LEAST: u128 = 6;

impl Limits {
    /// The limits of a run of the kernel with these `facts`, or why it cannot be decided at all.
    pub fn new(policy: TickPolicy, facts: &Facts, version: Version, ticks: Tick) -> Result<Limits, Undecided> {
        let limit = version.stack_size_limit();
        // two frames are the machine's own
        let shallow = facts.call_depth.is_some_and(|depth| depth + 2 < limit);
        if version == Version::V0 && policy == TickPolicy::Proven && !shallow {
            return Err(Undecided::Stack { limit });
        }
        Ok(match policy {
            TickPolicy::Proven => {
                // instructions are counted at the ends of straight lines of code
                let uncounted = facts.operators * facts.instruction_at_most;
                let setup = facts.setup_at_most + uncounted;
                Limits { ticks, setup, per_instruction: facts.instruction_at_most, share: 2 }
            }
            TickPolicy::Assumed => {
                Limits { ticks, setup: facts.setup_at_least, per_instruction: INSTRUCTION_AT_LEAST, share: 1 }
            }
        })
    }

    /// Instructions after which the run is given up.
    pub fn fuel(&self) -> u64 {
        let left = self.ticks.0.saturating_sub(self.setup) / self.per_instruction / self.share;
        u64::try_from(left).unwrap_or(u64::MAX).min(i64::MAX as u64)
    }

    /// Instructions of a run that ended in a trap with `counted` of them: those counted last are lost, so an upper bound must
    /// take the most there can be.
    pub fn instructions_at_trap(&self, counted: u64) -> u64 {
        if self.share > 1 { self.fuel() } else { counted }
    }

    /// Whether a run that took `instructions` and `host_ticks` counts.
    pub fn check(&self, instructions: u64, host_ticks: u128) -> Result<(), Undecided> {
        let run = u128::from(instructions).saturating_mul(self.per_instruction);
        let ticks = self.setup.saturating_add(run).saturating_add(host_ticks);
        // the last tick of the cycle is the one that ends it
        if ticks.saturating_add(2) > self.ticks.0 { Err(self.exceeded()) } else { Ok(()) }
    }

    /// The reason when the limit is, or may be, reached.
    pub fn exceeded(&self) -> Undecided {
        Undecided::Ticks(self.ticks)
    }
}
