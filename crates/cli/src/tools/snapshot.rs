//! `octez-smart-rollup-node snapshot …`: a node's store in one file, and back (`spec/node.md` §1.2, §4.14). A node that runs
//! is asked for its snapshot over HTTP and goes on meanwhile; else the store is read here.

use super::rollup_node::{DATA_DIR, data_dir};
use crate::client::config::beside_wallet;
use crate::client::context::endpoint;
use crate::grammar::{CliError, Command, Invocation, Opt};
use bytes::Bytes;
use futures::StreamExt;
use soru_l1::rpc::RpcClient;
use soru_node::snapshot::{self, Header, Import, Output, SnapshotReader, check_published, default_name};
use soru_node::store::{DataDirLock, Existing, States, Store, StoreError, UpTo};
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

const NO_CHECK: &[Opt] = &[
    Opt::switch("no-check", None, "do not check the content of the snapshot, nor ask the layer 1 about it"),
    Opt::switch("no-checks", None, "another name of --no-check").hide(),
];
const EXPORT: &[Opt] = &[
    DATA_DIR,
    Opt::switch("uncompressed", None, "do not compress the snapshot"),
    Opt::switch("compress-on-the-fly", None, "accepted: snapshots are always compressed while they are written").hide(),
    Opt::switch("compact", None, "leave out all states but the first: smaller, but importing takes longer"),
    Opt::value("rollup-node-endpoint", None, "uri", "the running node (default: what it wrote in its data directory)"),
    Opt::value("level", None, "head|finalized|cemented|level", "the last level of the snapshot (default: finalized)"),
];
const DEST: &[Opt] = &[Opt::value("dest", None, "path", "directory for the snapshot (default: the current one)")];
const IMPORT: &[Opt] = &[
    DATA_DIR,
    Opt::switch("force", None, "import also where a node has been, if the snapshot goes further"),
    Opt::value("level", None, "level", "the last level to keep of the snapshot"),
    Opt::switch("apply-unsafe-patches", None, "accepted, without effect: the first state comes with the snapshot")
        .hide(),
    Opt::value("dal-node", None, "uri", "accepted, without effect: pages of the DAL are not supported yet").hide(),
];

/// The commands.
pub(super) fn commands(group: &'static str) -> Vec<Command> {
    vec![
        Command::new(
            group,
            "snapshot export",
            &[EXPORT, NO_CHECK, DEST],
            "Export a snapshot of the node's state, under a name that tells what it is of.",
            |i| Box::pin(export(i)),
        ),
        Command::new(
            group,
            "snapshot export <snapshot_file>",
            &[EXPORT, NO_CHECK],
            "Export a snapshot of the node's state to a file.",
            |i| Box::pin(export(i)),
        ),
        Command::new(
            group,
            "snapshot import <snapshot_file_or_url>",
            &[IMPORT, NO_CHECK],
            "Import a snapshot from a file, from http(s)://… or, with -, from standard input.",
            |i| Box::pin(import(i)),
        ),
        Command::new(group, "snapshot info <snapshot_file_or_url>", &[], "Tell what a snapshot is of.", |i| {
            Box::pin(info(i))
        }),
    ]
}

fn checks(invocation: &Invocation) -> bool {
    !invocation.switch("no-check") && !invocation.switch("no-checks")
}

fn up_to(text: &str) -> Result<UpTo, String> {
    match text {
        "head" => Ok(UpTo::Head),
        "finalized" => Ok(UpTo::Finalized),
        "cemented" => Ok(UpTo::Cemented),
        number => match number.parse() {
            Ok(level) if level >= 0 => Ok(UpTo::Level(Level(level))),
            _ => Err("head, finalized, cemented or a level is wanted".to_owned()),
        },
    }
}

fn layer1(invocation: &Invocation) -> Result<RpcClient, CliError> {
    let client = beside_wallet(invocation)?;
    RpcClient::new(&endpoint(invocation, client.as_ref())).map_err(CliError::failed)
}

/// Work that may block for long.
async fn blocking<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(CliError::failed)?.map_err(CliError::failed)
}

