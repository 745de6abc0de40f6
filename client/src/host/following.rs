//! A list of the broker, followed: one thread asks for a newer one, and the server keeps the question
//! until there is one.
//!
//! Where the server does not keep it, or is away, the thread asks again after a pause. Whoever uses
//! what came says whether it was taken: only then it counts as known, so what could not be put in
//! place is fetched again.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::config::HostConfig;
use crate::failure::{Exit, Failure};

/// How long a server is asked to keep a question. One that is cut off without a word is noticed some
/// seconds after this, and then the next address is asked.
const WAIT: Duration = Duration::from_secs(10);

/// While nobody answers, or what is answered cannot be taken, the pause doubles this often: from a
/// second to eight.
const DOUBLED_MAX: u32 = 3;

/// What came of a question.
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// There is no newer one; and whether the server kept the question.
    Unchanged {
        /// Whether to ask again at once.
        held: bool,
    },
    /// This, and what names it.
    New(T, Option<String>),
}

/// A question to one of the servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The server.
    pub(super) address: &'a str,
    /// What names what is known.
    pub(super) known: Option<&'a str>,
    /// How long the server may keep the question.
    pub(super) wait: Duration,
}

/// What came of the last question; none is asked before [`Following::taken`] was called.
pub(super) struct Following<T> {
    heard: Receiver<Result<Option<T>, String>>,
    taken: Sender<bool>,
}

impl<T: Send + 'static> Following<T> {
    /// Follows, by questions like `ask`, what the servers of `config` show.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there can be no more threads.
    pub(super) fn start<F>(config: &HostConfig, ask: F) -> Result<Self, Failure>
    where
        F: FnMut(Asked<'_>) -> Result<Heard<T>, String> + Send + 'static,
    {
        let (say, heard) = channel();
        let (taken, verdict) = channel();
        // `principals` may be told to go by when a broker was reached: then it has to be often.
        let half = config.refuse_after.map(|most| most.checked_div(2).unwrap_or(most));
        let wait = Duration::from_secs(half.unwrap_or(WAIT).min(WAIT).as_secs());
        let mut asker =
            Asker { web: config.web.clone(), every: config.every, wait, known: None, ask };
        let thread = std::thread::Builder::new().name("following".to_owned());
        thread
            .spawn(move || asker.run(&say, &verdict))
            .map(|_| Self { heard, taken })
            .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))
    }

    /// What came, within this time; `None` if nothing did. Something new is `Some`.
    pub(super) fn next(&self, within: Duration) -> Option<Result<Option<T>, String>> {
        match self.heard.recv_timeout(within) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // The thread is lost: no reason to turn in circles, and a reason to say so.
                std::thread::park_timeout(within);
                Some(Err("the thread that asks the broker has ended; start again".to_owned()))
            }
        }
    }

    /// What came last is in place, or was nothing new; otherwise it will be fetched again.
    pub(super) fn taken(&self, is_taken: bool) {
        // Nobody asks any more only if the thread is lost, which `next` says.
        let _ = self.taken.send(is_taken);
    }
}

struct Asker<F> {
    web: Vec<String>,
    every: Duration,
    wait: Duration,
    known: Option<String>,
    ask: F,
}

impl<F> Asker<F> {
    /// Asks as long as somebody listens.
    fn run<T>(&mut self, say: &Sender<Result<Option<T>, String>>, verdict: &Receiver<bool>)
    where
        F: FnMut(Asked<'_>) -> Result<Heard<T>, String>,
    {
        let mut failed = 0_u32;
        loop {
            let (heard, is_held, tag) = match self.round() {
                Ok(Heard::Unchanged { held }) => (Ok(None), held, self.known.clone()),
                // Without a name it would come again at once, and again.
                Ok(Heard::New(what, tag)) => (Ok(Some(what)), tag.is_some(), tag),
                Err(why) => (Err(why), false, self.known.clone()),
            };
            let has_failed = heard.is_err();
            if say.send(heard).is_err() {
                return;
            }
            let Ok(is_taken) = verdict.recv() else { return };
            let is_good = is_taken && !has_failed;
            if is_good {
                self.known = tag;
            }
            failed = if is_good { 0 } else { failed.saturating_add(1) };
            if !(is_good && is_held) {
                let doubled = failed.saturating_sub(1).min(DOUBLED_MAX);
                std::thread::park_timeout(self.every.saturating_mul(2_u32.saturating_pow(doubled)));
            }
        }
    }

    /// What the first server that answers says.
    fn round<T>(&mut self) -> Result<Heard<T>, String>
    where
        F: FnMut(Asked<'_>) -> Result<Heard<T>, String>,
    {
        let mut failed = String::new();
        for address in &self.web {
            let known = self.known.as_deref();
            match (self.ask)(Asked { address, known, wait: self.wait }) {
                Ok(heard) => return Ok(heard),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }
}
