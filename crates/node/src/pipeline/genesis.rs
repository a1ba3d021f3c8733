//! Where a rollup begins: its kernel, its first state, and the check against layer 1 (`spec/node.md` §4.7).

use super::PipelineError;
use soru_protocol::Protocol;
use soru_pvm::{Parameters, Pvm, Tick, Version};
use soru_tezos::block::Block;
use soru_tezos::hash::{ProtocolHash, SmartRollupAddress};
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::Applied;
use soru_tezos::rollup::{Commitment, GenesisInfo, PvmKind};
use std::path::Path;

/// A kernel and the protocol whose parameters its machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSector {
    /// The bytes of the kernel.
    pub kernel: Vec<u8>,
    /// The protocol that originated the rollup.
    pub protocol: ProtocolHash,
}

/// The kernel of a rollup: from the file if one is given, else from the origination in the block of the genesis level.
pub fn boot_sector(block: &Block, rollup: SmartRollupAddress, file: Option<&str>) -> Result<BootSector, PipelineError> {
    let metadata = block.metadata.as_ref().ok_or(PipelineError::NoMetadata(block.hash))?;
    if let Some(path) = file {
        let kernel = read_kernel(Path::new(path))
            .map_err(|reason| PipelineError::BootSectorFile { path: path.to_owned(), reason })?;
        // a rollup among the bootstrap parameters of a protocol appears in the block that activates it
        return Ok(BootSector { kernel, protocol: metadata.next_protocol });
    }
    for receipt in block.manager_operations().iter().flat_map(|operation| operation.managers()) {
        let applied = receipt.metadata.as_ref().and_then(|metadata| metadata.operation_result.applied());
        if let (ManagerBody::SmartRollupOriginate(originate), Some(Applied::SmartRollupOriginate(result))) =
            (&receipt.operation.body, applied)
            && result.address == rollup
        {
            return match originate.pvm_kind {
                PvmKind::Wasm200 => Ok(BootSector { kernel: originate.kernel.0.clone(), protocol: metadata.protocol }),
                kind => Err(PipelineError::Kind(kind)),
            };
        }
    }
    Err(PipelineError::NoBootSector { block: block.hash, level: block.level() })
}

/// A kernel file: WebAssembly as it is, or as hexadecimal text.
fn read_kernel(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let text = bytes.trim_ascii();
    hex::decode(text.strip_prefix(b"0x").unwrap_or(text))
        .map_err(|e| format!("neither WebAssembly nor hexadecimal text ({e})"))
}

/// The first state and its commitment, which must be the one layer 1 knows.
pub fn originate(
    boot_sector: &BootSector,
    genesis: &GenesisInfo,
    block: &Block,
) -> Result<(Pvm, Commitment), PipelineError> {
    let protocol = Protocol::from_hash(&boot_sector.protocol)
        .ok_or(PipelineError::UnknownProtocol { block: block.hash, protocol: boot_sector.protocol })?;
    let fail = |source| PipelineError::Pvm { level: genesis.level, source };
    let wasm = protocol.wasm();
    let version = Version::parse(wasm.version.as_bytes()).map_err(fail)?;
    let parameters = Parameters {
        ticks_per_snapshot: Tick(u128::from(wasm.ticks_per_snapshot)),
        outbox_validity_period: wasm.outbox_validity_period,
        outbox_message_limit: i128::from(wasm.outbox_message_limit),
        ..Parameters::of_version(version)
    };
    let pvm = Pvm::originate(version, &boot_sector.kernel, parameters).map_err(fail)?;
    let commitment = Commitment::genesis(pvm.state_hash().map_err(fail)?, genesis.level);
    match commitment.hash() {
        hash if hash == genesis.commitment_hash => Ok((pvm, commitment)),
        computed => Err(PipelineError::Genesis { computed, expected: genesis.commitment_hash }),
    }
}
