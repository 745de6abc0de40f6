//! What the probes saw, round by round: the evidence that goes into an entry.

use std::collections::BTreeMap;
use std::fmt;

use breakglass_ledger::entry::{EVIDENCE_MAX, Evidence};
use breakglass_ledger::principal::ProbeId;
use breakglass_ledger::time::Timestamp;

/// What came of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Everything that was asked is up.
    Good,
    /// Something that was asked is not.
    Bad,
    /// Nothing that we know to be independent of it answers either.
    Blind,
    /// We could not ask properly: the prober's own failure, which is never an outage.
    Void,
}

/// What one probe saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    /// It answers as it should, or says that it has too much to do (429).
    Up,
    /// Its name does not resolve.
    Dns,
    /// Nothing listens, or the way there is blocked.
    Connect,
    /// No TLS: name, chain or expiry of its certificate. Needs a human there.
    Tls,
    /// It answers 500 to 599.
    Http5xx,
    /// It answers with another status than it should.
    Http4xx,
    /// It sends us elsewhere; nothing is followed.
    Redirect,
    /// The body is not what it should be.
    Body,
    /// It names another issuer than the one configured.
    WrongIssuer,
    /// It offers no key that could be used.
    NoKeys,
    /// The answer is larger than any good one.
    TooLarge,
    /// No answer in time.
    Slow,
    /// We could not ask: out of files, of ports, of memory.
    Prober,
}

impl Finding {
    /// The word in the record.
    const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http5xx => "http-5xx",
            Self::Http4xx => "http-4xx",
            Self::Redirect => "redirect",
            Self::Body => "body",
            Self::WrongIssuer => "wrong-issuer",
            Self::NoKeys => "no-keys",
            Self::TooLarge => "too-large",
            Self::Slow => "slow",
            Self::Prober => "prober-failed",
        }
    }
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks the dependency.
    Target,
    /// Asks something that does not depend on it, to know whether we reach anything.
    Control,
}

/// One probe's answer in a round.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Which probe.
    pub(super) probe: ProbeId,
    /// What for.
    pub(super) role: Role,
    /// What it saw.
    pub(super) finding: Finding,
}

/// What each probe has been seeing lately.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<ProbeId, Streak>);

#[derive(Debug)]
struct Streak {
    finding: Finding,
    since: Timestamp,
    rounds: u32,
    /// Whether it was asked in the newest round: the keys are not, if nobody says where they are.
    asked: bool,
}

impl Record {
    /// Notes a round's answers and judges it.
    pub(super) fn take(&mut self, answers: &[Answer], now: Timestamp) -> Round {
        self.0.values_mut().for_each(|streak| streak.asked = false);
        for Answer { probe, finding, .. } in answers {
            let new = Streak { finding: *finding, since: now, rounds: 0, asked: true };
            let streak = self.0.entry(probe.clone()).or_insert(new);
            if streak.finding != *finding {
                (streak.finding, streak.since, streak.rounds) = (*finding, now, 0);
            }
            streak.rounds = streak.rounds.saturating_add(1);
            streak.asked = true;
        }
        judge(answers)
    }

    /// What goes into the entry: the probes asked in the newest round.
    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let asked = self.0.iter().filter(|(_, streak)| streak.asked);
        let each = asked.filter_map(|(probe, streak)| {
            let Streak { finding, since, rounds, .. } = streak;
            let saw = finding.word().parse().ok()?;
            Some(Evidence { probe: probe.clone(), rounds: *rounds, saw, since: *since })
        });
        each.take(EVIDENCE_MAX).collect()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.evidence().into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}{} {} ({} rounds since {})",
                one.probe, one.saw, one.rounds, one.since
            )?;
        }
        Ok(())
    }
}

/// All of a dependency's probes must see it up: a sign-on page that answers while its directory is
/// dead logs nobody in.
fn judge(answers: &[Answer]) -> Round {
    let of = |role| answers.iter().filter(move |answer| answer.role == role);
    if of(Role::Target).any(|answer| answer.finding == Finding::Prober) {
        return Round::Void;
    }
    if of(Role::Target).all(|answer| answer.finding == Finding::Up) {
        return if of(Role::Target).next().is_some() { Round::Good } else { Round::Void };
    }
    let mut controls = of(Role::Control).peekable();
    if controls.peek().is_some() && controls.all(|answer| answer.finding != Finding::Up) {
        return Round::Blind;
    }
    Round::Bad
}

/// The evidence for ending an outage of what is no longer watched.
pub(super) fn unwatched(since: Timestamp) -> Option<Evidence> {
    let (probe, saw) = ("config".parse().ok()?, "unwatched".parse().ok()?);
    Some(Evidence { probe, rounds: 1, saw, since })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(targets: &[Finding], controls: &[Finding]) -> Vec<Answer> {
        let each = |role, findings: &[Finding]| {
            let name = |at| format!("{role:?}{at}").to_lowercase().parse().unwrap();
            let of = |(at, finding): (usize, &Finding)| Answer {
                probe: name(at),
                role,
                finding: *finding,
            };
            findings.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        [each(Role::Target, targets), each(Role::Control, controls)].concat()
    }

    #[test]
    fn one_bad_answer_makes_a_round_bad_and_only_good_ones_make_it_good() {
        use Finding::{Slow, Up};
        assert_eq!(judge(&answers(&[Up, Up, Up], &[Up])), Round::Good);
        assert_eq!(judge(&answers(&[Up, Up, Slow], &[Up])), Round::Bad);
        assert_eq!(judge(&answers(&[Up, Up], &[Slow])), Round::Good, "what answers is up");
        assert_eq!(judge(&answers(&[], &[Up])), Round::Void);
    }

    #[test]
    fn when_nothing_at_all_answers_we_are_blind_and_it_is_not_down() {
        use Finding::{Connect, Dns, Up};
        assert_eq!(judge(&answers(&[Connect], &[Dns, Connect])), Round::Blind);
        assert_eq!(judge(&answers(&[Connect], &[Dns, Up])), Round::Bad);
    }

    #[test]
    fn our_own_failure_is_never_an_outage() {
        use Finding::{Connect, Prober, Up};
        assert_eq!(judge(&answers(&[Connect, Prober], &[Up])), Round::Void);
        assert_eq!(judge(&answers(&[Connect], &[Prober])), Round::Blind, "nor is it a control");
    }

    #[test]
    fn evidence_says_what_each_probe_sees_since_when_and_how_often() {
        let mut record = Record::default();
        let at = Timestamp::from_unix_seconds;
        record.take(&answers(&[Finding::Up], &[]), at(10));
        record.take(&answers(&[Finding::Tls], &[]), at(20));
        record.take(&answers(&[Finding::Tls], &[]), at(30));
        let evidence = record.evidence();
        assert_eq!(evidence.len(), 1);
        assert_eq!((evidence[0].saw.as_str(), evidence[0].rounds), ("tls", 2));
        assert_eq!(evidence[0].since, at(20));
        record.take(&[], at(40));
        assert!(record.evidence().is_empty(), "nothing was asked");
    }
}
