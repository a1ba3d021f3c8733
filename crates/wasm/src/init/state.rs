//! The continuations of instantiation (`spec/pvm.md` §4.6).

use soru_merkle::containers::{Either, LazyMap, NameKey, Text, Vector};
use soru_merkle::{tree_record, tree_union};

use crate::eval::state::{Admin, Config};
use crate::instance::{Extern, Function, GlobalInstance, Instance, Memory, Refs, Registry, Table};
use crate::kont::{Concat, Join, MapKont};
use crate::module::{DataSegment, Elem, Export, Func, Global, Import, Module};
use crate::types::{FuncType, GlobalType, Limits, Reference, RuntimeType, TableType, Value};

tree_record! {
    /// A continuation below its own step.
    pub struct InnerKont<K> {
        /// The continuation.
        kont: K = ["inner_kont"],
    }
}

tree_record! {
    /// A vector being mapped to another, with several ticks per element.
    pub struct TickMap<K, A, B> {
        /// The current element, once begun.
        tick: Option<InnerKont<K>> = [],
        /// The loop.
        map: MapKont<Vector<A>, Vector<B>> = ["map_kont"],
    }
}

tree_record! {
    /// Externs and imports, folded from the last to the first.
    pub struct AddImport {
        /// The instance so far.
        acc: Instance = ["acc"],
        /// What the host offers.
        externs: Vector<Extern> = ["left_vector"],
        /// What the module asks for.
        imports: Vector<Import> = ["right_vector"],
        /// The next one; −1 at the end.
        offset: i32 = ["offset"],
    }
}

tree_record! {
    /// The externs of a module about to be instantiated.
    pub struct Externs {
        /// The externs.
        externs: Vector<Extern> = ["externs"],
    }
}

tree_record! {
    /// Types, below their step.
    pub struct TypesOut {
        /// The types.
        types: Vector<RuntimeType> = ["types"],
    }
}

tree_union! {
    /// A constant expression being evaluated.
    pub enum EvalConst {
        /// At work.
        Next(Box<Config>) = "EC_Next",
        /// Done.
        Stop(Value) = "EC_Stop",
    }
}

tree_record! {
    /// A global being created.
    pub struct CreateGlobal {
        /// Its type.
        kind: GlobalType = ["global_type"],
        /// Its value.
        kont: EvalConst = ["kont"],
    }
}

/// An element segment being created.
pub type CreateElem = TickMap<EvalConst, i32, Reference>;

tree_union! {
    /// Segments being turned into code, and the code being joined.
    pub enum MapConcat<A> {
        /// Segments.
        Map(MapKont<Vector<A>, Vector<Vector<Admin>>>) = "MC_Map",
        /// Code.
        Join(Join<Admin>) = "MC_Join",
    }
}

tree_record! {
    /// The exports so far.
    pub struct ExportsAcc {
        /// Whether memory 0 is among them.
        memory_0: bool = ["exports-memory-0"],
        /// The exported functions.
        exports: LazyMap<NameKey, Extern> = ["exports"],
    }
}

tree_record! {
    /// Exports, folded.
    pub struct ExportsFold {
        /// What the module exports.
        origin: Vector<Export> = ["origin"],
        /// The exports so far.
        acc: ExportsAcc = ["acc"],
        /// The next one.
        offset: i32 = ["offset"],
    }
}

tree_record! {
    /// A step of instantiation with the instance so far.
    pub struct WithModule<K> {
        /// The instance.
        module: Instance = ["module"],
        /// The step.
        kont: K = ["kont"],
    }
}

tree_record! {
    /// Data segments being turned into code.
    pub struct EsData {
        /// The instance.
        module: Instance = ["module"],
        /// The step.
        kont: MapConcat<DataSegment> = ["kont"],
        /// The code of the element segments.
        es_elem: Vector<Admin> = ["es_elem"],
    }
}

tree_record! {
    /// The start code being evaluated.
    pub struct EvalStart {
        /// The evaluation.
        config: Config = ["config"],
    }
}

tree_union! {
    /// Where instantiation stands.
    pub enum InitKont {
        /// Before.
        Start(Externs) = "IK_Start",
        /// Imports.
        AddImport(Box<AddImport>) = "IK_Add_import",
        /// Types.
        Types(Box<WithModule<MapKont<Vector<FuncType>, TypesOut>>>) = "IK_Types",
        /// Functions.
        Func(Box<WithModule<TickMap<Either<Func, Function>, Func, Function>>>) = "IK_Aggregate_func",
        /// Functions behind the imported ones.
        ConcatFunc(Box<WithModule<Concat<Function>>>) = "IK_Aggregate_concat_func",
        /// Globals.
        Global(Box<WithModule<TickMap<CreateGlobal, Global, GlobalInstance>>>) = "IK_Aggregate_global",
        /// Globals behind the imported ones.
        ConcatGlobal(Box<WithModule<Concat<GlobalInstance>>>) = "IK_Aggregate_concat_global",
        /// Tables.
        Table(Box<WithModule<TickMap<Either<TableType, Table>, TableType, Table>>>) = "IK_Aggregate_table",
        /// Tables behind the imported ones.
        ConcatTable(Box<WithModule<Concat<Table>>>) = "IK_Aggregate_concat_table",
        /// Memories.
        Memory(Box<WithModule<TickMap<Either<Limits, Memory>, Limits, Memory>>>) = "IK_Aggregate_memory",
        /// Memories behind the imported ones.
        ConcatMemory(Box<WithModule<Concat<Memory>>>) = "IK_Aggregate_concat_memory",
        /// Exports.
        Exports(Box<WithModule<ExportsFold>>) = "IK_Exports",
        /// Element segments.
        Elems(Box<WithModule<TickMap<CreateElem, Elem, Refs>>>) = "IK_Elems",
        /// Data segments.
        Datas(Box<WithModule<MapKont<Vector<DataSegment>, Vector<i32>>>>) = "IK_Datas",
        /// Code of element segments.
        EsElem(Box<WithModule<MapConcat<Elem>>>) = "IK_Es_elem",
        /// Code of data segments.
        EsData(Box<EsData>) = "IK_Es_data",
        /// Code of segments and start function being joined.
        JoinAdmin(Box<WithModule<Join<Admin>>>) = "IK_Join_admin",
        /// That code being evaluated.
        Eval(Box<EvalStart>) = "IK_Eval",
        /// Done.
        Stop(()) = "IK_Stop",
    }
}

tree_record! {
    /// The tick state `init`: a module being instantiated.
    pub struct InitState {
        /// Name under which the instance is registered.
        name: Text = ["self"],
        /// The module.
        module: Module = ["ast_module"],
        /// Where instantiation stands.
        kont: InitKont = ["init_kont"],
        /// The modules that run.
        registry: Registry = ["modules"],
    }
}
