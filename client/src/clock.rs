//! The one place of the client that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_ledger::time::{Moment, Timestamp};

/// Now, in UTC milliseconds.
#[must_use]
pub fn moment() -> Moment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The second that `moment` lies in.
#[must_use]
pub fn now() -> Timestamp {
    moment().second()
}
