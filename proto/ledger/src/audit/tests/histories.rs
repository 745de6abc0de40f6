//! Generated honest histories are verified; harm at any place is not.

use proptest::prelude::*;

use super::*;
use crate::entry::{Cause, Outcome};
use crate::id::RequestId;

#[derive(Clone, Debug)]
enum Step {
    Ask { who: &'static str, scope: &'static str },
    Approve { who: &'static str, stage: &'static str },
    Collect,
    Deny,
    Withdraw,
    Drop,
    Pass(u64),
}

/// Biased towards histories that get somewhere.
fn step() -> impl Strategy<Value = Step> {
    let asked = (
        prop::sample::select(vec!["sam", "ann"]),
        prop::sample::select(vec!["root-on-host", "quick", "solo"]),
    );
    let given = prop::sample::select(vec![
        ("ada", "app-owner"),
        ("bob", "security"),
        ("eve", "security"),
        ("ada", "second-person"),
        ("eve", "second-person"),
    ]);
    prop_oneof![
        5 => asked.prop_map(|(who, scope)| Step::Ask { who, scope }),
        8 => given.prop_map(|(who, stage)| Step::Approve { who, stage }),
        6 => Just(Step::Collect),
        1 => Just(Step::Deny),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Drop),
        2 => (1..400_u64).prop_map(Step::Pass),
    ]
}

/// One open request, and what was done about it.
struct Open {
    id: RequestId,
    who: &'static str,
    scope: &'static str,
    yes: Vec<(&'static str, &'static str)>,
    lapses: Timestamp,
    /// The end of its credential, and whether that is revoked.
    issued: Option<(Timestamp, bool)>,
}

impl Open {
    fn stages(&self) -> &'static [&'static str] {
        match self.scope {
            "root-on-host" => &["app-owner", "security"],
            "quick" => &["second-person"],
            _ => &[],
        }
    }
}

/// Plays a broker that passes over, silently, what may not be.
#[derive(Default)]
struct Broker {
    open: Vec<Open>,
}

impl Broker {
    fn take(&mut self, house: &mut House, step: &Step) {
        match step {
            Step::Pass(seconds) => house.pass(*seconds),
            Step::Ask { who, scope } => {
                let pending = house.policy.scope(&scope.parse().unwrap()).unwrap().pending_max;
                let lapses = house.now.plus(pending.into());
                let id = house.request(who, scope, 300);
                self.open.push(Open { id, who, scope, yes: Vec::new(), lapses, issued: None });
            }
            Step::Approve { who, stage } => {
                let waits = |open: &&mut Open| {
                    open.issued.is_none()
                        && open.stages().contains(stage)
                        && open.yes.iter().all(|(by, _)| by != who)
                };
                if let Some(open) = self.open.iter_mut().find(waits) {
                    house.approve(open.id, who, stage);
                    open.yes.push((who, stage));
                }
            }
            Step::Collect => self.collect(house),
            Step::Deny => {
                if let Some(open) = self.pending(|open| open.scope != "solo") {
                    house.deny(open.id, if open.scope == "quick" { "ada" } else { "bob" });
                }
            }
            Step::Withdraw => {
                if let Some(open) = self.pending(|_| true) {
                    house.withdraw(open.id, open.who);
                }
            }
            Step::Drop => {
                let live = |open: &&mut Open| matches!(open.issued, Some((_, false)));
                if let Some(open) = self.open.iter_mut().find(live) {
                    house.drop_grant(open.id, open.who);
                    open.issued = open.issued.map(|(end, _)| (end, true));
                }
            }
        }
        self.sweep(house);
    }

    /// Takes out the first pending request that `fits`.
    fn pending(&mut self, fits: impl Fn(&Open) -> bool) -> Option<Open> {
        let at = self.open.iter().position(|open| open.issued.is_none() && fits(open))?;
        Some(self.open.remove(at))
    }

    fn collect(&mut self, house: &mut House) {
        let is_root = |open: &&Open| open.scope == "root-on-host";
        let is_live = |open: &&Open| matches!(open.issued, Some((_, false)));
        let has_room = self.open.iter().filter(is_root).filter(is_live).count() < 2;
        let is_ready = |open: &&mut Open| {
            let has = |stage| open.yes.iter().any(|(_, given)| given == stage);
            open.issued.is_none()
                && open.stages().iter().all(has)
                && (has_room || open.scope != "root-on-host")
        };
        if let Some(open) = self.open.iter_mut().find(is_ready) {
            house.collect(open.id);
            house.pick_up(open.id);
            open.issued = Some((house.now.plus(300), false));
        }
    }

    /// The clock: everything that is due, before anything else is heard.
    fn sweep(&mut self, house: &mut House) {
        let now = house.now;
        self.open.retain_mut(|open| match open.issued {
            None if open.lapses <= now => {
                house.lapse(open.id);
                false
            }
            Some((end, revoked)) => {
                if !revoked && end <= now {
                    house.record(house.revoking(open.id, Cause::Expired, None));
                    open.issued = Some((end, true));
                }
                let is_over = end.plus(300) <= now;
                if is_over {
                    house.close(open.id, Outcome::Revoked);
                }
                !is_over
            }
            None => true,
        });
    }
}

fn played(steps: &[Step]) -> House {
    let mut house = House::new();
    let mut broker = Broker::default();
    for step in steps {
        broker.take(&mut house, step);
    }
    house
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_honest_history_is_verified(steps in prop::collection::vec(step(), 1..40)) {
        prop_assert_eq!(played(&steps).verify().findings, []);
    }

    /// A line left out, doubled, swapped with another, or with one byte changed.
    #[test]
    fn harm_at_any_place_is_caught(
        steps in prop::collection::vec(step(), 4..12), harm in 0..4_u8,
        one in any::<prop::sample::Index>(), two in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let house = played(&steps);
        let honest = house.export();
        let mut lines = honest.lines();
        let (at, other) = (one.index(lines.len()), two.index(lines.len()));
        match harm {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            _ => {
                let place = two.index(lines[at].len());
                lines[at][place] = byte;
            }
        }
        let mut harmed = honest.clone();
        harmed.set_lines(&lines);
        let report = harmed.verify(&house.trust(), None);
        prop_assert_eq!(report.verdict == Verdict::Verified, harmed == honest);
    }
}

/// The generator is worth something only if it gets to credentials and through all their ends.
#[test]
fn the_generator_reaches_credentials() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let histories = prop::collection::vec(step(), 1..40);
    let mut issued = 0;
    for _ in 0..20 {
        let steps = histories.new_tree(&mut runner).unwrap().current();
        issued += played(&steps).verify().issued;
    }
    assert!(issued >= 20, "{issued} credentials in 20 histories");
}
