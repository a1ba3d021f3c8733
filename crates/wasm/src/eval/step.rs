//! One reduction: of the frames, then of the labels of the topmost (`spec/pvm.md` §5.6).

use soru_merkle::containers::{Text, Vector};
use soru_tezos::number::Z;

use super::state::{
    Admin, Breaking, Config, ConsolidateTop, CraftFrame, Frame, FrameStack, FromBlock, InvStart, InvStop, InvokeKont,
    Label, LabelKont, LabelStack, LabelStep, Ongoing, PushFrame, SkConsolidate, SkNext, SkStart, StepKont, Values,
};
use super::{Machine, invoke, meta, plain};
use crate::exception::{StepError, Stepped};
use crate::kont::Concat;
use crate::types::Value;

fn cannot_reduce(rank: u8, what: &str) -> StepError {
    let raw = format!("Tezos_webassembly_interpreter.Eval.Evaluation_step_error({rank})");
    StepError::named(&raw, Some(what))
}

/// One tick of an evaluation that is neither finished nor trapped.
pub fn step(machine: &mut Machine<'_>, config: Config) -> Stepped<Config> {
    let Config { kont, stack_size_limit } = config;
    let kont = match kont {
        StepKont::Start(SkStart { top, rest }) => start(top, rest)?,
        StepKont::Consolidate(consolidate) => {
            let SkConsolidate { frame, rest, mut label, kont, code, labels } = *consolidate;
            if kont.is_complete() {
                (label.values, label.code) = (kont.result, code);
                let FrameStack { arity, frame, .. } = frame;
                let labels = LabelKont::Stack(LabelStack { top: label, rest: labels });
                StepKont::Start(SkStart { top: FrameStack { arity, frame, labels }, rest })
            } else {
                let kont = kont.step()?;
                StepKont::Consolidate(Box::new(SkConsolidate { frame, rest, label, kont, code, labels }))
            }
        }
        StepKont::Next(next) => {
            let SkNext { mut top, mut rest, kont } = *next;
            match kont {
                LabelStep::ModifyTop(labels) => {
                    top.labels = labels;
                    StepKont::Start(SkStart { top, rest })
                }
                LabelStep::PushFrame(PushFrame { labels, fresh_frame }) => {
                    let depth = rest.signed_length() + 1;
                    if i64::from(stack_size_limit.0) <= depth {
                        return Err(StepError::message("call stack exhausted"));
                    }
                    rest.cons(FrameStack { arity: top.arity, frame: top.frame, labels });
                    StepKont::Start(SkStart { top: entered(fresh_frame), rest })
                }
                kont => {
                    let kont = label_step(machine, &mut top.frame, kont)?;
                    StepKont::Next(Box::new(SkNext { top, rest, kont }))
                }
            }
        }
        StepKont::Result(_) | StepKont::Trapped(_) => return Err(cannot_reduce(2, "Eval_step")),
    };
    Ok(Config { kont, stack_size_limit })
}

fn entered(FrameStack { arity, frame, labels: Ongoing::Stack(stack) }: FrameStack<Ongoing>) -> FrameStack<LabelKont> {
    FrameStack { arity, frame, labels: LabelKont::Stack(stack) }
}

fn start(top: FrameStack<LabelKont>, mut rest: Vector<FrameStack<Ongoing>>) -> Stepped<StepKont> {
    let FrameStack { arity, frame, labels } = top;
    match labels {
        LabelKont::Trapped(message) => Ok(StepKont::Trapped(message)),
        LabelKont::Result(values) if rest.is_empty() => Ok(StepKont::Result(take(arity.0, values)?)),
        LabelKont::Result(values) => {
            let frame = rest.pop()?;
            let Ongoing::Stack(LabelStack { top: label, rest: labels }) = frame.labels.clone();
            let kont = Concat::new(values, label.values.clone())?;
            let code = label.code.clone();
            Ok(StepKont::Consolidate(Box::new(SkConsolidate { frame, rest, label, kont, code, labels })))
        }
        LabelKont::Stack(stack) => {
            let kont = LabelStep::Start(Ongoing::Stack(stack.clone()));
            let top = FrameStack { arity, frame, labels: LabelKont::Stack(stack) };
            Ok(StepKont::Next(Box::new(SkNext { top, rest, kont })))
        }
    }
}

/// The first `arity` values, where there is an arity; the map keeps them all.
fn take(arity: Option<i32>, values: Values) -> Stepped<Values> {
    match arity {
        Some(arity) => Ok(values.split(arity.into())?.0),
        None => Ok(values),
    }
}

fn modified(top: Label, rest: Vector<Label>) -> LabelStep {
    LabelStep::ModifyTop(LabelKont::Stack(LabelStack { top, rest }))
}

