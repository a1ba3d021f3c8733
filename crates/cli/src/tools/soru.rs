//! The commands of `soru` itself.

use super::{completion, link, pvm, sandbox};
use crate::demo;
use crate::grammar::{Command, Opt, Tool};

const FORCE: &[Opt] = &[Opt::switch("force", Some('f'), "replace files of the same names that are not ours")];

/// The tool `soru`.
pub fn tool(name: String) -> Tool {
    let link = Command::new(
        "Installation",
        "link <dir>",
        &[FORCE],
        "Put links into a directory under the names of the reference's programs; the binary acts by the name it is called by.",
        |i| Box::pin(link::run(i)),
    );
    let mut commands = vec![demo::command()];
    commands.extend(sandbox::commands());
    commands.extend(pvm::commands());
    commands.push(link);
    commands.extend(completion::commands());
    Tool {
        name,
        doc: "Soru: Tezos Smart Optimistic Rollups, whole, in one binary.\n\n\
              Besides its own commands it is: soru client (octez-client), soru node (octez-smart-rollup-node),\n\
              soru rollup-client (octez-smart-rollup-client), soru codec (octez-codec). Each has --help and man.",
        version: super::version(),
        globals: &[],
        commands,
    }
}
