//! What is to be reported, kept on disk while the broker is away. Bounded: of lists only the newest
//! matters, and of uses the oldest go first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::{read_bounded, swap_private, swap_shown};

/// Uses kept: some days of a busy host.
const USES_MAX: usize = 4096;

/// Most bytes on disk.
const BYTES_MAX: u64 = 1024 * 1024;

/// A list that is in force here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Applied {
    pub(super) version: u64,
    /// SHA-256 in hex.
    pub(super) digest: String,
    /// `refused`, `accepted` or `untried`.
    pub(super) canary: String,
    /// Milliseconds from when it was made.
    pub(super) latency: u64,
    /// Sessions ended since the report before.
    pub(super) ended: u64,
}

/// A credential that was used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Used {
    pub(super) serial: u64,
    /// Seconds since the epoch.
    pub(super) at: u64,
}

/// What waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    applied: Option<Applied>,
    uses: VecDeque<Used>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.applied.is_none() && self.uses.is_empty()
    }
}

/// One report, to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Applied(Applied),
    Used(Used),
}

/// The queue, shared by the agent and whoever sends.
#[derive(Clone)]
pub(super) struct Reports(Arc<Shared>);

struct Shared {
    path: PathBuf,
    waiting: Mutex<Waiting>,
    more: Condvar,
}

impl Reports {
    /// The queue kept at `path`; one that cannot be read is begun anew.
    pub(super) fn open(path: PathBuf) -> Self {
        let bytes = read_bounded(&path, BYTES_MAX).ok().flatten();
        let waiting =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self(Arc::new(Shared { path, waiting: Mutex::new(waiting), more: Condvar::new() }))
    }

    /// A list is in force. It stands for older ones that were not reported yet.
    pub(super) fn applied(&self, mut applied: Applied) {
        self.change(|waiting| {
            if let Some(before) = &waiting.applied {
                applied.ended = applied.ended.saturating_add(before.ended);
            }
            waiting.applied = Some(applied);
        });
    }

    /// A credential was used.
    pub(super) fn used(&self, used: Used) {
        self.change(|waiting| {
            waiting.uses.push_back(used);
            while waiting.uses.len() > USES_MAX {
                waiting.uses.pop_front();
            }
        });
    }

    /// The next one to send; waits for one up to `long`.
    pub(super) fn next(&self, long: Duration) -> Option<Report> {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = |waiting: &mut Waiting| waiting.is_empty();
        let (waiting, _) = self
            .0
            .more
            .wait_timeout_while(waiting, long, is_empty)
            .unwrap_or_else(PoisonError::into_inner);
        let applied = waiting.applied.clone().map(Report::Applied);
        applied.or_else(|| waiting.uses.front().cloned().map(Report::Used))
    }

    /// `report` was delivered, or never will be.
    pub(super) fn done(&self, report: &Report) {
        self.change(|waiting| match report {
            Report::Applied(sent) => {
                if waiting.applied.as_ref() == Some(sent) {
                    waiting.applied = None;
                } else if let Some(newer) = &mut waiting.applied {
                    newer.ended = newer.ended.saturating_sub(sent.ended);
                }
            }
            Report::Used(sent) => {
                if waiting.uses.front() == Some(sent) {
                    waiting.uses.pop_front();
                }
            }
        });
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.uses.len().saturating_add(usize::from(waiting.applied.is_some()))
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut waiting);
        let bytes = serde_json::to_vec(&*waiting).unwrap_or_default();
        // A crash that brings back what was sent has it sent once more, and known.
        let keep = if waiting.is_empty() { swap_shown } else { swap_private };
        // On a full disk the queue lives in memory until there is room again.
        let _ = keep(&self.0.path, &bytes);
        drop(waiting);
        self.0.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(version: u64, ended: u64) -> Applied {
        let (digest, canary) = ("d".to_owned(), "untried".to_owned());
        Applied { version, digest, canary, latency: 1, ended }
    }

    #[test]
    fn what_waits_outlives_the_agent_and_each_is_sent_once() {
        let dir = tempfile::tempdir().unwrap();
        let reports = Reports::open(dir.path().join("reports.json"));
        reports.used(Used { serial: 7, at: 1 });
        reports.applied(list(3, 1));
        reports.applied(list(4, 2));
        let reports = Reports::open(dir.path().join("reports.json"));
        let first = reports.next(Duration::ZERO).unwrap();
        assert_eq!(first, Report::Applied(list(4, 3)));
        reports.applied(list(5, 0));
        reports.done(&first);
        let second = reports.next(Duration::ZERO).unwrap();
        assert_eq!(second, Report::Applied(list(5, 0)));
        reports.done(&second);
        reports.done(&reports.next(Duration::ZERO).unwrap());
        assert_eq!(Reports::open(dir.path().join("reports.json")).waiting(), 0);
    }

    #[test]
    fn uses_are_bounded_and_the_oldest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let reports = Reports::open(dir.path().join("reports.json"));
        let mut waiting = Waiting::default();
        let many = u64::try_from(USES_MAX).unwrap();
        waiting.uses.extend((0..many).map(|serial| Used { serial, at: 1 }));
        *reports.0.waiting.lock().unwrap() = waiting;
        reports.used(Used { serial: many, at: 1 });
        assert_eq!(reports.waiting(), USES_MAX);
        assert_eq!(reports.next(Duration::ZERO), Some(Report::Used(Used { serial: 1, at: 1 })));
    }
}
