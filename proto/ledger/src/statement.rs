//! Statements: what a person, a subject key, a host or the policy's authority says and signs.
//!
//! ASCII lines `key: value` in the fixed order of the act. Reading is strict, so every accepted
//! text is the one text of what it means; `FORMAT.md` sections 1 and 2 publish the same grammar.
//! Whether a statement is timely, or its author entitled, is not judged here.

use crate::bytes::{Digest, Salt};
use crate::principal::{Origin, PrincipalId};
use crate::time::Timestamp;

mod act;
mod bodies;
mod error;
mod field;
mod lines;
mod lists;
mod target;
mod words;

pub use act::Act;
pub use bodies::{
    About, Applied, Approve, Ask, Collect, Declare, Lock, Manifest, Pickup, Resolve, Review,
    Session, Unlock, Use,
};
pub use error::{Rule, StatementError};
pub use field::{INCIDENT_MAX, INTEGER_MAX};
pub use lists::{DELEGATION_MAX, FILE_NAME_MAX, FILES_MAX, Maybe};
pub use target::{ParseTargetError, Serial, Target};
pub use words::{ActKind, Canary, Kind, Lane, List, ParseWordError, ReviewVerdict};

use field::Field;
use lines::Lines;

/// Longest statement, in bytes: fits a screen, a QR code chain and one page of memory.
pub const STATEMENT_MAX: usize = 4096;

/// How far ahead `expires` may lie, in seconds: a statement travels by any means, but not for days.
pub const EXPIRES_MAX_SECONDS: u64 = 86_400;

/// How far ahead the `expires` of a `session` may lie, in seconds: reads are not worth more.
pub const SESSION_MAX_SECONDS: u64 = 900;

/// Longest reason or comment, in bytes of UTF-8: what an approver reads at three in the morning.
pub const TEXT_MAX: usize = 2000;

/// What somebody says, as the exact text that is signed and as its meaning.
///
/// Equal if the text is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    text: Box<str>,
    digest: Digest,
    log: Origin,
    seen: Option<Seen>,
    act: Act,
    expires: Option<Timestamp>,
    nonce: Salt,
}

/// The newest checkpoint that the signer's client had verified as an extension of the one it kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Number of entries, at most [`INTEGER_MAX`]; 0 on first contact.
    pub size: u64,
    /// Root of the tree over them; `None` exactly if `size` is 0.
    pub root: Option<Digest>,
}

impl Seen {
    /// First contact, written `0 -`.
    pub const NOTHING: Self = Self { size: 0, root: None };
}

impl Statement {
    /// Reads the exact bytes of a statement.
    ///
    /// # Errors
    ///
    /// [`StatementError`]: the first line that breaks a rule, and the rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let text = check_form(bytes)?;
        let mut lines = Lines::new(text);
        let kind = lines.act()?;
        let log = Field::take(&mut lines, "log")?;
        let seen = if has_seen(kind) { Some(Seen::take(&mut lines, "seen")?) } else { None };
        let act = Act::take(kind, &mut lines)?;
        let expires =
            if expires(kind) { Some(Timestamp::take(&mut lines, "expires")?) } else { None };
        let nonce = Field::take(&mut lines, "nonce")?;
        lines.end("nonce")?;
        Ok(Self { text: text.into(), digest: Digest::of(bytes), log, seen, act, expires, nonce })
    }

    /// Builds the text and reads it back, so that what is composed is what is signed.
    ///
    /// `seen` is given for every act but `session` and `policy`, `expires` for every act but
    /// `policy`.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if `seen` or `expires` is missing or out of place, or a value has no text
    /// (kinds out of order, an incident with a blank, …).
    pub fn compose(
        log: &Origin,
        seen: Option<Seen>,
        act: Act,
        expires: Option<Timestamp>,
        nonce: Salt,
    ) -> Result<Self, StatementError> {
        let mut text = format!("breakglass-{}/v1\n", act.kind());
        log.put("log", &mut text);
        if let Some(seen) = &seen {
            seen.put("seen", &mut text);
        }
        act.put(&mut text);
        if let Some(expires) = &expires {
            expires.put("expires", &mut text);
        }
        nonce.put("nonce", &mut text);
        let read = Self::parse(text.as_bytes())?;
        // For instance an incident `Some("-")`, which reads back as none.
        if read.act != act {
            return Err(StatementError::new(StatementError::WHOLE, Rule::Unequal));
        }
        Ok(read)
    }

    /// The exact text, which is what is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text: what later acts name it by, and what makes it unique.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The ledger it is for; worthless at any other.
    #[must_use]
    pub const fn log(&self) -> &Origin {
        &self.log
    }

    /// The history it pins; `None` for `session` and `policy`.
    #[must_use]
    pub const fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// What it says.
    #[must_use]
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// The last second at which it is accepted; `None` for `policy`.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Random, so that two statements are never the same by chance.
    #[must_use]
    pub const fn nonce(&self) -> Salt {
        self.nonce
    }

    /// The principal who speaks; `None` for `collect`, `pickup` and `policy`.
    #[must_use]
    pub const fn by(&self) -> Option<&PrincipalId> {
        self.act.by()
    }

    /// SHA-256 of the request statement that a later act is about.
    #[must_use]
    pub const fn about(&self) -> Option<Digest> {
        self.act.about()
    }
}

/// The salted commitment to free text: SHA-256 of the 32 bytes of salt and the text's UTF-8.
///
/// The text can be erased and the commitment kept; without the salt nobody can guess the text.
#[must_use]
pub fn commitment(salt: &[u8; 32], text: &str) -> Digest {
    Digest::of_parts(&[salt, text.as_bytes()])
}

/// The rules that hold for the whole text, before any line is looked at.
fn check_form(bytes: &[u8]) -> Result<&str, StatementError> {
    let wrong = |rule| StatementError::new(StatementError::WHOLE, rule);
    if bytes.len() > STATEMENT_MAX {
        return Err(wrong(Rule::TooLong));
    }
    if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return Err(wrong(Rule::Character));
    }
    if bytes.last() != Some(&b'\n') {
        return Err(wrong(Rule::FinalLineFeed));
    }
    str::from_utf8(bytes).map_err(|_| wrong(Rule::Character))
}

/// A session only reads; the policy is signed away from any broker.
const fn has_seen(kind: ActKind) -> bool {
    !matches!(kind, ActKind::Session | ActKind::Policy)
}

/// The policy waits for its quorum, and `previous` keeps an old one from coming back.
const fn expires(kind: ActKind) -> bool {
    !matches!(kind, ActKind::Policy)
}

#[cfg(test)]
mod tests;
