//! From rounds to news: a state machine without clock or network.
//!
//! Going down takes several bad rounds in a row and some time; coming up takes more good rounds and
//! more time. A single lost packet is not an outage, and a single good answer is not a recovery.

use std::collections::VecDeque;
use std::time::Duration;

use super::seen::Round;
use super::settings::Numbers;

/// What is told to the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is down.
    Down,
    /// It is up again.
    Up,
    /// Everything fails: we are cut off, and know nothing.
    Blind,
    /// It changed too often to be called up or down.
    Flapping,
    /// It is watched as it should be again.
    Seen,
}

/// Where a dependency stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It answers.
    Up,
    /// Bad rounds, not yet enough of them.
    Suspect { rounds: u32, since: Duration },
    /// Down.
    Down,
    /// Good rounds, not yet enough of them.
    Recovering { rounds: u32, since: Duration },
}

/// One dependency's hysteresis. Time is monotonic, since any beginning.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    numbers: Numbers,
    phase: Phase,
    blind: bool,
    flapping: bool,
    /// Whether it is down on record: while flapping that may differ from its phase.
    told_down: bool,
    /// When it went down or up, as far back as flapping is judged.
    changes: VecDeque<Duration>,
}

impl Machine {
    /// One that is `down` on record, or not.
    pub(super) fn new(numbers: Numbers, down: bool) -> Self {
        let phase = if down { Phase::Down } else { Phase::Up };
        let changes = VecDeque::new();
        Self { numbers, phase, blind: false, flapping: false, told_down: down, changes }
    }

    /// Takes a round that ended at `now`; answers what is news, in order.
    pub(super) fn take(&mut self, now: Duration, round: Round) -> Vec<News> {
        let mut news = self.sight(round);
        let before = self.is_down();
        self.phase = self.next(now, round);
        if self.is_down() != before {
            self.changes.push_back(now);
        }
        news.extend(self.calm(now));
        if self.is_down() != self.told_down && (!self.flapping || self.told_down) {
            self.told_down = self.is_down();
            news.push(if self.told_down { News::Down } else { News::Up });
        }
        news
    }

    /// Whether the probes see at all.
    fn sight(&mut self, round: Round) -> Vec<News> {
        let blind = match round {
            Round::Blind => true,
            Round::Good | Round::Bad => false,
            Round::Void => self.blind,
        };
        if blind == self.blind {
            return Vec::new();
        }
        self.blind = blind;
        vec![if blind { News::Blind } else { News::Seen }]
    }

    fn next(&self, now: Duration, round: Round) -> Phase {
        match (self.phase, round) {
            (Phase::Up, Round::Bad) => self.suspect(1, now, now),
            (Phase::Suspect { rounds, since }, Round::Bad) => {
                self.suspect(rounds.saturating_add(1), since, now)
            }
            // Neither our own failure nor our being cut off ever adds up to an outage.
            (Phase::Up | Phase::Suspect { .. }, Round::Good | Round::Void | Round::Blind) => {
                Phase::Up
            }
            (Phase::Down, Round::Good) => self.recover(1, now, now),
            (Phase::Recovering { rounds, since }, Round::Good) => {
                self.recover(rounds.saturating_add(1), since, now)
            }
            (Phase::Down | Phase::Recovering { .. }, Round::Bad) => Phase::Down,
            (Phase::Down | Phase::Recovering { .. }, Round::Void | Round::Blind) => self.phase,
        }
    }

    fn suspect(&self, rounds: u32, since: Duration, now: Duration) -> Phase {
        let lasted = now.saturating_sub(since);
        let enough = rounds >= self.numbers.down_rounds && lasted >= self.numbers.down_time();
        if enough { Phase::Down } else { Phase::Suspect { rounds, since } }
    }

    fn recover(&self, rounds: u32, since: Duration, now: Duration) -> Phase {
        let lasted = now.saturating_sub(since);
        let enough = rounds >= self.numbers.up_rounds && lasted >= self.numbers.up_time();
        if enough { Phase::Up } else { Phase::Recovering { rounds, since } }
    }

    const fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Down | Phase::Recovering { .. })
    }

    /// Whether it changes too often. While it does, nothing new is opened: the freeze is at the more
    /// restrictive side, so an end is still told and a beginning is not.
    fn calm(&mut self, now: Duration) -> Option<News> {
        let window = self.numbers.flap_window();
        while self.changes.front().is_some_and(|at| now.saturating_sub(*at) >= window) {
            self.changes.pop_front();
        }
        let most = usize::try_from(self.numbers.flap_changes).unwrap_or(usize::MAX);
        let flapping = self.changes.len() > most;
        if flapping == self.flapping {
            return None;
        }
        self.flapping = flapping;
        Some(if flapping { News::Flapping } else { News::Seen })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod tests;
