//! Choices that can be repeated.

use breakglass_integration_tests::wire::random;

/// SplitMix64 (Steele, Lea, Flood 2014): enough to choose by.
pub(super) struct Dice(u64);

impl Dice {
    /// From `BREAKGLASS_SEED`, or a new seed, which is told either way.
    pub(super) fn seeded() -> Self {
        let given = std::env::var("BREAKGLASS_SEED").ok();
        let seed = given.map_or_else(
            || u64::from_be_bytes(random()),
            |text| text.parse().expect("BREAKGLASS_SEED is a number"),
        );
        eprintln!("BREAKGLASS_SEED={seed}");
        Self(seed)
    }

    /// Dice of their own, for a thread of its own.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.roll())
    }

    /// Any of 0 to `sides` - 1.
    pub(super) fn under(&mut self, sides: u64) -> u64 {
        self.roll() % sides
    }

    /// One of `all`.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.under(u64::try_from(all.len()).unwrap());
        &all[usize::try_from(index).unwrap()]
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
