//! When to remind: the wait doubles each time, so that silence is heard and nobody is drowned.

use breakglass_ledger::time::Timestamp;

/// Most reminders of one request: the doubled waits of a day at the shortest first one.
const REMINDERS_MAX: u32 = 17;

/// When the `number`th reminder (from 1) of something asked at `asked` is due: after 1, 3, 7, 15 …
/// times `first` seconds. `None` beyond the last.
pub(super) fn due(asked: Timestamp, first: u64, number: u32) -> Option<Timestamp> {
    if number == 0 || number > REMINDERS_MAX || first == 0 {
        return None;
    }
    let waits = 1_u64.checked_shl(number)?.saturating_sub(1);
    Some(asked.plus(first.saturating_mul(waits)))
}

/// The newest reminder that is due at `now`; 0 if none is. Those missed meanwhile are not made up
/// for: one is enough.
pub(super) fn newest(asked: Timestamp, first: u64, now: Timestamp) -> u32 {
    (1..=REMINDERS_MAX)
        .take_while(|number| due(asked, first, *number).is_some_and(|at| at <= now))
        .last()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_what_was_missed_is_not_made_up_for() {
        let asked = Timestamp::from_unix_seconds(1000);
        let waits: Vec<u64> =
            (1..5).filter_map(|n| Some(due(asked, 60, n)?.since(asked))).collect();
        assert_eq!(waits, [60, 180, 420, 900]);
        let newest = |after: u64| newest(asked, 60, asked.plus(after));
        assert_eq!([0, 59, 60, 179, 180, 899, 900].map(newest), [0, 0, 1, 1, 2, 3, 4]);
        assert_eq!(due(asked, 0, 1), None, "0 is none at all");
        assert_eq!(super::newest(asked, 0, asked.plus(9999)), 0);
        assert_eq!(due(asked, 1, 18), None);
    }
}
