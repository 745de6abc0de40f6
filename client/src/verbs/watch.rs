//! `watch`: what waits, live. On a terminal a table from which requests are approved and denied by
//! the same steps as with `approve` and `deny`; elsewhere a line for each thing that happens.

use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::statement::Act;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::{RequestView, State, WatchEvent};
use jiff::tz::TimeZone;

use super::acts::speak;
use super::approve::{left, sign, stage_for};
use super::look::{Seen, look};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::short_duration;
use crate::view::state_word;
use crate::watch::board::Board;
use crate::watch::draw::Pen;
use crate::watch::keys::{Face, View, Wish};
use crate::watch::line::{Heard, Line};
use crate::watch::lines::{alarm, json, text};
use crate::watch::terminal::Live;

/// A table where one can be drawn, else lines.
pub(super) fn watch(client: &mut Client<'_>) -> Result<Exit, Failure> {
    if client.out.may_draw() { table(client) } else { lines(client) }
}

/// What waits, then a line for each thing that happens, until somebody ends it.
pub(super) fn lines(client: &mut Client<'_>) -> Result<Exit, Failure> {
    let (mut line, mut was_lost) = (Line::default(), false);
    loop {
        match line.hear(client, TURN)? {
            Heard::Silence | Heard::Beat(_) => {}
            Heard::All(_, Some(event)) | Heard::Event(event) => tell(client, &event)?,
            Heard::All(views, None) => {
                for view in &views {
                    tell_view(client, view)?;
                }
            }
            Heard::Open(address) => {
                client.out.say(&opened(&address, was_lost));
                was_lost = false;
            }
            Heard::Lost(failure, pause) => {
                client.out.say(&lost(&failure, pause));
                was_lost = true;
            }
        }
    }
}

fn tell(client: &mut Client<'_>, event: &WatchEvent) -> Result<(), Failure> {
    let (at, view) = (Timestamp::from_unix_seconds(event.at), event.request.as_ref());
    let mut object = json(&event.kind, Some(event.seq), at, view);
    if event.detail.is_empty() {
        let text = text(&event.kind, at, view, clock::now(), &TimeZone::system());
        return client.out.result(&text, &object);
    }
    if let Some(object) = object.as_object_mut() {
        object.insert("alarm".to_owned(), event.detail.clone().into());
    }
    client.out.result(&alarm(&event.detail, at, &TimeZone::system()), &object)
}

/// What waits already has no event of its own.
fn tell_view(client: &mut Client<'_>, view: &RequestView) -> Result<(), Failure> {
    let (at, kind) = (Timestamp::from_unix_seconds(view.asked_at), state_word(view));
    let text = text(kind, at, Some(view), clock::now(), &TimeZone::system());
    client.out.result(&text, &json(kind, None, at, Some(view)))
}

fn opened(address: &str, was_lost: bool) -> String {
    if was_lost {
        format!("back at {address}; nothing was missed")
    } else {
        format!("watching at {address}")
    }
}

fn lost(failure: &Failure, pause: Duration) -> String {
    let failure = failure.to_string();
    let what = failure.lines().next().unwrap_or_default();
    format!("line lost, trying again in {}: {what}", short_duration(pause.as_secs()))
}

/// The table, until somebody ends it.
fn table(client: &mut Client<'_>) -> Result<Exit, Failure> {
    let me = client.by()?;
    // Before the screen is taken: a touch or a passphrase may be asked for.
    client.session()?;
    client.broker()?;
    let pen = Pen { is_colour: client.out.is_colour() };
    let live = Live::enter().map_err(|error| no_terminal(&error))?;
    let face = Face::new(Board::new(me.clone()));
    let line = Line::default();
    Table { client, me, live, face, line, pen, shown: None, was_lost: false }.run()
}

struct Table<'c, 'o> {
    client: &'c mut Client<'o>,
    me: PrincipalId,
    live: Live,
    face: Face,
    line: Line,
    pen: Pen,
    /// What the approval screen shows: verified, and what will be signed for.
    shown: Option<Shown>,
    was_lost: bool,
}

struct Shown {
    seen: Seen,
    stage: Option<StageId>,
}

