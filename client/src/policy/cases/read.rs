//! Reads `tests.toml` strictly.

use std::collections::BTreeMap;
use std::fmt;

use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{DependencyId, PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::{Lane, ReviewVerdict, Target};
use breakglass_ledger::time::{Timestamp, Ttl};
use serde::Deserialize;
use toml::Spanned;

use super::check::{check_expected, check_fit, check_names};
use super::{Asked, Case, Expected, beside};
use crate::output::parse_duration;
use crate::policy::aside::Deed;
use crate::policy::question::{Action, Question, Terms, at};

/// The file's name, beside the four.
pub const FILE: &str = "tests.toml";

/// Largest file: some 5,000 cases of 200 bytes.
pub const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Most cases: thousands take seconds, and nobody reads more.
pub const CASES_MAX: usize = 10_000;

/// What is wrong with a file of cases, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for CaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}:{}: {}", self.line, self.what)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    #[serde(default)]
    case: Vec<Spanned<Raw>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    pub(super) name: String,
    pub(super) who: PrincipalId,
    #[serde(default = "request")]
    pub(super) action: String,
    pub(super) scope: Option<ScopeId>,
    pub(super) requester: Option<PrincipalId>,
    pub(super) target: Option<String>,
    pub(super) dependency: Option<DependencyId>,
    #[serde(default)]
    pub(super) declared: Vec<PrincipalId>,
    #[serde(default)]
    pub(super) locked: Vec<Target>,
    pub(super) reviewed: Option<ReviewVerdict>,
    pub(super) stage: Option<StageId>,
    #[serde(default = "normal")]
    pub(super) lane: Lane,
    ttl: Option<Length>,
    incident: Option<String>,
    #[serde(default = "yes")]
    reason: bool,
    #[serde(default)]
    pub(super) on_behalf_of: Vec<PrincipalId>,
    pub(super) at: Option<String>,
    pub(super) weekday: Option<String>,
    pub(super) hour: Option<u32>,
    waited: Option<Length>,
    #[serde(default)]
    pub(super) approvals: BTreeMap<StageId, Vec<PrincipalId>>,
    #[serde(default)]
    live: u32,
    pub(super) outage: Option<Length>,
    budget_used: Option<Length>,
    rested: Option<Length>,
    #[serde(default)]
    unreviewed: bool,
    drill_age: Option<Length>,
    pub(super) unanswered: Option<Length>,
    pub(super) expect: Expect,
    pub(super) refusal: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    pub(super) missing: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expect {
    Allow,
    Refuse,
}

fn request() -> String {
    Action::Request.name().to_owned()
}

const fn normal() -> Lane {
    Lane::Normal
}

const fn yes() -> bool {
    true
}

/// A length of time as people write it, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Length(pub(super) u64);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads the cases of `text`, which are about `policy`.
///
/// # Errors
///
/// Every case that cannot mean what it says; of what is no TOML, or has a field that no case has,
/// the first.
pub fn read(text: &str, policy: &Policy) -> Result<Vec<Case>, Vec<CaseFault>> {
    let line = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        before.matches('\n').count().saturating_add(1)
    };
    let sheet: Sheet = toml::from_str(text).map_err(|error| {
        let line = line(error.span().map_or(0, |span| span.start));
        vec![CaseFault { line, what: error.message().to_owned() }]
    })?;
    if sheet.case.is_empty() || sheet.case.len() > CASES_MAX {
        let what = format!("write 1 to {CASES_MAX} cases, each under [[case]]");
        return Err(vec![CaseFault { line: 1, what }]);
    }
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for raw in sheet.case {
        let line = line(raw.span().start);
        let wrong: &mut dyn FnMut(String) = &mut |what| faults.push(CaseFault { line, what });
        cases.extend(case(raw.into_inner(), line, policy, wrong));
    }
    if faults.is_empty() { Ok(cases) } else { Err(faults) }
}

fn case(raw: Raw, line: usize, policy: &Policy, wrong: &mut dyn FnMut(String)) -> Option<Case> {
    let (name, rules) = (raw.name.clone(), raw.rules.clone());
    check_names(&raw, policy, wrong);
    check_expected(&raw, wrong);
    let expected = match raw.expect {
        Expect::Allow => Expected::Allow { rules, missing: raw.missing },
        Expect::Refuse => Expected::Refuse { refusal: raw.refusal.clone(), rules },
    };
    let question = match raw.action.parse::<Action>() {
        Ok(action) => Asked::Request(Box::new(about_request(raw, action, policy, wrong)?)),
        Err(_) if Deed::NAMES.contains(&raw.action.as_str()) => {
            let name = raw.action.clone();
            Asked::Aside(Box::new(beside::aside(raw, &name, policy, wrong)?))
        }
        Err(_) => {
            let known = Action::ALL.map(Action::name).join(", ");
            let beside = Deed::NAMES.join(", ");
            wrong(format!("there is no action {}; write one of: {known}, {beside}", raw.action));
            return None;
        }
    };
    Some(Case { name, line, question, expected })
}

/// What the case asks about a request: `action` on it.
fn about_request(
    raw: Raw,
    action: Action,
    policy: &Policy,
    wrong: &mut dyn FnMut(String),
) -> Option<Question> {
    check_fit(&raw, action, wrong);
    let Some(id) = raw.scope.clone() else {
        wrong(format!("{action} is about a scope; add scope = …"));
        return None;
    };
    if let Some(scope) = policy.scope(&id)
        && action == Action::Approve
        && raw.stage.is_none()
        && Scope::stages(scope).len() != 1
    {
        wrong(format!("{id} has not one stage; say which with stage = …"));
    }
    let (who, terms) = (raw.who.clone(), terms(raw, wrong)?);
    Some(Question { who, action, scope: id, terms })
}

/// What the case says about the request, and about what is true besides.
pub(super) fn terms(raw: Raw, wrong: &mut dyn FnMut(String)) -> Option<Terms> {
    let instant = match instant(&raw) {
        Ok(instant) => instant,
        Err(what) => {
            wrong(what);
            return None;
        }
    };
    let ttl = match raw.ttl.map(ttl).transpose() {
        Ok(ttl) => ttl,
        Err(what) => {
            wrong(what);
            return None;
        }
    };
    Some(Terms {
        requester: raw.requester,
        stage: raw.stage,
        lane: raw.lane,
        ttl,
        incident: raw.incident,
        has_reason: raw.reason,
        on_behalf_of: raw.on_behalf_of,
        at: instant,
        waited: raw.waited.map_or(0, |length| length.0),
        approvals: raw.approvals,
        live: raw.live,
        outage: raw.outage.map(|length| length.0),
        budget_used: raw.budget_used.map_or(0, |length| length.0),
        rested: raw.rested.map(|length| length.0),
        is_unreviewed: raw.unreviewed,
        drill_age: raw.drill_age.map(|length| length.0),
        unanswered: raw.unanswered.map(|length| length.0),
        locked: raw.locked,
        reviewed: raw.reviewed,
    })
}

fn instant(raw: &Raw) -> Result<Timestamp, String> {
    let Some(text) = &raw.at else { return at(raw.weekday.as_deref(), raw.hour) };
    text.parse().map_err(|_| format!("at is {text}; write 2026-01-07T12:00:00Z"))
}

fn ttl(length: Length) -> Result<Ttl, String> {
    let ttl = u32::try_from(length.0).ok().and_then(Ttl::from_seconds);
    ttl.ok_or_else(|| "ttl is over 12 hours, which no scope allows".to_owned())
}
