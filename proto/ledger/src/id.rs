//! Ids. The prefix makes a wrong paste at three in the morning fail loudly.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::bytes::text_serde;

/// One access request, and the grant it may become: `req-` and a `UUIDv7` in lower case.
///
/// Chosen by the client, so that a retried request is recognised and not doubled. Knowing it gives
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// What every request id begins with.
    pub const PREFIX: &'static str = "req-";

    /// A `UUIDv7` (RFC 9562, 5.7) of `unix_millis` and ten random bytes.
    #[must_use]
    pub fn new(unix_millis: u64, random: [u8; 10]) -> Self {
        Self(*uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).as_uuid().as_bytes())
    }

    /// The 16 bytes, or `None` if they are not a `UUIDv7`.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let uuid = Uuid::from_bytes(bytes);
        let is_v7 = uuid.get_version_num() == 7;
        let is_rfc = uuid.get_variant() == uuid::Variant::RFC4122;
        (is_v7 && is_rfc).then_some(Self(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, Uuid::from_bytes(self.0).as_hyphenated())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(Self::PREFIX).ok_or(ParseIdError)?;
        let uuid = Uuid::try_parse(rest).map_err(|_| ParseIdError)?;
        let id = Self::from_bytes(*uuid.as_bytes()).ok_or(ParseIdError)?;
        // One spelling only: the uuid parser also takes upper case, braces and no hyphens.
        if id.to_string() == text { Ok(id) } else { Err(ParseIdError) }
    }
}

/// The text is not a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request id (req- and a lower-case UUIDv7, as printed by `breakglass request`)")]
pub struct ParseIdError;

text_serde!(RequestId);
