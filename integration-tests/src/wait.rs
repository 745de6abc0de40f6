//! Waiting for other programs: by asking again until a deadline, never by sleeping for luck.

use std::time::{Duration, Instant};

/// Longest wait for what should take a moment: a loaded machine with two cores may take seconds.
pub const SOON: Duration = Duration::from_secs(60);

/// Asks `ready` until it answers, at most `within`.
///
/// # Panics
///
/// Panics with `what` when time is up.
pub fn until<T>(what: &str, within: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(begun.elapsed() < within, "not within {within:?}: {what}");
        nap();
    }
}

/// Leaves the processor to others for a moment.
pub fn nap() {
    #[expect(clippy::disallowed_methods, reason = "another program needs time, not our clock")]
    std::thread::sleep(Duration::from_millis(20));
}