async fn export(invocation: Invocation) -> Result<(), CliError> {
    let states = if invocation.switch("compact") { States::First } else { States::All };
    let level = invocation.read_option("level", up_to)?.unwrap_or(UpTo::Finalized);
    let compressed = !invocation.switch("uncompressed");
    let dest = PathBuf::from(invocation.option("dest").unwrap_or("."));
    let named = match invocation.param("snapshot_file") {
        "" => None,
        name => Some(PathBuf::from(name)),
    };
    let beside = match &named {
        Some(file) => file.with_added_extension("part"),
        None => dest.join(format!("soru-snapshot-{}.part", std::process::id())),
    };
    std::fs::create_dir_all(&dest).map_err(|e| CliError::failed(format!("cannot create {}: {e}", dest.display())))?;
    let guard = Removed(beside.clone());
    let data_dir = data_dir(&invocation);
    if !Store::exists(&data_dir) {
        return Err(CliError::failed(format!("No rollup node metadata in {:?}.", data_dir.display().to_string())));
    }
    match DataDirLock::acquire(&data_dir) {
        Ok(lock) => {
            let beside = beside.clone();
            blocking(move || from_directory(&data_dir, level, states, &beside, compressed)).await?;
            drop(lock);
        }
        Err(StoreError::Locked(_)) => {
            let node = invocation.option("rollup-node-endpoint").map(str::to_owned);
            let node = node.or_else(|| DataDirLock::holder(&data_dir)).ok_or_else(|| {
                CliError::failed("a node runs on this data directory: give its address with --rollup-node-endpoint")
            })?;
            from_node(&node, level, states, &beside, compressed).await?;
        }
        Err(error) => return Err(CliError::failed(error)),
    }
    let header = if checks(&invocation) {
        let (header, penultimate) = verified(&beside).await?;
        if let Some(commitment) = penultimate {
            let (hash, level) = (commitment.hash(), commitment.inbox_level);
            let published = check_published(&layer1(&invocation)?, &header.address, &hash, level).await;
            published.map_err(CliError::failed)?;
        }
        header
    } else {
        let path = beside.clone();
        blocking(move || Ok::<_, String>(*read_file(&path)?.header())).await?
    };
    let file = named.unwrap_or_else(|| dest.join(default_name(&header, compressed)));
    std::fs::rename(&beside, &file).map_err(|e| CliError::failed(format!("cannot write {}: {e}", file.display())))?;
    drop(guard);
    println!("Snapshot exported to {}", file.display());
    Ok(())
}

/// A file or folder that goes when this does.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
    }
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The snapshot of a store that no node has open.
fn from_directory(data_dir: &Path, level: UpTo, states: States, to: &Path, compressed: bool) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let existing = Existing::open(data_dir).map_err(|e| text(&e))?.ok_or("there is no store")?;
    let store = existing.into_store(data_dir).map_err(|e| text(&e))?;
    let out = Output::new(create(to)?, compressed);
    let out = snapshot::export(&store, data_dir, level, states, out).map_err(|e| text(&e))?;
    let file = out.finish().and_then(|file| file.sync_all());
    file.map_err(|e| format!("cannot write {}: {e}", to.display()))
}

/// The snapshot of a node that runs.
async fn from_node(node: &str, level: UpTo, states: States, to: &Path, compressed: bool) -> Result<(), CliError> {
    eprintln!("The rollup node runs: asking it for the snapshot at {node}");
    let level = match level {
        UpTo::Head => "head".to_owned(),
        UpTo::Finalized => "finalized".to_owned(),
        UpTo::Cemented => "cemented".to_owned(),
        UpTo::Level(level) => level.to_string(),
    };
    let states = match states {
        States::All => "all",
        States::First => "first",
    };
    let node = node.trim_end_matches('/');
    let mut chunks = get(&format!("{node}/admin/snapshot?level={level}&states={states}")).await?;
    let mut out = Output::new(create(to).map_err(CliError::failed)?, compressed);
    let failed = |e: std::io::Error| CliError::failed(format!("cannot write {}: {e}", to.display()));
    while let Some(chunk) = chunks.recv().await {
        out.write_all(&chunk.map_err(CliError::failed)?).map_err(failed)?;
    }
    out.finish().and_then(|file| file.sync_all()).map_err(failed)
}

