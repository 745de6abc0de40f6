//! What became of revoked certificates that somebody showed to a server, as the server itself wrote down.
//!
//! Only who has the key of a certificate that the authority signed gets as far as this: of a forged one
//! OpenSSL names the bad signature last, revoked or not.

use breakglass_ledger::statement::Canary;

use super::crl::Crl;

/// A certificate of ours that was shown to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) serial: u128,
    /// When the server wrote it down, in seconds.
    pub(super) at: u64,
    /// Whether it let its holder in; if not, because it is revoked.
    pub(super) is_in: bool,
}

/// Since when a list is in force, and what was seen under it.
#[derive(Debug, Default)]
pub(super) struct Witness {
    version: u64,
    since: Option<u64>,
    seen: Option<Canary>,
}

impl Witness {
    /// The list of this version is in force, `now`, in seconds.
    pub(super) fn in_force(&mut self, version: u64, now: u64) {
        if self.since.is_none() || self.version != version {
            *self = Self { version, since: Some(now), seen: None };
        }
    }

    /// Looks at what a server wrote. What it let in before the second after the list came into force says
    /// nothing about the list.
    pub(super) fn look(&mut self, all: &[Seen], lists: &[Crl]) {
        let Some(since) = self.since else { return };
        let is_revoked = |serial| lists.iter().any(|list| list.revokes(serial));
        for one in all.iter().filter(|one| one.at > since && is_revoked(one.serial)) {
            let found = if one.is_in { Canary::Accepted } else { Canary::Refused };
            // One that got in is not made good by another that did not.
            if self.seen != Some(Canary::Accepted) {
                self.seen = Some(found);
            }
        }
    }

    /// What became of them under the newest list.
    pub(super) fn canary(&self) -> Canary {
        self.seen.unwrap_or(Canary::Untried)
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
    fn what_was_seen_under_the_list_in_force_counts_and_one_that_got_in_outweighs_the_rest() {
        let (lists, mut witness) = ([naming(&[7, 9])], Witness::default());
        let seen = |serial, at, is_in| [Seen { serial, at, is_in }];
        witness.look(&seen(7, 100, false), &lists);
        assert_eq!(witness.canary(), Canary::Untried, "no list is in force yet");
        witness.in_force(1, 100);
        for (serial, at, is_in) in [(8, 101, true), (7, 100, true), (9, 99, true)] {
            witness.look(&seen(serial, at, is_in), &lists);
            assert_eq!(witness.canary(), Canary::Untried, "{serial} {at}");
        }
        witness.in_force(1, 200);
        witness.look(&seen(7, 101, false), &lists);
        assert_eq!(witness.canary(), Canary::Refused, "in force since the first word");
        witness.look(&seen(9, 102, true), &lists);
        witness.look(&seen(7, 103, false), &lists);
        assert_eq!(witness.canary(), Canary::Accepted);
        witness.in_force(2, 300);
        assert_eq!(witness.canary(), Canary::Untried, "another list, another question");
    }
}
