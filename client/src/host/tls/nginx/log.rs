//! Uses, from a log of nginx in a form of our own, followed through rotations.
//!
//! ```text
//! log_format breakglass '$msec $ssl_client_verify $ssl_client_serial "$ssl_client_i_dn"';
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::super::authority::Authority;
use super::super::witness::{Seen, Word};

/// Most bytes read at once.
const PART_MAX: usize = 1024 * 1024;

/// Most parts of one look, so that other work gets its turn; the rest is read with the next one. More than
/// 100,000 lines.
const PARTS_MAX: usize = 16;

/// The same certificate again is not worth a report before this: a page is many requests.
const AGAIN_SECONDS: u64 = 600;

/// Most certificates remembered for that.
const RECENT_MAX: usize = 4096;

/// A log that is followed.
#[derive(Debug)]
pub(in super::super) struct Log {
    path: PathBuf,
    open: Option<(File, u64)>,
    /// When each serial was last reported.
    recent: BTreeMap<u128, u64>,
}

impl Log {
    /// The log at `path`, read up to `from` (which file, how far) before. One that was never read
    /// is begun at its end.
    pub(in super::super) fn open(path: PathBuf, from: Option<(u64, u64)>) -> Self {
        let mut log = Self { path, open: None, recent: BTreeMap::new() };
        if let Some((file, inode, length)) = log.newest() {
            let at = match from {
                None => length,
                Some((of, at)) if of == inode && at <= length => at,
                Some(_) => 0,
            };
            log.open = Some((file, at));
        }
        log
    }

    /// Where it was read to.
    pub(in super::super) fn at(&self) -> Option<(u64, u64)> {
        let (file, at) = self.open.as_ref()?;
        Some((file.metadata().ok()?.ino(), *at))
    }

    /// What was made of certificates in our name since the last look.
    pub(in super::super) fn look(&mut self, authorities: &[Authority]) -> Vec<Seen> {
        let mut all = Vec::new();
        for _ in 0..PARTS_MAX {
            let mut lines = self.rest();
            // What was written to the file of before until it was replaced comes first.
            if lines.is_empty()
                && let Some((file, inode, length)) = self.newest()
                && self.at().is_none_or(|(of, at)| of != inode || at > length)
            {
                self.open = Some((file, 0));
                lines = self.rest();
            }
            if lines.is_empty() {
                break;
            }
            all.extend(lines.lines().filter_map(|line| seen(line, authorities)));
        }
        all
    }

    /// Whether it is worth a report.
    pub(in super::super) fn is_news(&mut self, seen: &Seen) -> bool {
        let Seen { serial, at, .. } = *seen;
        let before = self.recent.get(&serial).copied();
        if before.is_some_and(|before| at < before.saturating_add(AGAIN_SECONDS)) {
            return false;
        }
        self.recent.insert(serial, at);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
        true
    }

    fn newest(&self) -> Option<(File, u64, u64)> {
        let file = File::open(&self.path).ok()?;
        let found = file.metadata().ok()?;
        Some((file, found.ino(), found.len()))
    }

    /// Whole lines that were not read yet.
    fn rest(&mut self) -> String {
        let Some((file, at)) = &mut self.open else { return String::new() };
        let mut part = vec![0; PART_MAX];
        let length = file.read_at(&mut part, *at).unwrap_or(0);
        part.truncate(length);
        let end = part.iter().rposition(|byte| *byte == b'\n').map(|end| end.saturating_add(1));
        // A line longer than everything that is read at once is none of ours.
        let end = end.unwrap_or(if length == PART_MAX { length } else { 0 });
        part.truncate(end);
        *at = at.saturating_add(u64::try_from(end).unwrap_or(0));
        String::from_utf8_lossy(&part).into_owned()
    }
}

