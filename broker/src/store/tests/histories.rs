//! Random histories of batches and failures: after each, what is durable is one ledger.

use proptest::prelude::*;

use breakglass_ledger::tree::{
    Frontier, consistency, inclusion, root_at, verify_consistency, verify_inclusion,
};

use super::*;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of this many entries that succeeds.
    Append(u64),
    /// A batch of grants, each as far as its number says.
    Grants(Vec<u8>),
    /// A batch of this many entries that its caller gives up.
    GiveUp(u64),
    /// A batch that meets a full disk.
    Fill(u64),
    /// A batch without a checkpoint.
    Forget(u64),
    /// The daemon is started again.
    Restart,
    /// Time passes, in seconds.
    Pass(u64),
}

/// Biased towards histories that cross the kept levels of the tree (16, 256, 4096).
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..300_u64).prop_map(Step::Append),
        2 => (1..4_u64).prop_map(Step::Append),
        4 => prop::collection::vec(0..6_u8, 1..12).prop_map(Step::Grants),
        1 => (0..300_u64).prop_map(Step::GiveUp),
        2 => (300..600_u64).prop_map(Step::Fill),
        1 => (1..300_u64).prop_map(Step::Forget),
        2 => Just(Step::Restart),
        2 => (0..100_000_u64).prop_map(Step::Pass),
    ]
}

/// What a history has reached so far.
struct Play {
    house: House,
    store: Option<Store>,
    grants: u32,
    /// Heads that were durable, the oldest first.
    heads: Vec<Head>,
}

impl Play {
    fn new() -> Self {
        let (house, store) = House::founded();
        let heads = vec![store.head()];
        Self { house, store: Some(store), grants: 0, heads }
    }

    fn take(&mut self, step: Step) {
        let house = &mut self.house;
        let store = self.store.as_mut().unwrap();
        match step {
            Step::Append(count) => house.write(store, (0..count).map(software)).unwrap(),
            Step::Grants(lengths) => {
                let bodies: Vec<Body> = lengths
                    .into_iter()
                    .flat_map(|length| {
                        self.grants += 1;
                        life(Grant { number: self.grants, at: house.now() }, length)
                    })
                    .collect();
                house.write(store, bodies).unwrap();
            }
            Step::GiveUp(count) => {
                let answer = store.write(|write| {
                    house.append(write, (0..count).map(software))?;
                    write.put_checkpoint(&house.note(write.head()))?;
                    Err::<(), _>(StoreError::Busy)
                });
                assert!(matches!(answer, Err(StoreError::Busy)));
            }
            Step::Fill(count) => {
                let limit = |store: &Store, pages: i64| {
                    let connection = store.read.connection().unwrap();
                    let pragma = "max_page_count";
                    connection.pragma_update_and_check(None, pragma, pages, |_| Ok(())).unwrap();
                };
                limit(store, 1);
                let answer = house.write(store, (0..count).map(software));
                assert!(matches!(answer, Err(StoreError::Full)), "{answer:?}");
                limit(store, 1_000_000);
            }
            Step::Forget(count) => {
                let answer = store.write(|write| house.append(write, (0..count).map(software)));
                assert!(matches!(answer, Err(StoreError::Unsigned { .. })));
            }
            Step::Restart => {
                self.store = None;
                self.store = Some(house.open().unwrap());
            }
            Step::Pass(seconds) => house.pass(seconds),
        }
    }

    /// What must hold after every step, whatever it was.
    fn judge(&mut self, place: u64) {
        let store = self.store.as_ref().unwrap();
        let reader = store.reader().unwrap();
        let (head, before) = (reader.head(), *self.heads.last().unwrap());
        assert_eq!(store.head(), head, "memory says what the disk says");
        assert!(head.size >= before.size);
        assert_eq!(store.edge.frontier, Frontier::load(&reader, head.size).unwrap());
        assert_eq!(root_at(&reader, head.size).unwrap(), head.root);
        assert_eq!(reader.newest_checkpoint(), Some(self.house.note(head).as_str()));

        let at = usize::try_from(place).unwrap() % self.heads.len();
        let old = self.heads[at];
        let proof = consistency(&reader, old.size, head.size).unwrap();
        assert!(verify_consistency(old.size, head.size, &old.root, &head.root, &proof));
        let index = place % head.size;
        let leaf = reader.entry(index).unwrap().unwrap().leaf;
        let proof = inclusion(&reader, index, head.size).unwrap();
        assert!(verify_inclusion(index, head.size, &leaf, &proof, &head.root));
        self.heads.push(head);
    }
}

/// The first entries of a grant's life: 0 only asked … 4 closed, 5 lapsed.
fn life(grant: Grant, length: u8) -> Vec<Body> {
    let mut bodies = vec![grant.requested()];
    if length == 5 {
        bodies.extend(grant.lapsed(1));
        return bodies;
    }
    let rest =
        [grant.approved(), grant.issued(), grant.revoked(), grant.closed(4, Outcome::Revoked)];
    bodies.extend(rest.into_iter().take(usize::from(length)));
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_fails_what_is_durable_is_one_ledger(
        steps in prop::collection::vec((step(), any::<u64>()), 1..14),
    ) {
        let mut play = Play::new();
        for (step, place) in steps {
            play.take(step);
            play.judge(place);
        }
        play.store.unwrap().reader().unwrap().rebuild_and_compare().unwrap();
    }
}
