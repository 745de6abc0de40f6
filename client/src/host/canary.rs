//! Whether the list that is in place really refuses: asked of the program that `sshd` comes with, and of
//! `sshd` itself where its address is known.
//!
//! A certificate that opened a session here and was revoked since is shown to `ssh-keygen -Q` together
//! with the file that `sshd` reads. Then it is shown to `sshd`, which answers whoever asks whether it would
//! take a certificate before it wants a proof of the key (RFC 4252, section 7), so nobody's key is needed.
//! Only one counts that it said yes to while the certificate was in use, for the same account: its no has
//! a reason then that came since.
//!
//! None is at hand on a host that nobody used lately: then nothing was tried, and that is what is reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use breakglass_ledger::statement::Canary;
use breakglass_ledger::time::Timestamp;
use serde::{Deserialize, Serialize};
use ssh_key::Certificate;

use super::address::here;
use super::krl::Krl;
use super::program::{self, Said};
use super::sessions::Session;
use crate::state::{read_bounded, write_private};

/// Certificates kept: the newest, so that one of them is likely to be revoked.
const KEPT: usize = 64;

/// Most bytes of all of them.
const KEPT_MAX: u64 = 1024 * 1024;

/// The file that holds the certificate which is shown.
const CANARY: &str = "canary-cert.pub";

/// For one question.
const WITHIN: Duration = Duration::from_secs(5);

/// Certificates that were used here.
#[derive(Debug)]
pub(super) struct Canaries {
    dir: PathBuf,
    /// Where `sshd` listens, `host:port`.
    address: Option<String>,
    kept: Kept,
}

/// What became of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// The server refused it.
    Refused,
    /// It did not.
    Accepted,
    /// None was tried, or nothing was heard: why.
    Not(&'static str),
}

impl Tried {
    /// The word that is reported.
    pub(super) const fn canary(self) -> Canary {
        match self {
            Self::Refused => Canary::Refused,
            Self::Accepted => Canary::Accepted,
            Self::Not(_) => Canary::Untried,
        }
    }

    /// Why nothing was learnt.
    pub(super) const fn why(self) -> Option<&'static str> {
        match self {
            Self::Not(why) => Some(why),
            Self::Refused | Self::Accepted => None,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// By serial.
    certificates: BTreeMap<u64, String>,
    /// By serial, the account for which `sshd` said that it would take it.
    #[serde(default)]
    taken: BTreeMap<u64, String>,
}

impl Canaries {
    /// Those kept in `dir`, for `sshd` at `address`; what cannot be read is forgotten.
    pub(super) fn open(dir: &Path, address: Option<String>) -> Self {
        let bytes = read_bounded(&dir.join("canaries.json"), KEPT_MAX).ok().flatten();
        let kept = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { dir: dir.to_owned(), address, kept }
    }

    /// Keeps a certificate that opened a session here; with `is_asked` also whether `sshd` says that it
    /// would take it.
    pub(super) fn keep(&mut self, session: &Session, is_asked: bool) {
        let (serial, certificate) = (session.serial, &session.certificate);
        if is_asked
            && self.address.is_some()
            && let Some(account) = session.owner.and_then(account)
            && self.asked(certificate, &account) == Some(true)
        {
            self.kept.taken.insert(serial, account);
        }
        self.kept.certificates.insert(serial, certificate.clone());
        while self.kept.certificates.len() > KEPT {
            self.kept.certificates.pop_first();
        }
        let Kept { certificates, taken } = &mut self.kept;
        taken.retain(|serial, _| certificates.contains_key(serial));
        let bytes = serde_json::to_vec(&self.kept).unwrap_or_default();
        // Only the next start would miss it.
        let _ = write_private(&self.dir.join("canaries.json"), &bytes);
    }

    /// Tries the newest one that `krl` revokes against the file `list`, and against `sshd`, `now`.
    pub(super) fn attempt(&self, krl: &Krl, list: &Path, now: Timestamp) -> Tried {
        let revoked = self.kept.certificates.iter().rev();
        let mut revoked = revoked.filter(|(serial, _)| krl.revokes(**serial)).peekable();
        let Some((_, newest)) = revoked.peek() else { return Tried::Not(NONE_AT_HAND) };
        if self.address.is_none() {
            return self.by_file(newest, list);
        }
        let found = revoked.find_map(|(serial, certificate)| {
            let account = self.kept.taken.get(serial)?;
            goes_on(certificate, now).then_some((certificate, account))
        });
        let Some((certificate, account)) = found else { return Tried::Not(NEVER_TAKEN) };
        match (self.by_file(certificate, list), self.asked(certificate, account)) {
            (Tried::Accepted, _) | (_, Some(true)) => Tried::Accepted,
            (Tried::Refused, Some(false)) => Tried::Refused,
            (Tried::Refused, None) => Tried::Not(UNHEARD),
            (not @ Tried::Not(_), _) => not,
        }
    }

    /// What `ssh-keygen` says of the certificate and the file that `sshd` reads.
    fn by_file(&self, certificate: &str, list: &Path) -> Tried {
        let Some(path) = self.written(certificate) else { return Tried::Not(UNREADABLE) };
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-Q", "-f"]).arg(list).arg(&path);
        match program::ask(keygen, WITHIN) {
            Ok(Said { code: Some(0), .. }) => Tried::Accepted,
            // Also if it could not read the list; only its word counts.
            Ok(Said { code: Some(1), out, .. }) if out.contains(": REVOKED") => Tried::Refused,
            _ => Tried::Not(UNREADABLE),
        }
    }

