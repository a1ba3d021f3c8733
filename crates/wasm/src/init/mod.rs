//! The tick state `init`: instantiating the module, one step per tick (`spec/pvm.md` §4.6, §5.4).

mod import;
mod section;
pub mod state;

use std::sync::Arc;

use soru_merkle::containers::{Either, TreeValue, Vector};

use self::state::{
    CreateElem, EsData, EvalConst, EvalStart, ExportsFold, InitKont, InitState, InnerKont, MapConcat, TickMap,
    TypesOut, WithModule,
};
use crate::eval::state::{Admin, Config, FromBlock, StepKont};
use crate::eval::{self, Machine};
use crate::exception::{StepError, Stepped};
use crate::host::Host;
use crate::instance::{Extern, Instance, Refs, Registry};
use crate::instr::Instr;
use crate::kont::{Join, MapKont};
use crate::module::{DataSegment, Elem, Export, Module};
use crate::types::{ExportDesc, Name, Num, Reference, SegmentMode, Value};

/// The exception of an instantiation step that cannot reduce.
fn cannot_reduce(rank: u8, what: &str) -> StepError {
    let raw = format!("Tezos_webassembly_interpreter.Eval.Init_step_error({rank})");
    StepError::named(&raw, Some(what))
}

/// One step of instantiation. `stack_size_limit` is the version's.
pub fn step(host: &mut dyn Host, stack_size_limit: i32, state: InitState) -> Stepped<InitState> {
    let InitState { name, module, kont, mut registry } = state;
    let mut init = Init { host, stack_size_limit, name: &name, module: &module, registry: &mut registry };
    let kont = init.step(kont)?;
    Ok(InitState { name, module, kont, registry })
}

/// The evaluation of the exported function `entry`; none if it is exported as something else (`spec/pvm.md` §5.5, §15.2).
pub fn entry_point(stack_size_limit: i32, state: &InitState, entry: &str) -> Stepped<Option<Config>> {
    let instance = state.registry.get(&crate::decode::main_name())?;
    match instance.exports.get(&Name::from(entry))? {
        Extern::Func(function) => {
            let code = Vector::from_list([Admin::Invoke(function)]);
            Ok(Some(Config::new(stack_size_limit, state.name.clone(), code)))
        }
        _ => Ok(None),
    }
}

struct Init<'a> {
    host: &'a mut dyn Host,
    stack_size_limit: i32,
    name: &'a Name,
    module: &'a Module,
    registry: &'a mut Registry,
}

fn map_kont<A: TreeValue + Clone, B: TreeValue + Clone>(origin: &Vector<A>) -> MapKont<Vector<A>, Vector<B>> {
    let destination = Vector::create(origin.signed_length());
    MapKont { origin: origin.clone(), destination, offset: 0 }
}

fn tick_map<K, A: TreeValue + Clone, B: TreeValue + Clone>(origin: &Vector<A>) -> TickMap<K, A, B> {
    TickMap { tick: None, map: map_kont(origin) }
}

impl<A: TreeValue + Clone, B: TreeValue + Clone> MapKont<Vector<A>, Vector<B>> {
    fn is_complete(&self) -> bool {
        i64::from(self.offset) == self.origin.signed_length()
    }

    fn step(mut self, f: impl FnOnce(i32, A) -> Stepped<B>) -> Stepped<Self> {
        let element = self.origin.get(self.offset.into())?;
        let mapped = f(self.offset, element)?;
        self.destination.set(self.offset.into(), mapped)?;
        self.offset = self.offset.wrapping_add(1);
        Ok(self)
    }
}

impl<K, A: TreeValue + Clone, B: TreeValue + Clone> TickMap<K, A, B> {
    /// One tick: begins an element, works on it, or stores it.
    fn step(
        mut self,
        begin: impl FnOnce(A) -> K,
        completed: impl FnOnce(&K) -> Stepped<Option<B>>,
        work: impl FnOnce(K) -> Stepped<K>,
    ) -> Stepped<Self> {
        match self.tick.take() {
            None => {
                let element = self.map.origin.get(self.map.offset.into())?;
                self.tick = Some(InnerKont { kont: begin(element) });
            }
            Some(InnerKont { kont }) => match completed(&kont)? {
                Some(value) => {
                    self.map.destination.set(self.map.offset.into(), value)?;
                    self.map.offset = self.map.offset.wrapping_add(1);
                }
                None => self.tick = Some(InnerKont { kont: work(kont)? }),
            },
        }
        Ok(self)
    }
}

fn right<A, B: Clone>(kont: &Either<A, B>) -> Stepped<Option<B>> {
    match kont {
        Either::Left(_) => Ok(None),
        Either::Right(value) => Ok(Some(value.clone())),
    }
}

fn lift<A, B>(kont: Either<A, B>, f: impl FnOnce(A) -> Stepped<B>) -> Stepped<Either<A, B>> {
    match kont {
        Either::Left(source) => Ok(Either::Right(f(source)?)),
        Either::Right(_) => Err(cannot_reduce(4, "Section_step")),
    }
}

