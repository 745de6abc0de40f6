//! The door of the clock: deadlines become commands, on time, also those that came due while the
//! daemon was down.
//!
//! The sweep decides nothing. It sleeps until the next deadline, then asks the desk for a pass; the
//! rules judge whether the time has really come. A pass that fails stops minting until one works.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};

use crate::clock::Clock;
use crate::desk::{Desk, DeskError, Revoking, Swept};

/// Deadlines are wall time but tokio sleeps in monotonic time, so a machine that was suspended, or
/// stepped by NTP, is noticed within this long.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// Between failing passes: long enough not to spin, short enough that revoking resumes promptly.
const RETRY: Duration = Duration::from_millis(500);

/// Between passes while a request cannot be read back: that mends only by hand, and each pass logs.
const RETRY_UNREADABLE: Duration = Duration::from_secs(1);

/// Sweeps until `stopping` says true.
///
/// Leaves every deadline that has come met, as long as the desk works; while it does not, minting
/// is stopped.
pub async fn run(desk: Arc<Desk>, clock: Arc<dyn Clock>, mut stopping: watch::Receiver<bool>) {
    let earlier = Arc::new(Notify::new());
    let waker = Arc::clone(&earlier);
    desk.on_commit(Box::new(move || waker.notify_one()));
    while !*stopping.borrow() {
        let swept = pass(&desk).await;
        let works = swept.as_ref().is_ok_and(|swept| swept.unreadable == 0);
        desk.report(Revoking::Sweep, works);
        let rest = match swept {
            Ok(swept) if swept.more => continue,
            Ok(swept) if swept.unreadable > 0 => Some(RETRY_UNREADABLE),
            Ok(_) => None,
            Err(DeskError::Stopped) => return,
            Err(error) => {
                crate::report::fault("sweep", &error);
                Some(RETRY)
            }
        };
        tokio::select! {
            () = sleep(&desk, clock.as_ref(), &earlier, rest) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// One pass over the deadlines that have come.
async fn pass(desk: &Desk) -> Result<Swept, DeskError> {
    let (reply, answer) = oneshot::channel();
    // The receiver lives until the answer has come, or nobody wants it any more.
    desk.sweep(Box::new(move |swept| drop(reply.send(swept))))?;
    answer.await.unwrap_or(Err(DeskError::Stopped))
}

/// Returns when a deadline has come, or after [`LONGEST_NAP`]; wakes for nothing else, but looks
/// again at the next deadline whenever something was written.
async fn sleep(desk: &Desk, clock: &dyn Clock, earlier: &Notify, rest: Option<Duration>) {
    if let Some(rest) = rest {
        return tokio::time::sleep(rest).await;
    }
    let woken = tokio::time::Instant::now();
    loop {
        let Some(left) = LONGEST_NAP.checked_sub(woken.elapsed()) else { return };
        let until_due = desk.next_due().map_or(LONGEST_NAP, |due| {
            let due = due.unix_seconds().saturating_mul(1000);
            Duration::from_millis(due.saturating_sub(clock.now().unix_millis()))
        });
        if until_due.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(until_due.min(left)) => return,
            () = earlier.notified() => {}
        }
    }
}
