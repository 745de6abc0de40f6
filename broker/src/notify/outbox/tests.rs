//! Stories of a queue: what is tried when, and what is written down in the end.
#![expect(clippy::arithmetic_side_effects, reason = "small sums; a panic fails the test")]

use super::*;
use crate::notify::notice::Topic;
use crate::notify::testing::{NOW, id, notice_of};

struct Play {
    outbox: Outbox,
    board: Arc<Board>,
    now: u64,
}

impl Play {
    fn new() -> Self {
        let board = Arc::new(Board::default());
        let names = ["ntfy", "mail"].map(channel);
        let outbox = Outbox::new(names, Arc::clone(&board));
        Self { outbox, board, now: NOW.unix_seconds() * 1000 }
    }

    fn now(&self) -> Moment {
        Moment::from_unix_millis(self.now)
    }

    fn add(&mut self, entry: u64, name: &str) {
        self.add_topic(entry, name, Topic::Asked);
    }

    fn add_topic(&mut self, entry: u64, name: &str, topic: Topic) {
        let notice = notice_of(entry, topic, &format!("{name}:x"));
        self.outbox.add(notice, Some(&channel(name)));
    }

    /// Tries what is due; each attempt ends as `outcome` says.
    fn pass(&mut self, outcome: impl Fn(&Attempt) -> std::result::Result<(), Trouble>) -> Vec<u64> {
        let attempts = self.outbox.take(self.now());
        for attempt in &attempts {
            self.outbox.done(attempt, outcome(attempt), self.now(), 0);
        }
        attempts.iter().map(|attempt| attempt.notice.entry).collect()
    }

    fn results(&mut self) -> Vec<(u64, bool, u32)> {
        let results = self.outbox.results(100);
        self.outbox.handed_in(&results, true);
        results.iter().map(|one| (one.entry, one.delivered, one.attempts)).collect()
    }

    fn standings(&self) -> Vec<Standing> {
        self.board.about(id(1)).into_iter().map(|told| told.standing).collect()
    }
}

fn channel(name: &str) -> ChannelId {
    name.parse().expect("a name")
}

fn down(_: &Attempt) -> std::result::Result<(), Trouble> {
    Err(Trouble::channel("down"))
}

fn works(_: &Attempt) -> std::result::Result<(), Trouble> {
    Ok(())
}

#[test]
fn what_is_delivered_is_written_down_once() {
    let mut play = Play::new();
    play.add(7, "ntfy");
    play.add(7, "ntfy");
    assert_eq!(play.pass(works), [7]);
    assert_eq!(play.pass(works), Vec::<u64>::new());
    assert_eq!(play.results(), [(7, true, 1)]);
    assert_eq!(play.results(), []);
    assert!(play.outbox.is_empty());
    assert_eq!(play.standings(), [Standing::Delivered]);
}

#[test]
fn a_dead_channel_is_tried_with_one_notice_at_a_time_and_does_not_hold_up_another() {
    let mut play = Play::new();
    for entry in 1..=6 {
        play.add(entry, "ntfy");
    }
    play.add(7, "mail");
    let ntfy_is_down =
        |attempt: &Attempt| if attempt.channel.as_str() == "ntfy" { down(attempt) } else { Ok(()) };
    assert_eq!(play.pass(ntfy_is_down), [7, 1, 2, 3, 4], "mail, and four at once by ntfy");
    assert_eq!(play.pass(ntfy_is_down), Vec::<u64>::new(), "left alone");
    play.now += 60_000;
    assert_eq!(play.pass(ntfy_is_down), [5], "one, and the least tried");
    play.now += 60_000;
    assert_eq!(play.pass(ntfy_is_down), [6]);
    assert_eq!(play.standings().iter().filter(|one| **one == Standing::Failing).count(), 6);
    play.now += 60_000;
    assert_eq!(play.pass(works), [1], "it works again");
    assert_eq!(play.pass(works), [2, 3, 4, 5], "so all go");
    assert_eq!(play.pass(works), [6]);
    let results = play.results();
    assert!(results.iter().all(|(_, delivered, _)| *delivered) && results.len() == 7);
}

#[test]
fn the_other_side_may_ask_for_time() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    let wait = Some(Duration::from_secs(30));
    play.pass(|_| Err(Trouble::Channel { what: "429".to_owned(), wait }));
    assert_eq!(play.outbox.next(), Some(Moment::from_unix_millis(play.now + 30_000)));
    play.now += 29_999;
    assert!(play.pass(works).is_empty());
    play.now += 1;
    assert_eq!(play.pass(works), [1]);
}

