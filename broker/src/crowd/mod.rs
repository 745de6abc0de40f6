//! Crowd control for the doors: how often one may come, and how many may be in at once.

mod seats;
mod throttle;

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

pub(crate) use seats::{Full, Seat, Seats};
pub(crate) use throttle::{Source, Throttle, Wait};

/// Addresses, and principals, whose recent calls are remembered one by one. Beyond it all share one
/// allowance, so that a flood from many addresses costs calls and not memory.
const REMEMBERED_MAX: usize = 65_536;

/// How often addresses and principals that have been quiet are forgotten.
pub(crate) const FORGET_EVERY: Duration = Duration::from_secs(10);

/// A steady rate and how far one may run ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
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