/// What a line says of a certificate in our name.
fn seen(line: &str, authorities: &[Authority]) -> Option<Seen> {
    let (at, rest) = line.split_once(' ')?;
    let at = at.split('.').next()?.parse().ok()?;
    let (said, issuer) = rest.split_once(" \"")?;
    let issuer = issuer.strip_suffix('"')?;
    let (said, serial) = said.rsplit_once(' ')?;
    let serial = u128::from_str_radix(serial, 16).ok()?;
    let word = match said {
        "SUCCESS" => Word::LetIn,
        "FAILED:certificate revoked" => Word::Revoked,
        // Of a list that names nobody of the chain, and of no list at all; OpenSSL 1.1 writes two words.
        "FAILED:CRL signature failure"
        | "FAILED:self-signed certificate in certificate chain"
        | "FAILED:self signed certificate in certificate chain" => Word::NotNamed,
        _ if said.starts_with("FAILED:") => Word::Refused,
        _ => return None,
    };
    let is_ours = authorities.iter().any(|one| one.is_logged_as(issuer));
    is_ours.then_some(Seen { serial, at, word })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::tls::authority::tests::named;

    #[test]
    fn uses_are_read_once_and_through_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let all = [named("/CN=breakglass x X.509 CA 01")];
        let line = |serial: &str, at: u64| {
            format!("{at}.123 SUCCESS {serial} \"CN=breakglass x X.509 CA 01\"\n")
        };
        fs::write(&path, line("01", 100)).unwrap();
        let mut log = Log::open(path.clone(), None);
        assert_eq!(log.look(&all), [], "what was there before is not ours to tell");
        let append = |path: &PathBuf, text: &str| {
            let text = format!("{}{text}", fs::read_to_string(path).unwrap_or_default());
            fs::write(path, text).unwrap();
        };
        append(&path, &line("0A", 200));
        append(&path, &line("0A", 201));
        let failed = |why: &str, serial: &str| {
            format!("202.000 FAILED:{why} {serial} \"CN=breakglass x X.509 CA 01\"\n")
        };
        append(&path, &failed("certificate signature failure", "0B"));
        append(&path, &failed("certificate revoked", "0B"));
        append(&path, &failed("CRL signature failure", "0B"));
        append(&path, &failed("self-signed certificate in certificate chain", "0B"));
        append(&path, "202.000 SUCCESS 0C \"CN=another\"\n202.000 NONE - \"-\"\n");
        append(&path, "203.000 SUCCESS 0D");
        let found = log.look(&all);
        let seen = |serial, at| Seen { serial, at, word: Word::LetIn };
        let (let_in, refused) = found.split_at(2);
        assert_eq!(let_in, [seen(0x0a, 200), seen(0x0a, 201)]);
        let words = [Word::Refused, Word::Revoked, Word::NotNamed, Word::NotNamed];
        assert_eq!(refused, words.map(|word| Seen { serial: 0x0b, at: 202, word }));
        let news: Vec<bool> = let_in.iter().map(|one| log.is_news(one)).collect();
        assert_eq!(news, [true, false], "once in ten minutes");
        append(&path, &line("", 1)["1.123 SUCCESS ".len()..]);
        let rotated = dir.path().join("log.1");
        fs::rename(&path, &rotated).unwrap();
        append(&rotated, &line("0E", 204));
        fs::write(&path, line("0F", 205)).unwrap();
        let after = log.look(&all);
        assert_eq!(after, [(0x0d, 203), (0x0e, 204), (0x0f, 205)].map(|(of, at)| seen(of, at)));
        append(&path, &line("10", 206));
        let mut log = Log::open(path, log.at());
        assert_eq!(log.look(&all), [seen(0x10, 206)], "an agent that was away goes on");
    }

    #[test]
    fn a_log_that_grows_faster_than_one_part_a_look_is_caught_up_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "").unwrap();
        let mut log = Log::open(path.clone(), None);
        let noise = "1.000 NONE - \"-\"\n".repeat(3 * PART_MAX / 15);
        fs::write(&path, format!("{noise}2.000 SUCCESS 0A \"CN=x\"\n")).unwrap();
        let found = log.look(&[named("/CN=x")]);
        assert_eq!(found, [Seen { serial: 10, at: 2, word: Word::LetIn }]);
    }
}
