//! The one binary: demo, sandbox, node, client, codec, pvm, link.

fn main() {}
