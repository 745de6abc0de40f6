//! One instant in whole seconds, one in milliseconds, one duration.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::bytes::text_serde;

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// 9999-12-31T23:59:59Z: the last second that the fixed-width text form can show.
const LAST_SECOND: u64 = 253_402_300_799;

/// Whole seconds since the Unix epoch, UTC; up to the year 9999.
///
/// X.509, SSH and JWT all carry whole seconds, so a finer unit would have to be rounded on the way
/// out and the record would disagree with the credential. Text form: `2026-11-22T10:15:00Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last instant there is; what a saturated addition ends at.
    pub const MAX: Self = Self(LAST_SECOND);

    /// This many seconds after the epoch; beyond the year 9999 it is [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        if seconds > LAST_SECOND { Self::MAX } else { Self(seconds) }
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }

    /// `seconds` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self::from_unix_seconds(self.0.saturating_add(seconds))
    }

    /// `seconds` earlier, at least the epoch.
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds from `earlier` to `self`; 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_instant(f, self.0.saturating_mul(1000), SECONDS)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant = Self::from_unix_seconds(parse_instant(text, SECONDS)? / 1000);
        if instant.to_string() == text { Ok(instant) } else { Err(ParseTimeError) }
    }
}

/// Milliseconds since the Unix epoch, UTC: the time of an entry.
///
/// Text form, fixed width: `2026-11-22T10:00:00.123Z`. Rules see it as [`Moment::second`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// This many milliseconds after the epoch; beyond the year 9999 it is the last one of it.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        let last = LAST_SECOND.saturating_mul(1000).saturating_add(999);
        if millis > last { Self(last) } else { Self(millis) }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// The whole second this moment lies in: what decisions are made at.
    #[must_use]
    pub const fn second(self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0 / 1000)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_instant(f, self.0, MILLIS)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Moment {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = Self::from_unix_millis(parse_instant(text, MILLIS)?);
        if moment.to_string() == text { Ok(moment) } else { Err(ParseTimeError) }
    }
}

/// How long a grant lives: whole seconds, at least 1 and at most [`Ttl::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(NonZeroU32);

impl Ttl {
    /// Twelve hours: whoever needs longer needs ordinary access, not emergency access.
    pub const MAX: Self = match NonZeroU32::new(12 * 60 * 60) {
        Some(seconds) => Self(seconds),
        None => Self(NonZeroU32::MIN),
    };

    /// `seconds`, or `None` if 0 or over [`Ttl::MAX`].
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        let ttl = Self(NonZeroU32::new(seconds)?);
        (ttl <= Self::MAX).then_some(ttl)
    }

    /// Whole seconds, 1 to 43,200.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0.get()
    }
}

/// Decimal seconds, as in statements.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text is not an instant in the one accepted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UTC time of the form 2026-11-22T10:15:00Z")]
pub struct ParseTimeError;

text_serde!(Timestamp, Moment);

fn write_instant(
    f: &mut fmt::Formatter<'_>,
    millis: u64,
    format: &[BorrowedFormatItem<'_>],
) -> fmt::Result {
    let nanos = i128::from(millis).saturating_mul(1_000_000);
    let instant = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| fmt::Error)?;
    f.write_str(&instant.format(format).map_err(|_| fmt::Error)?)
}

fn parse_instant(text: &str, format: &[BorrowedFormatItem<'_>]) -> Result<u64, ParseTimeError> {
    let instant = PrimitiveDateTime::parse(text, format).map_err(|_| ParseTimeError)?.assume_utc();
    u64::try_from(instant.unix_timestamp_nanos() / 1_000_000).map_err(|_| ParseTimeError)
}
