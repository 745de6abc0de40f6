//! What the agent says of each server, read back for people.

use breakglass_ledger::principal::TargetId;
use serde::{Deserialize, Serialize};

use super::config::HostConfig;
use super::tls::state_file;
use crate::state::read_bounded;

/// More than the agent ever writes.
const STATE_MAX: u64 = 64 * 1024;

/// What is in force at one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetState {
    /// The server.
    pub target: TargetId,
    /// Version of the list in place; 0 for none.
    pub version: u64,
    /// When that list runs out, RFC 3339; lists for `sshd` do not.
    pub until: Option<String>,
    /// What became of a revoked certificate there, if it was tried.
    pub canary: Option<String>,
    /// Why none was tried, or nothing was heard.
    pub untried: Option<String>,
    /// What is in the way.
    pub trouble: Option<String>,
}

#[derive(Default, Deserialize)]
struct File {
    version: u64,
    until: Option<String>,
    canary: Option<String>,
    untried: Option<String>,
    trouble: Option<String>,
}

/// The state of each server of `config`, as the agent last wrote it.
#[must_use]
pub fn states(config: &HostConfig) -> Vec<TargetState> {
    let dir = &config.state_dir;
    let sshd = config.has_sshd.then(|| (&config.target, dir.join("state.json")));
    let tls = config.tls.iter().map(|one| (&one.name, state_file(dir, &one.name)));
    let all = sshd.into_iter().chain(tls);
    all.map(|(target, path)| {
        let bytes = read_bounded(&path, STATE_MAX).ok().flatten();
        let read: Option<File> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let unsaid =
            File { trouble: Some("the agent has said nothing".to_owned()), ..File::default() };
        let File { version, until, canary, untried, trouble } = read.unwrap_or(unsaid);
        TargetState { target: target.clone(), version, until, canary, untried, trouble }
    })
    .collect()
}
