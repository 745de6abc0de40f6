//! Reads `scopes.toml`.

use std::collections::BTreeSet;

use super::fault::{FaultKind, Faults, shown};
use super::incident::IncidentPattern;
use super::jwt::{self, JwtProfile};
use super::limits::{self, Limits};
use super::lookalike::Ids;
use super::read::{Document, Table, Value};
use super::scopes::{
    Approval, Owners, SCOPES_MAX, STAGE_QUORUM_MAX, STAGES_MAX, Scope, Sensitivity, Stage,
};
use super::ssh::{self, SshProfile};
use super::values::{self, Referred};
use super::x509::{self, X509Profile};
use super::{lanes, later};
use crate::policy::{File, Members};
use crate::principal::{PrincipalKind, ScopeId, StageId};
use crate::statement::Kind;
use crate::time::Ttl;

/// A scope as the file has it.
pub(super) struct Draft {
    /// The line of its header.
    pub(super) line: u32,
    /// The scope; where the file has faults it holds placeholders.
    pub(super) scope: Scope,
    /// The line of each stage, in order.
    pub(super) stage_lines: Vec<u32>,
    /// Whether requesters, kinds and approval stand there as written, so that they can be judged.
    pub(super) is_judgeable: bool,
}

/// All scopes and all they refer to.
#[derive(Default)]
pub(super) struct Register {
    /// The scopes in the file's order.
    pub(super) drafts: Vec<Draft>,
    /// Every group and principal that any of them names.
    pub(super) references: Referred,
}

/// Reads the file.
pub(super) fn read(document: &Document<'_>, faults: &mut Faults) -> Register {
    let mut file = document.table();
    let mut ids = Ids::of("scope", File::Scopes);
    let mut register = Register::default();
    for mut table in file.tables("scope", SCOPES_MAX, faults) {
        let draft = scope(&mut table, &mut ids, &mut register.references, faults);
        register.drafts.extend(draft);
        table.finish(faults);
    }
    file.finish(faults);
    register
}

fn scope(
    table: &mut Table<'_>,
    ids: &mut Ids,
    references: &mut Referred,
    faults: &mut Faults,
) -> Option<Draft> {
    let line = table.line();
    let id = table.need("id", faults).and_then(|id| values::name::<ScopeId>(&id, faults));
    let called = id.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let requesters = table.need("requesters", faults);
    let requesters = requesters.and_then(|list| refer(&list, references, faults));
    let kinds = table.need("kinds", faults).and_then(|list| kinds(&list, faults));
    let limits = limits::read(table, faults);
    let (approval, stage_lines) = approval(table, &called, &limits, references, faults);
    let is_judgeable = requesters.is_some() && kinds.is_some() && approval.is_some();
    let owners = owners(table, &called, references, faults);
    let words = words(table, faults);
    let on_warning = table.take("on-warning");
    let on_warning = on_warning.and_then(|list| refer(&list, references, faults));
    let drill_every = table.take("drill-every").and_then(|every| values::seconds(&every, faults));
    let has_stages = !matches!(approval, Some(Approval::None));
    let lanes = lanes::read(table, &limits, has_stages, faults);
    let require_reason =
        table.take("require-reason").and_then(|reason| reason.flag(faults)).unwrap_or(true);
    let require_incident =
        table.take("require-incident").and_then(|pattern| incident(&pattern, faults));
    let credentials = credentials(table, &limits, faults);
    let id = id?;
    if !credentials.is_any {
        table.fault(FaultKind::NoCredential { scope: called }, faults);
    }
    ids.meet(id.as_str(), line, faults);
    let scope = Scope {
        id,
        title: words.title,
        purpose: words.purpose,
        owners,
        partner: words.partner,
        sensitivity: words.sensitivity,
        runbook: words.runbook,
        ttl_max: limits.ttl_max.unwrap_or(Ttl::MAX),
        pending_max: limits.pending_max.unwrap_or(1),
        live_max: limits.live_max.unwrap_or(1),
        cooldown: limits.cooldown,
        budget: limits.budget,
        outage: lanes.outage,
        ends_with_outage: lanes.ends_with_outage,
        grace: lanes.grace,
        review_within: limits.review_within,
        review_gate: limits.review_gate,
        emergency: lanes.emergency,
        requesters: requesters.unwrap_or_default(),
        kinds: kinds.unwrap_or_default(),
        lanes: lanes.lanes,
        require_incident,
        require_reason,
        approval: approval.unwrap_or(Approval::Stages(Vec::new())),
        ssh: credentials.ssh,
        x509: credentials.x509,
        jwt: credentials.jwt,
        drill_every,
        on_warning: on_warning.unwrap_or_default(),
    };
    Some(Draft { line, scope, stage_lines, is_judgeable })
}

