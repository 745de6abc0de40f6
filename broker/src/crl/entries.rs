//! The entries of a list, encoded once and kept one behind the other: whoever revokes one more of a
//! hundred thousand certificates must not wait until the others are written again.

use std::collections::HashSet;

use breakglass_ledger::time::Timestamp;

use super::read::entry;
use super::{CrlError, ENTRIES_MAX, KEPT_SECONDS, Line, SerialNumber};

/// Revoked certificates as their list has them, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// One behind the other: the content of `revokedCertificates`.
    der: Vec<u8>,
    added: Vec<Added>,
    serials: HashSet<SerialNumber>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Added {
    serial: SerialNumber,
    /// First second at which the certificate is not valid any more.
    ends: Timestamp,
    /// How many bytes of `der` are its own.
    bytes: usize,
}

impl Entries {
    /// Adds `line`, of a certificate that is valid until `ends`; nothing if it is there already: the first
    /// word counts. What was written is read back once, here.
    ///
    /// # Errors
    ///
    /// [`CrlError::TooMany`]; [`CrlError::Form`] if it does not read back as what it should say.
    pub fn add(&mut self, line: &Line, ends: Timestamp) -> Result<(), CrlError> {
        let serial = line.serial();
        if self.serials.contains(&serial) {
            return Ok(());
        }
        if self.added.len() >= ENTRIES_MAX {
            return Err(CrlError::TooMany);
        }
        if entry(line.der())? != (serial, line.revoked_at()) {
            return Err(CrlError::Form("an entry that says something else"));
        }
        self.serials.insert(serial);
        self.added.push(Added { serial, ends, bytes: line.der().len() });
        self.der.extend_from_slice(line.der());
        Ok(())
    }

    /// Forgets certificates that ended long ago for every clock.
    pub fn forget(&mut self, now: Timestamp) {
        let is_kept = |one: &Added| now < one.ends.plus(KEPT_SECONDS);
        if self.added.iter().all(is_kept) {
            return;
        }
        let mut rest = self.der.as_slice();
        let mut der = Vec::with_capacity(rest.len());
        for one in &self.added {
            let Some((own, others)) = rest.split_at_checked(one.bytes) else { break };
            if is_kept(one) {
                der.extend_from_slice(own);
            }
            rest = others;
        }
        self.der = der;
        self.added.retain(is_kept);
        self.serials = self.added.iter().map(|one| one.serial).collect();
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// All of them, encoded.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

    fn line(seq: u64, at: Timestamp) -> Line {
        Line::new(SerialNumber::new(seq, [7; 8]).expect("a number"), at).expect("a line")
    }

    #[test]
    fn what_was_taken_back_first_counts_and_is_there_once() {
        let mut entries = Entries::default();
        entries.add(&line(7, NOW), NOW.plus(60)).expect("added");
        let before = entries.clone();
        entries.add(&line(7, NOW.plus(5)), NOW.plus(60)).expect("nothing to do");
        assert_eq!(entries, before);
    }

    #[test]
    fn an_entry_leaves_an_hour_after_its_certificate_and_takes_no_other_along() {
        let mut entries = Entries::default();
        for (seq, ends) in [(1, 60), (0x7fff_ffff_ffff, 600), (3, 60), (400, 601)] {
            entries.add(&line(seq, NOW), NOW.plus(ends)).expect("added");
        }
        entries.forget(NOW.plus(60 + KEPT_SECONDS - 1));
        assert_eq!(entries.len(), 4);
        entries.forget(NOW.plus(60 + KEPT_SECONDS));
        let mut rest = Entries::default();
        for (seq, ends) in [(0x7fff_ffff_ffff, 600), (400, 601)] {
            rest.add(&line(seq, NOW), NOW.plus(ends)).expect("added");
        }
        assert_eq!(entries, rest);
        entries.forget(NOW.plus(601 + KEPT_SECONDS));
        assert!(entries.is_empty() && entries.der().is_empty());
        entries.add(&line(1, NOW), NOW.plus(9000)).expect("it may come back");
        assert_eq!(entries.len(), 1);
    }
}
