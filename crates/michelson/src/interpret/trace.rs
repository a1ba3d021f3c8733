//! Executions written down step by step, for tools.

use super::Machine;
use crate::error::{Location, Problem, Result};
use crate::gas::{Gas, Milligas};
use crate::typecheck::{Code, Instr};
use crate::types::Type;
use crate::value::{Extent, Mode};
use serde::Serialize;
use soru_tezos::micheline::Micheline;

/// Most nodes of all stacks that are written down: a longer trace is refused.
const MAX_NODES: usize = 500_000;

/// The stack after an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The instruction.
    pub location: Location,
    /// Gas used since the step before, in thousandths.
    #[serde(serialize_with = "decimal")]
    pub gas: Milligas,
    /// The stack, from the top.
    pub stack: Vec<Micheline>,
}

fn decimal<S: serde::Serializer>(value: &Milligas, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// What was written down so far.
pub(super) struct Trace {
    mode: Mode,
    steps: Vec<Step>,
    /// Gas used at the last step.
    used: Milligas,
    nodes: usize,
}

impl Machine<'_> {
    /// Writes every step down from here on.
    pub(crate) fn keep_steps(&mut self, mode: Mode) {
        self.typer.keep_types = true;
        self.trace = Some(Trace { mode, steps: Vec::new(), used: self.typer.gas.used(), nodes: 0 });
    }

    /// What was written down.
    pub(crate) fn take_steps(&mut self) -> Vec<Step> {
        self.trace.take().map(|trace| trace.steps).unwrap_or_default()
    }

    /// The stack that code finds, noted for its first instruction.
    pub(super) fn trace_start(&mut self, code: &Code) -> Result<()> {
        match code.first() {
            Some(first) => self.trace_step(first, false),
            None => Ok(()),
        }
    }

    /// Notes the stack after an instruction, or before it.
    pub(super) fn trace_step(&mut self, instr: &Instr, after: bool) -> Result<()> {
        let Some(types) = &instr.types else { return Ok(()) };
        let Some(mut trace) = self.trace.take() else { return Ok(()) };
        let types = if after { types.after.as_deref() } else { Some(&types.before[..]) };
        let stack = match types {
            Some(types) => self.written(types, trace.mode)?,
            None => Vec::new(),
        };
        trace.nodes = stack.iter().fold(trace.nodes + 1, |sum, expr| sum.saturating_add(Extent::of(expr).nodes));
        if trace.nodes > MAX_NODES {
            return Err(Problem::CannotSerializeLog.into());
        }
        let used = self.typer.gas.used();
        trace.steps.push(Step { location: instr.location, gas: used - trace.used, stack });
        trace.used = used;
        self.trace = Some(trace);
        Ok(())
    }

    /// The stack as expressions, from the top; that costs no gas.
    fn written(&mut self, types: &[Type], mode: Mode) -> Result<Vec<Micheline>> {
        let gas = std::mem::replace(self.typer.gas, Gas::unlimited());
        let values = self.stack.iter().zip(types).rev();
        let written = values.map(|(value, ty)| self.typer.unparse(value, ty, mode)).collect::<Result<_>>();
        *self.typer.gas = gas;
        written.map_err(|error| error.within(Problem::CannotSerializeLog))
    }
}
