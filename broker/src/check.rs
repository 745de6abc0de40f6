//! `breakglassd check`: derives every table again from the entries and compares.

use std::path::Path;

use crate::config::Layout;
use crate::house::{HouseError, existing_keys};
use crate::mint::Custody;
use crate::store::{GuardPolicy, Store};

/// Checks the ledger below `state` and says what was found.
///
/// # Errors
///
/// [`HouseError`] if the daemon is running, the ledger cannot be opened, or a derived table does not
/// say what the entries say.
pub fn run(state: &Path, custody: &Custody) -> Result<String, HouseError> {
    let mint = existing_keys(state, custody)?;
    let store = Store::open(&Layout::of(state).ledger(), &mint.public().log, GuardPolicy::Require)?;
    store.reader()?.rebuild_and_compare()?;
    let head = store.head();
    Ok(format!("{} entries, root {}; every derived table agrees", head.size, head.root.to_base64()))
}
