//! A store made of a snapshot: unpacked beside the place where it will be, checked there, and moved in one step.

use super::{Header, SnapshotError, SnapshotReader, check, layer1, outboxes, rebuild};
use crate::config::HistoryMode;
use crate::reveals::Preimages;
use crate::store::{DataDirLock, Existing, Kind, Restored, Restoring, States, Store, StoreError};
use soru_l1::rpc::RpcClient;
use soru_tezos::hash::RevealHash;
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::path::{Path, PathBuf};

/// How to import.
#[derive(Debug, Clone)]
pub struct Import {
    /// Where to.
    pub data_dir: PathBuf,
    /// Also where there is a store already.
    pub force: bool,
    /// Without what is checked of the content and with layer 1.
    pub no_check: bool,
    /// The last level to keep.
    pub level: Option<Level>,
}

/// Imports a snapshot. Whatever goes wrong, what was in the data directory is as it was, but for preimages that came with it.
pub async fn import(snapshot: SnapshotReader, how: Import, layer1: &RpcClient) -> Result<Header, SnapshotError> {
    let header = *snapshot.header();
    let (lock, existing) = before(&header, &how)?;
    let head = how.level.unwrap_or(header.head_level);
    let published = !how.no_check && head == header.head_level;
    if published {
        layer1::check_savepoint(layer1, head).await?;
        layer1::check_published(layer1, &header.address, &header.last_commitment, head).await?;
    }
    let Import { data_dir, no_check, .. } = how;
    let folder = data_dir.clone();
    let unpacked = tokio::task::spawn_blocking(move || {
        let restored = unpack(snapshot, &folder, how.level)?;
        if !no_check {
            check::check(&restored, &header, head)?;
        }
        Ok::<_, SnapshotError>(restored)
    });
    let restored = unpacked.await.map_err(|e| SnapshotError::Read(e.to_string()))??;
    if !no_check {
        layer1::check_cemented(layer1, restored.store()).await?;
        if !published && let Some(last) = restored.store().head()? {
            layer1::check_published(layer1, &header.address, &last.last_commitment(), last.level).await?;
        }
    }
    let preimages = data_dir.join("wasm_2_0_0");
    restored.preimages(|hash, data| put_preimage(&preimages, hash, data))?;
    let restored = match restored.states() {
        States::All => restored,
        States::First => rebuild::states(restored, head, Preimages::new(&data_dir, None), layer1).await?,
    };
    let restored = if no_check { restored } else { outboxes::check(restored, layer1).await? };
    restored.install(existing)?;
    drop(lock);
    Ok(header)
}

/// Unpacks a snapshot in a folder that is the caller's, and checks it. Nothing of it stays.
///
/// Gives also the commitment before the last one, which layer 1 should know by now.
pub fn verify(snapshot: SnapshotReader, folder: &Path) -> Result<(Header, Option<Commitment>), SnapshotError> {
    let header = *snapshot.header();
    let restored = unpack(snapshot, folder, None)?;
    check::check(&restored, &header, header.head_level)?;
    let last = restored.store().commitment(&header.last_commitment)?;
    let penultimate = last.map_or(Ok(None), |last| restored.store().commitment(&last.predecessor))?;
    Ok((header, penultimate))
}

/// What can be refused before anything is read. Takes the directory.
fn before(header: &Header, how: &Import) -> Result<(DataDirLock, Option<Existing>), SnapshotError> {
    if !how.force && Store::exists(&how.data_dir) {
        return Err(SnapshotError::Populated(how.data_dir.clone()));
    }
    let lock = DataDirLock::acquire(&how.data_dir)?;
    let existing = Existing::open(&how.data_dir)?;
    if let Some(existing) = &existing {
        if existing.metadata.rollup_address != header.address {
            let (existing, snapshot) = (existing.metadata.rollup_address, header.address);
            return Err(SnapshotError::OtherRollup { existing, snapshot });
        }
        let (mode, snapshot) = (existing.metadata.history_mode, header.history_mode);
        // archive becomes full, as everywhere
        if mode != snapshot && mode != HistoryMode::Full {
            return Err(SnapshotError::HistoryMode { existing: mode, snapshot });
        }
        if let Some(level) = existing.head.filter(|level| header.head_level <= *level) {
            return Err(SnapshotError::NotFresher { existing: level, snapshot: header.head_level });
        }
    }
    match how.level {
        Some(level) if level > header.head_level => Err(SnapshotError::AboveHead { level, head: header.head_level }),
        _ => Ok((lock, existing)),
    }
}

fn unpack(mut snapshot: SnapshotReader, folder: &Path, level: Option<Level>) -> Result<Restored, SnapshotError> {
    snapshot.expect_own()?;
    let mut restoring = Restoring::new(folder, level)?;
    snapshot.records(|kind, key, value| {
        if kind == Kind::Preimage && RevealHash::of_data(value).0 != key {
            return Err(SnapshotError::Corrupted("a preimage"));
        }
        restoring.put(kind, key, value).map_err(of_content)
    })?;
    let restored = restoring.store().map_err(of_content)?;
    match level {
        Some(level) if level < restored.store().first_available_level() => {
            Err(SnapshotError::BelowFirst { level, first: restored.store().first_available_level() })
        }
        _ => Ok(restored),
    }
}

/// What is wrong with a store that is made of a snapshot is wrong with the snapshot.
fn of_content(error: StoreError) -> SnapshotError {
    match error {
        StoreError::Format { found, .. } => SnapshotError::OtherFormat(found),
        StoreError::Damaged { .. } | StoreError::Record(_) | StoreError::Metadata { .. } => {
            SnapshotError::Inconsistent(error.to_string())
        }
        error => error.into(),
    }
}

fn put_preimage(folder: &Path, hash: &[u8], data: &[u8]) -> std::io::Result<()> {
    let path = folder.join(hex::encode(hash));
    let beside = path.with_extension("part");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&beside, data)?;
    std::fs::rename(&beside, &path)
}
