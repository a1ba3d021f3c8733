//! The frames, blocks and operands of an evaluation as flat stacks, unfolded from a configuration and folded back into one.
//!
//! Only the blocks of the topmost frame are unfolded; what lies below keeps the form of the tree. A vector of the
//! reference remembers more than its elements: the key of its first one, and bindings outside its range. Each block therefore
//! knows the key of its lowest operand, and where its other bindings come from.

use soru_merkle::containers::{Optional, Vector};

use super::code::{Code, Entry};
use crate::eval::state::{
    Admin, Code as AdminCode, Config, Frame, FrameStack, FromBlock, Label, LabelKont, LabelStack, Ongoing,
    OngoingFrame, SkStart, StepKont, Values,
};
use crate::exception::Stepped;
use crate::instance::Instance;
use crate::instr::Instr;
use crate::types::{Name, Num, RefType, Reference, V128, Value, ValueType};

/// A value. What is not a number lies in a list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    I32(i32),
    I64(i64),
    Other(u32),
}

impl Slot {
    /// The value a local of this type starts with; [`Stacks::new`] lists those that are not numbers.
    pub(super) fn default_of(kind: ValueType) -> Slot {
        match kind {
            ValueType::I32 => Slot::I32(0),
            ValueType::I64 => Slot::I64(0),
            ValueType::V128 => Slot::Other(0),
            ValueType::FuncRef => Slot::Other(1),
            ValueType::ExternRef => Slot::Other(2),
        }
    }
}

/// Most values unfolded at once; beyond, the stacks are folded.
const MOST_SLOTS: usize = 1 << 23;

/// Marks a block whose vector has no bindings below its first element's key.
pub(super) const CLEAN: usize = usize::MAX;

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    /// Place of its lowest operand.
    pub(super) base: usize,
    /// Number of its operands, while another block or frame runs.
    pub(super) height: usize,
    /// Operands that a call took: the vector keeps them behind its range.
    pub(super) taken: usize,
    /// Key behind that of its lowest operand.
    pub(super) end_key: i32,
    /// Places from here on were never pushed to: their bindings are those of the vector this one stems from.
    pub(super) untouched: usize,
    /// Whether its vector stems from that of the block around.
    pub(super) inherits: bool,
    /// The vector it stems from, if it is another.
    pub(super) origin: Option<Box<Values>>,
    /// Next instruction, while another block or frame runs.
    pub(super) pc: u32,
    /// Label of its instructions, and where they start.
    pub(super) label: i32,
    pub(super) start: u32,
    /// Number of values a jump takes along.
    pub(super) arity: Option<i32>,
    /// Whether a jump starts it again.
    pub(super) is_loop: bool,
    /// Its code as it was in the tree.
    pub(super) code: Option<Box<AdminCode>>,
}

/// A function being executed.
#[derive(Debug)]
pub(super) struct Activation {
    /// Place of its first local, and their number.
    pub(super) locals: usize,
    pub(super) count: usize,
    pub(super) arity: Option<i32>,
    /// Number of its first block.
    pub(super) blocks: usize,
    /// Its locals, and the blocks around the unfolded ones, as they were in the tree.
    pub(super) origin: Option<Box<(Values, Vector<Label>)>>,
}

impl Activation {
    /// Whether there are blocks around the unfolded ones.
    pub(super) fn has_blocks_around(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| !origin.1.is_empty())
    }
}

/// Where a block of the tree stands in its prepared code.
struct Place {
    entry: Entry,
    start: u32,
    pc: u32,
}

