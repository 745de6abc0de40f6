//! Tokens (RFC 7519, ES256), signed against a clearance and read again before they are handed out.
//!
//! A token is a secret: whoever has it is let in. It is nowhere kept, so it is handed out once; a lost
//! one is replaced, never repeated. Claims and digest are what the ledger has of it.

mod examine;
mod key;
mod write;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::JwtProfile;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{Clearance, Profile, TOKEN_BACKDATE_SECONDS};
use zeroize::Zeroizing;

use super::Mint;
use super::error::MintError;
use crate::jwt::{Issuer, JwtKey};

pub(super) use self::key::SigningKey;

/// A token that may be handed out, and what it says. It shows itself to nobody:
///
/// ```compile_fail,E0277
/// fn show(credential: &breakglass_broker::mint::JwtCredential) -> String {
///     format!("{credential:?}")
/// }
/// ```
pub struct JwtCredential {
    /// The compact form (RFC 7515, section 7.1). Secret.
    pub token: Zeroizing<String>,
    /// SHA-256 of `token`.
    pub digest: Digest,
    /// The exact text of its claims. Public.
    pub claims: String,
    /// Its `sub`.
    pub subject_name: String,
    /// The `seq` in its `jti`. Never 0.
    pub serial: u64,
    /// SHA-256 of the subject key's SSH wire form; zeros where it is bound to none.
    pub subject: Digest,
    /// First second at which it is valid.
    pub valid_after: Timestamp,
    /// First second at which it is no longer valid.
    pub valid_before: Timestamp,
}

impl Mint {
    /// Signs the token that `clearance` allows under `serial`, which is never given again.
    ///
    /// The token is read again as whoever is shown it reads it, its signature with it, and compared with the
    /// clearance in every claim before it is given out.
    ///
    /// # Errors
    ///
    /// [`MintError`] if the clearance is not for a token, this broker has no key or no issuer for tokens, the key to
    /// bind it to is not P-256 or one of ours, or the token does not match the clearance. The clearance
    /// is used up; nothing was handed out.
    pub fn sign_jwt(&self, clearance: Clearance, serial: u64) -> Result<JwtCredential, MintError> {
        let issuer = self.public.issuer.as_ref().ok_or(MintError::NoIssuer)?;
        let terms = Terms::of(&clearance, issuer).ok_or(MintError::Kind)?;
        self.certify_jwt(&terms, serial)
    }

    fn certify_jwt(&self, terms: &Terms<'_>, serial: u64) -> Result<JwtCredential, MintError> {
        let key = self.jwt.as_ref().ok_or(MintError::NoJwt)?;
        if serial == 0 {
            return Err(MintError::SerialZero);
        }
        if terms.subject.is_some_and(|subject| self.own.contains(subject)) {
            return Err(MintError::OwnKey);
        }
        terms.check()?;
        let thumbprint = terms.thumbprint()?;
        let claims = write::claims(terms, serial, thumbprint.as_deref())?;
        let token = key.sign(&claims)?;
        examine::examine(&token, &claims, terms, serial, key.public())?;
        Ok(JwtCredential {
            digest: Digest::of(token.as_bytes()),
            token,
            claims,
            subject_name: terms.subject_name(),
            serial,
            subject: terms.subject.map_or(Digest::ZERO, PublicKey::digest),
            valid_after: terms.valid_after,
            valid_before: terms.valid_before,
        })
    }
}

/// What was cleared, as a token says it.
struct Terms<'a> {
    issuer: &'a Issuer,
    request: RequestId,
    holder: &'a PrincipalId,
    /// On whose behalf the holder asked, outermost first.
    on_behalf_of: &'a [PrincipalId],
    lane: Lane,
    /// `None` for a bearer token.
    subject: Option<&'a PublicKey>,
    valid_after: Timestamp,
    valid_before: Timestamp,
    profile: &'a JwtProfile,
}

impl<'a> Terms<'a> {
    /// `None` if it is not for a token.
    fn of(clearance: &'a Clearance, issuer: &'a Issuer) -> Option<Self> {
        let Profile::Jwt(profile) = clearance.profile() else { return None };
        Some(Self {
            issuer,
            request: clearance.request(),
            holder: clearance.holder(),
            on_behalf_of: clearance.on_behalf_of(),
            lane: clearance.lane(),
            subject: clearance.subject(),
            valid_after: clearance.not_before(),
            valid_before: clearance.expires_at(),
            profile,
        })
    }

    /// `sub`: whose authority it is.
    fn subject_name(&self) -> String {
        format!("breakglass:{}:{}", self.request, self.on_behalf_of.first().unwrap_or(self.holder))
    }

    /// The second at which it is made.
    fn issued_at(&self) -> Timestamp {
        self.valid_after.plus(TOKEN_BACKDATE_SECONDS)
    }

    /// RFC 7638 thumbprint of the key it is bound to.
    fn thumbprint(&self) -> Result<Option<String>, MintError> {
        let Some(subject) = self.subject else { return Ok(None) };
        let key = JwtKey::of(subject).ok_or(MintError::SubjectType)?;
        Ok(Some(key.thumbprint().to_owned()))
    }

    /// Checked once more: a token that says too much cannot be unsaid.
    fn check(&self) -> Result<(), MintError> {
        let value = |field, rule| Err(MintError::Value { field, rule });
        let life = self.valid_before.since(self.issued_at());
        if life == 0 || life > u64::from(self.profile.ttl_max.min(Ttl::MAX.seconds())) {
            return Err(MintError::Lifetime);
        }
        if self.subject.is_none() && !self.profile.bearer {
            return value("cnf", "must name a key, because the scope has no bearer tokens");
        }
        if self.profile.audience.is_empty() || self.profile.audience.contains([',', ' ', '*']) {
            return value("audience", "must be one name");
        }
        let drill = self.lane == Lane::Drill;
        for group in &self.profile.groups {
            // The rules have marked them; a drill without its mark would open something real.
            if group.starts_with("drill-") != drill {
                return value("groups", "must be marked in a drill, and only there");
            }
            // Kubernetes: `system:masters` is beyond every later authorisation.
            if group.to_ascii_lowercase().starts_with("system:") {
                return value("groups", "must not begin with system:");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
