//! How telling goes, for whoever looks at a request. Memory only: it is filled again at each start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{PoisonError, RwLock};

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::PrincipalId;

use super::notice::Notice;

/// Requests kept, the newest: what people look at is minutes old.
const REQUESTS_MAX: usize = 4096;

/// Notices kept of one request, the newest: what fits a view.
const NOTICES_MAX: usize = 64;

/// How one notice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not tried yet.
    Waiting,
    /// Tried, and tried again later.
    Failing,
    /// The other side took it.
    Delivered,
    /// Not tried any more.
    GivenUp,
    /// Its address is meant for no channel that is configured.
    NoChannel,
}

/// One notice of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The channel.
    pub channel: String,
    /// Those whose address it is.
    pub to: Vec<PrincipalId>,
    /// What it tells, in a word.
    pub about: &'static str,
    /// How it goes.
    pub standing: Standing,
    /// How often it was tried.
    pub attempts: u32,
}

/// The notices of the newest requests.
#[derive(Default)]
pub struct Board {
    state: RwLock<State>,
    listeners: RwLock<Vec<Box<dyn Fn() + Send + Sync>>>,
}

#[derive(Default)]
struct State {
    requests: BTreeMap<RequestId, VecDeque<(Salt, Told)>>,
    order: VecDeque<RequestId>,
    /// Channels that failed lately: what waits for them does not merely wait.
    failing: BTreeSet<String>,
}

impl Board {
    /// The notices about `request`, the newest last.
    #[must_use]
    pub fn about(&self, request: RequestId) -> Vec<Told> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let notices = state.requests.get(&request).into_iter().flatten();
        notices
            .map(|(_, told)| {
                let mut told = told.clone();
                if told.standing == Standing::Waiting && state.failing.contains(&told.channel) {
                    told.standing = Standing::Failing;
                }
                told
            })
            .collect()
    }

    /// Calls `listener` after each change; it must not block.
    pub fn on_change(&self, listener: Box<dyn Fn() + Send + Sync>) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Puts a new notice up.
    pub(super) fn put(&self, notice: &Notice, channel: &str, standing: Standing) {
        let Some(request) = notice.request() else { return };
        self.change(|state| {
            if !state.requests.contains_key(&request) {
                state.order.push_back(request);
                if state.order.len() > REQUESTS_MAX {
                    let oldest = state.order.pop_front();
                    oldest.and_then(|oldest| state.requests.remove(&oldest));
                }
            }
            let notices = state.requests.entry(request).or_default();
            let told = Told {
                channel: channel.to_owned(),
                to: notice.to.clone(),
                about: notice.topic.name(),
                standing,
                attempts: 0,
            };
            notices.push_back((notice.id, told));
            if notices.len() > NOTICES_MAX {
                notices.pop_front();
            }
        });
    }

    /// A notice goes otherwise than before.
    pub(super) fn set(&self, notice: &Notice, standing: Standing, attempts: u32) {
        let Some(request) = notice.request() else { return };
        self.change(|state| {
            let notices = state.requests.get_mut(&request).into_iter().flatten();
            for (_, told) in notices.filter(|(id, _)| *id == notice.id) {
                told.standing = standing;
                told.attempts = attempts;
            }
        });
    }

    /// A channel fails, or works again.
    pub(super) fn channel(&self, channel: &str, fails: bool) {
        let known = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let same = known.failing.contains(channel) == fails;
        drop(known);
        if same {
            return;
        }
        self.change(|state| {
            if fails {
                state.failing.insert(channel.to_owned());
            } else {
                state.failing.remove(channel);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::notice::Topic;
    use crate::notify::testing::{id, notice};

    #[test]
    fn a_failing_channel_shows_on_everything_that_waits_for_it() {
        let board = Board::default();
        board.put(&notice(Topic::Asked, "ntfy:ada"), "ntfy", Standing::Waiting);
        board.put(&notice(Topic::Asked, "mailto:ada@x"), "mail", Standing::Waiting);
        board.channel("ntfy", true);
        let standings = |board: &Board| -> Vec<_> {
            board.about(id(1)).into_iter().map(|told| told.standing).collect()
        };
        assert_eq!(standings(&board), [Standing::Failing, Standing::Waiting]);
        board.set(&notice(Topic::Asked, "ntfy:ada"), Standing::Delivered, 2);
        assert_eq!(standings(&board), [Standing::Delivered, Standing::Waiting]);
        assert!(board.about(id(2)).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let board = Board::default();
        for entry in 0..100 {
            let mut one = notice(Topic::Asked, "ntfy:ada");
            one.id = crate::notify::notice::name(entry, "x", 0);
            board.put(&one, "ntfy", Standing::Waiting);
        }
        assert_eq!(board.about(id(1)).len(), NOTICES_MAX);
    }
}
