//! Generated histories in a real house, and after every step two judges that read only what was
//! written: the verifier over a whole export, and [`eye`], which shares no code with it.
//!
//! The same histories are drawn in every run. `PROPTEST_CASES` draws more of them, `HISTORIES_SEED`
//! others. A history that fails is printed at its shortest, as steps that `reproductions.rs` can
//! play again as they stand.

mod draw;
mod eye;
mod floors;
mod law;
mod register;
mod rules;
mod step;
mod themes;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

pub(crate) use step::{Holder, How, Step, Twist};
pub(crate) use world::World;

/// Histories of one run; `PROPTEST_CASES` overrides it.
const CASES: u32 = 300;

/// Attempts to make a history that fails shorter.
const SHRINKS: u32 = 200;

/// Drawn and played side by side, each with a seed of its own.
const PLAYERS: u8 = 2;

/// How often histories got somewhere.
#[derive(Default)]
struct Reach {
    histories: usize,
    tally: BTreeMap<String, usize>,
}

#[test]
fn whatever_happens_the_ledger_alone_shows_that_it_was_right() {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { Config::default().cases } else { CASES };
    let seed = std::env::var("HISTORIES_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut reach = Reach::default();
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..PLAYERS)
            .map(|player| scope.spawn(move || play(cases / u32::from(PLAYERS), seed, player)))
            .collect();
        for player in players {
            reach.add(player.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
        }
    });
    println!("{} histories: {:#?}", reach.histories, reach.tally);
    if !chosen && seed == 0 {
        floors::check(&reach.tally);
    }
}

fn play(cases: u32, seed: u64, player: u8) -> Reach {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: SHRINKS, ..Config::default() };
    let mut bytes = [player; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let dice = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let reach = RefCell::new(Reach::default());
    let outcome = TestRunner::new_with_rng(config, dice).run(&draw::history(), |steps| {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.ends();
        reach.borrow_mut().count(&world);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => panic!("{why}\nafter {steps:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    reach.into_inner()
}

impl Reach {
    fn count(&mut self, world: &World) {
        self.histories += 1;
        for (what, times) in world.tally() {
            *self.tally.entry(what.clone()).or_default() += times;
        }
        for (what, times) in &world.reached.steps {
            *self.tally.entry((*what).to_owned()).or_default() += times;
        }
    }

    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        for (what, times) in other.tally {
            *self.tally.entry(what).or_default() += times;
        }
    }
}
