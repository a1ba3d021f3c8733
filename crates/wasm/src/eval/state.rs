//! The evaluator's configuration: frames, labels, administrative instructions and continuations (`spec/pvm.md` §4.7).

use soru_merkle::containers::{Int31, Optional, Text, Vector};
use soru_merkle::{tree_record, tree_union};
use soru_tezos::number::Z;

use crate::instance::Function;
use crate::instr::Instr;
use crate::kont::{Concat, MapKont};
use crate::module::Func;
use crate::types::{Name, Num, Reference, Value, ValueType};

/// A stack of values; the top is in front.
pub type Values = Vector<Value>;
/// Administrative instructions still to execute.
pub type Code = Vector<Admin>;

tree_record! {
    /// The rest of a block.
    #[derive(Copy)]
    pub struct FromBlock {
        /// Label of the block.
        block: i32 = ["1"],
        /// Number of the next instruction.
        index: i32 = ["2"],
    }
}

tree_record! {
    /// A jump out of blocks.
    pub struct Breaking {
        /// How many more blocks to leave.
        depth: i32 = ["1"],
        /// The values to take along.
        values: Values = ["2"],
    }
}

tree_record! {
    /// The next of the instructions that `table.init` stands for.
    pub struct TableInitMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// The reference to write.
        value: Reference = ["2"],
        /// Destination.
        d: i32 = ["3"],
        /// Source.
        s: i32 = ["4"],
        /// Length.
        n: i32 = ["5"],
        /// Table.
        x: i32 = ["6"],
        /// Segment.
        y: i32 = ["7"],
    }
}

tree_record! {
    /// The next of the instructions that `table.fill` stands for.
    pub struct TableFillMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// Destination.
        i: i32 = ["2"],
        /// Length.
        n: i32 = ["3"],
        /// The reference to write.
        value: Reference = ["4"],
        /// Table.
        x: i32 = ["5"],
    }
}

tree_record! {
    /// The next of the instructions that `table.copy` stands for.
    pub struct TableCopyMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// Destination.
        d: i32 = ["2"],
        /// Source.
        s: i32 = ["3"],
        /// Length.
        n: i32 = ["4"],
        /// Table to write.
        x: i32 = ["5"],
        /// Table to read.
        y: i32 = ["6"],
        /// Whether to go upwards.
        forward: bool = ["7"],
    }
}

tree_record! {
    /// The next of the instructions that `memory.init` stands for.
    pub struct MemoryInitMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// Destination.
        d: i32 = ["2"],
        /// The byte to write.
        b: i32 = ["3"],
        /// Length.
        n: i32 = ["4"],
        /// Source.
        s: i32 = ["5"],
        /// Segment.
        x: i32 = ["6"],
    }
}

tree_record! {
    /// The next of the instructions that `memory.fill` stands for.
    pub struct MemoryFillMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// Destination.
        i: i32 = ["2"],
        /// The byte to write.
        k: Num = ["3"],
        /// Length.
        n: i32 = ["4"],
    }
}

tree_record! {
    /// The next of the instructions that `memory.copy` stands for.
    pub struct MemoryCopyMeta {
        /// Which one.
        idx: i32 = ["1"],
        /// Destination.
        d: i32 = ["2"],
        /// Source.
        s: i32 = ["3"],
        /// Length.
        n: i32 = ["4"],
        /// Whether to go upwards.
        forward: bool = ["5"],
    }
}

tree_union! {
    /// An administrative instruction.
    pub enum Admin {
        /// The rest of a block.
        FromBlock(FromBlock) = "From_block",
        /// An instruction.
        Plain(Instr) = "Plain",
        /// A reference to push.
        Refer(Reference) = "Refer",
        /// A function to call.
        Invoke(Function) = "Invoke",
        /// A trap.
        Trapping(Text) = "Trapping",
        /// A return.
        Returning(Values) = "Returning",
        /// A jump.
        Breaking(Breaking) = "Breaking",
        /// Part of `table.init`.
        TableInitMeta(TableInitMeta) = "Table_init_meta",
        /// Part of `table.fill`.
        TableFillMeta(TableFillMeta) = "Table_fill_meta",
        /// Part of `table.copy`.
        TableCopyMeta(TableCopyMeta) = "Table_copy_meta",
        /// Part of `memory.init`.
        MemoryInitMeta(MemoryInitMeta) = "Memory_init_meta",
        /// Part of `memory.fill`.
        MemoryFillMeta(MemoryFillMeta) = "Memory_fill_meta",
        /// Part of `memory.copy`.
        MemoryCopyMeta(MemoryCopyMeta) = "Memory_copy_meta",
    }
}

tree_record! {
    /// A block being executed.
    pub struct Label {
        /// Number of values a jump here takes along.
        arity: Optional<i32> = ["arity"],
        /// What a jump here continues with, besides the code behind.
        on_break: Option<Instr> = ["label_break"],
        /// Its values.
        values: Values = ["values"],
        /// Its code.
        code: Code = ["instructions"],
    }
}

tree_record! {
    /// Blocks being executed.
    pub struct LabelStack {
        /// The innermost.
        top: Label = ["top"],
        /// The others, from the inside out.
        rest: Vector<Label> = ["rst"],
    }
}

