//! Generated histories in a real house, and after every step two judges that read only what was
//! written: the verifier over a whole export, and [`eye`], which shares no code with it.

mod eye;
mod law;
mod step;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestRunner};

use step::history;
pub(crate) use step::{Holder, How, Step, Twist};
pub(crate) use world::World;

/// Histories of one run; `PROPTEST_CASES` overrides it.
const CASES: u32 = 48;

/// How often histories got somewhere.
#[derive(Default)]
struct Reach {
    histories: usize,
    types: BTreeMap<&'static str, usize>,
    refusals: BTreeMap<&'static str, usize>,
}

#[test]
fn whatever_happens_the_ledger_alone_shows_that_it_was_right() {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { Config::default().cases } else { CASES };
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let reach = RefCell::new(Reach::default());
    let outcome = TestRunner::new(config).run(&history(), |steps| {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.ends();
        reach.borrow_mut().count(&world);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    reach.into_inner().check();
}

impl Reach {
    fn count(&mut self, world: &World) {
        self.histories += 1;
        for name in &world.reached.types {
            *self.types.entry(name).or_default() += 1;
        }
        for name in &world.reached.refusals {
            *self.refusals.entry(name).or_default() += 1;
        }
    }

    /// A property is worth what its generator reaches. The floors are half of what is usual, and
    /// the refusals named come in every third history or more.
    fn check(&self) {
        let all = self.histories;
        let (types, refusals) = (&self.types, &self.refusals);
        let of = |name| types.get(name).copied().unwrap_or_default();
        assert!(of("issued") * 2 >= all, "too few credentials: {types:?} of {all}");
        assert!(of("revoked") * 4 >= all, "too few revocations: {types:?} of {all}");
        assert!(of("closed") * 5 >= all, "too few grants to their end: {types:?} of {all}");
        if all >= 48 {
            let usual = ["wrong-state", "request-unknown", "key-unknown", "expired", "repeated"];
            let missed: Vec<_> =
                usual.iter().filter(|name| !refusals.contains_key(**name)).collect();
            assert!(missed.is_empty(), "never reached {missed:?}");
            assert!(refusals.len() >= 22, "only {} refusals: {refusals:?}", refusals.len());
            assert!(types.len() >= 11, "only {types:?}");
        }
    }
}
