//! The line to the brokers: taken up again whenever it breaks, from the entry where it broke.

use std::time::{Duration, Instant};

use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

use crate::broker::{Ending, Following, News};
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// What is heard.
pub enum Heard {
    /// Nothing.
    Silence,
    /// What waits, all of it: at the beginning, after more was missed than can be told one by one, and
    /// under another policy, which is the event that then comes with it.
    All(Vec<v1::RequestView>, Option<Box<v1::WatchEvent>>),
    /// One thing happened.
    Event(Box<v1::WatchEvent>),
    /// The broker is still there.
    Beat(Timestamp),
    /// The line is open again, to this broker.
    Open(String),
    /// The line is down; it is taken up again after this time.
    Lost(Failure, Duration),
}

/// A line that mends itself.
pub struct Line {
    following: Option<Following>,
    /// Newest entry that was told.
    after: Option<u64>,
    /// Whether everything has to be listed.
    is_behind: bool,
    /// Attempts since news last came.
    tries: u32,
    next_try: Instant,
}

impl Default for Line {
    fn default() -> Self {
        Self { following: None, after: None, is_behind: true, tries: 0, next_try: Instant::now() }
    }
}

impl Line {
    /// Whether the next [`hear`](Self::hear) opens the line, for which a session is needed.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.following.is_none() && self.next_try <= Instant::now()
    }

    /// What comes `within` this time.
    ///
    /// # Errors
    ///
    /// [`Failure`] if waiting does not help: somebody else's broker, a ledger that is not believed,
    /// a key that may not read.
    pub fn hear(&mut self, client: &mut Client<'_>, within: Duration) -> Result<Heard, Failure> {
        if self.is_opening() {
            match client.follow(self.after) {
                Ok(following) => self.following = Some(following),
                Err(failure) => return self.lost(client, failure),
            }
        }
        let Some(following) = &mut self.following else {
            nap(within.min(self.next_try.saturating_duration_since(Instant::now())));
            return Ok(Heard::Silence);
        };
        match following.next(within) {
            None => Ok(Heard::Silence),
            Some(News::Opened { address, offered }) => {
                client.believe(&offered)?;
                Ok(Heard::Open(address))
            }
            Some(News::Event(event)) => self.event(client, event),
            Some(News::Ended(ending)) => self.ended(client, ending),
        }
    }

    fn event(
        &mut self,
        client: &mut Client<'_>,
        event: Box<v1::WatchEvent>,
    ) -> Result<Heard, Failure> {
        // Nothing is told twice, and nothing backwards, whatever a broker sends.
        self.after = self.after.max(Some(event.seq));
        self.tries = 0;
        // Under another policy others may approve.
        self.is_behind |= event.kind == "policy";
        if !self.is_behind {
            let is_beat = event.kind.is_empty();
            let beat = Heard::Beat(Timestamp::from_unix_seconds(event.at));
            return Ok(if is_beat { beat } else { Heard::Event(event) });
        }
        let session = client.session()?;
        match client.broker().and_then(|broker| Ok(broker.pending(&session)?)) {
            Ok(views) => {
                self.is_behind = false;
                let is_policy = event.kind == "policy";
                Ok(Heard::All(views, is_policy.then_some(event)))
            }
            Err(failure) => self.lost(client, failure),
        }
    }

    fn ended(&mut self, client: &mut Client<'_>, ending: Ending) -> Result<Heard, Failure> {
        match ending {
            Ending::Lost(error) => self.lost(client, error.into()),
            Ending::Session => {
                // With a new one at once; but a broker that ends them all must not keep us busy.
                self.pause();
                Ok(Heard::Silence)
            }
            Ending::Gap => {
                (self.after, self.is_behind) = (None, true);
                self.pause();
                Ok(Heard::Silence)
            }
        }
    }

    fn lost(&mut self, client: &mut Client<'_>, failure: Failure) -> Result<Heard, Failure> {
        // A limit, a silence or a fault passes.
        if !matches!(failure.exit(), Exit::Unreachable | Exit::Internal) {
            return Err(failure);
        }
        client.hang_up();
        let pause = self.pause();
        Ok(Heard::Lost(failure, pause))
    }

    /// Hangs up, and says how long not to call again: each time longer, until something is heard.
    fn pause(&mut self) -> Duration {
        self.following = None;
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.tries).unwrap_or(u32::MAX));
        let pause = pause.min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        self.next_try = Instant::now().checked_add(pause).unwrap_or_else(Instant::now);
        pause
    }
}

fn nap(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a person waits; there is no clock to advance")]
    std::thread::sleep(length);
}

/// Before the first attempt to take the line up again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A broker that was away for a minute is found within this long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
