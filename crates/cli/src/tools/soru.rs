//! The commands of `soru` itself.

use super::link;
use crate::grammar::{Command, Opt, Tool};

const FORCE: &[Opt] = &[Opt::switch("force", Some('f'), "replace files of the same names that are not ours")];

/// The tool `soru`.
pub fn tool(name: String) -> Tool {
    Tool {
        name,
        doc: "Soru: Tezos Smart Optimistic Rollups, whole, in one binary.",
        version: super::version(),
        globals: &[],
        commands: vec![Command::new(
            "Installation",
            "link <dir>",
            &[FORCE],
            "Put links into a directory under the names of the reference's programs; the binary acts by the name it is called by.",
            |i| Box::pin(link::run(i)),
        )],
    }
}