fn label_step(machine: &mut Machine<'_>, frame: &mut Frame, kont: LabelStep) -> Stepped<LabelStep> {
    match kont {
        LabelStep::Start(Ongoing::Stack(LabelStack { top, rest })) => begin(machine, frame, top, rest),
        LabelStep::ConsolidateTop(ConsolidateTop { mut label, kont, code, rest }) => {
            if kont.is_complete() {
                (label.values, label.code) = (kont.result, code);
                return Ok(modified(label, rest));
            }
            Ok(LabelStep::ConsolidateTop(ConsolidateTop { label, kont: kont.step()?, code, rest }))
        }
        LabelStep::CraftFrame(CraftFrame { labels, invoke: InvokeKont::Stop(stop) })
            if stop.remaining_ticks <= Z::from(0) =>
        {
            let InvStop { values, code, fresh_frame, .. } = stop;
            let Ongoing::Stack(LabelStack { mut top, rest }) = labels;
            (top.values, top.code) = (values, code);
            Ok(match fresh_frame {
                Some(fresh_frame) => {
                    let labels = Ongoing::Stack(LabelStack { top, rest });
                    LabelStep::PushFrame(PushFrame { labels, fresh_frame })
                }
                None => modified(top, rest),
            })
        }
        LabelStep::CraftFrame(CraftFrame { labels, invoke }) => {
            let invoke = invoke::step(machine, frame, invoke)?;
            Ok(LabelStep::CraftFrame(CraftFrame { labels, invoke }))
        }
        LabelStep::PushFrame(_) | LabelStep::ModifyTop(_) => Err(cannot_reduce(0, "Label_step")),
    }
}

/// Executes the first administrative instruction of the innermost block, or leaves the block.
fn begin(machine: &mut Machine<'_>, frame: &mut Frame, mut top: Label, mut rest: Vector<Label>) -> Stepped<LabelStep> {
    if top.code.signed_length() <= 0 {
        if rest.is_empty() {
            return Ok(LabelStep::ModifyTop(LabelKont::Result(top.values)));
        }
        let around = rest.pop()?;
        return consolidate(top.values, around, rest, None);
    }
    let first = top.code.get(0)?;
    if let Admin::Invoke(func) = first {
        // the labels stay as they are until the call is prepared
        let mut code = top.code.clone();
        code.drop_first()?;
        let invoke = InvokeKont::Start(InvStart { func, values: top.values.clone(), code });
        let labels = Ongoing::Stack(LabelStack { top, rest });
        return Ok(LabelStep::CraftFrame(CraftFrame { labels, invoke }));
    }
    top.code.drop_first()?;
    match first {
        Admin::Plain(instr) => {
            let stack = plain::execute(machine, frame, top, rest, instr)?;
            Ok(LabelStep::ModifyTop(LabelKont::Stack(stack)))
        }
        Admin::FromBlock(FromBlock { block, index }) => {
            let instance = machine.instance(frame)?;
            let instructions = instance.allocations.blocks.get(block.into())?.instructions;
            if i64::from(index) != instructions.signed_length() {
                let instr = instructions.get(index.into())?;
                top.code.cons(Admin::FromBlock(FromBlock { block, index: index.wrapping_add(1) }));
                top.code.cons(Admin::Plain(instr));
            }
            Ok(modified(top, rest))
        }
        Admin::Refer(reference) => {
            top.values.cons(Value::Ref(reference));
            Ok(modified(top, rest))
        }
        Admin::Trapping(message) => Ok(LabelStep::ModifyTop(LabelKont::Trapped(message))),
        Admin::Returning(values) => Ok(LabelStep::ModifyTop(LabelKont::Result(values))),
        Admin::Breaking(Breaking { depth: 0, values }) => {
            let values = take(top.arity.0, values)?;
            if rest.is_empty() {
                return Ok(LabelStep::ModifyTop(LabelKont::Result(values)));
            }
            let around = rest.pop()?;
            consolidate(values, around, rest, top.on_break.map(Admin::Plain))
        }
        Admin::Breaking(Breaking { depth, values }) => {
            if rest.is_empty() {
                return Err(StepError::message("undefined label"));
            }
            let mut around = rest.pop()?;
            around.code.cons(Admin::Breaking(Breaking { depth: depth.wrapping_sub(1), values }));
            Ok(modified(around, rest))
        }
        Admin::Invoke(_) => Ok(modified(top, rest)),
        Admin::TableInitMeta(meta) => Ok(continued(top, rest, meta::table_init(meta)?)),
        Admin::TableFillMeta(meta) => Ok(continued(top, rest, meta::table_fill(meta)?)),
        Admin::TableCopyMeta(meta) => Ok(continued(top, rest, meta::table_copy(meta)?)),
        Admin::MemoryInitMeta(meta) => Ok(continued(top, rest, meta::memory_init(meta)?)),
        Admin::MemoryFillMeta(meta) => Ok(continued(top, rest, meta::memory_fill(meta)?)),
        Admin::MemoryCopyMeta(meta) => Ok(continued(top, rest, meta::memory_copy(meta)?)),
    }
}

/// The block goes on with some instructions before its others.
fn continued(mut top: Label, rest: Vector<Label>, code: Vec<Admin>) -> LabelStep {
    for admin in code.into_iter().rev() {
        top.code.cons(admin);
    }
    modified(top, rest)
}

/// Hands values to the block around, which continues with `first`, if any, before its other code.
fn consolidate(values: Values, around: Label, rest: Vector<Label>, first: Option<Admin>) -> Stepped<LabelStep> {
    let kont = Concat::new(values, around.values.clone())?;
    let mut code = around.code.clone();
    if let Some(first) = first {
        code.cons(first);
    }
    Ok(LabelStep::ConsolidateTop(ConsolidateTop { label: around, kont, code, rest }))
}

/// The text of a trap.
pub(super) fn trapping(message: &str) -> Admin {
    Admin::Trapping(Text::from(message))
}
