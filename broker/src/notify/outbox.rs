//! What waits to be told, what is tried when, and what came of it. Pure: time and dice are arguments.
//!
//! A channel that fails as a whole is tried with one notice at a time until it works again, so that a
//! dead server costs one connection each minute and not one for each notice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::entry::Notified;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::ChannelId;
use breakglass_ledger::time::Moment;

use super::backoff::wait;
use super::board::{Board, Standing};
use super::channel::Trouble;
use super::notice::Notice;

/// Notices that wait for one channel. Beyond this the oldest is given up: a channel that is down for
/// so long tells nobody anything in time, and the newest matter most.
pub(super) const QUEUE_MAX: usize = 1024;

/// Deliveries under way at once by one channel: more is impolite to most servers.
const AT_ONCE: usize = 4;

/// Tries of a notice that the other side refuses, while it takes others.
const REFUSALS_MAX: u32 = 6;

/// Results that wait for the desk. Beyond this nothing new is tried until the desk takes them.
const RESULTS_MAX: usize = 8192;

/// All notices without a recorded result.
pub(super) struct Outbox {
    lines: BTreeMap<ChannelId, Line>,
    results: BTreeMap<Salt, Result>,
    arrived: u64,
    board: Arc<Board>,
}

/// What waits for one channel.
struct Line {
    waiting: BTreeMap<Salt, Waiting>,
    /// Failures of the channel in a row.
    failures: u32,
    /// Until then the channel is left alone.
    not_before: Moment,
}

struct Waiting {
    notice: Arc<Notice>,
    arrived: u64,
    attempts: u32,
    not_before: Moment,
    under_way: bool,
    /// Nobody needs it any more, but it was under way when that turned out.
    moot: bool,
}

impl Line {
    const fn idle() -> Self {
        Self { waiting: BTreeMap::new(), failures: 0, not_before: LONG_AGO }
    }

    fn under_way(&self) -> usize {
        self.waiting.values().filter(|one| one.under_way).count()
    }

    /// Deliveries that may be under way at once as things are.
    const fn at_once(&self) -> usize {
        if self.failures > 0 { 1 } else { AT_ONCE }
    }
}

/// Something came of a notice, and is not on record yet.
struct Result {
    notice: Arc<Notice>,
    notified: Notified,
    /// Given to the desk, not answered yet.
    handed_in: bool,
}

/// One delivery to try now.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// By which channel.
    pub(super) channel: ChannelId,
    /// What.
    pub(super) notice: Arc<Notice>,
}

impl Outbox {
    /// Nothing waits for any of these channels.
    pub(super) fn new(channels: impl IntoIterator<Item = ChannelId>, board: Arc<Board>) -> Self {
        let lines = channels.into_iter().map(|channel| (channel, Line::idle())).collect();
        Self { lines, results: BTreeMap::new(), arrived: 0, board }
    }

    /// A notice waits for `channel`; `None` if none is meant by its address.
    pub(super) fn add(&mut self, notice: Notice, channel: Option<&ChannelId>) {
        let line = channel.and_then(|channel| Some((channel, self.lines.get_mut(channel)?)));
        let Some((channel, line)) = line else {
            return self.board.put(&notice, notice.address.scheme(), Standing::NoChannel);
        };
        if line.waiting.contains_key(&notice.id) {
            return;
        }
        self.board.put(&notice, channel.as_str(), Standing::Waiting);
        self.arrived = self.arrived.saturating_add(1);
        let (arrived, notice) = (self.arrived, Arc::new(notice));
        let waiting = Waiting {
            notice,
            arrived,
            attempts: 0,
            not_before: LONG_AGO,
            under_way: false,
            moot: false,
        };
        line.waiting.insert(waiting.notice.id, waiting);
    }

    /// The ledger knows what became of a notice.
    pub(super) fn known(&mut self, notice: Salt, delivered: bool, attempts: u32) {
        let result = self.results.remove(&notice).map(|result| result.notice);
        let lines = self.lines.values_mut();
        let waiting = lines.filter_map(|line| Some(line.waiting.remove(&notice)?.notice));
        for notice in waiting.chain(result) {
            self.board.set(&notice, standing(delivered), attempts);
        }
    }

    /// Nobody needs to answer `request` any more: its questions are given up.
    pub(super) fn settled(&mut self, request: RequestId) {
        let is_moot = |waiting: &Waiting| {
            waiting.notice.request() == Some(request) && waiting.notice.topic.is_question()
        };
        let waiting = self.lines.values_mut().flat_map(|line| line.waiting.values_mut());
        for one in waiting.filter(|one| is_moot(one)) {
            one.moot = true;
        }
        self.give_up(|_, waiting| waiting.moot);
    }

    /// Gives up what is too old or too much.
    pub(super) fn trim(&mut self, now: Moment) {
        let second = now.second();
        let mut surplus: BTreeMap<&ChannelId, u64> = BTreeMap::new();
        for (channel, line) in &self.lines {
            let Some(more) = line.waiting.len().checked_sub(QUEUE_MAX) else { continue };
            let mut arrived: Vec<u64> = line.waiting.values().map(|one| one.arrived).collect();
            arrived.sort_unstable();
            surplus.extend(arrived.get(more).map(|newest| (channel, *newest)));
        }
        let surplus: BTreeMap<ChannelId, u64> =
            surplus.into_iter().map(|(channel, newest)| (channel.clone(), newest)).collect();
        self.give_up(|channel, waiting| {
            let is_surplus = surplus.get(channel).is_some_and(|newest| waiting.arrived < *newest);
            is_surplus || waiting.notice.until <= second
        });
    }

