//! The clock, injected: read once per command, by the desk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_ledger::time::Moment;

/// A clock this far ahead, in seconds, of the newest entry (at a start) or of what it said before
/// (at work) is not believed without an operator's word: a running daemon writes an anchor every
/// hour, so this is a month of standing still, or a wrong clock that would expire every open request
/// and date every new entry into the future.
pub const AHEAD_MAX_SECONDS: u64 = 30 * 24 * 3600;

/// What time it is.
pub trait Clock: Send + Sync {
    /// Now, in UTC milliseconds.
    fn now(&self) -> Moment;
}

/// The machine's wall clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is told otherwise. For tests.
#[derive(Debug)]
pub struct FakeClock(AtomicU64);

impl FakeClock {
    /// Stands at `now`.
    #[must_use]
    pub const fn at(now: Moment) -> Self {
        Self(AtomicU64::new(now.unix_millis()))
    }

    /// Jumps to `now`, forwards or backwards.
    pub fn set(&self, now: Moment) {
        self.0.store(now.unix_millis(), Ordering::SeqCst);
    }

    /// Goes `seconds` forwards.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        Moment::from_unix_millis(self.0.load(Ordering::SeqCst))
    }
}