/// What the scope mints.
struct Credentials {
    ssh: Option<SshProfile>,
    x509: Option<X509Profile>,
    jwt: Option<JwtProfile>,
    /// Whether it says that it mints any, in right words or wrong ones.
    is_any: bool,
}

fn credentials(table: &mut Table<'_>, limits: &Limits, faults: &mut Faults) -> Credentials {
    let [ssh, x509, jwt] = ["ssh", "x509", "jwt"].map(|kind| table.take(kind));
    let is_any = ssh.is_some() || x509.is_some() || jwt.is_some();
    let ssh = ssh.and_then(|at| at.table(faults)).map(|table| ssh::read(table, faults));
    let x509 = minted(x509, Kind::X509, faults, x509::read);
    let jwt = minted(jwt, Kind::Jwt, faults, |table, faults| jwt::read(table, limits, faults));
    Credentials { ssh, x509, jwt, is_any }
}

/// What `read` makes of a kind's table, and a fault if nobody mints that kind.
fn minted<T>(
    at: Option<Value<'_>>,
    kind: Kind,
    faults: &mut Faults,
    read: impl FnOnce(Table<'_>, &mut Faults) -> T,
) -> Option<T> {
    let at = at?;
    let before = faults.count();
    let profile = at.table(faults).map(|table| read(table, faults));
    later::refuse(&at, faults.count() == before, kind, faults);
    profile
}

/// Reads references, and keeps them with their lines for [`Register::references`].
fn refer(
    value: &Value<'_>,
    references: &mut Referred,
    faults: &mut Faults,
) -> Option<Vec<Members>> {
    let referred = values::members(value, faults)?;
    let members = referred.iter().map(|(_, members)| members.clone()).collect();
    references.extend(referred);
    Some(members)
}

/// The words for people.
struct Words {
    title: String,
    purpose: String,
    partner: Option<String>,
    sensitivity: Sensitivity,
    runbook: Option<String>,
}

fn words(table: &mut Table<'_>, faults: &mut Faults) -> Words {
    let title = table.need("title", faults).and_then(|title| values::line(&title, faults));
    let purpose = table.need("purpose", faults).and_then(|text| values::line(&text, faults));
    let partner = table.take("partner").and_then(|text| values::line(&text, faults));
    let runbook = table.take("runbook").and_then(|text| values::line(&text, faults));
    let sensitivity = table.need("sensitivity", faults).and_then(|value| {
        value.parsed("low, high or critical", faults, |text| match text {
            "low" => Some(Sensitivity::Low),
            "high" => Some(Sensitivity::High),
            "critical" => Some(Sensitivity::Critical),
            _ => None,
        })
    });
    Words {
        title: title.unwrap_or_default(),
        purpose: purpose.unwrap_or_default(),
        partner,
        sensitivity: sensitivity.unwrap_or(Sensitivity::Critical),
        runbook,
    }
}

fn owners(
    table: &mut Table<'_>,
    scope: &str,
    references: &mut Referred,
    faults: &mut Faults,
) -> Owners {
    let mut owner = |field: &'static str| {
        let Some(list) = table.take(field) else {
            let scope = scope.to_owned();
            table.fault(FaultKind::MissingOwner { scope, field }, faults);
            return Vec::new();
        };
        refer(&list, references, faults).unwrap_or_default()
    };
    Owners {
        business: owner("business-owner"),
        technical: owner("technical-owner"),
        identity: owner("identity-owner"),
    }
}

fn kinds(list: &Value<'_>, faults: &mut Faults) -> Option<BTreeSet<PrincipalKind>> {
    let kinds = values::set(list, 4, faults, values::kind)?;
    Some(kinds.into_iter().collect())
}