fn with<K>(module: Instance, kont: K) -> Box<WithModule<K>> {
    Box::new(WithModule { module, kont })
}

/// The evaluation of the constant expression in block `label`.
fn begin_const(stack_size_limit: i32, name: &Name, label: i32) -> EvalConst {
    let code = Vector::from_list([Admin::FromBlock(FromBlock { block: label, index: 0 })]);
    EvalConst::Next(Box::new(Config::new(stack_size_limit, name.clone(), code)))
}

impl Init<'_> {
    /// Makes the instance visible to evaluations.
    fn publish(&mut self, instance: &Instance) {
        self.registry.set(self.name.clone(), Arc::new(instance.clone()));
    }

    fn eval(&mut self, config: Config) -> Stepped<Config> {
        let mut machine = Machine { registry: self.registry, host: self.host, init: true };
        eval::step(&mut machine, config)
    }

    fn const_step(&mut self, kont: EvalConst) -> Stepped<EvalConst> {
        match kont {
            EvalConst::Next(config) => match config.kont {
                StepKont::Result(mut values) => match values.signed_length() {
                    1 => Ok(EvalConst::Stop(values.pop()?)),
                    _ => Err(StepError::message("wrong number of results on stack")),
                },
                _ => Ok(EvalConst::Next(Box::new(self.eval(*config)?))),
            },
            EvalConst::Stop(_) => Err(cannot_reduce(5, "Eval_const")),
        }
    }

    fn step(&mut self, kont: InitKont) -> Stepped<InitKont> {
        match kont {
            InitKont::Start(externs) => {
                let instance = Instance::empty();
                self.publish(&instance);
                import::begin(instance, externs.externs, self.module.imports.clone())
            }
            InitKont::AddImport(fold) => {
                if fold.offset == -1 {
                    self.publish(&fold.acc);
                    let types = &self.module.types;
                    let destination = TypesOut { types: Vector::create(types.signed_length()) };
                    let kont = MapKont { origin: types.clone(), destination, offset: 0 };
                    return Ok(InitKont::Types(with(fold.acc, kont)));
                }
                Ok(InitKont::AddImport(Box::new(import::add(self.module, *fold)?)))
            }
            InitKont::Types(types) => {
                let WithModule { module: mut instance, mut kont } = *types;
                if i64::from(kont.offset) == kont.origin.signed_length() {
                    instance.types = kont.destination.types;
                    instance.allocations = self.module.allocations.clone();
                    self.publish(&instance);
                    return Ok(InitKont::Func(with(instance, tick_map(&self.module.funcs))));
                }
                let kind = kont.origin.get(kont.offset.into())?;
                kont.destination.types.set(kont.offset.into(), kind.into())?;
                kont.offset = kont.offset.wrapping_add(1);
                Ok(InitKont::Types(with(instance, kont)))
            }
            InitKont::Exports(exports) => self.exports(*exports),
            InitKont::Elems(elems) => self.elems(*elems),
            InitKont::Datas(datas) => {
                let WithModule { module: mut instance, kont } = *datas;
                if kont.is_complete() {
                    instance.datas = kont.destination;
                    self.publish(&instance);
                    let kont = MapConcat::Map(map_kont(&self.module.elems));
                    return Ok(InitKont::EsElem(with(instance, kont)));
                }
                let kont = kont.step(|_, segment: DataSegment| Ok(segment.init))?;
                Ok(InitKont::Datas(with(instance, kont)))
            }
            InitKont::EsElem(es) => {
                let WithModule { module: instance, kont } = *es;
                if let Some(es_elem) = kont.completed() {
                    let kont = MapConcat::Map(map_kont(&self.module.datas));
                    return Ok(InitKont::EsData(Box::new(EsData { module: instance, kont, es_elem })));
                }
                let kont = kont.step(|number, elem| Ok(elem_code(number, &elem)))?;
                Ok(InitKont::EsElem(with(instance, kont)))
            }
            InitKont::EsData(es) => {
                let EsData { module: instance, kont, es_elem } = *es;
                if let Some(es_data) = kont.completed() {
                    let start = self.module.start.0.map(|function| Admin::Plain(Instr::Call(function)));
                    let vectors = Vector::from_list([es_elem, es_data, Vector::from_list(start)]);
                    return Ok(InitKont::JoinAdmin(with(instance, Join::Init(vectors))));
                }
                let kont = kont.step(|number, data| data_code(&instance, number, &data))?;
                Ok(InitKont::EsData(Box::new(EsData { module: instance, kont, es_elem })))
            }
            InitKont::JoinAdmin(join) => {
                let WithModule { module: instance, kont } = *join;
                if let Some(code) = kont.completed() {
                    let config = Config::new(self.stack_size_limit, self.name.clone(), code);
                    return Ok(InitKont::Eval(Box::new(EvalStart { config })));
                }
                Ok(InitKont::JoinAdmin(with(instance, kont.step()?)))
            }
            InitKont::Eval(start) => match start.config.kont {
                StepKont::Result(_) => Ok(InitKont::Stop(())),
                StepKont::Trapped(message) => Err(StepError::message(message.as_bytes())),
                _ => Ok(InitKont::Eval(Box::new(EvalStart { config: self.eval(start.config)? }))),
            },
            InitKont::Stop(()) => Err(cannot_reduce(0, "Init_step")),
            section => self.section(section),
        }
    }

    fn exports(&mut self, exports: WithModule<ExportsFold>) -> Stepped<InitKont> {
        let WithModule { module: mut instance, kont: mut fold } = exports;
        if i64::from(fold.offset) == fold.origin.signed_length() {
            if !fold.acc.memory_0 {
                return Err(StepError::named(
                    "Tezos_webassembly_interpreter.Eval.Missing_memory_0_export",
                    Some("Module must export memory 0"),
                ));
            }
            instance.exports = fold.acc.exports;
            return Ok(InitKont::Elems(with(instance, tick_map(&self.module.elems))));
        }
        let Export { name, desc } = fold.origin.get(fold.offset.into())?;
        match desc {
            // only functions are kept, but everything exported must exist
            ExportDesc::Func(index) => fold.acc.exports.set(name, Extern::Func(instance.function(index)?)),
            ExportDesc::Table(index) => drop(instance.table(index)?),
            ExportDesc::Memory(index) => drop(instance.memory(index)?),
            ExportDesc::Global(index) => drop(instance.global(index)?),
        }
        fold.acc.memory_0 |= desc == ExportDesc::Memory(0);
        fold.offset = fold.offset.wrapping_add(1);
        Ok(InitKont::Exports(with(instance, fold)))
    }

    fn elems(&mut self, elems: WithModule<TickMap<CreateElem, Elem, Refs>>) -> Stepped<InitKont> {
        let WithModule { module: mut instance, kont } = elems;
        if kont.map.is_complete() {
            instance.elements = kont.map.destination;
            return Ok(InitKont::Datas(with(instance, map_kont(&self.module.datas))));
        }
        let kont = kont.step(
            |elem: Elem| tick_map(&elem.init),
            |kont: &CreateElem| Ok(kont.map.is_complete().then(|| Refs { refs: kont.map.destination.clone() })),
            |kont: CreateElem| {
                let (limit, name) = (self.stack_size_limit, self.name);
                kont.step(|label| begin_const(limit, name, label), created_reference, |kont| self.const_step(kont))
            },
        )?;
        Ok(InitKont::Elems(with(instance, kont)))
    }
}

