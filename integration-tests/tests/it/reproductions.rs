//! Every fault that generated histories found, as the shortest list of steps that shows it.
//!
//! [`World::step`] judges after each of them.

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
