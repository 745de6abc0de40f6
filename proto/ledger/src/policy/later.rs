//! Kinds of credentials to come: read as strictly as all others, then refused.
//!
//! Accepting a kind of credential that nobody mints would leave its author believing that the scope
//! offers it.

use super::fault::{FaultKind, Faults};
use super::read::Value;
use crate::statement::Kind;

/// The kinds that the broker mints.
pub const MINTED: &[Kind] = Kind::ALL;

/// Refuses the table of a kind that nobody mints yet, unless it has been refused for its form.
pub(super) fn refuse(at: &Value<'_>, is_read: bool, kind: Kind, faults: &mut Faults) {
    if is_read && !MINTED.contains(&kind) {
        at.fault(FaultKind::NotSupportedYet { field: at.field().to_owned() }, faults);
    }
}
