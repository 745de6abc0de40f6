//! What hosts report: which lists they enforce, and which credentials they saw used.
//!
//! A report grants nothing and ends nothing. It is written down because it is what shows that a
//! revocation has landed, and bounded because hosts are many and never sleep: each news once.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, TargetId};
use breakglass_ledger::statement::{Applied, Canary, INTEGER_MAX, Use};
use breakglass_ledger::time::Timestamp;

use crate::decide::Facts;
use crate::grounds::{self, rule};
use crate::refusal::{Refusal, ReportRefusal};
use crate::verdict::{Change, Event, Verdict};

/// Uses of one credential at one target within this time, by the host's clock, are one: what was
/// done is the target's to log, and a login a minute is one person at work.
pub const USE_WINDOW_SECONDS: u64 = 60;

/// A credential that the ledger does not know is reported once in this time for each target.
pub const STRANGER_WINDOW_SECONDS: u64 = 86_400;

/// Different credentials that the ledger does not know, from one target in that time. One is an alarm;
/// beyond some, more of them say nothing new and only make the ledger grow.
pub const STRANGERS_MAX: u32 = 64;

/// Targets of one reporting service: the programs of one host that accept credentials.
pub const TARGETS_MAX: u32 = 16;

/// How far a host's clock may be ahead when it says when something was used.
pub const USE_AHEAD_SECONDS: u64 = 300;

/// What is known about what a host reports. Gathered only for its acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landing {
    /// Version of the newest list of this kind that was published; `None` if none ever is.
    pub newest: Option<u64>,
    /// SHA-256 of the list of the reported version, if that was published since the start, or lay there then.
    pub published: Option<Digest>,
    /// What the target last reported of this list.
    pub reported: Option<Reported>,
    /// How many targets the reporting service has.
    pub targets: u32,
    /// Whether the ledger knows the serial. If its grant is not closed, that is the request.
    pub is_known: bool,
    /// When the credential was taken back, if it was.
    pub ended: Option<Timestamp>,
    /// When the target last saw this serial used, by its own clock, and the entry that says so.
    pub seen: Option<(Timestamp, u64)>,
    /// How many unknown serials the target reported within [`STRANGER_WINDOW_SECONDS`].
    pub strangers: u32,
    /// The newest entry about one of them.
    pub stranger: Option<u64>,
}

impl Landing {
    /// Nothing is known, because nothing was reported.
    pub const NONE: Self = Self {
        newest: None,
        published: None,
        reported: None,
        targets: 0,
        is_known: false,
        ended: None,
        seen: None,
        strangers: 0,
        stranger: None,
    };
}

/// A report of a list on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Of this version.
    pub version: u64,
    /// What became of the canary.
    pub canary: Canary,
    /// Its entry.
    pub seq: u64,
}

/// A host enforces a list.
pub(crate) fn applied(facts: &Facts<'_>, said: &Applied) -> Result<Verdict, Refusal> {
    is_its_own(facts.policy, &said.by, &said.target)?;
    let known = facts.landing;
    let newest =
        known.newest.ok_or(Refusal::Report(ReportRefusal::ListUnknown { list: said.list }))?;
    let (version, list) = (said.version, said.list);
    if version > newest {
        return Err(Refusal::Report(ReportRefusal::ListNotPublished { list, version, newest }));
    }
    if let Some(before) = known.reported {
        if version < before.version {
            let (target, reported) = (said.target.clone(), before.version);
            return Err(Refusal::Report(ReportRefusal::ListOlder {
                target,
                list,
                version,
                reported,
            }));
        }
        if version == before.version && rank(said.canary) <= rank(before.canary) {
            return Ok(Verdict::Again { seq: before.seq });
        }
    } else if known.targets >= TARGETS_MAX {
        return Err(Refusal::Report(ReportRefusal::TargetsMany {
            by: said.by.clone(),
            most: TARGETS_MAX,
        }));
    }
    if known.published != Some(said.digest) {
        return Err(Refusal::Report(ReportRefusal::ListMismatch { list, version, newest }));
    }
    Ok(change(facts, Change::Applied, &said.by))
}

