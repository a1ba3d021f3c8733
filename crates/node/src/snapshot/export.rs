//! Writing a snapshot of a store.

use super::{Header, SnapshotError, SnapshotWriter};
use crate::store::{Dump, DumpError, Kind, States, Store, UpTo};
use soru_tezos::hash::RevealHash;
use std::io::Write;
use std::path::Path;

/// The name a snapshot has when none is given.
pub fn default_name(header: &Header, compressed: bool) -> String {
    let address = header.address.to_string();
    let mode = header.history_mode;
    let suffix = if compressed { "" } else { ".uncompressed" };
    format!("snapshot-{}-{}.{mode}.soru{suffix}", &address[..8], header.head_level)
}

/// The header of the snapshot of a view.
fn header(dump: &Dump) -> Header {
    let (metadata, head) = (dump.metadata(), dump.head());
    Header {
        history_mode: metadata.history_mode,
        address: metadata.rollup_address,
        head_level: head.level,
        last_commitment: head.last_commitment(),
    }
}

/// Writes the snapshot of a store up to a level, not compressed. `data_dir` is where the preimages are.
pub fn export<W: Write>(
    store: &Store,
    data_dir: &Path,
    up_to: UpTo,
    states: States,
    out: W,
) -> Result<W, SnapshotError> {
    write(&store.dump(up_to)?, data_dir, states, out)
}

/// Writes the snapshot of a view.
pub fn write<W: Write>(dump: &Dump, data_dir: &Path, states: States, out: W) -> Result<W, SnapshotError> {
    let failed = |error: std::io::Error| SnapshotError::Dump(DumpError::Write(error));
    let mut writer = SnapshotWriter::new(out, &header(dump)).map_err(failed)?;
    dump.records(states, &mut |kind, key, value| writer.record(kind, key, value))?;
    preimages(data_dir, &mut writer).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// Whatever preimages there are: kernels asked for them, or will.
fn preimages<W: Write>(data_dir: &Path, writer: &mut SnapshotWriter<W>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(data_dir.join("wasm_2_0_0")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Ok(hash) = hex::decode(name) else { continue };
        let bytes = std::fs::read(&path)?;
        // a file of another name or content is nobody's preimage
        if RevealHash::of_data(&bytes).to_hex() == name {
            writer.record(Kind::Preimage, &hash, &bytes)?;
        }
    }
    Ok(())
}
