//! Answers to a kernel's reveals: preimages from the data directory or a service, metadata, parameters of the data
//! availability layer (`spec/node.md` §4.7, `spec/protocol.md` §7).

use crate::config::LoserMode;
use crate::pipeline::NodeConstants;
use bytes::Bytes;
use soru_pvm::reveal::{DalParameters, MAX_PREIMAGE, RevealKind, dal_parameters_answer, metadata_answer};
use soru_pvm::{RevealError, RevealRequest, Reveals};
use soru_tezos::hash::{RevealHash, SmartRollupAddress};
use soru_tezos::scalar::Level;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a service gets to answer with a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where preimages come from.
#[derive(Debug, Clone)]
pub struct Preimages {
    folder: PathBuf,
    endpoint: Option<String>,
    patience: Duration,
}

impl Preimages {
    /// Preimages in the folder of the data directory and, if given, of a remote service.
    pub fn new(data_dir: &Path, endpoint: Option<String>) -> Preimages {
        Preimages { folder: data_dir.join("wasm_2_0_0"), endpoint, patience: PATIENCE }
    }

    /// The same with another time in which the service must have answered.
    pub fn with_patience(self, patience: Duration) -> Preimages {
        Preimages { patience, ..self }
    }

    /// The file in which the preimage of a hash is looked for.
    pub fn path(&self, hash: &RevealHash) -> PathBuf {
        self.folder.join(hash.to_hex())
    }

    fn get(&self, hash: &RevealHash) -> Result<Bytes, RevealError> {
        let path = self.path(hash);
        match read_bounded(&path) {
            Ok(data) => return Ok(data.into()),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(RevealError::Unavailable(format!("preimage file {}: {e}", path.display()))),
        }
        let Some(endpoint) = &self.endpoint else { return Err(RevealError::MissingPreimage(*hash)) };
        let data = fetch(endpoint, hash, self.patience)?;
        if RevealHash::of_data(&data) != *hash {
            tracing::error!("{endpoint} serves something else as the preimage of {}", hash.to_hex());
            return Err(RevealError::MissingPreimage(*hash));
        }
        // only a cache: the answer is good without
        if let Err(e) = std::fs::create_dir_all(&self.folder).and_then(|()| write_whole(&path, &data)) {
            tracing::warn!("cannot keep the preimage {}: {e}", path.display());
        }
        Ok(data)
    }
}

/// A file, as far as a preimage can be long; one byte more shows that it is longer.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    File::open(path)?.take(MAX_PREIMAGE as u64 + 1).read_to_end(&mut data)?;
    Ok(data)
}

/// Writes beside and renames, so that a file is never half there, whoever else writes it at the same time.
fn write_whole(path: &Path, data: &[u8]) -> std::io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(data)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Asks the service. Evaluation runs on a blocking thread of the runtime, where waiting is allowed.
fn fetch(endpoint: &str, hash: &RevealHash, patience: Duration) -> Result<Bytes, RevealError> {
    let url = format!("{}/{}", endpoint.trim_end_matches('/'), hash.to_hex());
    let unavailable = |reason: String| RevealError::Unavailable(format!("preimage service {url}: {reason}"));
    let runtime = tokio::runtime::Handle::try_current().map_err(|e| unavailable(e.to_string()))?;
    soru_l1::rpc::install_tls();
    runtime.block_on(async {
        let builder = reqwest::Client::builder().timeout(patience).redirect(reqwest::redirect::Policy::none());
        let client = builder.build().map_err(|e| unavailable(e.to_string()))?;
        let mut answer = client.get(&url).send().await.map_err(|e| unavailable(e.to_string()))?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(RevealError::MissingPreimage(*hash));
        }
        if answer.status() != reqwest::StatusCode::OK {
            return Err(unavailable(format!("it answers with status {}", answer.status())));
        }
        let mut data = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| unavailable(e.to_string()))? {
            data.extend_from_slice(&chunk);
            if data.len() > MAX_PREIMAGE {
                return Err(unavailable(format!("its answer has more than {MAX_PREIMAGE} bytes")));
            }
        }
        Ok(data.into())
    })
}

/// Answers for one rollup under one protocol's constants.
#[derive(Debug, Clone)]
pub struct NodeReveals {
    preimages: Preimages,
    rollup: SmartRollupAddress,
    origination: Level,
    constants: NodeConstants,
    dal: DalParameters,
}

impl NodeReveals {
    /// Answers for a rollup originated at a level.
    pub fn new(preimages: Preimages, rollup: SmartRollupAddress, origination: Level, constants: NodeConstants) -> Self {
        let dal = DalParameters {
            number_of_slots: i64::from(constants.dal.number_of_slots),
            attestation_lag: i64::from(constants.dal.attestation_lag),
            slot_size: i64::from(constants.dal.slot_size),
            page_size: i64::from(constants.dal.page_size),
        };
        NodeReveals { preimages, rollup, origination, constants, dal }
    }

    /// The same with the wrong answers that are planned, if any.
    pub fn with_failures(self, plan: &LoserMode) -> Self {
        let LoserMode::DalParameters(wrong) = plan else { return self };
        let number = |text: &str| text.parse().unwrap_or(0);
        let dal = DalParameters {
            number_of_slots: number(&wrong.number_of_slots),
            attestation_lag: number(&wrong.attestation_lag),
            slot_size: number(&wrong.slot_size),
            page_size: number(&wrong.page_size),
        };
        NodeReveals { dal, ..self }
    }
}

impl Reveals for NodeReveals {
    fn is_enabled(&self, level: Level, kind: RevealKind) -> bool {
        let activation = &self.constants.rollup.reveal_activation_level;
        level
            >= match kind {
                RevealKind::Preimage => activation.raw_data.blake2b,
                RevealKind::Metadata => activation.metadata,
                RevealKind::DalPage => activation.dal_page,
                RevealKind::DalParameters => activation.dal_parameters,
            }
    }

    fn answer(&self, request: &RevealRequest) -> Result<Bytes, RevealError> {
        match request {
            RevealRequest::Preimage(hash) => self.preimages.get(hash),
            RevealRequest::Metadata => Ok(metadata_answer(&self.rollup, self.origination)),
            RevealRequest::DalParameters => Ok(dal_parameters_answer(&self.dal)),
            // without the layer there is no page
            RevealRequest::DalPage(_) if !self.constants.dal.feature_enable => Ok(Bytes::new()),
            // whether a page exists is known to a DAL node only
            RevealRequest::DalPage(page) => Err(RevealError::Unavailable(format!(
                "page {} of slot {} published at level {} (DAL pages are not supported yet)",
                page.page, page.slot, page.published_level
            ))),
        }
    }
}