impl Place {
    /// None where the block cannot be unfolded. Before it goes on, `results` more operands come.
    fn of(label: &Label, instance: &Instance, prepared: &mut Code, results: u32) -> Stepped<Option<Place>> {
        if label.code.signed_length() != 1 {
            return Ok(None);
        }
        let Admin::FromBlock(FromBlock { block, index }) = label.code.get(0)? else { return Ok(None) };
        let entry = match (&label.on_break, label.arity.0) {
            (Some(Instr::Loop(kind, of)), Some(_)) if *of == block => Code::entry(instance, kind, *of)?,
            // how many operands it took does not matter any more
            (None, Some(arity)) => u16::try_from(arity)
                .ok()
                .map(|results| prepared.known(block, results).unwrap_or(Entry { block, params: 0, results })),
            _ => None,
        };
        let Some(entry) = entry else { return Ok(None) };
        let place = match prepared.block(entry) {
            Some(place) => place,
            None => prepared.prepare_block(instance, entry)?,
        };
        let (Ok(index), Ok(height)) = (u32::try_from(index), u32::try_from(label.values.signed_length())) else {
            return Ok(None);
        };
        let pc = place.start.saturating_add(index);
        if index >= place.length || !prepared.fits(pc, height.saturating_add(results)) {
            return Ok(None);
        }
        if let Some(instr) = &label.on_break {
            prepared.loops.insert(block, instr.clone());
        }
        Ok(Some(Place { entry, start: place.start, pc }))
    }
}

/// The stacks of an evaluation.
#[derive(Debug)]
pub(super) struct Stacks {
    pub(super) slots: Vec<Slot>,
    pub(super) others: Vec<Value>,
    pub(super) blocks: Vec<Block>,
    pub(super) activations: Vec<Activation>,
    /// The frames below, as they are in the tree.
    pub(super) rest: Vector<OngoingFrame>,
    pub(super) module: Name,
    /// Depth of calls at which the evaluation fails.
    pub(super) limit: i32,
}

/// Most values that are not numbers; then the stacks are folded, which forgets those no longer in use.
pub(super) const MOST_OTHERS: usize = 1 << 16;

impl Stacks {
    pub(super) fn slot(&mut self, value: Value) -> Slot {
        match value {
            Value::Num(Num::I32(value)) => Slot::I32(value),
            Value::Num(Num::I64(value)) => Slot::I64(value),
            other => {
                self.others.push(other);
                Slot::Other(self.others.len() as u32 - 1)
            }
        }
    }

    pub(super) fn value(&self, slot: Slot) -> Value {
        match slot {
            Slot::I32(value) => Value::Num(Num::I32(value)),
            Slot::I64(value) => Value::Num(Num::I64(value)),
            // all there are come from `slot`
            Slot::Other(number) => self.others.get(number as usize).cloned().unwrap_or(Value::i32(0)),
        }
    }

    /// Number of frames below the topmost.
    pub(super) fn depth(&self) -> i64 {
        self.rest.signed_length() + self.activations.len() as i64 - 1
    }

    /// Unfolds the topmost frame of a configuration between two instructions; nothing else is unfolded. An error is as good as
    /// that: single steps will meet it again, at its tick.
    pub(super) fn unfold(config: &Config, instance: &Instance, module: &Name, code: &mut Code) -> Option<Stacks> {
        Stacks::begin(config, instance, module, code).ok().flatten()
    }

    fn begin(config: &Config, instance: &Instance, module: &Name, prepared: &mut Code) -> Stepped<Option<Stacks>> {
        let StepKont::Start(SkStart { top, rest }) = &config.kont else { return Ok(None) };
        let LabelKont::Stack(LabelStack { top: label, rest: around }) = &top.labels else { return Ok(None) };
        if top.frame.module != *module {
            return Ok(None);
        }
        // the blocks from the inside out, as many as can be unfolded
        let mut around = around.clone();
        let mut labels = Vec::new();
        let mut results = 0;
        let mut next = label.clone();
        while let Some(place) = Place::of(&next, instance, prepared, results)? {
            if !labels.is_empty() {
                around.drop_first()?;
            }
            results = place.entry.results.into();
            labels.push((next, place));
            if around.is_empty() {
                break;
            }
            next = around.get(0)?;
        }
        if labels.is_empty() {
            return Ok(None);
        }
        let mut stacks = Stacks {
            slots: Vec::new(),
            others: vec![
                Value::Vec(V128([0; 16])),
                Value::Ref(Reference::Null(RefType::Func)),
                Value::Ref(Reference::Null(RefType::Extern)),
            ],
            blocks: Vec::new(),
            activations: Vec::new(),
            rest: rest.clone(),
            module: module.clone(),
            limit: config.stack_size_limit.0,
        };
        for value in top.frame.locals.to_list()? {
            let slot = stacks.slot(value);
            stacks.slots.push(slot);
        }
        stacks.activations.push(Activation {
            locals: 0,
            count: stacks.slots.len(),
            arity: top.arity.0,
            blocks: 0,
            origin: Some(Box::new((top.frame.locals.clone(), around))),
        });
        for (label, place) in labels.into_iter().rev() {
            stacks.push(label, place)?;
        }
        stacks.reserve();
        Ok(Some(stacks))
    }

