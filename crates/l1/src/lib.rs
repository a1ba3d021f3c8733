//! How a program talks to a layer 1: RPC client, head stream, wallet and signers, fees, injector.

pub mod fees;
pub mod heads;
pub mod injector;
pub mod rpc;
pub mod wallet;
