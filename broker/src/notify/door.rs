//! The loop around the room: woken by commits, by answers and by time. It is in nobody's way: the
//! listener on the desk only wakes it, and what it writes down goes through the desk's queue.

use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::entry::Notified;
use breakglass_ledger::time::Timestamp;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::board::Board;
use super::channel::{Channels, Trouble};
use super::derive::Step;
use super::follow::{Follower, Page};
use super::outbox::{Attempt, Outbox};
use crate::clock::Clock;
use crate::desk::{Desk, DeskError};
use crate::entropy::Entropy;

/// From a commit to the look at what it wrote: its answers leave first, under load one look serves many
/// commits, and nobody feels a tenth of a second.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// What is due is wall time but tokio sleeps in monotonic time, so a stepped clock is noticed within
/// this long.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// However much is due: what cannot be had yet must not turn the loop into a spin.
const SHORTEST_NAP: Duration = Duration::from_millis(10);

/// After a fault of our own, before beginning again from the ledger.
const REST: Duration = Duration::from_secs(5);

/// Results in one job of the desk: some ten milliseconds for whoever is in the same batch.
const RECORD_MAX: usize = 256;

/// Between two jobs for the desk, unless one is full: a commit for each result would stand in people's
/// way, and nobody waits for what became of a notice. What a crash takes in it is told again.
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Time for deliveries under way when the daemon stops; what is cut off is told again later.
const DRAIN: Duration = Duration::from_secs(2);

/// What the room works with.
pub struct Parts {
    /// Where commits come from and results go.
    pub desk: Arc<Desk>,
    /// The ways out.
    pub channels: Channels,
    /// Seconds before the first reminder; 0 for none.
    pub remind_after: u64,
    /// Where others see how it goes.
    pub board: Arc<Board>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The dice, for jitter.
    pub entropy: Arc<dyn Entropy>,
}

/// Tells people until `stopping` says true. A fault of its own is logged, and it begins again from the
/// ledger: nothing that happens here ends anything else.
pub async fn run(parts: Parts, mut stopping: watch::Receiver<bool>) {
    let woken = Arc::new(Notify::new());
    let waker = Arc::clone(&woken);
    parts.desk.on_commit(Box::new(move || waker.notify_one()));
    let parts = Arc::new(parts);
    while !*stopping.borrow() {
        let room = Room::open(Arc::clone(&parts)).await;
        let ended = match room {
            Ok(room) => room.work(&woken, &mut stopping).await,
            Err(error) => Err(error),
        };
        let Err(error) = ended else { continue };
        crate::report::fault("telling people", &error);
        tokio::select! {
            () = sleep(REST) => {}
            _ = stopping.changed() => {}
        }
    }
}

struct Room {
    parts: Arc<Parts>,
    /// `None` only while it reads.
    follower: Option<Follower>,
    outbox: Outbox,
    under_way: JoinSet<(Attempt, Result<(), Trouble>)>,
    recording: Option<Recording>,
    record_after: Instant,
    /// Something was written since the last look.
    stale: bool,
    /// Since when.
    stale_since: Instant,
    next_reminder: Option<Timestamp>,
}

/// Results that the desk has and has not answered.
struct Recording {
    results: Vec<Notified>,
    answer: oneshot::Receiver<Result<(), DeskError>>,
}

impl Room {
    /// Reads the last day: what has no result is due.
    async fn open(parts: Arc<Parts>) -> Result<Self, DeskError> {
        let (desk, now) = (Arc::clone(&parts.desk), parts.clock.now().second());
        let remind_after = parts.remind_after;
        let started = spawn_blocking(move || Follower::start(&desk, now, remind_after));
        let follower = started.await.map_err(broken)??;
        let outbox = Outbox::new(parts.channels.names(), Arc::clone(&parts.board));
        let now = Instant::now();
        let mut room = Self {
            parts,
            follower: Some(follower),
            outbox,
            under_way: JoinSet::new(),
            recording: None,
            record_after: now,
            stale: true,
            stale_since: now,
            next_reminder: None,
        };
        // All of it before anything is sent: results stand behind what they are about.
        room.look().await?;
        Ok(room)
    }

    async fn work(
        mut self,
        woken: &Notify,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), DeskError> {
        while !*stopping.borrow() {
            if self.stale && self.stale_since.elapsed() >= LOOK_PAUSE {
                self.look().await?;
            }
            self.remind().await?;
            let now = self.parts.clock.now();
            self.outbox.trim(now);
            for attempt in self.outbox.take(now) {
                self.begin(attempt);
            }
            self.record();
            let nap = self.nap();
            tokio::select! {
                () = woken.notified(), if !self.stale => {
                    (self.stale, self.stale_since) = (true, Instant::now());
                }
                Some(landed) = self.under_way.join_next() => self.landed(landed)?,
                answer = answered(&mut self.recording) => self.recorded(answer),
                () = sleep(nap) => {}
                _ = stopping.changed() => {}
            }
        }
        self.drain().await
    }

    /// Reads what was written since the last look.
    async fn look(&mut self) -> Result<(), DeskError> {
        self.stale = false;
        loop {
            let desk = Arc::clone(&self.parts.desk);
            let Page { steps, more } =
                self.with_follower(move |follower| follower.page(&desk)).await?;
            self.take(steps);
            if !more {
                break;
            }
        }
        self.next_reminder = self.follower.as_ref().and_then(Follower::next_reminder);
        Ok(())
    }

