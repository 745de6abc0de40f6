//! Crowd control for the doors: how often one may come, and how many may be in at once.

use std::num::NonZeroU32;

use serde::Deserialize;

/// A steady rate and how far one may run ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Calls per second.
    pub per_second: NonZeroU32,
    /// Calls at once after a quiet time.
    pub burst: NonZeroU32,
}

impl Rate {
    /// `per_second` steadily, `burst` at once; 0 is read as 1.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}