tree_union! {
    /// The labels of a frame that goes on.
    pub enum Ongoing {
        /// Blocks being executed.
        Stack(LabelStack) = "Label_stack",
    }
}

tree_union! {
    /// The labels of a frame.
    pub enum LabelKont {
        /// Blocks being executed.
        Stack(LabelStack) = "Label_stack",
        /// Finished, with these values.
        Result(Values) = "Label_result",
        /// Trapped.
        Trapped(Text) = "Label_trapped",
    }
}

impl From<LabelStack> for Ongoing {
    fn from(stack: LabelStack) -> Self {
        Ongoing::Stack(stack)
    }
}

tree_record! {
    /// The module and the locals of a function being executed.
    pub struct Frame {
        /// Name of the module.
        module: Name = ["module"],
        /// Locals.
        locals: Values = ["locals"],
    }
}

tree_record! {
    /// A function being executed. `K` are its labels.
    pub struct FrameStack<K> {
        /// Number of results.
        arity: Optional<i32> = ["arity"],
        /// Module and locals.
        frame: Frame = ["frame"],
        /// Labels.
        labels: K = ["label_kont"],
    }
}

/// A function that goes on.
pub type OngoingFrame = FrameStack<Ongoing>;

tree_union! {
    /// A request for data from outside the rollup.
    pub enum Reveal {
        /// The preimage of a hash.
        RawData(Text) = "Reveal_raw_data",
        /// The rollup's metadata.
        Metadata(()) = "Reveal_metadata",
        /// Anything else.
        Raw(Text) = "Reveal_raw",
    }
}

impl Reveal {
    /// The request with these raw bytes.
    pub fn from_payload(payload: Vec<u8>) -> Reveal {
        match payload.split_first() {
            Some((0, hash)) => Reveal::RawData(Text::from(hash.to_vec())),
            Some((1, [])) => Reveal::Metadata(()),
            _ => Reveal::Raw(Text::from(payload)),
        }
    }

    /// The raw bytes of the request.
    pub fn payload(&self) -> Vec<u8> {
        match self {
            Reveal::RawData(hash) => [&[0], hash.as_bytes()].concat(),
            Reveal::Metadata(()) => vec![1],
            Reveal::Raw(payload) => payload.as_bytes().to_vec(),
        }
    }
}

tree_record! {
    /// A call about to start.
    pub struct InvStart {
        /// The function.
        func: Function = ["func"],
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
    }
}

tree_record! {
    /// Types of locals, under their step.
    pub struct LocalTypes {
        /// The types.
        types: Vector<ValueType> = ["x"],
    }
}

tree_record! {
    /// Values of locals, under their step.
    pub struct LocalValues {
        /// The values.
        values: Values = ["y"],
    }
}

tree_record! {
    /// Locals getting their first values.
    pub struct InvLocals {
        /// Number of results.
        arity: i32 = ["arity"],
        /// Arguments.
        args: Values = ["args"],
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
        /// Module of the function.
        inst: Name = ["inst"],
        /// The function.
        func: Func = ["func"],
        /// The loop.
        kont: MapKont<LocalTypes, LocalValues> = ["kont"],
    }
}

tree_record! {
    /// Values under step 1.
    pub struct Values1 {
        /// The values.
        values: Values = ["1"],
    }
}

tree_record! {
    /// Values under step 2.
    pub struct Values2 {
        /// The values.
        values: Values = ["2"],
    }
}

tree_record! {
    /// Arguments being reversed.
    pub struct InvArgs {
        /// Number of results.
        arity: i32 = ["arity"],
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
        /// Module of the function.
        inst: Name = ["inst"],
        /// The function.
        func: Func = ["func"],
        /// Locals.
        locals: Values = ["locals"],
        /// The loop.
        kont: MapKont<Values1, Values2> = ["kont"],
    }
}

tree_record! {
    /// The two halves of a concatenation under step 2.
    pub struct ArgsConcat {
        /// Arguments.
        left: Values = ["lv", "2"],
        /// Locals.
        right: Values = ["rv", "2"],
        /// Both, as far as done.
        result: Values = ["res", "2"],
        /// Elements done.
        offset: i32 = ["offset"],
    }
}

tree_record! {
    /// Arguments and locals being joined.
    pub struct InvConcat {
        /// Number of results.
        arity: i32 = ["arity"],
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
        /// Module of the function.
        inst: Name = ["inst"],
        /// The function.
        func: Func = ["func"],
        /// The loop.
        kont: ArgsConcat = ["kont"],
    }
}

tree_record! {
    /// A reveal waiting for its answer.
    pub struct InvReveal {
        /// The request.
        reveal: Reveal = ["reveal"],
        /// Where the answer goes.
        base_destination: i32 = ["base_destination"],
        /// How much of it is wanted.
        max_bytes: i32 = ["max_bytes"],
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
    }
}

tree_record! {
    /// A call prepared, or finished.
    pub struct InvStop {
        /// Values of the caller.
        values: Values = ["values"],
        /// Code of the caller.
        code: Code = ["instructions"],
        /// The frame to enter, for functions of the module.
        fresh_frame: Option<OngoingFrame> = ["fresh_frame"],
        /// Ticks still to pass.
        remaining_ticks: Z = ["remaining_ticks"],
    }
}

