//! Fields of work to come: read as strictly as all others, then refused.
//!
//! Accepting a kind of credential that nobody mints would leave its author believing that the scope
//! offers it.

use super::fault::{FaultKind, Faults};
use super::read::{Table, Value};
use super::values;

/// Reads and refuses the fields of a scope that nothing acts on yet.
pub(super) fn refuse_in_scope(table: &mut Table<'_>, faults: &mut Faults) {
    if let Some(value) = table.take("x509") {
        let is_table = value.table(faults).map(|table| x509(table, faults)).is_some();
        refuse(&value, is_table, faults);
    }
    if let Some(value) = table.take("jwt") {
        // Its fields are not decided yet, so there is nothing to read it against.
        refuse(&value, value.table(faults).is_some(), faults);
    }
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
