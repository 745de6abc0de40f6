//! What hosts may report, what of it is news, and where it ends.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{Act, Applied, Canary, List, Maybe, Serial, Use};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{
    Landing, Reported, STRANGER_WINDOW_SECONDS, STRANGERS_MAX, TARGETS_MAX, USE_AHEAD_SECONDS,
    USE_WINDOW_SECONDS,
};

use crate::house::House;
use crate::law::key;

/// The key of each service of the law, and of sam.
const DB_1: u8 = 24;
const DB_2: u8 = 25;
const SAM: u8 = 1;

type Told = Result<String, &'static str>;

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

/// The broker published list 7; nobody has reported anything.
fn published() -> Landing {
    Landing { newest: Some(7), published: Some(Digest::of(b"seven")), ..Landing::NONE }
}

fn before(version: u64, canary: Canary) -> Option<Reported> {
    Some(Reported { version, canary, seq: 3 })
}

/// `by` says that list `version` is in force at `target`.
fn applies(landing: Landing, by: (&str, u8), target: &str, version: u64, canary: Canary) -> Told {
    let mut house = House::new();
    house.landing = landing;
    let statement = house.compose(Act::Applied(Applied {
        by: by.0.parse().unwrap(),
        target: target.parse().unwrap(),
        list: List::Krl,
        version,
        digest: Digest::of(b"seven"),
        canary,
        latency: Maybe(None),
        ended: Maybe(None),
    }));
    house.submit(&statement, &key(by.1)).map_err(|refusal| refusal.name())
}

fn db_1(landing: Landing, version: u64, canary: Canary) -> Told {
    applies(landing, ("db-1", DB_1), "db-1", version, canary)
}

/// db-1 saw serial 40 used, so many seconds from now (or ago, if negative).
fn saw(landing: Landing, from_now: i64) -> Told {
    let mut house = House::new();
    house.landing = landing;
    let at = Timestamp::from_unix_seconds(house.now.unix_seconds().saturating_add_signed(from_now));
    let act = Act::Use(Use {
        by: "db-1".parse().unwrap(),
        target: "db-1".parse().unwrap(),
        serial: Serial(40),
        at,
    });
    let statement = house.compose(act);
    house.submit(&statement, &key(DB_1)).map_err(|refusal| refusal.name())
}

fn ago(seconds: u64) -> Timestamp {
    House::new().now.minus(seconds)
}

#[test]
fn a_service_reports_of_itself_and_of_what_is_below_it() {
    let by_whom = |by, target| applies(published(), by, target, 7, Canary::Untried);
    assert_eq!(by_whom(("db-1", DB_1), "db-1"), ok("applied"));
    assert_eq!(by_whom(("db-1", DB_1), "db-1.nginx"), ok("applied"));
    assert_eq!(by_whom(("sam", SAM), "sam"), Err("not-a-host"));
    assert_eq!(by_whom(("db-1", DB_1), "db-2"), Err("target-not-theirs"));
    assert_eq!(by_whom(("db-1", DB_1), "db-10"), Err("target-not-theirs"));
    // Below it by name, and somebody of their own.
    assert_eq!(by_whom(("db-2", DB_2), "db-2.web"), Err("target-not-theirs"));
}

#[test]
fn a_list_that_was_never_published_or_is_another_is_not_in_force_anywhere() {
    assert_eq!(db_1(published(), 8, Canary::Refused), Err("list-not-published"));
    let other = Landing { published: Some(Digest::of(b"another")), ..published() };
    assert_eq!(db_1(other, 7, Canary::Refused), Err("list-mismatch"));
    let unknown = Landing { published: None, ..published() };
    assert_eq!(db_1(unknown, 7, Canary::Refused), Err("list-mismatch"));
    assert_eq!(db_1(Landing::NONE, 7, Canary::Refused), Err("list-unknown"));
}

#[test]
fn a_target_never_goes_back_and_says_nothing_twice() {
    let after = |version, canary| Landing { reported: before(version, canary), ..published() };
    assert_eq!(db_1(after(8, Canary::Untried), 7, Canary::Refused), Err("list-older"));
    assert_eq!(db_1(after(6, Canary::Untried), 7, Canary::Untried), ok("applied"));
    assert_eq!(db_1(after(7, Canary::Untried), 7, Canary::Untried), ok("again 3"));
    assert_eq!(db_1(after(7, Canary::Refused), 7, Canary::Untried), ok("again 3"));
    // What is worse is news.
    assert_eq!(db_1(after(7, Canary::Untried), 7, Canary::Refused), ok("applied"));
    assert_eq!(db_1(after(7, Canary::Refused), 7, Canary::Accepted), ok("applied"));
    assert_eq!(db_1(after(7, Canary::Accepted), 7, Canary::Refused), ok("again 3"));
}

#[test]
fn a_service_has_so_many_targets_and_goes_on_reporting_of_those() {
    let full = Landing { targets: TARGETS_MAX, ..published() };
    assert_eq!(db_1(full.clone(), 7, Canary::Untried), Err("targets-many"));
    let known = Landing { reported: before(6, Canary::Untried), ..full };
    assert_eq!(db_1(known, 7, Canary::Untried), ok("applied"));
    let room = Landing { targets: TARGETS_MAX - 1, ..published() };
    assert_eq!(db_1(room, 7, Canary::Untried), ok("applied"));
}

/// The grant is closed here, so that a use is written beside it.
#[test]
fn uses_are_one_for_a_while_and_the_first_after_the_end_is_never_lost() {
    let known = Landing { is_known: true, ..Landing::NONE };
    let seen = |seconds, ended| Landing { seen: Some((ago(seconds), 3)), ended, ..known.clone() };
    assert_eq!(saw(known.clone(), 0), ok("reconciled"));
    assert_eq!(saw(seen(USE_WINDOW_SECONDS - 1, None), 0), ok("again 3"));
    assert_eq!(saw(seen(USE_WINDOW_SECONDS, None), 0), ok("reconciled"));
    // Ended between the two.
    assert_eq!(saw(seen(10, Some(ago(5))), 0), ok("reconciled"));
    assert_eq!(saw(seen(10, Some(ago(20))), 0), ok("again 3"));
    let ahead = i64::try_from(USE_AHEAD_SECONDS).unwrap();
    assert_eq!(saw(known.clone(), ahead), ok("reconciled"));
    assert_eq!(saw(known, ahead + 1), Err("use-ahead"));
}

#[test]
fn what_the_ledger_does_not_know_is_news_once_a_day_and_so_often_and_no_more() {
    let stranger = |seconds| Landing { seen: Some((ago(seconds), 3)), ..Landing::NONE };
    assert_eq!(saw(Landing::NONE, 0), ok("reconciled"));
    assert_eq!(saw(stranger(STRANGER_WINDOW_SECONDS - 1), 0), ok("again 3"));
    assert_eq!(saw(stranger(STRANGER_WINDOW_SECONDS), 0), ok("reconciled"));
    let many = |strangers| Landing { strangers, stranger: Some(5), ..Landing::NONE };
    assert_eq!(saw(many(STRANGERS_MAX - 1), 0), ok("reconciled"));
    assert_eq!(saw(many(STRANGERS_MAX), 0), ok("again 5"));
}
