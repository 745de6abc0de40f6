//! The host's agent: keeps this host's revocation list the newest there is, ends sessions whose grant
//! is over, answers `sshd` from what it holds, and reports what became of it.
//!
//! The broker may be away for as long as it likes: the last good list stays in place, sessions end at
//! their certificates' own end, and what is to be reported waits on disk. Nothing here decides who
//! gets in; the list, signed elsewhere, does.

mod address;
mod agent;
mod canary;
mod config;
mod fetch;
mod following;
mod install;
mod krl;
mod list;
mod principals;
mod process;
mod program;
mod replace;
mod reporter;
mod reports;
mod sessions;
mod status;
mod targets;
mod tls;
mod trial;
mod trusted;

pub use agent::Agent;
pub use config::HostConfig;
pub use install::{drop_in, etcd, nginx, postgresql, unit};
pub use krl::{Krl, KrlError};
pub use list::{ListError, Place};
pub use replace::ReplaceError;
pub use status::{TargetState, states};
pub use targets::{Nginx, PostgreSql, Server, TlsTarget};
pub use tls::Authority;

pub use principals::principals;
pub use trusted::Trusted;

use std::sync::mpsc::channel;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Looks after every server of `config` until the process is ended.
///
/// # Errors
///
/// [`Failure`] if it cannot begin.
pub fn run(config: HostConfig, out: &mut Output) -> Result<Exit, Failure> {
    if config.has_sshd {
        let agent = Agent::open(config.clone())?;
        let ear = agent.ear();
        config.tls.iter().try_for_each(|target| tls::start(&config, target, &ear))?;
        return agent.run(out);
    }
    let (ear, told) = channel();
    config.tls.iter().try_for_each(|target| tls::start(&config, target, &ear))?;
    for said in told.iter() {
        out.say(&said);
    }
    Ok(Exit::Done)
}
