//! The loop: look at the broker, put a newer list in place, end what is over, report.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use breakglass_ledger::statement::List;

use super::canary::{ACCEPTED, Canaries, Tried};
use super::config::HostConfig;
use super::fetch::{self, Answer, Page, Question};
use super::following::{Asked, Following, Heard};
use super::krl::LIST_MAX;
use super::list::{Checked, ListError, Place};
use super::reporter::{self, About, PAUSE, drawn};
use super::reports::{Reports, Used};
use super::sessions::Sessions;
use super::trial::{Landed, Order, Trial};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::state::{private_dir, swap_shown};

/// How often sessions are looked for while nothing else happens: reading every process's entry costs
/// some milliseconds.
const SESSIONS_EVERY: Duration = Duration::from_millis(500);

/// How often it is written down that the broker was reached, for `principals`.
const REACHED_EVERY: Duration = Duration::from_secs(5);

/// The agent of one host.
pub struct Agent {
    config: HostConfig,
    place: Place,
    sessions: Sessions,
    reports: Reports,
    /// Whoever tries canaries and reports lists.
    trial: Sender<Order>,
    /// What became of the canary, and what was last written of that.
    canary: (Arc<Mutex<Option<Tried>>>, Option<Tried>),
    /// The list in place.
    held: Option<Arc<Checked>>,
    /// Sessions ended and not yet reported.
    ended: u64,
    /// What was last said about lists, so that it is said once.
    trouble: Option<String>,
    /// When the list in place is to be tried and reported, if it was not yet.
    due: Option<Instant>,
    looked: Option<Instant>,
    reached: Option<Instant>,
    told: (Sender<String>, Receiver<String>),
}

impl Agent {
    /// An agent that goes on from what is in place.
    ///
    /// # Errors
    ///
    /// [`Failure`] if its directories cannot be used.
    pub fn open(config: HostConfig) -> Result<Self, Failure> {
        let place = Place::new(&config.dir, config.ssh_ca.clone(), config.lists_key.clone());
        place.create().map_err(|error| cannot(&error))?;
        private_dir(&config.state_dir)?;
        // What cannot be read is fetched again, and is not what refuses a newer one.
        let held = place.held().ok().flatten().map(Arc::new);
        // Nobody knows whether it was reported before this agent was started; the broker does.
        let soon = Instant::now().checked_add(drawn(&PAUSE));
        let due = soon.filter(|_| held.is_some());
        let reports = Reports::open(config.state_dir.join("reports.json"));
        let (told, canary) = (channel(), Arc::new(Mutex::new(None)));
        let trial = Trial {
            canaries: Canaries::open(&config.state_dir, config.sshd_address.clone()),
            list: place.list(),
            reports: reports.clone(),
            told: told.0.clone(),
            tried: Arc::clone(&canary),
        };
        Ok(Self {
            trial: trial.start()?,
            canary: (canary, None),
            place,
            sessions: Sessions::new(config.ssh_ca.clone()),
            reports,
            held,
            ended: 0,
            trouble: None,
            due,
            looked: None,
            reached: None,
            told,
            config,
        })
    }

    /// Where others of this process say what it is to print.
    #[must_use]
    pub fn ear(&self) -> Sender<String> {
        self.told.0.clone()
    }

    /// Works until the process is ended.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot begin.
    pub fn run(mut self, out: &mut Output) -> Result<Exit, Failure> {
        let about = About { target: self.config.target.clone(), list: List::Krl };
        reporter::start(&self.config, about, &self.reports, &self.told.0)?;
        let version = self.held.as_ref().map_or(0, |held| held.krl.version);
        out.say(&format!("{}: serving, list {version} in place", self.config.target));
        let place = self.place.clone();
        let lists = Following::start(&self.config, move |asked| newest(&place, asked))?;
        loop {
            self.turn(&lists, out);
        }
    }

