//! One broker by itself: whether it answers, what it shows, and what its clock says.

use breakglass_ledger::time::Timestamp;
use tokio::time::timeout;

use super::connect::{self, silent};
use super::{BrokerError, Offered, Pinned};

/// What one broker answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// What it shows of its ledger, not yet believed.
    pub offered: Offered,
    /// Its clock, to the second, where it told it. Not signed: good for a warning, for nothing else.
    pub clock: Option<Timestamp>,
}

/// Asks the broker at `address`, and no other.
///
/// # Errors
///
/// [`BrokerError`].
pub fn visit(pinned: &Pinned, address: &str) -> Result<Visit, BrokerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| BrokerError::Fault(error.to_string()))?;
    let within = pinned.answer_within;
    let answer = runtime.block_on(async { timeout(within, connect::ask(address, pinned)).await });
    let answer = answer.unwrap_or_else(|_| Err(silent(address, within)))?;
    let date = answer.metadata().get("date").and_then(|date| date.to_str().ok());
    let clock = date.and_then(second);
    Ok(Visit { offered: connect::offered(answer.into_inner())?, clock })
}

/// An HTTP date (RFC 9110, 5.6.7), which is an RFC 2822 date in the zone `GMT`.
fn second(date: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    u64::try_from(at).ok().map(Timestamp::from_unix_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read_to_the_second() {
        let at = second("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(at.unix_seconds(), 784_111_777);
        assert_eq!(second("yesterday"), None);
    }
}
