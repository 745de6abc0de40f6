//! Whether somebody got into a server with a certificate that the list in force names, as the server itself
//! wrote down.
//!
//! That it refused one is not taken from there. Whoever shows an authority of their own making, under the
//! name and key identifier of ours and under a revoked number, is written down as revoked, whatever number
//! the certificate below it has: so a server with an older list would pass for one with the newest.

use breakglass_ledger::statement::Canary;

use super::crl::Crl;

/// A certificate of ours that a server let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) serial: u128,
    /// When the server wrote it down, in seconds.
    pub(super) at: u64,
}

/// Since when a list is in force, and what was seen under it.
#[derive(Debug, Default)]
pub(super) struct Witness {
    version: u64,
    since: Option<u64>,
    got_in: bool,
}

impl Witness {
    /// The list of this version is in force, `now`, in seconds.
    pub(super) fn in_force(&mut self, version: u64, now: u64) {
        if self.since.is_none() || self.version != version {
            *self = Self { version, since: Some(now), got_in: false };
        }
    }

    /// Looks at whom a server let in. Up to the second in which the list came into force that says nothing
    /// about the list.
    pub(super) fn look(&mut self, all: &[Seen], lists: &[Crl]) {
        let Some(since) = self.since else { return };
        let is_revoked = |serial| lists.iter().any(|list| list.revokes(serial));
        self.got_in |= all.iter().any(|one| one.at > since && is_revoked(one.serial));
    }

    /// What became of them under the newest list.
    pub(super) const fn canary(&self) -> Canary {
        if self.got_in { Canary::Accepted } else { Canary::Untried }
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::time::Timestamp;

    use super::*;

    fn naming(revoked: &[u128]) -> Crl {
        let next_update = Timestamp::from_unix_seconds(1_795_348_800);
        let (hash, pem) = (String::new(), String::new());
        Crl { hash, number: 1, next_update, revoked: revoked.to_vec(), pem }
    }

    #[test]
    fn a_revoked_certificate_that_got_in_under_the_list_in_force_counts_until_the_next_list() {
        let (lists, mut witness) = ([naming(&[7, 9])], Witness::default());
        witness.look(&[Seen { serial: 7, at: 100 }], &lists);
        assert_eq!(witness.canary(), Canary::Untried, "no list is in force yet");
        witness.in_force(1, 100);
        for (serial, at) in [(8, 101), (7, 100), (9, 99)] {
            witness.look(&[Seen { serial, at }], &lists);
            assert_eq!(witness.canary(), Canary::Untried, "{serial} {at}");
        }
        witness.in_force(1, 200);
        witness.look(&[Seen { serial: 9, at: 101 }], &lists);
        assert_eq!(witness.canary(), Canary::Accepted, "in force since the first word");
        witness.look(&[Seen { serial: 8, at: 102 }], &lists);
        assert_eq!(witness.canary(), Canary::Accepted, "it is not made good by another");
        witness.in_force(2, 300);
        assert_eq!(witness.canary(), Canary::Untried, "another list, another question");
    }
}