fn created_reference(kont: &EvalConst) -> Stepped<Option<Reference>> {
    match kont {
        EvalConst::Next(_) => Ok(None),
        EvalConst::Stop(Value::Ref(reference)) => Ok(Some(reference.clone())),
        EvalConst::Stop(_) => Err(StepError::unknown("Failure(\"as_ref\")")),
    }
}

impl<A: TreeValue + Clone> MapConcat<A> {
    fn completed(&self) -> Option<Vector<Admin>> {
        match self {
            MapConcat::Map(_) => None,
            MapConcat::Join(join) => join.completed(),
        }
    }

    fn step(self, f: impl FnOnce(i32, A) -> Stepped<Vector<Admin>>) -> Stepped<Self> {
        match self {
            MapConcat::Map(map) if map.is_complete() => Ok(MapConcat::Join(Join::Init(map.destination))),
            MapConcat::Map(map) => Ok(MapConcat::Map(map.step(f)?)),
            MapConcat::Join(join) => Ok(MapConcat::Join(join.step()?)),
        }
    }
}

fn active(offset: i32, length: i32, init: Instr, drop: Instr) -> Vector<Admin> {
    let constant = |value| Admin::Plain(Instr::Const(Num::I32(value)));
    let first = Admin::FromBlock(FromBlock { block: offset, index: 0 });
    Vector::from_list([first, constant(0), constant(length), Admin::Plain(init), Admin::Plain(drop)])
}

fn elem_code(number: i32, elem: &Elem) -> Vector<Admin> {
    match elem.mode {
        SegmentMode::Passive => Vector::create(0),
        SegmentMode::Active { index, offset } => {
            let length = elem.init.signed_length() as i32;
            active(offset, length, Instr::TableInit(index, number), Instr::ElemDrop(number))
        }
        SegmentMode::Declarative => Vector::from_list([Admin::Plain(Instr::ElemDrop(number))]),
    }
}

fn data_code(instance: &Instance, number: i32, data: &DataSegment) -> Stepped<Vector<Admin>> {
    match data.mode {
        SegmentMode::Passive => Ok(Vector::create(0)),
        SegmentMode::Active { index, .. } if index != 0 => {
            Err(StepError::assertion("an active data segment of a memory other than 0"))
        }
        SegmentMode::Active { offset, .. } => {
            let length = instance.allocations.data(data.init)?.length() as i32;
            Ok(active(offset, length, Instr::MemoryInit(number), Instr::DataDrop(number)))
        }
        SegmentMode::Declarative => Err(cannot_reduce(7, "Run_data_step")),
    }
}