fn incident(value: &Value<'_>, faults: &mut Faults) -> Option<IncidentPattern> {
    let text = value.text(faults)?;
    match text.parse::<IncidentPattern>() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let kind = FaultKind::IncidentPattern { value: shown(text), rule: error.0 };
            value.fault(kind, faults);
            None
        }
    }
}

/// Stages, or the explicit word that there are none; `None` after adding a fault (R02, R24).
fn approval(
    table: &mut Table<'_>,
    scope: &str,
    limits: &Limits,
    references: &mut Referred,
    faults: &mut Faults,
) -> (Option<Approval>, Vec<u32>) {
    let word = table.take("approval").map(|value| {
        value.parsed("\"none\", or leave it out and add stages", faults, |text| {
            (text == "none").then_some(())
        })
    });
    let mut ids = Ids::of("stage", File::Scopes);
    let tables = table.tables("stage", STAGES_MAX, faults);
    let (count, mut stages, mut lines) = (tables.len(), Vec::new(), Vec::new());
    for mut stage_table in tables {
        let stage = stage(&mut stage_table, &mut ids, scope, references, faults);
        let waits = escalation(&mut stage_table, limits, references, faults);
        if let Some(stage) = stage {
            stages.push(Stage { within: waits.0, escalate: waits.1, ..stage });
            lines.push(stage_table.line());
        }
        stage_table.finish(faults);
    }
    let scope = scope.to_owned();
    match (word, count) {
        (None, 0) => table.fault(FaultKind::NoStages { scope }, faults),
        (Some(Some(())), 0) => return (Some(Approval::None), lines),
        (None, count) if stages.len() == count => return (Some(Approval::Stages(stages)), lines),
        (Some(_), 1..) => table.fault(FaultKind::ApprovalAndStages { scope }, faults),
        (Some(None), 0) | (None, _) => {}
    }
    (None, lines)
}

fn stage(
    table: &mut Table<'_>,
    ids: &mut Ids,
    scope: &str,
    references: &mut Referred,
    faults: &mut Faults,
) -> Option<Stage> {
    let name = table.need("name", faults).and_then(|name| values::name::<StageId>(&name, faults));
    let quorum = table.need("quorum", faults);
    let quorum_at = quorum.clone();
    let quorum = quorum.and_then(|quorum| quorum.number(0, STAGE_QUORUM_MAX, faults));
    let called = name.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    if let (Some(0), Some(at)) = (quorum, quorum_at) {
        let of = format!("stage {called} of {scope}");
        at.fault(FaultKind::QuorumZero { of }, faults);
    }
    let approvers = table.need("approvers", faults);
    let approvers = approvers.and_then(|list| {
        if list.is_list() && list.elements(values::REFERENCES_MAX, faults)?.is_empty() {
            let kind = FaultKind::EmptyApprovers { scope: scope.to_owned(), stage: called };
            list.fault(kind, faults);
            return None;
        }
        refer(&list, references, faults)
    });
    let name = name?;
    ids.meet(name.as_str(), table.line(), faults);
    Some(Stage {
        name,
        approvers: approvers?,
        quorum: quorum.filter(|quorum| *quorum > 0)?,
        within: None,
        escalate: Vec::new(),
    })
}

/// How long a stage waits for its own approvers, and who is asked then; both or neither.
fn escalation(
    table: &mut Table<'_>,
    limits: &Limits,
    references: &mut Referred,
    faults: &mut Faults,
) -> (Option<u32>, Vec<Members>) {
    let (within_at, escalate_at) = (table.take("within"), table.take("escalate"));
    match (&within_at, &escalate_at) {
        (Some(within), None) => within.needs("escalate", faults),
        (None, Some(escalate)) => escalate.needs("within", faults),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let within = within_at.as_ref().and_then(|within| values::seconds(within, faults));
    let escalate = escalate_at.and_then(|list| refer(&list, references, faults));
    if let (Some(at), Some(seconds), Some(limit)) = (within_at, within, limits.pending_max)
        && seconds >= limit
    {
        at.fault(FaultKind::NotBeforeLapse { field: "within", seconds, limit }, faults);
    }
    (within, escalate.unwrap_or_default())
}
