//! Questions about a list that are held until there is another one: `Prefer: wait=N` (RFC 7240, 4.3).
//!
//! Who has the newest list and asks for a newer one is answered at the revocation, or after `N`
//! seconds that there is none. What names the list that is known (`If-None-Match`) is all that has to
//! be remembered, so a question that broke off is asked again and nothing is missed. Nothing is read
//! for whoever waits until there is another list.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::page::Page;
use crate::desk::Desk;
use crate::krl::SignedList;

/// Lists that hosts follow.
pub(super) const FOLLOWED: [&str; 4] =
    ["/v1/ssh/krl", "/v1/jwt/denied.json", "/v1/x509/crl.pem", "/v1/x509/crl.der"];

/// Longest wait: well below what a connection may take as a whole, so that the answer still has time.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Most questions held at once. Beyond it questions are answered at once, as if nothing had been
/// preferred; there are more connections than this, so some are always left for others.
pub(super) const HELD_MAX: usize = 512;

/// RFC 7240, section 2.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// RFC 7240, section 3.
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The questions that are held, and what ends their waiting.
pub(super) struct Held {
    places: Semaphore,
    newest: watch::Receiver<Arc<SignedList>>,
    stop: watch::Receiver<bool>,
}

impl Held {
    /// Waits for lists of `desk`, until `stop` turns true.
    pub(super) fn of(desk: &Arc<Desk>, stop: watch::Receiver<bool>) -> Self {
        let (bell, newest) = watch::channel(desk.lists());
        let shown = Arc::downgrade(desk);
        desk.on_commit(Box::new(move || {
            let Some(desk) = shown.upgrade() else { return };
            let newest = desk.lists();
            bell.send_if_modified(|before| {
                let is_another = !Arc::ptr_eq(before, &newest);
                *before = newest;
                is_another
            });
        }));
        Self::new(newest, stop)
    }

    /// Waits for what comes in `newest`.
    pub(super) fn new(
        newest: watch::Receiver<Arc<SignedList>>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { places: Semaphore::new(HELD_MAX), newest, stop }
    }

    /// How many more questions can be held.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// The page at `path` as soon as it is another than the one that `asked` names, or as it is after
    /// the wait that `asked` prefers; with the seconds, if they were granted.
    pub(super) async fn page(
        &self,
        path: &str,
        asked: &HeaderMap,
        page: impl Fn() -> Option<Page>,
    ) -> (Option<Page>, Option<u64>) {
        let wait = preferred(asked).filter(|_| FOLLOWED.contains(&path));
        let Some((wait, Ok(_place))) = wait.map(|wait| (wait, self.places.try_acquire())) else {
            return (page(), None);
        };
        let until = Instant::now().checked_add(wait).unwrap_or_else(Instant::now);
        let (mut newest, mut stop) = (self.newest.clone(), self.stop.clone());
        loop {
            // Before the page is looked at: what comes while it is made counts as not yet seen.
            newest.mark_unchanged();
            let shown = page();
            let is_news = shown.as_ref().is_none_or(|page| !page.is_known(asked));
            let is_over = is_news || *stop.borrow() || Instant::now() >= until;
            if is_over {
                return (shown, Some(wait.as_secs()));
            }
            let turned = async {
                tokio::select! {
                    changed = newest.changed() => changed.is_ok(),
                    _ = stop.wait_for(|stop| *stop) => false,
                }
            };
            if !timeout_at(until, turned).await.unwrap_or(false) {
                return (page(), Some(wait.as_secs()));
            }
        }
    }
}

/// The wait that is preferred, if any, at most [`WAIT_MAX`]. The first one counts (RFC 7240, 2).
fn preferred(asked: &HeaderMap) -> Option<Duration> {
    let values = asked.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split(',')).find_map(|one| {
        let (name, value) = one.split(';').next()?.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("wait");
        is_it.then(|| value.trim().parse::<u32>().ok())
    })??;
    let wait = Duration::from_secs(seconds.into()).min(WAIT_MAX);
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferring(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, value.parse().expect("a value"));
        }
        preferred(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_a_number_of_seconds_and_bounded() {
        assert_eq!(preferring(&[]), None);
        assert_eq!(preferring(&["respond-async, Wait=10"]), Some(10));
        assert_eq!(preferring(&["respond-async", "wait = 10; x=y"]), Some(10));
        assert_eq!(preferring(&["wait=86400"]), Some(WAIT_MAX.as_secs()));
        assert_eq!(preferring(&["wait=2, wait=9"]), Some(2));
        for none in ["wait", "wait=", "wait=0", "wait=-1", "wait=1.5", "wait=99999999999", "x=1"] {
            assert_eq!(preferring(&[none]), None, "{none}");
        }
    }
}
