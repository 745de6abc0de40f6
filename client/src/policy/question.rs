//! A question about a policy: who wants what, and what is true besides.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use breakglass_ledger::principal::{PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::{Lane, ReviewVerdict, Target};
use breakglass_ledger::time::{Timestamp, Ttl};

/// What somebody wants to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Ask for the scope.
    Request,
    /// Say yes in a stage.
    Approve,
    /// Fetch the credential: everything is judged once more.
    Collect,
    /// Say no.
    Deny,
    /// End it, as approver or owner.
    Cancel,
    /// Take it back before it is issued.
    Withdraw,
    /// Give the credential back.
    Drop,
    /// Ask the next approvers of a stage that nobody answers.
    Escalate,
    /// Say what a use that is over was.
    Review,
    /// See it.
    Read,
}

impl Action {
    /// All of them, in the order of a request's life.
    pub const ALL: [Self; 10] = [
        Self::Request,
        Self::Approve,
        Self::Collect,
        Self::Deny,
        Self::Cancel,
        Self::Withdraw,
        Self::Drop,
        Self::Escalate,
        Self::Review,
        Self::Read,
    ];

    /// The word on the command line and in `tests.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Collect => "collect",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
            Self::Withdraw => "withdraw",
            Self::Drop => "drop",
            Self::Escalate => "escalate",
            Self::Review => "review",
            Self::Read => "read",
        }
    }

    /// Whether it is about a request that somebody made before.
    #[must_use]
    pub const fn is_about_a_request(self) -> bool {
        !matches!(self, Self::Request)
    }

    /// Whether the requester does it.
    #[must_use]
    pub const fn is_the_requesters(self) -> bool {
        matches!(self, Self::Request | Self::Collect | Self::Withdraw | Self::Drop)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|action| action.name() == text);
        known.ok_or_else(|| format!("one of: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

impl<'de> serde::Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Who wants what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who acts.
    pub who: PrincipalId,
    /// What they want to do.
    pub action: Action,
    /// The scope that the request is for.
    pub scope: ScopeId,
    /// What the request says, and what is true besides.
    pub terms: Terms,
}

/// What a request says, and what is true besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who made the request, where somebody else acts on it.
    pub requester: Option<PrincipalId>,
    /// The stage of an approval; if the scope has one stage, that one.
    pub stage: Option<StageId>,
    /// The lane.
    pub lane: Lane,
    /// How long the grant shall live; 30 minutes, or what the scope allows if that is less.
    pub ttl: Option<Ttl>,
    /// The incident's number.
    pub incident: Option<String>,
    /// Whether a reason is given.
    pub has_reason: bool,
    /// The principals behind an agent, outermost first.
    pub on_behalf_of: Vec<PrincipalId>,
    /// When the action happens.
    pub at: Timestamp,
    /// Seconds between the request and the action.
    pub waited: u64,
    /// Who has approved before the action, by stage.
    pub approvals: BTreeMap<StageId, Vec<PrincipalId>>,
    /// Grants of the scope that are alive.
    pub live: u32,
    /// For how many seconds the scope's dependency has been measured down; `None` while it is up.
    pub outage: Option<u64>,
    /// Seconds that the requester has held the scope within the window of its budget.
    pub budget_used: u64,
    /// Seconds since the requester's last grant of the scope ended; `None` if there was none.
    pub rested: Option<u64>,
    /// Whether a grant of the scope has ended and nobody has reviewed it.
    pub is_unreviewed: bool,
    /// Seconds since a drill of the scope was passed; `None` if none was.
    pub drill_age: Option<u64>,
    /// For lane emergency: seconds that the requester's ordinary request waits without any approval;
    /// `None` if there is none.
    pub unanswered: Option<u64>,
    /// What is locked.
    pub locked: Vec<Target>,
    /// For a review: what the last review of the use found; `None` if there was none.
    pub reviewed: Option<ReviewVerdict>,
}

impl Terms {
    /// An ordinary request with a reason, at noon of an ordinary Wednesday, nothing else going on.
    pub const ORDINARY: Self = Self {
        requester: None,
        stage: None,
        lane: Lane::Normal,
        ttl: None,
        incident: None,
        has_reason: true,
        on_behalf_of: Vec::new(),
        at: Timestamp::from_unix_seconds(MONDAY + 2 * DAY + 12 * HOUR),
        waited: 0,
        approvals: BTreeMap::new(),
        live: 0,
        outage: None,
        budget_used: 0,
        rested: None,
        is_unreviewed: false,
        drill_age: None,
        unanswered: None,
        locked: Vec::new(),
        reviewed: None,
    };
}

/// When something is done, where only day and hour matter: in the first week of 2026 that begins
/// on a Monday. So a case gives the same result in every year.
///
/// # Errors
///
/// What the word or the number should have been.
pub fn at(weekday: Option<&str>, hour: Option<u32>) -> Result<Timestamp, String> {
    let day = match weekday {
        None => 2,
        Some(word) => {
            let day = WEEKDAYS.iter().position(|known| *known == word);
            let unknown = || format!("weekday is one of: {}", WEEKDAYS.join(", "));
            day.and_then(|day| u64::try_from(day).ok()).ok_or_else(unknown)?
        }
    };
    let hour = u64::from(hour.unwrap_or(12));
    if hour > 23 {
        return Err("hour is 0 to 23, UTC".to_owned());
    }
    let day = day.saturating_mul(DAY);
    let seconds = hour.saturating_mul(HOUR).saturating_add(day).saturating_add(MONDAY);
    Ok(Timestamp::from_unix_seconds(seconds))
}

/// The days as rules name them.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// 2026-01-05T00:00:00Z, a Monday.
const MONDAY: u64 = 1_767_571_200;
const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_those_of_the_calendar() {
        assert_eq!(at(None, None).unwrap(), Terms::ORDINARY.at);
        assert_eq!(Terms::ORDINARY.at.to_string(), "2026-01-07T12:00:00Z");
        assert_eq!(at(Some("sun"), Some(3)).unwrap().to_string(), "2026-01-11T03:00:00Z");
        assert!(at(Some("sunday"), None).is_err());
        assert!(at(None, Some(24)).is_err());
    }

    #[test]
    fn every_action_is_read_by_its_own_name() {
        for action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(action));
        }
        assert!("escape".parse::<Action>().is_err());
    }
}