    async fn remind(&mut self) -> Result<(), DeskError> {
        let now = self.parts.clock.now().second();
        if self.next_reminder.is_none_or(|at| at > now) {
            return Ok(());
        }
        let desk = Arc::clone(&self.parts.desk);
        let steps = self.with_follower(move |follower| follower.remind(&desk, now)).await?;
        self.take(steps);
        self.next_reminder = self.follower.as_ref().and_then(Follower::next_reminder);
        Ok(())
    }

    /// Lends the follower to a thread that may block.
    async fn with_follower<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&mut Follower) -> Result<T, DeskError> + Send + 'static,
    ) -> Result<T, DeskError> {
        let gone = DeskError::Ledger { what: "the reader of notices is gone" };
        let mut follower = self.follower.take().ok_or(gone)?;
        let reading = spawn_blocking(move || {
            let read = read(&mut follower);
            (follower, read)
        });
        let (follower, read) = reading.await.map_err(broken)?;
        self.follower = Some(follower);
        read
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Tell(notice) => {
                    let channel = self.parts.channels.meant_by(&notice.address);
                    if channel.is_none() {
                        let scheme = notice.address.scheme();
                        tracing::warn!(scheme, to = ?notice.to, "no channel for an address");
                    }
                    self.outbox.add(*notice, channel);
                }
                Step::Settled(request) => self.outbox.settled(request),
                Step::Known { notice, delivered, attempts } => {
                    self.outbox.known(notice, delivered, attempts);
                }
            }
        }
    }

    fn begin(&mut self, attempt: Attempt) {
        let parts = Arc::clone(&self.parts);
        self.under_way.spawn(async move {
            let now = parts.clock.now().second();
            let delivery = parts.channels.deliver(&attempt.channel, &attempt.notice, now);
            let outcome = delivery.await;
            (attempt, outcome)
        });
    }

    fn landed(
        &mut self,
        landed: Result<(Attempt, Result<(), Trouble>), JoinError>,
    ) -> Result<(), DeskError> {
        let (attempt, outcome) = landed.map_err(broken)?;
        if let Err(trouble) = &outcome {
            let (channel, notice) = (attempt.channel.as_str(), attempt.notice.id);
            tracing::warn!(channel, %notice, "not delivered: {}", trouble.what());
        }
        let mut dice = [0; 2];
        // Without randomness the wait is the whole one: late, and not less safe.
        let _ = self.parts.entropy.fill(&mut dice);
        let now = self.parts.clock.now();
        self.outbox.done(&attempt, outcome, now, u16::from_be_bytes(dice));
        Ok(())
    }

    /// Gives results to the desk, one job at a time.
    fn record(&mut self) {
        let rests = self.record_after > Instant::now() && self.outbox.finished() < RECORD_MAX;
        if self.recording.is_some() || rests {
            return;
        }
        let now = Instant::now();
        self.record_after = now.checked_add(RECORD_PAUSE).unwrap_or(now);
        let results = self.outbox.results(RECORD_MAX);
        if results.is_empty() {
            return;
        }
        let (reply, answer) = oneshot::channel();
        // The receiver lives until the answer has come, or nobody wants it any more.
        let reply = Box::new(move |recorded| drop(reply.send(recorded)));
        match self.parts.desk.notified(results.clone(), reply) {
            Ok(()) => self.recording = Some(Recording { results, answer }),
            Err(error) => self.not_recorded(&results, &error),
        }
    }

    fn recorded(&mut self, answer: Result<(), DeskError>) {
        let Some(Recording { results, .. }) = self.recording.take() else { return };
        match answer {
            Ok(()) => self.outbox.handed_in(&results, true),
            Err(error) => self.not_recorded(&results, &error),
        }
    }

    fn not_recorded(&mut self, results: &[Notified], error: &DeskError) {
        crate::report::fault("writing down what became of notices", error);
        self.outbox.handed_in(results, false);
    }

    /// Until something is due.
    fn nap(&self) -> Duration {
        let now = self.parts.clock.now().unix_millis();
        let reminder = self.next_reminder.map(|at| at.unix_seconds().saturating_mul(1000));
        let next = self.outbox.next().map(breakglass_ledger::time::Moment::unix_millis);
        let due = [reminder, next].into_iter().flatten().min();
        let due = due.map_or(LONGEST_NAP, |at| Duration::from_millis(at.saturating_sub(now)));
        let look = if self.stale {
            LOOK_PAUSE.saturating_sub(self.stale_since.elapsed())
        } else {
            LONGEST_NAP
        };
        let rest = self.record_after.saturating_duration_since(Instant::now());
        let waits = self.recording.is_none() && self.outbox.finished() > 0;
        let results = if waits { rest } else { LONGEST_NAP };
        due.min(look).min(results).clamp(SHORTEST_NAP, LONGEST_NAP)
    }

    /// Lets what is under way end and be written down, for a moment.
    async fn drain(mut self) -> Result<(), DeskError> {
        let all = async {
            while let Some(landed) = self.under_way.join_next().await {
                self.landed(landed)?;
            }
            loop {
                self.record_after = Instant::now();
                self.record();
                if self.recording.is_none() {
                    return Ok(());
                }
                let answer = answered(&mut self.recording).await;
                self.recorded(answer);
            }
        };
        timeout(DRAIN, all).await.unwrap_or(Ok(()))
    }
}

/// The desk's answer; never, if it was asked nothing.
async fn answered(recording: &mut Option<Recording>) -> Result<(), DeskError> {
    match recording {
        Some(recording) => (&mut recording.answer).await.unwrap_or(Err(DeskError::Stopped)),
        None => std::future::pending().await,
    }
}

/// A thread or task of ours panicked; its message is in the log already.
fn broken(_: JoinError) -> DeskError {
    DeskError::Ledger { what: "a task of telling people broke" }
}