#[test]
fn a_notice_that_is_refused_is_given_up_and_the_others_go() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    play.add(2, "ntfy");
    let refused = |attempt: &Attempt| match attempt.notice.entry {
        1 => Err(Trouble::notice("bad topic")),
        _ => Ok(()),
    };
    let mut tries = 0;
    for _ in 0..20 {
        tries += play.pass(refused).iter().filter(|entry| **entry == 1).count();
        play.now += 60_000;
    }
    assert_eq!(tries, 6);
    let mut results = play.results();
    results.sort_unstable();
    assert_eq!(results, [(1, false, 6), (2, true, 1)]);
}

#[test]
fn what_nobody_needs_any_more_is_given_up_and_news_are_not() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    play.add_topic(2, "ntfy", Topic::Denied);
    play.outbox.settled(id(1));
    assert_eq!(play.results(), [(1, false, 0)]);
    assert_eq!(play.pass(works), [2]);
    assert_eq!(play.results(), [(2, true, 1)]);
}

#[test]
fn what_is_under_way_when_it_becomes_moot_still_counts_if_it_arrives() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    play.add(2, "mail");
    let attempts = play.outbox.take(play.now());
    play.outbox.settled(id(1));
    assert_eq!(play.results(), []);
    for attempt in &attempts {
        let outcome =
            if attempt.channel.as_str() == "ntfy" { works(attempt) } else { down(attempt) };
        play.outbox.done(attempt, outcome, play.now(), 0);
    }
    let mut results = play.results();
    results.sort_unstable();
    assert_eq!(results, [(1, true, 1), (2, false, 1)]);
}

#[test]
fn telling_has_an_end() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    play.pass(down);
    play.now = NOW.plus(899).unix_seconds() * 1000;
    play.outbox.trim(play.now());
    assert_eq!(play.results(), []);
    play.now += 1000;
    play.outbox.trim(play.now());
    assert_eq!(play.results(), [(1, false, 1)]);
    assert_eq!(play.standings(), [Standing::GivenUp]);
}

#[test]
fn a_full_queue_gives_up_its_oldest() {
    let mut play = Play::new();
    let surplus = 3;
    for entry in 0..u64::try_from(QUEUE_MAX).expect("small") + surplus {
        play.add(entry, "ntfy");
    }
    play.outbox.trim(play.now());
    let mut results = play.results();
    results.sort_unstable();
    assert_eq!(results, [(0, false, 0), (1, false, 0), (2, false, 0)]);
    play.outbox.trim(play.now());
    assert_eq!(play.results(), []);
}

/// What a start reads again: notices first, their results behind them.
#[test]
fn what_the_ledger_knows_is_not_told_again() {
    let mut play = Play::new();
    for entry in 1..=3 {
        play.add(entry, "ntfy");
    }
    // 1 was delivered; 2 was settled and its end is on record; 3 was settled by the crash's leave.
    play.outbox.known(crate::notify::notice::name(1, "ntfy:x", 0), true, 2);
    play.outbox.settled(id(1));
    play.outbox.known(crate::notify::notice::name(2, "ntfy:x", 0), false, 1);
    assert!(play.pass(works).is_empty());
    assert_eq!(play.results(), [(3, false, 0)]);
    assert_eq!(play.standings(), [Standing::Delivered, Standing::GivenUp, Standing::GivenUp]);
}

#[test]
fn results_that_the_desk_did_not_take_are_offered_again() {
    let mut play = Play::new();
    play.add(1, "ntfy");
    play.pass(works);
    let results = play.outbox.results(10);
    assert_eq!(results.len(), 1);
    assert!(play.outbox.results(10).is_empty(), "the desk has it");
    play.outbox.handed_in(&results, false);
    assert_eq!(play.outbox.results(10), results);
}

#[test]
fn an_address_for_no_channel_is_shown_and_never_tried() {
    let mut play = Play::new();
    play.outbox.add(notice_of(1, Topic::Asked, "pigeon:x"), None);
    assert!(play.pass(works).is_empty());
    assert!(play.outbox.is_empty());
    assert_eq!(play.standings(), [Standing::NoChannel]);
}
