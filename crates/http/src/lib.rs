//! How the programs of this house serve HTTP: no more connections, bytes of bodies and threads of work at a time than a
//! bound, and no client waited for longer than a while. What is answered to which path is the business of who serves.
#![forbid(unsafe_code)]

mod body;
mod connection;
mod path;
mod server;
mod work;

pub use body::{Bodies, Held, Refused};
pub use path::percent_decoded;
pub use server::{Limits, serve};
pub use work::Workers;