impl Table<'_, '_> {
    fn run(mut self) -> Result<Exit, Failure> {
        loop {
            self.draw()?;
            let key = self.live.key(TURN).map_err(|error| no_terminal(&error))?;
            match key.map_or(Wish::None, |key| self.face.press(key)) {
                Wish::None => {}
                Wish::Quit => return Ok(Exit::Done),
                Wish::Look(id) => self.show(id, false)?,
                Wish::Refuse(id) => self.show(id, true)?,
                Wish::Approve => self.approve()?,
                Wish::Deny(reason) => self.deny(&reason)?,
            }
            self.listen()?;
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let drawn = self.live.draw(&self.face, clock::now(), self.pen);
        drawn.map_err(|error| no_terminal(&error))
    }

    /// Takes in what has come. Not more than so much at a time: keys come first.
    fn listen(&mut self) -> Result<(), Failure> {
        for _ in 0..HEARD_MAX {
            if self.line.is_opening() {
                self.have_session()?;
            }
            match self.line.hear(self.client, Duration::ZERO)? {
                Heard::Silence => break,
                Heard::Beat(_) => {}
                Heard::All(views, _) => self.face.board.replace(&views),
                Heard::Event(event) => {
                    if let Some(view) = &event.request {
                        self.face.board.update(view);
                    } else if !event.detail.is_empty() {
                        let at = Timestamp::from_unix_seconds(event.at);
                        self.face.line = alarm(&event.detail, at, &TimeZone::system());
                    }
                }
                Heard::Open(address) => {
                    self.face.line = opened(&address, std::mem::take(&mut self.was_lost));
                    self.face.is_down = false;
                }
                Heard::Lost(failure, pause) => {
                    self.face.line = lost(&failure, pause);
                    (self.face.is_down, self.was_lost) = (true, true);
                }
            }
        }
        self.face.board.tidy(clock::now());
        Ok(())
    }

    /// Signs leave to read, if there is none, where whoever must touch a key can read so.
    fn have_session(&mut self) -> Result<(), Failure> {
        if !self.client.has_session()? {
            self.aside(|client| client.session())?.map(drop)?;
        }
        Ok(())
    }

    /// Verifies the request and shows it, to be approved or to be denied.
    fn show(&mut self, id: RequestId, is_denial: bool) -> Result<(), Failure> {
        self.have_session()?;
        let shown = look(self.client, id).and_then(|seen| self.screen(seen));
        match shown {
            Ok((text, offer, shown)) => {
                let top = 0;
                self.face.view = if is_denial {
                    View::Denial { text, reason: String::new(), top }
                } else {
                    View::Approval { text, offer, top }
                };
                self.shown = Some(shown);
            }
            Err(failure) => self.face.back(failure.to_string(), true),
        }
        Ok(())
    }

    /// The text, whether a yes is ours to give, and what it would be given for.
    fn screen(&self, seen: Seen) -> Result<(String, Result<String, String>, Shown), Failure> {
        let stage = match stage_for(&seen, &self.me, None) {
            Ok(_) if seen.view.state() != State::Pending => {
                Err(format!("it is {}: there is nothing to approve", state_word(&seen.view)))
            }
            Ok(stage) => Ok(stage),
            Err(failure) => Err(failure.to_string().lines().next().unwrap_or_default().to_owned()),
        };
        let text = seen.screen(&self.me, stage.as_ref().ok().copied())?;
        let name = stage.as_ref().ok().map(|stage| stage.name.clone());
        let offer = stage.map(|_| format!("approve this as {}?", self.me));
        Ok((text, offer, Shown { seen, stage: name }))
    }

    fn approve(&mut self) -> Result<(), Failure> {
        let Some(Shown { seen, stage: Some(stage) }) = self.shown.take() else {
            self.face.view = View::Table;
            return Ok(());
        };
        match self.aside(|client| sign(client, &seen, stage, None))? {
            Ok(given) => {
                let left = left(given.missing, &seen.asked.ask.by);
                self.face.back(format!("approved (entry {}); {left}", given.seq), false);
            }
            Err(failure) => self.face.back(failure.to_string(), true),
        }
        Ok(())
    }

    fn deny(&mut self, reason: &str) -> Result<(), Failure> {
        let Some(Shown { seen, .. }) = self.shown.take() else {
            self.face.view = View::Table;
            return Ok(());
        };
        let request = seen.asked.statement.digest();
        match self.aside(|client| speak(client, request, Some(reason), Act::Deny))? {
            Ok(receipt) => {
                let outcome = receipt.entry.body.type_name();
                self.face.back(format!("{outcome} (entry {})", receipt.entry.seq), false);
            }
            Err(failure) => self.face.back(failure.to_string(), true),
        }
        Ok(())
    }

    fn aside<T>(&mut self, what: impl FnOnce(&mut Client<'_>) -> T) -> Result<T, Failure> {
        let (live, client) = (&mut self.live, &mut *self.client);
        live.aside(|| what(client)).map_err(|error| no_terminal(&error))
    }
}

fn no_terminal(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("the terminal cannot be drawn on: {error}"),
        "what was recorded stays recorded",
        "use `breakglass pending --watch`, which prints lines",
    )
}

/// How long a key is waited for before news are taken in.
const TURN: Duration = Duration::from_millis(100);

/// News taken in between two keys.
const HEARD_MAX: usize = 256;
