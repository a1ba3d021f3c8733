//! Instances: what exists while a module runs (`spec/pvm.md` §4.6).

use std::sync::Arc;

use soru_merkle::containers::{ChunkedBytes, LazyMap, NameKey, Optional, Vector};
use soru_merkle::{tree_record, tree_union};

use crate::module::Allocations;
use crate::types::{FuncType, GlobalType, Limits, Mutability, Name, RefType, Reference, RuntimeType, Value, ValueType};

tree_union! {
    /// A function that can be called.
    pub enum Function {
        /// Of the host.
        Host(HostFunction) = "Host",
        /// Of a module.
        Native(NativeFunction) = "Native",
    }
}

tree_record! {
    /// A function of the host.
    pub struct HostFunction {
        /// Type.
        kind: FuncType = ["1"],
        /// The name under which the host knows it.
        name: Name = ["2", "name"],
    }
}

tree_record! {
    /// A function of a module.
    pub struct NativeFunction {
        /// Type.
        kind: RuntimeType = ["1"],
        /// The module.
        module: Name = ["2", "module"],
        /// Number of its type.
        ftype: i32 = ["3", "ftype"],
        /// Types of its locals.
        locals: Vector<ValueType> = ["4", "locals"],
        /// Label of its body.
        body: i32 = ["5"],
    }
}

impl Function {
    /// Types of the parameters, types of the results.
    pub fn signature(&self) -> (&Vector<ValueType>, &Vector<ValueType>) {
        match self {
            Function::Host(function) => (&function.kind.params, &function.kind.results),
            Function::Native(function) => (&function.kind.params, &function.kind.results),
        }
    }
}

tree_record! {
    /// A table.
    pub struct Table {
        /// Size.
        min: i32 = ["1", "min"],
        /// Largest size.
        max: Optional<i32> = ["2", "max"],
        /// Elements.
        refs: Vector<Reference> = ["3", "refs"],
        /// Type of the elements.
        element: RefType = ["4", "ref-type"],
    }
}

tree_record! {
    /// A memory.
    pub struct Memory {
        /// Size in pages.
        min: i32 = ["1", "min"],
        /// Largest size in pages.
        max: Optional<i32> = ["2", "max"],
        /// Content.
        bytes: ChunkedBytes = ["3", "chunks"],
    }
}

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 0x1_0000;
/// Most pages a memory can have.
pub const MAX_PAGES: u32 = 0x1_0000;

impl Memory {
    /// A memory of zeros.
    pub fn new(limits: Limits) -> Self {
        let length = i64::from(limits.min).wrapping_mul(PAGE_SIZE as i64);
        Memory { min: limits.min, max: Optional(limits.max.0), bytes: ChunkedBytes::allocate(length.max(0) as u64) }
    }

    /// Size in pages.
    pub fn pages(&self) -> i32 {
        (self.bytes.length() / PAGE_SIZE) as i32
    }
}

tree_record! {
    /// A global.
    pub struct GlobalInstance {
        /// Whether it may change.
        mutability: Mutability = ["1", "type"],
        /// Its value.
        value: Value = ["2", "value"],
    }
}

impl GlobalInstance {
    /// Its type.
    pub fn global_type(&self) -> GlobalType {
        GlobalType { value: self.value.value_type(), mutability: self.mutability }
    }
}

tree_union! {
    /// Something imported or exported.
    pub enum Extern {
        /// A function.
        Func(Function) = "ExternFunc",
        /// A table.
        Table(Table) = "ExternTable",
        /// A memory.
        Memory(Memory) = "ExternMemory",
        /// A global.
        Global(GlobalInstance) = "ExternGlobal",
    }
}

tree_record! {
    /// The references of an element segment.
    pub struct Refs {
        /// The references.
        refs: Vector<Reference> = ["refs"],
    }
}

tree_record! {
    /// A module that runs.
    pub struct Instance {
        /// Types of functions.
        types: Vector<RuntimeType> = ["1", "types"],
        /// Functions, imported ones first.
        functions: Vector<Function> = ["2", "functions"],
        /// Tables.
        tables: Vector<Table> = ["3", "tables"],
        /// Memories.
        memories: Vector<Memory> = ["4", "memories"],
        /// Globals.
        globals: Vector<GlobalInstance> = ["5", "globals"],
        /// Exports.
        exports: LazyMap<NameKey, Extern> = ["6"],
        /// Element segments.
        elements: Vector<Refs> = ["7", "elements"],
        /// Data segments, by label of their data.
        datas: Vector<i32> = ["8", "datas"],
        /// Blocks and data.
        allocations: Allocations = ["9"],
    }
}

impl Instance {
    /// An instance of the empty module.
    pub fn empty() -> Self {
        Instance {
            types: Vector::create(0),
            functions: Vector::create(0),
            tables: Vector::create(0),
            memories: Vector::create(0),
            globals: Vector::create(0),
            exports: LazyMap::new(),
            elements: Vector::create(0),
            datas: Vector::create(0),
            allocations: Allocations::new(),
        }
    }
}

/// The modules that run, by name; there is one, `main`.
pub type Registry = LazyMap<NameKey, Arc<Instance>>;
