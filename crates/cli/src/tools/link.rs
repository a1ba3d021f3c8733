//! `soru link DIR`: links under the reference's program names, so that existing command lines and scripts run as they
//! are (`spec/node.md` §1.6).

use crate::grammar::{CliError, Invocation};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Programs that exist with protocol suffixes too.
const SUFFIXED: &[&str] = &["octez-smart-rollup-node", "octez-smart-rollup-client"];
/// Suffixes in use: the development protocol and the protocols that had programs of their own.
const SUFFIXES: &[&str] = &[
    "",
    "-alpha",
    "-PtMumbai",
    "-PtNairob",
    "-Proxford",
    "-PtParisB",
    "-PsParisC",
    "-PsQuebec",
    "-PsRiotum",
    "-PtSeouLo",
    "-PtTALLiN",
    "-PsUshuai",
];
/// Programs of one name.
const SINGLE: &[&str] =
    &["octez-node", "octez-client", "octez-codec", "octez-smart-rollup-wasm-debugger", "smart-rollup-installer"];

fn names() -> impl Iterator<Item = String> {
    let suffixed = SUFFIXED.iter().flat_map(|name| SUFFIXES.iter().map(move |suffix| format!("{name}{suffix}")));
    SINGLE.iter().map(|name| (*name).to_owned()).chain(suffixed)
}

/// Runs `link <dir>`.
pub async fn run(invocation: Invocation) -> Result<(), CliError> {
    let dir = PathBuf::from(invocation.param("dir"));
    let binary =
        std::env::current_exe().map_err(|error| CliError::failed(format!("cannot find this binary: {error}")))?;
    std::fs::create_dir_all(&dir)
        .map_err(|error| CliError::failed(format!("cannot create {}: {error}", dir.display())))?;
    let mut count = 0;
    for name in names() {
        link(&binary, &dir.join(&name), invocation.switch("force"))?;
        count += 1;
    }
    println!("{count} links to {} in {}", binary.display(), dir.display());
    println!("Use them with: export PATH={}:$PATH", std::path::absolute(&dir).unwrap_or(dir).display());
    Ok(())
}

/// Makes one link; an existing link is replaced, an existing file only when forced.
fn link(binary: &Path, place: &Path, force: bool) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("cannot link {}: {error}", place.display()));
    match place.symlink_metadata() {
        Ok(meta) if meta.is_symlink() || (force && meta.is_file()) => std::fs::remove_file(place).map_err(failed)?,
        Ok(_) => {
            return Err(CliError::failed(format!(
                "{} exists and is not a link; use --force to replace it",
                place.display()
            )));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    std::os::unix::fs::symlink(binary, place).map_err(failed)
}
