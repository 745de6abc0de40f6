//! A list that soon runs out: said before everybody is locked out.

use breakglass_ledger::time::Timestamp;

use super::crl::Crl;

/// An hour.
const HOUR_SECONDS: u64 = 3600;

/// What is wrong with the ends of these lists at `now`, if anything is. A server refuses everybody
/// whose authority's list has run out (`openssl verify`, error 12).
pub(super) fn running_out(lists: &[Crl], hours: u64, now: Timestamp) -> Option<String> {
    let first = lists.iter().min_by_key(|list| list.next_update)?;
    let end = first.next_update;
    if end <= now {
        return Some(format!("ALARM: the list in place ran out at {end}: everybody is refused"));
    }
    let left = end.since(now) / HOUR_SECONDS;
    (left < hours).then(|| {
        format!(
            "ALARM: the list in place runs out at {end}, in {left} hours; then everybody is refused"
        )
    })
}