    /// Whether `sshd` would take the certificate for `account`; `None` if it was not to be heard.
    fn asked(&self, certificate: &str, account: &str) -> Option<bool> {
        self.written(certificate)?;
        here(self.address.as_deref()?).find_map(|at| {
            let mut ssh = Command::new("ssh");
            ssh.args(["-v", "-F", "none", "-l", account, "-p", &at.port().to_string()]);
            // Its host key need not be known: it is on this host. From within its directory: what else is
            // in a path would be read as something else (`%`, a blank).
            let file = format!("CertificateFile={CANARY}");
            ssh.current_dir(&self.dir);
            ssh.args([file.as_str()].iter().chain(ALONE).flat_map(|option| ["-o", option]));
            ssh.arg(at.ip().to_string()).arg("true").env_remove("SSH_AUTH_SOCK");
            would_take(&program::ask(ssh, WITHIN).ok()?.err)
        })
    }

    /// The file that holds `certificate` for whoever is asked.
    fn written(&self, certificate: &str) -> Option<PathBuf> {
        let path = self.dir.join(CANARY);
        write_private(&path, format!("{certificate}\n").as_bytes()).ok()?;
        Some(path)
    }
}

/// Whether the certificate would still count without the list: its own end would be a reason too.
fn goes_on(certificate: &str, now: Timestamp) -> bool {
    let read = Certificate::from_openssh(certificate);
    read.is_ok_and(|one| now.plus(END_SECONDS).unix_seconds() < one.valid_before())
}

/// What `ssh -v` says of an answer to the one question that it asked.
fn would_take(said: &str) -> Option<bool> {
    let mut lines = said.lines().skip_while(|line| !line.contains("Offering public key: "));
    lines.next()?;
    lines.find_map(|line| {
        let is_taken = line.starts_with("debug1: Server accepts key: ");
        let is_not = line.starts_with("debug1: Authentications that can continue: ");
        (is_taken || is_not).then_some(is_taken)
    })
}

/// The name of the account with this number.
fn account(number: u32) -> Option<String> {
    let mut id = Command::new("id");
    id.args(["-nu", &number.to_string()]);
    let name = program::answer(id, WITHIN).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// The certificate, and no other way in.
const ALONE: &[&str] = &[
    "BatchMode=yes",
    "ConnectTimeout=3",
    "ControlPath=none",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "IdentityFile=none",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
];

/// Said of a server whose canary was accepted.
pub(super) const ACCEPTED: &str = "ALARM: the server does not refuse a certificate that the list in place names: \
                                   is the list where it looks, and does it keep no sessions? \
                                   See `breakglass doctor --target`";

/// Why nothing was tried, or learnt.
pub(super) const NONE_AT_HAND: &str = "no revoked certificate is at hand that was used here";
const NEVER_TAKEN: &str = "sshd never said of a certificate that is revoked now that it would take it, or its time is over";
const UNHEARD: &str = "sshd did not answer at `address`";
const UNREADABLE: &str = "ssh-keygen said nothing of the list in place";

/// Before the end of a certificate it is not shown any more: longer than all questions take.
const END_SECONDS: u64 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_what_was_offered_counts() {
        let offered = "debug1: Offering public key: /x ED25519-CERT SHA256:x explicit\n";
        let first = "debug1: Authentications that can continue: publickey\n";
        let taken = "debug1: Server accepts key: /x ED25519-CERT SHA256:x explicit\n";
        assert_eq!(would_take(&format!("{first}{offered}{taken}{first}")), Some(true));
        assert_eq!(would_take(&format!("{first}{offered}{first}")), Some(false));
        for unheard in [
            "",
            first,
            "ssh: connect to host 127.0.0.1 port 22: Connection refused\n",
            &format!("{first}{offered}Connection closed by 127.0.0.1 port 22\n"),
            &format!("{taken}{first}"),
        ] {
            assert_eq!(would_take(unheard), None, "{unheard}");
        }
    }

    #[test]
    fn a_certificate_that_is_over_by_itself_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let keygen = |words: &[&str]| {
            let mut keygen = Command::new("ssh-keygen");
            let status = keygen.arg("-q").args(words).current_dir(dir.path()).status();
            assert!(status.unwrap().success());
        };
        keygen(&["-t", "ed25519", "-N", "", "-f", "key"]);
        keygen(&["-s", "key", "-I", "x", "-n", "x", "-z", "7", "-V", "0x0:0x5000", "key.pub"]);
        keygen(&["-k", "-f", "nobody", "/dev/null"]);
        let certificate = std::fs::read_to_string(dir.path().join("key-cert.pub")).unwrap();
        let kept = Kept {
            certificates: BTreeMap::from([(7, certificate.trim().to_owned())]),
            taken: BTreeMap::from([(7, "root".to_owned())]),
        };
        let address = Some("nowhere".to_owned());
        let canaries = Canaries { dir: dir.path().to_owned(), address, kept };
        let list = dir.path().join("nobody");
        let at =
            |second| canaries.attempt(&Krl::naming(7), &list, Timestamp::from_unix_seconds(second));
        assert_eq!(at(0x5000 - 16), Tried::Accepted, "by the file");
        assert_eq!([at(0x5000 - 15), at(0x5000)], [Tried::Not(NEVER_TAKEN); 2]);
    }

    #[test]
    fn the_owner_of_a_process_is_an_account() {
        assert_eq!(account(0).as_deref(), Some("root"));
    }
}
