//! What can go wrong outside the rules: trees that are no PVM state, reveals without an answer, runs that only the exact
//! machine can decide. What goes wrong *inside* the rules is a stuck state, not an error.

use crate::reveal::RevealError;
use crate::units::Tick;
use soru_merkle::TreeError;
use soru_tezos::codec::DecodeError;
use soru_tezos::scalar::Level;

/// An operation on a PVM that has no successor state here.
#[derive(Debug, thiserror::Error)]
pub enum PvmError {
    /// The state tree cannot be read, or what is wanted is blinded.
    #[error("cannot read the state tree: {0}")]
    Tree(#[from] TreeError),
    /// A leaf that every state has is not there.
    #[error("the state has no '{0}'")]
    Missing(String),
    /// A leaf that does not decode.
    #[error("the state's '{path}' is malformed: {source}")]
    Leaf {
        /// Where it stands in the tree.
        path: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A tagged union with a tag that does not exist.
    #[error("the state's '{path}' has the unknown tag '{tag}'")]
    Tag {
        /// Where the union stands.
        path: String,
        /// The tag found.
        tag: String,
    },
    /// The version text in durable storage is none of ours.
    #[error("unknown PVM version '{0}'")]
    UnknownVersion(String),
    /// A count left its range; no state reached by the rules has it.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// A kernel or boot sector was asked of a state that has none.
    #[error("the durable storage holds no kernel at /kernel/boot.wasm")]
    NoKernel,
    /// Only the exact machine can tell the next state.
    #[error("undecided at tick {tick}: {reason}")]
    Undecided {
        /// The tick of the state that is kept.
        tick: Tick,
        /// Why.
        reason: Undecided,
    },
    /// A reveal that was asked for has no answer here; the state is the one before the `kernel_run`.
    #[error("the kernel's reveal at inbox level {level} has no answer: {source}")]
    Reveal {
        /// Level of the last input read.
        level: Level,
        /// Why.
        source: RevealError,
    },
    /// The state has no successor that can be known: the reference fails outside the machine here, or a failed assertion gets it
    /// stuck with a text that names a line of its sources, which is another one in each of its releases (`spec/pvm.md` §5.9).
    #[error("the state has no successor: {0}")]
    NoSuccessor(&'static str),
    /// A step was asked of a state that waits for something else.
    #[error("at tick {tick} the machine {found}, so {wanted} is not possible")]
    WrongState {
        /// The tick.
        tick: Tick,
        /// What the machine does.
        found: &'static str,
        /// What was asked.
        wanted: &'static str,
    },
}

/// Why fast execution cannot tell the outcome of a `kernel_run`. The exact machine can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The kernel is not a module the fast engine can accept: the exact machine may stop with an error, or run it.
    #[error("the kernel is not accepted by the fast engine: {0}")]
    Module(String),
    /// An import that does not exist in this version or has another type.
    #[error("the kernel does not link: {0}")]
    Link(String),
    /// The kernel does not export what a kernel must.
    #[error("the kernel's exports: {0}")]
    Export(String),
    /// Instantiation failed: a segment out of bounds, a trap in the start function, a host call during it.
    #[error("the kernel's initialisation failed: {0}")]
    Init(String),
    /// The evaluation trapped.
    #[error("the kernel trapped: {0}")]
    Trap(String),
    /// Calls nested so deeply that the exact limit matters.
    #[error("the call stack may be exhausted (limit of {limit} frames)")]
    Stack {
        /// Frames the version allows.
        limit: u32,
    },
    /// A memory or table wants to grow beyond what the engine is configured for.
    #[error("the kernel wants a {what} of {size}, beyond the fast engine's bound of {bound}")]
    Bound {
        /// `memory` or `table`.
        what: &'static str,
        /// Size wanted, in bytes or elements.
        size: usize,
        /// The bound.
        bound: usize,
    },
    /// The run needs more ticks than a snapshot allows, or may.
    #[error("the kernel may need more than {0} ticks")]
    Ticks(Tick),
    /// The run was interrupted from outside.
    #[error("the run was interrupted")]
    Interrupted,
    /// A host call whose outcome the exact machine must tell.
    #[error("host function {name}: {problem}")]
    Host {
        /// Import name.
        name: &'static str,
        /// What happened.
        problem: String,
    },
    /// A message that the exact machine answers with an error text not known here.
    #[error("the input message: {0}")]
    Input(&'static str),
    /// The activation of the new durable storage, or a state that already has it.
    #[error("the new durable storage is not supported: {0}")]
    Nds(&'static str),
    /// The state is in the middle of a `kernel_run`.
    #[error("the machine is inside a kernel_run ({0})")]
    Inside(&'static str),
}

impl Undecided {
    /// Whether the exact machine decides what the fast engine could not. The others are decided by nobody here.
    pub fn is_for_the_exact_machine(&self) -> bool {
        !matches!(self, Undecided::Interrupted | Undecided::Nds(_) | Undecided::Input(_))
    }
}
