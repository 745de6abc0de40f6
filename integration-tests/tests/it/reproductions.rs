//! Every fault found once, as the shortest list of steps that shows it.
//!
//! [`World::step`] judges after each of them.

use breakglass_broker::desk::DeskError;
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_integration_tests::site::Site;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{Act, Approve, Collect, Kind};
use breakglass_ledger::time::Ttl;

use crate::histories::{How, Step, Twist, World};

fn replay(steps: &[Step]) {
    let mut world = World::new();
    steps.iter().for_each(|step| world.step(step));
    world.ends();
}

fn solo(ttl: u32) -> [Step; 2] {
    let collect = Step::Collect {
        of: usize::MAX,
        by: crate::histories::Holder::Subject,
        twist: Twist::Nothing,
    };
    [Step::Ask { who: "sam", key: 0, scope: "solo", ttl }, collect]
}

/// A refused act that named somebody else than its signer was written down as that person's doing,
/// so that anybody with a key could make the ledger read as tampered with.
#[test]
fn a_refused_act_is_its_signers_whomever_it_names() {
    let twist = Twist::Key("ada", 0);
    let [ask, _] = solo(60);
    replay(&[ask, Step::End { of: 0, who: "sam", how: How::Withdraw, twist }]);
}

/// A pass of the sweep that revoked what had expired long ago said that nothing was left to do,
/// although the grant was due to be closed; it stayed open, and on the list, until the next nap.
#[test]
fn a_pass_goes_on_with_what_it_made_due_itself() {
    let [ask, collect] = solo(1);
    let [again, collect_again] = solo(1);
    replay(&[ask, collect, Step::Pass(599_000), Step::Pass(599_000), again, collect_again]);
}

/// A statement refused for an end too far ahead was refused for that again when its bytes came
/// again, and writing that down a second time failed the whole batch.
#[test]
fn bytes_that_were_refused_once_are_not_written_again() {
    let [ask, _] = solo(60);
    let twist = Twist::TooFar;
    replay(&[ask, Step::End { of: 0, who: "sam", how: How::Deny, twist }, Step::Again(1)]);
}

/// The sweep went by the clock alone: when that stepped back, what was over by the ledger's own time
/// stayed alive until the clock had caught up.
#[test]
fn what_is_over_by_the_ledger_ends_on_a_clock_that_went_back() {
    let [ask, collect] = solo(1);
    let [again, collect_again] = solo(60);
    let mut world = World::new();
    for step in [ask, collect, Step::Unswept(30_000), again, Step::Back(90), Step::Sweep] {
        world.step(&step);
    }
    assert!(world.tally().contains_key("entry revoked"));
    for step in [collect_again, Step::Pass(900_000)] {
        world.step(&step);
    }
    world.ends();
}

/// sam asks for root; answers the digest of the request and its subject key.
fn asked(house: &mut House) -> (Digest, Person) {
    let subject = Person::named("subject");
    let statement =
        house.statement(Act::Request(ask("sam", "root-on-host", 900, 1, subject.key())));
    let request = statement.digest();
    house.submit(&Person::named("sam"), statement).expect("asked");
    (request, subject)
}

fn approval(house: &House, request: Digest, by: &str, stage: &str) -> Act {
    Act::Approve(Approve {
        request,
        by: by.parse().unwrap(),
        stage: stage.parse().unwrap(),
        policy: house.desk().policy().digest,
        ttl_max: Ttl::from_seconds(1800).unwrap(),
        comment: None,
    })
}

/// A policy was looked for among the first thousand only, so that after as many changes no restart
/// and no collecting worked.
#[test]
fn the_policy_in_force_is_found_after_a_thousand_others() {
    let mut house = House::sample();
    for version in 2..=1026_u32 {
        let mut files = sample_files();
        files.scopes.extend(format!("# {version}\n").as_bytes());
        house.push(files).expect("pushed");
    }
    let (request, subject) = asked(&mut house);
    house.restart();
    for (who, stage) in [("ada", "app-owner"), ("bob", "security")] {
        let approve = approval(&house, request, who, stage);
        house.act(&Person::named(who), approve).expect("approved");
    }
    let collect = Act::Collect(Collect { request, kind: Kind::Ssh });
    house.act(&subject, collect).expect("collected");
}

/// A clock that jumped years ahead while the daemon ran dated an entry there, and nothing could be
/// granted any more until those years had passed.
#[test]
fn a_clock_that_jumps_far_ahead_writes_nothing() {
    let mut house = House::sample();
    let (request, _) = asked(&mut house);
    let before = house.entries().len();
    let approve = approval(&house, request, "ada", "app-owner");
    let statement = house.statement(approve);
    house.clock.advance(40 * 86_400);
    let swept = house.sweep();
    assert!(matches!(swept, Err(DeskError::ClockAhead { .. })), "{swept:?}");
    let answer = house.submit(&Person::named("ada"), statement.clone());
    assert!(matches!(answer, Err(DeskError::ClockAhead { .. })), "{answer:?}");
    assert_eq!(house.entries().len(), before);
    // Set right again, it goes on as if nothing had happened.
    house.clock.set(House::begin());
    house.submit(&Person::named("ada"), statement).expect("approved");
}

/// Where the ledger had been removed, `init` began another one under the same keys: a second
/// history of the same log, which a reviewer who had seen nothing before could not tell from it.
#[test]
fn a_ledger_that_is_gone_is_not_begun_again_under_its_old_identity() {
    let site = Site::sample();
    std::fs::remove_dir_all(site.ledger()).unwrap();
    let again = site.init();
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.err.contains("restore it from a backup"), "{}", again.err);
    assert!(!site.ledger().exists());
}