    /// What to try now; each is under way until [`Outbox::done`].
    pub(super) fn take(&mut self, now: Moment) -> Vec<Attempt> {
        if self.results.len() >= RESULTS_MAX {
            return Vec::new();
        }
        let mut attempts = Vec::new();
        for (channel, line) in &mut self.lines {
            let (under_way, most) = (line.under_way(), line.at_once());
            if line.not_before > now || under_way >= most {
                continue;
            }
            let mut ready: Vec<&mut Waiting> = line
                .waiting
                .values_mut()
                .filter(|one| !one.under_way && one.not_before <= now)
                .collect();
            // The least tried first, so that one which makes the channel fail does not block it.
            ready.sort_unstable_by_key(|one| (one.attempts, one.arrived));
            for waiting in ready.into_iter().take(most.saturating_sub(under_way)) {
                waiting.under_way = true;
                waiting.attempts = waiting.attempts.saturating_add(1);
                let (channel, notice) = (channel.clone(), Arc::clone(&waiting.notice));
                attempts.push(Attempt { channel, notice });
            }
        }
        attempts
    }

    /// What came of an attempt.
    pub(super) fn done(
        &mut self,
        attempt: &Attempt,
        outcome: std::result::Result<(), Trouble>,
        now: Moment,
        dice: u16,
    ) {
        let Some(line) = self.lines.get_mut(&attempt.channel) else { return };
        let after = |wait: Duration| {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Moment::from_unix_millis(now.unix_millis().saturating_add(millis))
        };
        if let Err(Trouble::Channel { wait: asked, .. }) = &outcome {
            line.failures = line.failures.saturating_add(1);
            line.not_before = after(asked.unwrap_or_else(|| wait(line.failures, dice)));
        } else {
            line.failures = 0;
        }
        let fails = line.failures > 0;
        let mut finished = None;
        // Gone meanwhile if the ledger turned out to know it, or nobody needed it any more.
        if let Some(waiting) = line.waiting.get_mut(&attempt.notice.id) {
            waiting.under_way = false;
            match outcome {
                Ok(()) => finished = Some(true),
                Err(_) if waiting.moot => finished = Some(false),
                Err(Trouble::Notice { .. }) if waiting.attempts >= REFUSALS_MAX => {
                    finished = Some(false);
                }
                Err(Trouble::Notice { .. }) => {
                    waiting.not_before = after(wait(waiting.attempts, dice));
                }
                Err(Trouble::Channel { .. }) => {}
            }
            if finished.is_none() {
                self.board.set(&waiting.notice, Standing::Failing, waiting.attempts);
            }
        }
        self.board.channel(attempt.channel.as_str(), fails);
        if let Some(delivered) = finished {
            self.finish(&attempt.channel, attempt.notice.id, delivered);
        }
    }

    /// Results for the desk, at most `most`; they are its until [`Outbox::handed_in`].
    pub(super) fn results(&mut self, most: usize) -> Vec<Notified> {
        let fresh = self.results.values_mut().filter(|result| !result.handed_in);
        let hand_in = |result: &mut Result| {
            result.handed_in = true;
            result.notified.clone()
        };
        fresh.take(most).map(hand_in).collect()
    }

    /// How many results are not on record yet.
    pub(super) fn finished(&self) -> usize {
        self.results.len()
    }

    /// The desk has `recorded` these results, or could not.
    pub(super) fn handed_in(&mut self, results: &[Notified], recorded: bool) {
        for notified in results {
            if recorded {
                self.results.remove(&notified.notice);
            } else if let Some(result) = self.results.get_mut(&notified.notice) {
                result.handed_in = false;
            }
        }
    }

    /// When something can be tried next; `None` if nothing waits that is not under way.
    pub(super) fn next(&self) -> Option<Moment> {
        let of = |line: &Line| {
            let idle = line.waiting.values().filter(|one| !one.under_way);
            Some(idle.map(|one| one.not_before).min()?.max(line.not_before))
        };
        // A line that is full goes on when something that is under way has ended.
        let free = self.lines.values().filter(|line| line.under_way() < line.at_once());
        free.filter_map(of).min()
    }

    /// Whether nothing is left to do.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.results.is_empty() && self.lines.values().all(|line| line.waiting.is_empty())
    }

    fn give_up(&mut self, mut is_over: impl FnMut(&ChannelId, &Waiting) -> bool) {
        let mut over: BTreeSet<(ChannelId, Salt)> = BTreeSet::new();
        for (channel, line) in &self.lines {
            // What is under way may still arrive, and is judged again when it has failed.
            let idle = line.waiting.values().filter(|one| !one.under_way);
            let ended = idle.filter(|one| is_over(channel, one));
            over.extend(ended.map(|one| (channel.clone(), one.notice.id)));
        }
        for (channel, notice) in over {
            self.finish(&channel, notice, false);
        }
    }

    fn finish(&mut self, channel: &ChannelId, notice: Salt, delivered: bool) {
        let line = self.lines.get_mut(channel);
        let Some(waiting) = line.and_then(|line| line.waiting.remove(&notice)) else { return };
        self.board.set(&waiting.notice, standing(delivered), waiting.attempts);
        let notified = Notified {
            attempts: waiting.attempts,
            channel: channel.clone(),
            delivered,
            entry: waiting.notice.entry,
            notice,
        };
        let result = Result { notice: waiting.notice, notified, handed_in: false };
        self.results.insert(notice, result);
    }
}

const fn standing(delivered: bool) -> Standing {
    if delivered { Standing::Delivered } else { Standing::GivenUp }
}

/// Nothing has to wait until then.
const LONG_AGO: Moment = Moment::from_unix_millis(0);

#[cfg(test)]
mod tests;