tree_union! {
    /// A call.
    pub enum InvokeKont {
        /// About to start.
        Start(InvStart) = "Inv_start",
        /// Locals getting their first values.
        Locals(InvLocals) = "Inv_prepare_locals",
        /// Arguments being reversed.
        Args(InvArgs) = "Inv_prepare_args",
        /// Arguments and locals being joined.
        Concat(InvConcat) = "Inv_concat",
        /// A reveal waiting for its answer.
        Reveal(InvReveal) = "Inv_reveal_tick",
        /// Prepared, or finished.
        Stop(InvStop) = "Inv_stop",
    }
}

tree_record! {
    /// A call in a frame.
    pub struct CraftFrame {
        /// Labels of the caller.
        labels: Ongoing = ["label_kont"],
        /// The call.
        invoke: InvokeKont = ["invoke_kont"],
    }
}

tree_record! {
    /// A frame about to be entered.
    pub struct PushFrame {
        /// Labels of the caller.
        labels: Ongoing = ["label_kont"],
        /// The frame.
        fresh_frame: OngoingFrame = ["fresh_frame"],
    }
}

tree_record! {
    /// The values of a block being handed to the one around it.
    pub struct ConsolidateTop {
        /// The block around.
        label: Label = ["label"],
        /// The values.
        kont: Concat<Value> = ["kont"],
        /// Code of the block around.
        code: Code = ["instructions"],
        /// The blocks further out.
        rest: Vector<Label> = ["labels-stack"],
    }
}

tree_union! {
    /// A step within a frame.
    pub enum LabelStep {
        /// Before.
        Start(Ongoing) = "LS_Start",
        /// In a call.
        CraftFrame(CraftFrame) = "LS_Craft_frame",
        /// Entering a frame.
        PushFrame(PushFrame) = "LS_Push_frame",
        /// Leaving a block.
        ConsolidateTop(ConsolidateTop) = "LS_Consolidate_top",
        /// Done.
        ModifyTop(LabelKont) = "LS_Modify_top",
    }
}

tree_record! {
    /// Between two steps.
    pub struct SkStart {
        /// The function being executed.
        top: FrameStack<LabelKont> = ["top"],
        /// Its callers, from the inside out.
        rest: Vector<OngoingFrame> = ["rst"],
    }
}

tree_record! {
    /// In a step.
    pub struct SkNext {
        /// The function being executed.
        top: FrameStack<LabelKont> = ["top"],
        /// Its callers, from the inside out.
        rest: Vector<OngoingFrame> = ["rst"],
        /// The step.
        kont: LabelStep = ["kont"],
    }
}

tree_record! {
    /// The results of a function being handed to its caller.
    pub struct SkConsolidate {
        /// The caller.
        frame: OngoingFrame = ["top-frame"],
        /// Its callers.
        rest: Vector<OngoingFrame> = ["frames-stack"],
        /// Innermost block of the caller.
        label: Label = ["top-label"],
        /// The values.
        kont: Concat<Value> = ["kont"],
        /// Code of that block.
        code: Code = ["instructions"],
        /// Blocks of the caller further out.
        labels: Vector<Label> = ["labels-stack"],
    }
}

tree_union! {
    /// Where the evaluation stands.
    pub enum StepKont {
        /// Between two steps.
        Start(SkStart) = "SK_Start",
        /// In a step.
        Next(Box<SkNext>) = "SK_Next",
        /// Leaving a function.
        Consolidate(Box<SkConsolidate>) = "SK_Consolidate_label_result",
        /// Finished, with these values.
        Result(Values) = "SK_Result",
        /// Trapped.
        Trapped(Text) = "SK_Trapped",
    }
}

tree_record! {
    /// An evaluation.
    pub struct Config {
        /// Where it stands.
        kont: StepKont = ["step_kont"],
        /// Depth of calls at which it fails.
        stack_size_limit: Int31 = ["stack_size_limit"],
    }
}

impl Config {
    /// An evaluation of `code` in `module`, outside of any function.
    pub fn new(stack_size_limit: i32, module: Name, code: Code) -> Self {
        let label = Label { arity: Optional(None), on_break: None, values: Vector::create(0), code };
        let labels = LabelKont::Stack(LabelStack { top: label, rest: Vector::create(0) });
        let frame = Frame { module, locals: Vector::create(0) };
        let top = FrameStack { arity: Optional(None), frame, labels };
        Config {
            kont: StepKont::Start(SkStart { top, rest: Vector::create(0) }),
            stack_size_limit: Int31(stack_size_limit),
        }
    }

    /// The reveal the evaluation waits for, if it does.
    pub fn reveal(&self) -> Option<&InvReveal> {
        match &self.kont {
            StepKont::Next(next) => match &next.kont {
                LabelStep::CraftFrame(CraftFrame { invoke: InvokeKont::Reveal(reveal), .. }) => Some(reveal),
                _ => None,
            },
            _ => None,
        }
    }
}
