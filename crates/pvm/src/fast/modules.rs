//! Compiled kernels kept between processes (`spec/pvm.md` §10): what is written down of them, and the one place where it is read
//! back. Where the bytes lie is the caller's business.

use soru_tezos::blake2b;
use std::hash::{DefaultHasher, Hash, Hasher};
use wasmtime::{Engine, Module};

/// A place for compiled kernels, such as a directory. It may lose or refuse anything at any time.
///
/// What it gives back is native code that will be run: nobody but the owner of the process may be able to write there.
pub trait ModuleStore: Send + Sync {
    /// What was saved under a name, if it is still there.
    fn load(&self, name: &str) -> Option<Vec<u8>>;
    /// Keeps bytes under a name, replacing what was there, wholly or not at all.
    fn save(&self, name: &str, bytes: &[u8]);
}

/// First bytes of what is saved; the number changes with the layout.
const MAGIC: &[u8; 16] = b"soru module 1\0\0\0";
/// Magic, fingerprint of the engine, kernel, checksum of those and of the code.
const HEADER: usize = 16 + 8 + 32 + 32;

/// The name a kernel is kept under.
pub(super) fn name(kernel: &[u8; 32]) -> String {
    format!("{}.module", hex::encode(kernel))
}

/// What distinguishes engines whose code cannot be exchanged: release, processor, configuration.
fn fingerprint(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn header(engine: &Engine, kernel: &[u8; 32], code: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..16].copy_from_slice(MAGIC);
    header[16..24].copy_from_slice(&fingerprint(engine).to_be_bytes());
    header[24..56].copy_from_slice(kernel);
    let checksum: [u8; 32] = blake2b::digest(&[&header[..56], code]);
    header[56..].copy_from_slice(&checksum);
    header
}

/// The bytes to keep of a compiled kernel, if the engine can write it down.
pub(super) fn write(engine: &Engine, kernel: &[u8; 32], module: &Module) -> Option<Vec<u8>> {
    let code = module.serialize().ok()?;
    let mut bytes = header(engine, kernel, &code).to_vec();
    bytes.extend_from_slice(&code);
    Some(bytes)
}

/// The kernel that [`write`] wrote down, for an engine like this one. Nothing for any other bytes.
pub(super) fn read(engine: &Engine, kernel: &[u8; 32], bytes: &[u8]) -> Option<Module> {
    let (found, code) = bytes.split_first_chunk::<HEADER>()?;
    if *found != header(engine, kernel, code) {
        return None;
    }
    #[allow(unsafe_code)]
    // SAFETY: `deserialize` trusts its bytes to be what `Module::serialize` gave. The checksum over header and code says that they
    // are what `write` put there, unchanged, for this kernel and a compatible engine; that nobody wrote there on purpose
    // is required of a `ModuleStore`. Besides, wasmtime itself refuses code of another release, processor or configuration.
    let module = unsafe { Module::deserialize(engine, code) };
    module.ok()
}
