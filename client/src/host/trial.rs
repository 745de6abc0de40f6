//! Canaries tried and lists reported beside the loop that puts lists in place, which waits for no server.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use breakglass_ledger::statement::Canary;

use super::canary::{Canaries, Tried};
use super::list::Checked;
use super::reports::{Applied, Reports};
use super::sessions::Session;
use crate::clock;
use crate::failure::{Exit, Failure};

/// Most sessions of those that were opened meanwhile of which `sshd` is asked: each may take seconds, and a
/// list waits to be reported.
const ASKED_MAX: usize = 4;

/// What is to be done.
pub(super) enum Order {
    /// A session was opened: its certificate may be a canary one day.
    Keep(Session),
    /// A list is in place, to be tried and reported.
    Report(Landed),
}

/// A list in place.
pub(super) struct Landed {
    pub(super) list: Arc<Checked>,
    /// Milliseconds from when it was made.
    pub(super) latency: u64,
    /// Sessions ended since the report before.
    pub(super) ended: u64,
}

/// Whoever tries.
pub(super) struct Trial {
    pub(super) canaries: Canaries,
    /// The file that `sshd` reads.
    pub(super) list: PathBuf,
    pub(super) reports: Reports,
    /// Where what is to be printed goes.
    pub(super) told: Sender<String>,
    /// What became of the canary under the list that was reported last.
    pub(super) tried: Arc<Mutex<Option<Tried>>>,
}

impl Trial {
    /// Starts; takes orders until nobody can give any.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there can be no more threads.
    pub(super) fn start(mut self) -> Result<Sender<Order>, Failure> {
        let (orders, taken) = channel();
        std::thread::Builder::new()
            .name("trial".to_owned())
            .spawn(move || self.work(&taken))
            .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))?;
        Ok(orders)
    }

    fn work(&mut self, orders: &Receiver<Order>) {
        for first in orders {
            let (mut newest, mut opened): (Option<Landed>, Vec<Session>) = (None, Vec::new());
            for order in std::iter::once(first).chain(orders.try_iter()) {
                match order {
                    Order::Keep(session) => opened.push(session),
                    // The newest stands for those that were not reported yet.
                    Order::Report(landed) => {
                        let before = newest.take().map_or(0, |before| before.ended);
                        let ended = landed.ended.saturating_add(before);
                        newest = Some(Landed { ended, ..landed });
                    }
                }
            }
            for (session, is_asked) in with_asked(&opened) {
                self.canaries.keep(session, is_asked);
            }
            if let Some(landed) = newest {
                self.report(&landed);
            }
        }
    }

    /// Tries the canary and queues the report.
    fn report(&self, landed: &Landed) {
        let Landed { list, latency, ended } = landed;
        let tried = self.canaries.attempt(&list.krl, &self.list, clock::now());
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(tried);
        let canary = tried.canary();
        let version = list.krl.version;
        if canary == Canary::Accepted {
            self.say(format!("list {version} is in place and a revoked certificate is accepted"));
        }
        self.reports.applied(Applied {
            version,
            digest: list.digest().to_string(),
            canary: canary.to_string(),
            latency: *latency,
            ended: *ended,
        });
        self.say(format!("list {version} in place after {latency} ms, canary {canary}"));
    }

    fn say(&self, what: String) {
        // Nobody listens any more: the agent has ended, and so does the process.
        let _ = self.told.send(what);
    }
}

/// Each, in order, and whether `sshd` is asked of it: the latest are.
fn with_asked<T>(opened: &[T]) -> impl Iterator<Item = (&T, bool)> {
    let first = opened.len().saturating_sub(ASKED_MAX);
    opened.iter().enumerate().map(move |(at, session)| (session, at >= first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_sessions_at_once_sshd_is_asked_of_the_latest_alone() {
        let asked: Vec<_> = with_asked(&[1, 2, 3, 4, 5, 6]).collect();
        let [none @ .., _, _, _, _] = asked.as_slice() else { panic!() };
        assert_eq!(none, [(&1, false), (&2, false)]);
        assert!(asked[2..].iter().all(|(_, is_asked)| *is_asked));
        assert!(with_asked(&[1, 2]).all(|(_, is_asked)| is_asked));
    }
}
