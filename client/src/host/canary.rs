//! Whether the list that is in place really refuses, asked of the program that `sshd` comes with.
//!
//! A certificate that opened a session here and was revoked since is shown to `ssh-keygen -Q` together
//! with the file that `sshd` reads. None is at hand on a host that nobody used lately: then nothing was
//! tried, and that is what is reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use breakglass_ledger::statement::Canary;
use serde::{Deserialize, Serialize};

use super::krl::Krl;
use crate::state::{read_bounded, write_private};

/// Certificates kept: the newest, so that one of them is likely to be revoked.
const KEPT: usize = 64;

/// Most bytes of all of them.
const KEPT_MAX: u64 = 1024 * 1024;

/// Certificates that were used here.
#[derive(Debug)]
pub(super) struct Canaries {
    dir: PathBuf,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// By serial.
    certificates: BTreeMap<u64, String>,
}

impl Canaries {
    /// Those kept in `dir`; what cannot be read is forgotten.
    pub(super) fn open(dir: &Path) -> Self {
        let bytes = read_bounded(&dir.join("canaries.json"), KEPT_MAX).ok().flatten();
        let kept = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { dir: dir.to_owned(), kept }
    }

    /// Keeps a certificate that was used here.
    pub(super) fn keep(&mut self, serial: u64, certificate: &str) {
        self.kept.certificates.insert(serial, certificate.to_owned());
        while self.kept.certificates.len() > KEPT {
            self.kept.certificates.pop_first();
        }
        let bytes = serde_json::to_vec(&self.kept).unwrap_or_default();
        // Only the next start would miss it.
        let _ = write_private(&self.dir.join("canaries.json"), &bytes);
    }

    /// Tries the newest one that `krl` revokes against the file `list`.
    pub(super) fn attempt(&self, krl: &Krl, list: &Path) -> Canary {
        let mut newest = self.kept.certificates.iter().rev();
        let Some((_, certificate)) = newest.find(|(serial, _)| krl.revokes(**serial)) else {
            return Canary::Untried;
        };
        let path = self.dir.join("canary-cert.pub");
        if write_private(&path, format!("{certificate}\n").as_bytes()).is_err() {
            return Canary::Untried;
        }
        let tried = Command::new("ssh-keygen")
            .args(["-Q", "-f"])
            .arg(list)
            .arg(&path)
            .stdin(Stdio::null())
            .output();
        let Ok(tried) = tried else { return Canary::Untried };
        let said = String::from_utf8_lossy(&tried.stdout);
        match tried.status.code() {
            Some(0) => Canary::Accepted,
            // Also if it could not read the list; only its word counts.
            Some(1) if said.contains(": REVOKED") => Canary::Refused,
            _ => Canary::Untried,
        }
    }
}