    /// One round of everything.
    fn turn(&mut self, lists: &Following<Checked>, out: &mut Output) {
        let until_due = self.due.map(|due| due.saturating_duration_since(Instant::now()));
        let within = until_due.map_or(SESSIONS_EVERY, |left| left.min(SESSIONS_EVERY));
        let fresh = lists.next(within).is_some_and(|heard| {
            let (is_taken, fresh) = self.take(heard, out);
            lists.taken(is_taken);
            fresh
        });
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= SESSIONS_EVERY);
        if fresh || is_due {
            self.watch_sessions(out);
            self.looked = Some(Instant::now());
        }
        let canary = *self.canary.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh || canary != self.canary.1 {
            self.canary.1 = canary;
            self.write_state();
        }
        if fresh {
            // What is tried and said of it is in nobody's way who still waits for the list.
            self.due = self.due.or_else(|| Instant::now().checked_add(drawn(&PAUSE)));
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.report_list();
        }
        for said in self.told.1.try_iter() {
            out.say(&said);
        }
    }

    /// Puts a newer list in place; whether it was one that could be, and whether it is new here.
    fn take(&mut self, heard: Result<Option<Checked>, String>, out: &mut Output) -> (bool, bool) {
        let (fresh, trouble) = match heard {
            Ok(None) => (false, None),
            Ok(Some(list)) => match self.place.put(&list) {
                Ok(fresh) => {
                    let is_news = fresh || self.held.is_none();
                    self.held = Some(Arc::new(list));
                    (is_news, None)
                }
                Err(error) => (false, Some(error.to_string())),
            },
            Err(why) => (false, Some(why)),
        };
        let is_taken = trouble.is_none();
        if is_taken {
            self.note_reached();
        }
        if trouble != self.trouble {
            self.trouble = trouble;
            self.say_trouble(out);
        }
        (is_taken, fresh)
    }

    /// Sees who came, and ends what is over: revoked, or past its own end.
    fn watch_sessions(&mut self, out: &mut Output) {
        let now = clock::now();
        for session in self.sessions.look() {
            self.reports.used(Used { serial: session.serial, at: now.unix_seconds() });
            // It ends with the process.
            let _ = self.trial.send(Order::Keep(session));
        }
        let krl = self.held.as_ref().map(|held| &held.krl);
        let ended = self.sessions.end(|session| {
            session.is_past(now) || krl.is_some_and(|krl| krl.revokes(session.serial))
        });
        if ended > 0 {
            self.ended = self.ended.saturating_add(ended);
            out.say(&format!("{ended} sessions ended: their grant is over"));
        }
    }

    /// Has the canary tried and the list reported.
    fn report_list(&mut self) {
        let Some(held) = &self.held else { return };
        let made = held.krl.generated.unix_seconds().saturating_mul(1000);
        let latency = self.place.since().saturating_sub(made);
        let ended = std::mem::take(&mut self.ended);
        let landed = Landed { list: Arc::clone(held), latency, ended };
        let _ = self.trial.send(Order::Report(landed));
    }

    /// `principals` may be told to answer nobody once the broker was away for long.
    fn note_reached(&mut self) {
        if self.reached.is_some_and(|reached| reached.elapsed() < REACHED_EVERY) {
            return;
        }
        self.reached = Some(Instant::now());
        // A list that cannot be written says so itself; this alone is not worth a word.
        let _ = self.place.touch(clock::now());
    }

    /// A state of its own, for people and for whoever watches the host: on stderr, and in a file.
    fn say_trouble(&self, out: &mut Output) {
        let version = self.held.as_ref().map_or(0, |held| held.krl.version);
        let said = self.trouble.as_deref().map_or_else(
            || format!("list {version} is the newest there is"),
            |why| format!("list {version} stays in place: {why}"),
        );
        out.say(&said);
        self.write_state();
    }

    /// For whoever watches the host: which list is in place, what became of the canary, and what is in the
    /// way.
    fn write_state(&self) {
        let version = self.held.as_ref().map_or(0, |held| held.krl.version);
        let tried = self.canary.1;
        let accepted = (tried == Some(Tried::Accepted)).then_some(ACCEPTED);
        let trouble: Vec<&str> = self.trouble.as_deref().into_iter().chain(accepted).collect();
        let state = serde_json::json!({
            "version": version,
            "canary": tried.map(|tried| tried.canary().to_string()),
            "untried": tried.and_then(Tried::why),
            "trouble": (!trouble.is_empty()).then(|| trouble.join("; ")),
        });
        let path = self.config.state_dir.join("state.json");
        // If this cannot be written either, what is said on stderr is there still.
        let _ = swap_shown(&path, format!("{state}\n").as_bytes());
    }
}

/// The newest list of a broker, if it is not the one that is known: with its signature, and checked.
fn newest(place: &Place, asked: Asked<'_>) -> Result<Heard<Checked>, String> {
    let Asked { address, known, wait } = asked;
    let question = Question { address, path: "/v1/ssh/krl", known, wait, limit: LIST_MAX };
    let Page { body, etag, version, signature } = match fetch::get(question)? {
        Answer::Page(page) => page,
        Answer::Unchanged { held } => return Ok(Heard::Unchanged { held }),
    };
    let signature = match signature {
        Some(signature) => signature,
        None => fetched(Question { known: None, wait: Duration::ZERO, ..question }, version)?,
    };
    let signature = String::from_utf8_lossy(&signature);
    let checked = place.check(&body, &signature).map_err(|error| error.to_string())?;
    Ok(Heard::New(checked, etag))
}

/// The signature of the list `version`, from a broker that does not send it along.
fn fetched(question: Question<'_>, version: Option<u64>) -> Result<Vec<u8>, String> {
    let path = version.map_or_else(
        || "/v1/ssh/krl.sig".to_owned(),
        |version| format!("/v1/ssh/krl.sig?version={version}"),
    );
    let Answer::Page(signature) = fetch::get(Question { path: &path, ..question })? else {
        return Err(format!("http://{}{path}: nothing came", question.address));
    };
    Ok(signature.body)
}

pub(super) fn cannot(error: &ListError) -> Failure {
    Failure::new(
        Exit::Internal,
        error.to_string(),
        "nothing was changed on this host",
        "check `dir` and `state-dir` in host.toml, and who runs the agent",
    )
}
