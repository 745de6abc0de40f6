//! What a server made of certificates of our authority, as it wrote down itself, under the list that is in
//! force.
//!
//! Whom it let in counts, whoever it was. That it refused one counts only of a number that we drew and
//! showed it ourselves ([`canary`](super::canary)), and only the first word about it: anybody may show an
//! authority of their own making, under the name and key identifier of ours and under a revoked number, and
//! is written down as revoked whatever number the certificate below it has. So a server with an older list
//! could be made to pass for one with the newest.

use crate::host::canary::Tried;

use super::crl::Crl;

/// Most attempts at one list that may still be written down.
const SHOWN_MAX: usize = 16;

/// A certificate in our name, and what a server made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) serial: u128,
    /// When the server wrote it down, in seconds.
    pub(super) at: u64,
    pub(super) word: Word,
}

/// What a server made of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It let them in.
    LetIn,
    /// Its list names a number of the chain.
    Revoked,
    /// It has no list, or one that names none.
    NotNamed,
    /// Another fault.
    Refused,
}

/// Since when a list is in force, and what was seen under it.
#[derive(Debug, Default)]
pub(super) struct Witness {
    version: u64,
    since: Option<u64>,
    got_in: bool,
    /// Numbers that only we know, shown and not written down yet.
    shown: Vec<u128>,
    /// What became of one of them.
    tried: Option<Tried>,
}

impl Witness {
    /// The list of this version is in force, `now`, in seconds.
    pub(super) fn in_force(&mut self, version: u64, now: u64) {
        if self.since.is_none() || self.version != version {
            *self = Self { version, since: Some(now), ..Self::default() };
        }
    }

    /// Whether it is still to be found out whether the server refuses.
    pub(super) const fn is_open(&self) -> bool {
        !self.got_in && self.tried.is_none()
    }

    /// A number that nobody else knows was shown under the list in force.
    pub(super) fn showed(&mut self, number: u128) {
        if self.shown.len() >= SHOWN_MAX {
            self.shown.remove(0);
        }
        self.shown.push(number);
    }

    /// Looks at what a server wrote down. Up to the second in which the list came into force, whom it let
    /// in says nothing about the list.
    pub(super) fn look(&mut self, all: &[Seen], lists: &[Crl]) {
        let Some(since) = self.since else { return };
        let is_revoked = |serial| lists.iter().any(|list| list.revokes(serial));
        for one in all {
            self.got_in |= one.word == Word::LetIn && one.at > since && is_revoked(one.serial);
            let Some(shown) = self.shown.iter().position(|number| *number == one.serial) else {
                continue;
            };
            // Whoever reads the log knows it from now on.
            self.shown.remove(shown);
            let canary = match one.word {
                Word::Revoked => Some(Tried::Refused),
                Word::NotNamed | Word::LetIn => Some(Tried::Accepted),
                Word::Refused => None,
            };
            self.tried = self.tried.or(canary);
        }
    }

    /// What became of a revoked certificate under the newest list, if anything is known of one.
    pub(super) fn tried(&self) -> Option<Tried> {
        if self.got_in { Some(Tried::Accepted) } else { self.tried }
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::statement::Canary;
    use breakglass_ledger::time::Timestamp;

    use super::*;

    fn canary_of(witness: &Witness) -> Canary {
        witness.tried().map_or(Canary::Untried, Tried::canary)
    }

    fn naming(revoked: &[u128]) -> Crl {
        let next_update = Timestamp::from_unix_seconds(1_795_348_800);
        let (hash, pem) = (String::new(), String::new());
        let revoked: Vec<u128> = revoked.to_vec();
        Crl { hash, number: 1, next_update, latest: revoked.first().copied(), revoked, pem }
    }

    fn seen(serial: u128, at: u64, word: Word) -> [Seen; 1] {
        [Seen { serial, at, word }]
    }

    #[test]
    fn a_revoked_certificate_that_got_in_under_the_list_in_force_counts_until_the_next_list() {
        let (lists, mut witness) = ([naming(&[7, 9])], Witness::default());
        witness.look(&seen(7, 100, Word::LetIn), &lists);
        assert_eq!(canary_of(&witness), Canary::Untried, "no list is in force yet");
        witness.in_force(1, 100);
        for (serial, at) in [(8, 101), (7, 100), (9, 99)] {
            witness.look(&seen(serial, at, Word::LetIn), &lists);
            assert_eq!(canary_of(&witness), Canary::Untried, "{serial} {at}");
        }
        witness.in_force(1, 200);
        witness.look(&seen(9, 101, Word::LetIn), &lists);
        assert_eq!(canary_of(&witness), Canary::Accepted, "in force since the first word");
        witness.look(&seen(8, 102, Word::LetIn), &lists);
        assert_eq!(canary_of(&witness), Canary::Accepted, "it is not made good by another");
        witness.in_force(2, 300);
        assert_eq!(canary_of(&witness), Canary::Untried, "another list, another question");
    }

    #[test]
    fn only_the_first_word_about_a_number_that_we_showed_says_whether_a_server_refuses() {
        let lists = [naming(&[7, 9])];
        for (word, canary) in [
            (Word::Revoked, Canary::Refused),
            (Word::NotNamed, Canary::Accepted),
            (Word::LetIn, Canary::Accepted),
            (Word::Refused, Canary::Untried),
        ] {
            let mut witness = Witness::default();
            witness.in_force(1, 100);
            witness.showed(500);
            for forged in [7, 8, 501] {
                witness.look(&seen(forged, 101, Word::Revoked), &lists);
                witness.look(&seen(forged, 101, Word::NotNamed), &lists);
                assert_eq!(canary_of(&witness), Canary::Untried, "anybody can have that written");
            }
            witness.look(&seen(500, 101, word), &lists);
            assert_eq!(canary_of(&witness), canary, "{word:?}");
            assert_eq!(witness.is_open(), canary == Canary::Untried);
            for other in [Word::Revoked, Word::NotNamed] {
                witness.look(&seen(500, 102, other), &lists);
                assert_eq!(
                    canary_of(&witness),
                    canary,
                    "it can be read by now: {word:?}, {other:?}"
                );
            }
            witness.in_force(2, 200);
            witness.look(&seen(500, 201, Word::Revoked), &lists);
            assert_eq!(canary_of(&witness), Canary::Untried, "shown under the list of before");
        }
    }

    #[test]
    fn who_gets_in_counts_for_more_than_that_the_attempt_was_refused() {
        let (lists, mut witness) = ([naming(&[7])], Witness::default());
        witness.in_force(1, 100);
        witness.showed(500);
        witness.look(&seen(500, 101, Word::Revoked), &lists);
        witness.look(&seen(7, 102, Word::LetIn), &lists);
        assert_eq!(canary_of(&witness), Canary::Accepted);
    }

    #[test]
    fn of_many_attempts_that_were_never_written_down_the_newest_are_waited_for() {
        let mut witness = Witness::default();
        witness.in_force(1, 100);
        (0..=16).for_each(|number| witness.showed(1000 + number));
        witness.look(&seen(1000, 101, Word::Revoked), &[]);
        assert_eq!(canary_of(&witness), Canary::Untried);
        witness.look(&seen(1016, 101, Word::Revoked), &[]);
        assert_eq!(canary_of(&witness), Canary::Refused);
    }
}
