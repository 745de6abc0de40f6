//! Randomness that is the same in every run, and that can run out.

use std::sync::atomic::{AtomicU64, Ordering};

use breakglass_broker::entropy::{Entropy, EntropyError, SeededEntropy};

/// The dice of a test house.
pub struct Dice {
    seeded: SeededEntropy,
    /// Throws left before there are none; [`u64::MAX`] for ever.
    left: AtomicU64,
}

impl Default for Dice {
    fn default() -> Self {
        Self::seeded(7)
    }
}

impl Dice {
    /// The dice of `seed`: the same throws every time.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { seeded: SeededEntropy::new(seed), left: AtomicU64::new(u64::MAX) }
    }

    /// After `throws` more there is no randomness; [`u64::MAX`]: there always is.
    pub fn run_out_after(&self, throws: u64) {
        self.left.store(throws, Ordering::SeqCst);
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let one_less = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .map_err(|_| EntropyError)?;
        self.seeded.fill(bytes)
    }
}
