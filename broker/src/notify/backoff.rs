//! How long to wait after a failure: doubling, with jitter, so that many do not come back at once.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait: somebody may be waiting for an answer, and has minutes.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest wait that the other side may ask for (`Retry-After`).
pub(super) const ASKED_MAX: Duration = Duration::from_secs(3600);

/// Bits of jitter.
const BITS: u32 = 16;

/// The wait after `failures` in a row: the doubled one, less up to half of it by `dice`.
pub(super) fn wait(failures: u32, dice: u16) -> Duration {
    let doublings = failures.saturating_sub(1).min(BITS);
    let whole = FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST);
    let half = whole.checked_div(2).unwrap_or_default();
    let share = half.saturating_mul(u32::from(dice));
    let less = share.checked_div(1_u32.checked_shl(BITS).unwrap_or(u32::MAX)).unwrap_or_default();
    whole.saturating_sub(less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_short() {
        let seconds: Vec<u64> = (1..=8).map(|failures| wait(failures, 0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait(u32::MAX, 0), LONGEST);
        for failures in 1..9 {
            let (whole, least) = (wait(failures, 0), wait(failures, u16::MAX));
            assert!(least >= whole / 2 && least < whole, "{failures}: {least:?}");
        }
    }
}