/// Unpacks a snapshot beside it, checks it, and gives its header and the commitment before its last.
async fn verified(file: &Path) -> Result<(Header, Option<Commitment>), CliError> {
    let (file, folder) = (file.to_owned(), file.with_added_extension("check"));
    let guard = Removed(folder.clone());
    std::fs::create_dir_all(&folder).map_err(CliError::failed)?;
    let checked = blocking(move || snapshot::verify(read_file(&file)?, &folder).map_err(|e| e.to_string())).await;
    drop(guard);
    checked
}

fn read_file(path: &Path) -> Result<SnapshotReader, String> {
    let file = File::open(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    SnapshotReader::open(file).map_err(|e| e.to_string())
}

type Chunks = mpsc::Receiver<Result<Bytes, String>>;

/// How long a server may take to be reached, and may send nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// The body of an answer, as it comes.
async fn get(url: &str) -> Result<Chunks, CliError> {
    let failed = |why: &dyn std::fmt::Display| CliError::failed(format!("cannot read {url}: {why}"));
    // checks the address, and brings what https needs
    RpcClient::new(url).map_err(|e| failed(&e))?;
    let client =
        reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build().map_err(|e| failed(&e))?;
    let answer = client.get(url).send().await.map_err(|e| failed(&e))?;
    let status = answer.status();
    if !status.is_success() {
        let body = answer.text().await.unwrap_or_default();
        let text: String = body.chars().take(1000).collect();
        return Err(CliError::failed(format!("{url} answers {status}: {}", text.trim())));
    }
    let (sender, receiver) = mpsc::channel(8);
    let place = url.to_owned();
    tokio::spawn(async move {
        let mut body = answer.bytes_stream();
        while let Some(chunk) = body.next().await {
            if sender.send(chunk.map_err(|e| format!("{place} ended early: {e}"))).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Chunks, as blocking code reads them.
struct ChunkReader {
    chunks: Chunks,
    left: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.left = chunk,
                Some(Err(error)) => return Err(std::io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let count = self.left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.left.split_to(count));
        Ok(count)
    }
}

/// A snapshot from where the command line says.
async fn source(invocation: &Invocation) -> Result<SnapshotReader, CliError> {
    let place = invocation.param("snapshot_file_or_url").to_owned();
    if place == "-" {
        return blocking(|| SnapshotReader::open(std::io::stdin())).await;
    }
    if place.starts_with("http://") || place.starts_with("https://") {
        let reader = ChunkReader { chunks: get(&place).await?, left: Bytes::new() };
        return blocking(|| SnapshotReader::open(reader)).await;
    }
    blocking(move || read_file(Path::new(&place))).await
}

async fn import(invocation: Invocation) -> Result<(), CliError> {
    let how = Import {
        data_dir: data_dir(&invocation),
        force: invocation.switch("force"),
        no_check: !checks(&invocation),
        level: invocation.parse_option("level")?.map(Level),
    };
    let (snapshot, layer1) = (source(&invocation).await?, layer1(&invocation)?);
    snapshot::import(snapshot, how, &layer1).await.map_err(CliError::failed)?;
    println!("Snapshot successfully imported");
    Ok(())
}

async fn info(invocation: Invocation) -> Result<(), CliError> {
    let snapshot = source(&invocation).await?;
    let (header, compressed) = (*snapshot.header(), snapshot.is_compressed());
    let own = blocking(move || {
        let mut snapshot = snapshot;
        Ok::<_, String>(snapshot.expect_own().is_ok())
    });
    println!("Valid smart rollup node snapshot.");
    println!("Format:          {}", if compressed { "compressed" } else { "uncompressed" });
    println!("History mode:    {}", header.history_mode);
    println!("Rollup address:  {}", header.address);
    println!("Head level:      {}", header.head_level);
    println!("Last commitment: {}", header.last_commitment);
    if !own.await? {
        println!("Made by:         the reference, whose state store only the reference reads");
    }
    Ok(())
}
