//! The host's agent: keeps this host's revocation list the newest there is, ends sessions whose grant
//! is over, answers `sshd` from what it holds, and reports what became of it.
//!
//! The broker may be away for as long as it likes: the last good list stays in place, sessions end at
//! their certificates' own end, and what is to be reported waits on disk. Nothing here decides who
//! gets in; the list, signed elsewhere, does.

mod agent;
mod canary;
mod config;
mod fetch;
mod install;
mod krl;
mod list;
mod principals;
mod process;
mod reporter;
mod reports;
mod sessions;
mod trusted;

pub use agent::Agent;
pub use config::HostConfig;
pub use install::{drop_in, unit};
pub use krl::{Krl, KrlError};
pub use list::{ListError, Place};
pub use principals::principals;
pub use trusted::Trusted;