    fn push(&mut self, label: Label, place: Place) -> Stepped<()> {
        let base = self.slots.len();
        let mut operands = label.values.to_list()?;
        operands.reverse();
        for value in operands {
            let slot = self.slot(value);
            self.slots.push(slot);
        }
        let height = self.slots.len() - base;
        self.blocks.push(Block {
            base,
            height,
            taken: 0,
            end_key: (label.values.head() as i32).wrapping_add(height as i32),
            untouched: base + height,
            inherits: false,
            origin: Some(Box::new(label.values)),
            pc: place.pc,
            label: place.entry.block,
            start: place.start,
            arity: label.arity.0,
            is_loop: label.on_break.is_some(),
            code: Some(Box::new(label.code)),
        });
        Ok(())
    }

    /// Makes room for more pushes; false where there is enough already.
    pub(super) fn reserve(&mut self) -> bool {
        let length = (self.slots.len() + 1024).next_power_of_two();
        if length <= MOST_SLOTS {
            self.slots.resize(length, Slot::I32(0));
        }
        length <= MOST_SLOTS
    }

    fn bindings(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = (usize, Value)> + '_ {
        let slots = self.slots.get(range.clone()).unwrap_or_default();
        range.zip(slots.iter().map(|slot| self.value(*slot)))
    }

    /// The vector of a block's operands. `around` is that of the block around, where it stems from it.
    pub(super) fn operands(&self, block: &Block, around: Option<&Values>) -> Values {
        let key = |place: usize| i64::from(block.end_key.wrapping_sub((place - block.base) as i32).wrapping_sub(1));
        let mut values = match (&block.origin, around) {
            (Some(origin), _) => origin.as_ref().clone(),
            (None, Some(around)) if block.inherits => around.clone(),
            _ => Vector::create(0),
        };
        let top = block.base + block.height;
        if block.untouched != CLEAN {
            for place in top + block.taken..block.untouched {
                values.unbind(key(place));
            }
        }
        for (place, value) in self.bindings(block.base..top + block.taken) {
            values.bind(key(place), value);
        }
        values.reframed(block.end_key.wrapping_sub(block.height as i32).into(), block.height as i64)
    }

    /// The operands of the innermost block.
    pub(super) fn innermost_operands(&self) -> Values {
        let from = self.activations.last().map_or(0, |activation| activation.blocks);
        let mut values = None;
        for block in self.blocks.get(from..).unwrap_or_default() {
            values = Some(self.operands(block, values.as_ref()));
        }
        values.unwrap_or_default()
    }

    /// The uppermost `count` operands, the lowest first.
    pub(super) fn innermost(&self, count: usize) -> Vec<Value> {
        let top = self.blocks.last().map_or(0, |block| block.base + block.height);
        self.bindings(top.saturating_sub(count)..top).map(|(_, value)| value).collect()
    }

