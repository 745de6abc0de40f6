//! What a token says, in the one form in which ours say it (`FORMAT.md`, 9).

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::TokenError;
use super::issuer::Issuer;

/// The claims of a token. Times are seconds since the Unix epoch.
///
/// Fields stand in the order of their names: so they are sorted when they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who acts (RFC 8693, section 4.1), if that is not whose authority it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The one audience: a string, never a list.
    pub aud: String,
    /// The key that its holder can show; `None` for a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// First second at which it is over.
    pub exp: u64,
    /// Groups, in the policy's order; in a drill each begins with `drill-`.
    pub groups: Vec<String>,
    /// The second of its entry.
    pub iat: u64,
    /// The issuer's address.
    pub iss: String,
    /// `<request id>.<seq>`: names the entry.
    pub jti: String,
    /// First second at which it is good: five before `iat`.
    pub nbf: u64,
    /// `breakglass:<request id>:<principal>`: whose authority it is.
    pub sub: String,
}

/// Somebody who acts for the subject, and who acted before them: the innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Who acted before, for the same subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Self>>,
    /// The principal.
    pub sub: String,
}

/// The key to which a token is bound (RFC 7800, section 3; RFC 9449, section 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// RFC 7638 thumbprint of the subject key.
    pub jkt: String,
}

/// What `jti` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId {
    /// The request.
    pub request: RequestId,
    /// Position of the token's `issued` entry: its serial.
    pub seq: u64,
}

impl Claims {
    /// The text in which these claims are signed.
    ///
    /// # Errors
    ///
    /// [`TokenError::Claims`] if they cannot be written, which JSON of these types always can.
    pub fn to_text(&self) -> Result<String, TokenError> {
        serde_json::to_string(self).map_err(|_| TokenError::Claims)
    }

    /// Reads claims in exactly that text: no blank, no other order, nothing twice.
    ///
    /// # Errors
    ///
    /// [`TokenError`] naming what is wrong. An audience that is missing or a list, and an end that is
    /// missing, are among it (R21).
    pub fn read(text: &[u8]) -> Result<Self, TokenError> {
        let claims: Self = serde_json::from_slice(text).map_err(|_| TokenError::Claims)?;
        if claims.to_text()?.as_bytes() != text {
            return Err(TokenError::Claims);
        }
        claims.check()?;
        Ok(claims)
    }

    /// What `jti` says.
    #[must_use]
    pub fn id(&self) -> Option<TokenId> {
        let (request, seq) = self.jti.split_once('.')?;
        let id = TokenId { request: request.parse().ok()?, seq: seq.parse().ok()? };
        (id.to_text() == self.jti).then_some(id)
    }

    /// Whose authority it is.
    #[must_use]
    pub fn holder(&self) -> Option<PrincipalId> {
        let (_, holder) = self.sub.strip_prefix(SUBJECT_PREFIX)?.split_once(':')?;
        holder.parse().ok()
    }

    /// Whether it is good at `now`, as far as its own times say.
    #[must_use]
    pub const fn is_good_at(&self, now: Timestamp) -> bool {
        self.nbf <= now.unix_seconds() && now.unix_seconds() < self.exp
    }

    fn check(&self) -> Result<(), TokenError> {
        let wrong = |claim| Err(TokenError::Claim { claim });
        let Some(id) = self.id() else { return wrong("jti") };
        let Some(holder) = self.holder() else { return wrong("sub") };
        if self.sub != format!("{SUBJECT_PREFIX}{}:{holder}", id.request) {
            return wrong("sub");
        }
        if Issuer::new(&self.iss).is_err() {
            return wrong("iss");
        }
        if self.aud.is_empty() {
            return wrong("aud");
        }
        if self.nbf.checked_add(BACKDATE_SECONDS) != Some(self.iat) {
            return wrong("nbf");
        }
        if self.exp <= self.iat {
            return wrong("exp");
        }
        if self.cnf.as_ref().is_some_and(|cnf| cnf.jkt.len() != THUMBPRINT_CHARS) {
            return wrong("cnf");
        }
        if self.act.as_ref().is_some_and(|act| !act.is_chain()) {
            return wrong("act");
        }
        Ok(())
    }
}

impl Actor {
    fn is_chain(&self) -> bool {
        self.sub.parse::<PrincipalId>().is_ok()
            && self.act.as_ref().is_none_or(|act| act.is_chain())
    }
}

impl TokenId {
    /// As it stands in `jti`.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}.{}", self.request, self.seq)
    }
}

/// What every `sub` of ours begins with, so that no target takes it for one of its own users.
const SUBJECT_PREFIX: &str = "breakglass:";
/// Seconds between `nbf` and `iat`: the clocks of targets differ.
const BACKDATE_SECONDS: u64 = 5;
/// 32 bytes in base64url.
const THUMBPRINT_CHARS: usize = 43;
