//! How often: token buckets, one for each address or principal.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{REMEMBERED_MAX, Rate};

/// Whom a call counts for before anything is known about it: an IPv4 address, or the /64 network of
/// an IPv6 address, because that is what one host commonly gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A whole IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6([u16; 4]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        // An IPv4 peer of a dual-stack socket shows as ::ffff:a.b.c.d; all of them share one /64.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Too soon: try again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// One bucket for each key, all of one rate.
pub(crate) struct Throttle<K: Clone + Eq + Hash, C: Clock = DefaultClock> {
    buckets: Buckets<K, C>,
    clock: C,
    remembered_max: usize,
}

/// One map under one lock: what is done under it takes less than a microsecond, and how many there
/// are is asked at each call.
type Buckets<K, C> =
    RateLimiter<Bucket<K>, HashMapStateStore<Bucket<K>>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Which bucket a call draws from.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Bucket<K> {
    /// The key's own.
    Own(K),
    /// Everybody's, while too many keys are remembered.
    Shared,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// Full buckets of `rate`.
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_clock(rate, DefaultClock::default(), REMEMBERED_MAX)
    }
}

impl<K: Clone + Eq + Hash, C: Clock + Clone> Throttle<K, C> {
    /// The same, by `clock`, remembering at most about `remembered_max` keys.
    pub(crate) fn with_clock(rate: Rate, clock: C, remembered_max: usize) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let buckets = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { buckets, clock, remembered_max }
    }

    /// Counts one call of `key`.
    ///
    /// # Errors
    ///
    /// [`Wait`] if it comes too soon; it was not counted.
    pub(crate) fn count(&self, key: K) -> Result<(), Wait> {
        let crowded = self.buckets.len() >= self.remembered_max;
        let bucket = if crowded { Bucket::Shared } else { Bucket::Own(key) };
        self.buckets.check_key(&bucket).map_err(|not_until| {
            Wait(not_until.earliest_possible().duration_since(self.clock.now()).into())
        })
    }

    /// Forgets every key that has been quiet long enough to have its full allowance again.
    pub(crate) fn forget_quiet(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn throttle(remembered_max: usize) -> (FakeRelativeClock, Throttle<u8, FakeRelativeClock>) {
        let clock = FakeRelativeClock::default();
        (clock.clone(), Throttle::with_clock(Rate::new(1, 2), clock, remembered_max))
    }

    #[test]
    fn a_burst_passes_and_the_next_call_is_told_how_long_to_wait() {
        let (clock, throttle) = throttle(8);
        assert_eq!(throttle.count(1), Ok(()));
        assert_eq!(throttle.count(1), Ok(()));
        assert_eq!(throttle.count(1), Err(Wait(Duration::from_secs(1))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(throttle.count(1), Ok(()));
    }

    #[test]
    fn one_key_does_not_use_up_the_allowance_of_another() {
        let (_, throttle) = throttle(8);
        while throttle.count(1).is_ok() {}
        assert_eq!(throttle.count(2), Ok(()));
    }

    #[test]
    fn too_many_keys_share_one_allowance_and_take_no_more_memory() {
        let (_, throttle) = throttle(3);
        let passed = (0..100).filter(|key| throttle.count(*key).is_ok()).count();
        assert_eq!(passed, 5, "three own buckets, and two calls of the shared one");
        assert_eq!(throttle.buckets.len(), 4);
    }

    #[test]
    fn quiet_keys_are_forgotten_and_busy_ones_are_not() {
        let (clock, throttle) = throttle(8);
        assert_eq!(throttle.count(1), Ok(()));
        clock.advance(Duration::from_secs(5));
        while throttle.count(2).is_ok() {}
        throttle.forget_quiet();
        assert_eq!(throttle.buckets.len(), 1);
        assert!(throttle.count(2).is_err(), "forgetting must not refill a bucket");
    }

    #[test]
    fn a_v6_host_cannot_walk_through_its_own_network() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().expect("address"));
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::2"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