    /// Ends a call of a host function: `results` take the place of `params` operands, which the vector keeps behind its range.
    pub(super) fn replace(&mut self, params: usize, results: Vec<Value>) -> Stepped<()> {
        let origin = if params > results.len() {
            let (_, mut values) = self.innermost_operands().split(params as i64)?;
            results.iter().rev().for_each(|result| values.cons(result.clone()));
            Some(Box::new(values))
        } else {
            None
        };
        let results: Vec<Slot> = results.into_iter().rev().map(|result| self.slot(result)).collect();
        let Some(block) = self.blocks.last_mut() else { return Ok(()) };
        let start = (block.base + block.height).saturating_sub(params);
        let end = start + results.len();
        self.slots.resize(self.slots.len().max(end), Slot::I32(0));
        for (place, result) in self.slots.iter_mut().skip(start).zip(results) {
            *place = result;
        }
        block.height = end - block.base;
        block.pc += 1;
        if origin.is_some() {
            (block.origin, block.inherits, block.untouched) = (origin, false, end);
        } else if block.untouched != CLEAN {
            block.untouched = block.untouched.max(end);
        }
        Ok(())
    }

    fn labels(&self, blocks: &[Block], activation: &Activation, code: &Code, first: Option<&Instr>) -> LabelStack {
        let mut rest = activation.origin.as_ref().map_or_else(|| Vector::create(0), |origin| origin.1.clone());
        let mut top: Option<Label> = None;
        for block in blocks {
            let values = self.operands(block, top.as_ref().map(|around| &around.values));
            let next = Admin::FromBlock(FromBlock { block: block.label, index: (block.pc - block.start) as i32 });
            let instructions = match &block.code {
                Some(code) => {
                    let mut code = code.as_ref().clone();
                    code.bind(code.head(), next);
                    code
                }
                None => Vector::from_list([next]),
            };
            let on_break = if block.is_loop { code.loops.get(&block.label).cloned() } else { None };
            if let Some(around) = top.take() {
                rest.cons(around);
            }
            top = Some(Label { arity: Optional(block.arity), on_break, values, code: instructions });
        }
        let mut top = top.unwrap_or_else(|| Label {
            arity: Optional(None),
            on_break: None,
            values: Vector::create(0),
            code: Vector::create(0),
        });
        if let Some(first) = first {
            top.code.cons(Admin::Plain(first.clone()));
        }
        LabelStack { top, rest }
    }

    fn frame(&self, activation: &Activation) -> Frame {
        let mut locals = match &activation.origin {
            Some(origin) => origin.0.clone(),
            None => Vector::create(activation.count as i64),
        };
        let first = locals.head();
        for (place, value) in self.bindings(activation.locals..activation.locals + activation.count) {
            locals.bind(i64::from((first as i32).wrapping_add((place - activation.locals) as i32)), value);
        }
        Frame { module: self.module.clone(), locals }
    }

    /// The configuration that single steps would have come to. `first` is an instruction still to be executed before the code.
    pub(super) fn fold(self, code: &Code, first: Option<&Instr>) -> Config {
        let mut rest = self.rest.clone();
        let mut top = None;
        for (number, activation) in self.activations.iter().enumerate() {
            let end = self.activations.get(number + 1).map_or(self.blocks.len(), |next| next.blocks);
            let blocks = self.blocks.get(activation.blocks..end).unwrap_or_default();
            let last = number + 1 == self.activations.len();
            let labels = self.labels(blocks, activation, code, first.filter(|_| last));
            let (arity, frame) = (Optional(activation.arity), self.frame(activation));
            if last {
                top = Some(FrameStack { arity, frame, labels: LabelKont::Stack(labels) });
            } else {
                rest.cons(FrameStack { arity, frame, labels: Ongoing::Stack(labels) });
            }
        }
        let top = top.unwrap_or_else(|| FrameStack {
            arity: Optional(None),
            frame: Frame { module: self.module.clone(), locals: Vector::create(0) },
            labels: LabelKont::Result(Vector::create(0)),
        });
        let stack_size_limit = soru_merkle::containers::Int31(self.limit);
        Config { kont: StepKont::Start(SkStart { top, rest }), stack_size_limit }
    }
}
