//! Fields of work to come: read as strictly as all others, then refused.
//!
//! Each of them limits what a scope grants. Accepting one without acting on it would leave its
//! author believing in a limit that is not there.

use super::fault::{FaultKind, Faults};
use super::read::{Table, Value};
use super::values::{self, Referred};
use crate::policy::File;
use crate::principal::ScopeId;
use crate::statement::Lane;

/// Reads and refuses the fields of a scope that nothing acts on yet.
pub(super) fn refuse_in_scope(table: &mut Table<'_>, faults: &mut Faults) {
    for field in ["cooldown", "grace", "review-within"] {
        if let Some(value) = table.take(field) {
            refuse(&value, values::seconds(&value, faults).is_some(), faults);
        }
    }
    for field in ["ends-with-outage", "review-gate"] {
        if let Some(value) = table.take(field) {
            refuse(&value, value.flag(faults).is_some(), faults);
        }
    }
    if let Some(value) = table.take("budget") {
        refuse(&value, values::budget(&value, faults).is_some(), faults);
    }
    if let Some(value) = table.take("outage") {
        refuse(&value, values::name::<ScopeId>(&value, faults).is_some(), faults);
    }
    if let Some(value) = table.take("emergency") {
        let is_table = value.table(faults).map(|table| emergency(table, faults)).is_some();
        refuse(&value, is_table, faults);
    }
    if let Some(value) = table.take("x509") {
        let is_table = value.table(faults).map(|table| x509(table, faults)).is_some();
        refuse(&value, is_table, faults);
    }
    if let Some(value) = table.take("jwt") {
        // Its fields are not decided yet, so there is nothing to read it against.
        refuse(&value, value.table(faults).is_some(), faults);
    }
}

/// Reads and refuses the fields of a stage that nothing acts on yet.
pub(super) fn refuse_in_stage(
    table: &mut Table<'_>,
    references: &mut Referred,
    faults: &mut Faults,
) {
    if let Some(value) = table.take("within") {
        refuse(&value, values::seconds(&value, faults).is_some(), faults);
    }
    if let Some(value) = table.take("escalate") {
        let members = values::members(&value, faults);
        refuse(&value, members.is_some(), faults);
        references.extend(members.unwrap_or_default());
    }
}

/// One of the four lanes.
pub(super) fn lane(value: &Value<'_>, faults: &mut Faults) -> Option<Lane> {
    value.parsed("normal, outage, emergency or drill", faults, |text| text.parse().ok())
}

/// Refuses a `rules.cedar` that holds anything but comments and blanks: no rule is judged yet, and a
/// `forbid` that nobody obeys is the worst of all.
pub(super) fn refuse_rules(text: &str, faults: &mut Faults) {
    let is_rule = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let Some(at) = text.lines().position(is_rule) else { return };
    let line = u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
    let field = "a Cedar rule".to_owned();
    faults.add(File::Rules, line, FaultKind::NotSupportedYet { field });
}

fn emergency(mut table: Table<'_>, faults: &mut Faults) {
    for field in ["after", "delay"] {
        if let Some(value) = table.take(field) {
            let _: Option<u32> = values::seconds(&value, faults);
        }
    }
    if let Some(value) = table.take("ttl-max") {
        let _: Option<crate::time::Ttl> = values::ttl(&value, faults);
    }
    table.finish(faults);
}

fn x509(mut table: Table<'_>, faults: &mut Faults) {
    if let Some(value) = table.take("organizational-units") {
        let _: Option<Vec<String>> = values::list(&value, 16, faults, values::line);
    }
    if let Some(value) = table.take("uri") {
        let _: Option<String> = values::address(&value, faults);
    }
    table.finish(faults);
}

/// Refuses a field, unless it has been refused for being misspelt.
fn refuse(value: &Value<'_>, is_read: bool, faults: &mut Faults) {
    if is_read {
        let field = value.field().to_owned();
        value.fault(FaultKind::NotSupportedYet { field }, faults);
    }
}
