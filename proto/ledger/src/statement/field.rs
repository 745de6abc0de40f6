//! The grammar of every value. One meaning has one text, so that no edit goes unseen.

use data_encoding::HEXLOWER;

use super::Seen;
use super::error::{Rule, StatementError};
use super::lines::{Lines, put_line};
use super::target::{Serial, Target};
use super::words::{Canary, Kind, Lane, List, ReviewVerdict};
use crate::bytes::{Digest, Salt};
use crate::id::RequestId;
use crate::key::PublicKey;
use crate::principal::{DependencyId, Origin, PrincipalId, ScopeId, StageId, TargetId};
use crate::time::{Timestamp, Ttl};

/// Longest incident number, in bytes.
pub const INCIDENT_MAX: usize = 64;

/// Largest integer: what every JSON reader carries exactly (RFC 8259, 6), since numbers of
/// statements appear in entries.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// What stands for "none".
const ABSENT: &str = "-";
/// What stands for "none" as a subject key.
const NO_KEY: &str = "none";
const DIGEST_PREFIX: &str = "sha256:";

/// Something that is one or more lines of a statement.
pub(super) trait Field: Sized {
    /// Takes it from the next lines.
    fn take(lines: &mut Lines<'_>, key: &'static str) -> Result<Self, StatementError>;

    /// Appends its lines.
    fn put(&self, key: &'static str, out: &mut String);
}

/// Something that is the value of exactly one line.
pub(super) trait Value: Sized {
    /// What a reader is told that it must be.
    const RULE: &'static str;

    /// The value that `text` writes, if it is its one text.
    fn read(text: &str) -> Option<Self>;

    /// Its one text.
    fn write(&self) -> String;
}

impl<T: Value> Field for T {
    fn take(lines: &mut Lines<'_>, key: &'static str) -> Result<Self, StatementError> {
        let text = lines.take_if(key).ok_or(StatementError::new(key, Rule::Missing))?;
        Self::read(text).ok_or(StatementError::new(key, Rule::Value(Self::RULE)))
    }

    fn put(&self, key: &'static str, out: &mut String) {
        put_line(out, key, &self.write());
    }
}

/// Values whose `Display` and `FromStr` are already strict.
macro_rules! plain_values {
    ($($name:ty: $rule:expr;)+) => {$(
        impl Value for $name {
            const RULE: &'static str = $rule;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

plain_values! {
    Origin: "the log's origin (deployment name, slash, 16 lower-case hex digits)";
    RequestId: "a request id (req- and a lower-case UUIDv7)";
    PrincipalId: "a principal's name (1 to 64 of a-z 0-9 . _ -)";
    ScopeId: "a scope's name (1 to 64 of a-z 0-9 . _ -)";
    StageId: "a stage's name (1 to 64 of a-z 0-9 . _ -)";
    TargetId: "a target's name (1 to 64 of a-z 0-9 . _ -)";
    DependencyId: "a dependency's name (1 to 64 of a-z 0-9 . _ -)";
    Timestamp: "a UTC time of the form 2026-11-22T10:15:00Z";
    Salt: "32 lower-case hex digits";
    Target: "principal:, key:, scope:, host: or grant: and what it names";
    Kind: Kind::ALLOWED;
    Lane: Lane::ALLOWED;
    ReviewVerdict: ReviewVerdict::ALLOWED;
    List: List::ALLOWED;
    Canary: Canary::ALLOWED;
}

impl Value for Digest {
    const RULE: &'static str = "sha256: and 64 lower-case hex digits";

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix(DIGEST_PREFIX)?.parse().ok()
    }

    fn write(&self) -> String {
        format!("{DIGEST_PREFIX}{}", HEXLOWER.encode(self.as_bytes()))
    }
}

impl Value for Ttl {
    const RULE: &'static str = "whole seconds in decimal, 1 to 43200";

    fn read(text: &str) -> Option<Self> {
        Self::from_seconds(u32::try_from(decimal(text)?).ok()?)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A version.
impl Value for u64 {
    const RULE: &'static str = "a decimal number from 1 to 2^53 - 1, without leading zeros";

    fn read(text: &str) -> Option<Self> {
        decimal(text).filter(|number| (1..=INTEGER_MAX).contains(number))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for Serial {
    const RULE: &'static str = "a decimal number from 0 to 2^64 - 1, without leading zeros";

    fn read(text: &str) -> Option<Self> {
        decimal(text).map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

impl Value for Seen {
    const RULE: &'static str = "a size (at most 2^53 - 1), a blank and a base64 root, or `0 -`";

    fn read(text: &str) -> Option<Self> {
        if text == "0 -" {
            return Some(Self { size: 0, root: None });
        }
        let (size, root) = text.split_once(' ')?;
        let size = decimal(size).filter(|size| (1..=INTEGER_MAX).contains(size))?;
        Some(Self { size, root: Some(Digest::from_base64(root).ok()?) })
    }

    fn write(&self) -> String {
        let root = self.root.map_or_else(|| ABSENT.to_owned(), Digest::to_base64);
        format!("{} {root}", self.size)
    }
}

impl Value for Option<Digest> {
    const RULE: &'static str = "sha256: and 64 lower-case hex digits, or `-`";

    fn read(text: &str) -> Option<Self> {
        if text == ABSENT { Some(None) } else { Digest::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.map_or_else(|| ABSENT.to_owned(), |digest| digest.write())
    }
}

impl Value for Option<Timestamp> {
    const RULE: &'static str = "a UTC time of the form 2026-11-22T10:15:00Z, or `-`";

    fn read(text: &str) -> Option<Self> {
        if text == ABSENT { Some(None) } else { Timestamp::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.map_or_else(|| ABSENT.to_owned(), |instant| instant.write())
    }
}

/// An incident's number in whatever tracker there is.
impl Value for Option<String> {
    const RULE: &'static str = "1 to 64 of A-Z a-z 0-9 . _ : / # -, or `-`";

    fn read(text: &str) -> Option<Self> {
        if text == ABSENT {
            return Some(None);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/#-".contains(&byte);
        let fits = !text.is_empty() && text.len() <= INCIDENT_MAX && text.bytes().all(allowed);
        fits.then(|| Some(text.to_owned()))
    }

    fn write(&self) -> String {
        self.clone().unwrap_or_else(|| ABSENT.to_owned())
    }
}

/// A subject key.
impl Value for Option<PublicKey> {
    const RULE: &'static str = "an allowed OpenSSH public key without comment, or `none`";

    fn read(text: &str) -> Option<Self> {
        if text == NO_KEY {
            return Some(None);
        }
        let key = PublicKey::from_openssh(text).ok()?;
        // A comment, or nothing but the blank before one, would be a second text of one key.
        (key.to_openssh() == text).then_some(Some(key))
    }

    fn write(&self) -> String {
        self.as_ref().map_or_else(|| NO_KEY.to_owned(), PublicKey::to_openssh)
    }
}

/// A decimal number without sign and leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits && !has_leading_zero { text.parse().ok() } else { None }
}
