//! The rows of the table: what a broker last said of each request, in the order of their urgency.

use std::collections::BTreeMap;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::{RequestView, State};

use crate::output::{clean, duration, short_duration};
use crate::view::{ask, ending};

/// One request, in words that are safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: RequestId,
    /// Who asks.
    pub who: String,
    /// For what.
    pub scope: String,
    /// For how long, in words.
    pub length: String,
    /// The incident's number, or `-`.
    pub incident: String,
    /// The reason as the broker shows it, on one line.
    pub reason: String,
    /// Who is missing: stages with the number of approvals each still needs; `-` if nobody is.
    pub missing: String,
    /// Where it is in its life.
    pub state: State,
    /// How it ended; empty while it has not.
    pub ending: String,
    /// Whether the user may approve it.
    pub is_mine: bool,
    asked: Timestamp,
    lapses: Timestamp,
    expires: Timestamp,
    /// When the broker said so, by its clock.
    told: Timestamp,
}

/// All rows.
pub struct Board {
    me: PrincipalId,
    rows: BTreeMap<RequestId, Row>,
    order: Vec<RequestId>,
}

impl Board {
    /// An empty board of `me`.
    #[must_use]
    pub const fn new(me: PrincipalId) -> Self {
        Self { me, rows: BTreeMap::new(), order: Vec::new() }
    }

    /// What waits is exactly `views`; what no longer waits and is not among them goes.
    pub fn replace(&mut self, views: &[RequestView]) {
        self.rows.retain(|_, row| !matches!(row.state, State::Pending | State::Approved));
        for view in views {
            self.put(view);
        }
        self.sort();
    }

    /// One request is now as `view` says.
    pub fn update(&mut self, view: &RequestView) {
        self.put(view);
        self.sort();
    }

    /// Lets go of what has been over for a while by `now`, and of what is over beyond a handful.
    pub fn tidy(&mut self, now: Timestamp) {
        let mut over: Vec<(Timestamp, RequestId)> =
            self.rows.values().filter(|row| row.is_over()).map(|row| (row.told, row.id)).collect();
        over.sort_unstable();
        let surplus = over.len().saturating_sub(OVER_MAX);
        for (number, (told, id)) in over.into_iter().enumerate() {
            if number < surplus || now.since(told) > OVER_SECONDS {
                self.rows.remove(&id);
            }
        }
        self.sort();
    }

    /// The rows in order: what waits for the user first, the first to lapse first.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Row> {
        let rows: Vec<&Row> = self.order.iter().filter_map(|id| self.rows.get(id)).collect();
        rows.into_iter()
    }

    /// The rows from place `from` on, at most `count`.
    #[must_use]
    pub fn window(&self, from: usize, count: usize) -> Vec<&Row> {
        let ids = self.order.iter().skip(from).take(count);
        ids.filter_map(|id| self.rows.get(id)).collect()
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing waits and nothing happened.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many wait for the user.
    #[must_use]
    pub fn mine(&self) -> usize {
        self.rows.values().filter(|row| row.is_mine).count()
    }

    /// The row in place `at`.
    #[must_use]
    pub fn at(&self, at: usize) -> Option<&Row> {
        self.rows.get(self.order.get(at)?)
    }

    /// In which place `id` is.
    #[must_use]
    pub fn place(&self, id: RequestId) -> Option<usize> {
        self.order.iter().position(|other| *other == id)
    }

    /// What is older than what is known, or no request at all, changes nothing.
    fn put(&mut self, view: &RequestView) {
        let Some(row) = Row::of(view, &self.me) else { return };
        let is_older = self.rows.get(&row.id).is_some_and(|known| known.told > row.told);
        let is_old_news = row.is_over() && !self.rows.contains_key(&row.id);
        if !is_older && !is_old_news {
            self.rows.insert(row.id, row);
        }
    }

    fn sort(&mut self) {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|row| (row.urgency(), row.deadline(), row.asked, row.id));
        self.order = rows.into_iter().map(|row| row.id).collect();
    }
}

impl Row {
    /// The row of `view` for `me`; `None` if it is not a request.
    #[must_use]
    pub fn of(view: &RequestView, me: &PrincipalId) -> Option<Self> {
        let ask = ask(view)?;
        let at = Timestamp::from_unix_seconds;
        let missing = missing(view);
        Some(Self {
            id: ask.id,
            who: clean(ask.by.as_str()),
            scope: clean(ask.scope.as_str()),
            length: duration(ask.ttl.seconds().into()),
            incident: ask.incident.as_deref().map_or_else(|| "-".to_owned(), clean),
            reason: clean(&view.reason_text.replace('\n', " ")),
            missing,
            state: view.state(),
            ending: ending(view),
            is_mine: is_mine(view, me),
            asked: at(view.asked_at),
            lapses: at(view.lapses_at),
            expires: at(view.expires_at),
            told: at(view.answered_at),
        })
    }

    /// How long ago it was asked.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> String {
        short_duration(now.since(self.asked))
    }

    /// When it lapses, or the credential ends.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> String {
        match self.state {
            State::Pending | State::Approved | State::Live => match self.deadline() {
                end if end > now => format!("in {}", short_duration(end.since(now))),
                _ => "now".to_owned(),
            },
            State::Ended | State::Closed | State::Unspecified => "-".to_owned(),
        }
    }

    /// How it stands, in a word or two.
    #[must_use]
    pub fn stands(&self) -> String {
        match self.state {
            State::Pending if self.is_mine => "waits for you".to_owned(),
            State::Pending => "waits for others".to_owned(),
            State::Approved => "approved".to_owned(),
            State::Live => "live".to_owned(),
            State::Ended | State::Closed | State::Unspecified if self.ending.is_empty() => {
                "over".to_owned()
            }
            State::Ended | State::Closed | State::Unspecified => self.ending.clone(),
        }
    }

    /// Whether nothing can be done about it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Closed | State::Unspecified)
    }

    const fn urgency(&self) -> u8 {
        match self.state {
            State::Pending if self.is_mine => 0,
            State::Pending => 1,
            State::Approved => 2,
            State::Live => 3,
            State::Ended | State::Closed | State::Unspecified => 4,
        }
    }

    const fn deadline(&self) -> Timestamp {
        match self.state {
            State::Live => self.expires,
            State::Pending
            | State::Approved
            | State::Ended
            | State::Closed
            | State::Unspecified => self.lapses,
        }
    }
}

fn is_mine(view: &RequestView, me: &PrincipalId) -> bool {
    let waits = view.stages.iter().filter(|stage| {
        u64::try_from(stage.given.len()).unwrap_or(u64::MAX) < u64::from(stage.quorum)
    });
    view.state() == State::Pending
        && waits.flat_map(|stage| &stage.may_approve).any(|who| who == me.as_str())
}

fn missing(view: &RequestView) -> String {
    if view.state() != State::Pending {
        return "-".to_owned();
    }
    let stages = view.stages.iter().filter_map(|stage| {
        let given = u32::try_from(stage.given.len()).unwrap_or(u32::MAX);
        let missing = stage.quorum.saturating_sub(given);
        (missing > 0).then(|| format!("{missing} {}", stage.name))
    });
    let stages = stages.collect::<Vec<_>>().join(", ");
    if stages.is_empty() { "-".to_owned() } else { clean(&stages) }
}

/// What is over stays this long: whoever just approved wants to see what came of it.
const OVER_SECONDS: u64 = 600;

/// More than this is history, which `audit` tells better.
const OVER_MAX: usize = 20;

/// A board of views as a broker would send them, for the tests of this room.
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
pub(super) mod testing;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod tests;
