//! Reads `tests.toml` strictly.

use std::collections::BTreeMap;
use std::fmt;

use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::Refusal;
use serde::Deserialize;
use toml::Spanned;

use super::{Case, Expected};
use crate::output::parse_duration;
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
struct Raw {
    name: String,
    who: PrincipalId,
    #[serde(default = "request")]
    action: Action,
    scope: ScopeId,
    requester: Option<PrincipalId>,
    stage: Option<StageId>,
    #[serde(default = "normal")]
    lane: Lane,
    ttl: Option<Length>,
    incident: Option<String>,
    #[serde(default = "yes")]
    reason: bool,
    #[serde(default)]
    on_behalf_of: Vec<PrincipalId>,
    at: Option<String>,
    weekday: Option<String>,
    hour: Option<u32>,
    waited: Option<Length>,
    #[serde(default)]
    approvals: BTreeMap<StageId, Vec<PrincipalId>>,
    #[serde(default)]
    live: u32,
    outage: Option<Length>,
    budget_used: Option<Length>,
    rested: Option<Length>,
    #[serde(default)]
    unreviewed: bool,
    drill_age: Option<Length>,
    unanswered: Option<Length>,
    expect: Expect,
    refusal: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    missing: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expect {
    Allow,
    Refuse,
}

const fn request() -> Action {
    Action::Request
}

const fn normal() -> Lane {
    Lane::Normal
}

const fn yes() -> bool {
    true
}

/// A length of time as people write it, in seconds.
#[derive(Clone, Copy)]
struct Length(u64);

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
    check_names(&raw, policy, wrong);
    check_fit(&raw, wrong);
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
    let terms = Terms {
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
    };
    let question = Question { who: raw.who, action: raw.action, scope: raw.scope, terms };
    let rules = raw.rules;
    let expected = match raw.expect {
        Expect::Allow => Expected::Allow { rules, missing: raw.missing },
        Expect::Refuse => Expected::Refuse { refusal: raw.refusal, rules },
    };
    Some(Case { name: raw.name, line, question, expected })
}

/// A name that nobody has would make many a case pass for the wrong reason.
fn check_names(raw: &Raw, policy: &Policy, wrong: &mut dyn FnMut(String)) {
    let approvers = raw.approvals.values().flatten();
    let people = [Some(&raw.who), raw.requester.as_ref()].into_iter().flatten();
    for who in people.chain(&raw.on_behalf_of).chain(approvers) {
        if policy.principal(who).is_none() {
            wrong(format!("{who} is not in people.toml; correct the name"));
        }
    }
    let Some(scope) = policy.scope(&raw.scope) else {
        if raw.refusal.as_deref() != Some("scope-unknown") {
            wrong(format!("{} is not in scopes.toml; correct the name", raw.scope));
        }
        return;
    };
    for stage in raw.approvals.keys().chain(&raw.stage) {
        if scope.stage(stage).is_none() && raw.refusal.as_deref() != Some("stage-unknown") {
            wrong(format!("{} has no stage {stage}; correct the name", raw.scope));
        }
    }
    if raw.action == Action::Approve && raw.stage.is_none() && Scope::stages(scope).len() != 1 {
        wrong(format!("{} has not one stage; say which with stage = …", raw.scope));
    }
}

/// Fields that do not go together would be obeyed in part.
fn check_fit(raw: &Raw, wrong: &mut dyn FnMut(String)) {
    if raw.name.trim().is_empty() {
        wrong("the name is empty; say what the case is about".to_owned());
    }
    if raw.requester.is_none() && !raw.action.is_the_requesters() {
        wrong(format!("{} is about somebody's request; add requester = …", raw.action));
    }
    if raw.action == Action::Request && raw.requester.is_some() {
        wrong("who asks is the requester; leave requester out".to_owned());
    }
    if raw.action != Action::Approve && raw.stage.is_some() {
        wrong("only an approval has a stage; leave it out".to_owned());
    }
    if raw.action == Action::Request && !raw.approvals.is_empty() {
        wrong("nobody has approved before it is asked; leave approvals out".to_owned());
    }
    if raw.expect == Expect::Allow && raw.refusal.is_some() {
        wrong("what is allowed is not refused; leave refusal out".to_owned());
    }
    if raw.expect == Expect::Refuse && raw.missing.is_some() {
        wrong("what is refused counts nothing; leave missing out".to_owned());
    }
    if let Some(name) = &raw.refusal
        && !Refusal::ALL.iter().any(|(_, known)| known == name)
    {
        wrong(format!("there is no refusal {name}; correct the name"));
    }
    if raw.unanswered.is_some() && raw.lane != Lane::Emergency {
        wrong(
            "only lane emergency follows a request that nobody answers; leave unanswered out"
                .to_owned(),
        );
    }
    if raw.at.is_some() && (raw.weekday.is_some() || raw.hour.is_some()) {
        wrong("at says day and hour already; leave weekday and hour out".to_owned());
    }
}

fn instant(raw: &Raw) -> Result<Timestamp, String> {
    let Some(text) = &raw.at else { return at(raw.weekday.as_deref(), raw.hour) };
    text.parse().map_err(|_| format!("at is {text}; write 2026-01-07T12:00:00Z"))
}

fn ttl(length: Length) -> Result<Ttl, String> {
    let ttl = u32::try_from(length.0).ok().and_then(Ttl::from_seconds);
    ttl.ok_or_else(|| "ttl is over 12 hours, which no scope allows".to_owned())
}