/// A host saw a credential used.
pub(crate) fn used(facts: &Facts<'_>, said: &Use) -> Result<Verdict, Refusal> {
    is_its_own(facts.policy, &said.by, &said.target)?;
    let (known, now) = (facts.landing, facts.second());
    if said.at > now.plus(USE_AHEAD_SECONDS) {
        return Err(Refusal::Report(ReportRefusal::UseAhead { at: said.at, now }));
    }
    if !known.is_known {
        return Ok(stranger(facts, said));
    }
    if let Some((before, seq)) = known.seen {
        // The first use after the end is news, however soon after one before it.
        let ended_since = known.ended.is_some_and(|ended| before <= ended && ended < said.at);
        if said.at < before.plus(USE_WINDOW_SECONDS) && !ended_since {
            return Ok(Verdict::Again { seq });
        }
    }
    let Some(request) = facts.request else {
        let change = Change::Reconciled { target: said.target.clone(), unlogged: None };
        return Ok(self::change(facts, change, &said.by));
    };
    let ask = Some(&request.asked().ask);
    let rules = vec![rule::HOST.to_owned()];
    let decision = grounds::decision(facts, ask, Some(&said.by), rules, "used");
    Ok(Verdict::Record(Event::Used, decision))
}

/// Nothing that this broker ever issued: loud, and bounded.
fn stranger(facts: &Facts<'_>, said: &Use) -> Verdict {
    let known = facts.landing;
    if let Some((before, seq)) = known.seen
        && said.at < before.plus(STRANGER_WINDOW_SECONDS)
    {
        return Verdict::Again { seq };
    }
    if let Some(seq) = known.stranger
        && known.strangers >= STRANGERS_MAX
    {
        return Verdict::Again { seq };
    }
    let unlogged = Some(said.serial.0);
    change(facts, Change::Reconciled { target: said.target.clone(), unlogged }, &said.by)
}

fn change(facts: &Facts<'_>, change: Change, by: &PrincipalId) -> Verdict {
    let rules = vec![rule::HOST.to_owned()];
    let decision = grounds::decision(facts, None, Some(by), rules, change.name());
    Verdict::Change(change, decision)
}

/// Reports are made by services, each of the target that has its name and of those below it.
fn is_its_own(policy: &Policy, by: &PrincipalId, target: &TargetId) -> Result<(), Refusal> {
    let kind = policy.principal(by).map(|principal| principal.kind);
    if kind != Some(PrincipalKind::Service) {
        return Err(Refusal::Report(ReportRefusal::NotAHost { by: by.clone() }));
    }
    if by.as_str() == target.as_str() {
        return Ok(());
    }
    let below = target.as_str().strip_prefix(by.as_str());
    let is_below = below.is_some_and(|rest| rest.starts_with('.'));
    let other: Option<PrincipalId> = target.as_str().parse().ok();
    let is_anothers = other.is_some_and(|other| policy.principal(&other).is_some());
    if !is_below || is_anothers {
        return Err(Refusal::Report(ReportRefusal::TargetNotTheirs {
            by: by.clone(),
            target: target.clone(),
        }));
    }
    Ok(())
}

/// The serials of an entry's list: what a JSON number can carry exactly. A larger one stands in the
/// host's statement alone.
#[must_use]
pub fn unlogged(serial: Option<u64>) -> Vec<u64> {
    serial.into_iter().filter(|serial| *serial <= INTEGER_MAX).collect()
}

/// Of one version only what is worse is news.
const fn rank(canary: Canary) -> u8 {
    match canary {
        Canary::Untried => 0,
        Canary::Refused => 1,
        Canary::Accepted => 2,
    }
}
