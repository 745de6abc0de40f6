//! SSH user certificates (OpenSSH `PROTOCOL.certkeys`).

use std::cell::Cell;
use std::net::IpAddr;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{FORCE_COMMAND_MAX_BYTES, SSH_EXTENSIONS, SshProfile};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{BACKDATE_SECONDS, Clearance, DRILL_PREFIX, Profile};
use signature::Signer;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Signature};

use super::Mint;
use super::error::MintError;
use super::examine::examine;
use super::keys::Ed25519Key;
use crate::entropy::Entropy;

/// A certificate that may be handed out, and what it says. Public, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshCredential {
    /// `type base64`, on one line without a comment.
    pub certificate: String,
    /// What sshd writes into its log: `bg:<request id>:<principal>`, then `:drill` in a drill, then
    /// `:for:<principal>,…` if it was asked for on somebody's behalf, outermost first.
    pub key_id: String,
    /// Never 0.
    pub serial: u64,
    /// SHA-256 of the subject key's wire form.
    pub subject: Digest,
    /// First second at which it is valid.
    pub valid_after: Timestamp,
    /// First second at which it is no longer valid.
    pub valid_before: Timestamp,
    /// Principals, in the scope's order.
    pub principals: Vec<String>,
}

impl Mint {
    /// Signs the SSH certificate that `clearance` allows, under the serial given, which is never
    /// given again.
    ///
    /// The signed bytes are read again by a second hand and compared with the clearance in every
    /// field before they are given out.
    ///
    /// # Errors
    ///
    /// [`MintError`] if the clearance is not for an SSH certificate, has a value that could mean more
    /// than one thing, or the bytes do not match it. The clearance is used up; nothing was handed
    /// out.
    pub fn sign_ssh(
        &self,
        clearance: Clearance,
        serial: u64,
        entropy: &dyn Entropy,
    ) -> Result<SshCredential, MintError> {
        let terms = Terms::of(&clearance).ok_or(MintError::Kind)?;
        self.certify(&terms, serial, entropy)
    }

    fn certify(
        &self,
        terms: &Terms<'_>,
        serial: u64,
        entropy: &dyn Entropy,
    ) -> Result<SshCredential, MintError> {
        if serial == 0 {
            return Err(MintError::SerialZero);
        }
        if self.own.contains(terms.subject) {
            return Err(MintError::OwnKey);
        }
        terms.check()?;
        let authority = Authority { key: &self.ssh_ca, failure: Cell::new(None) };
        let certificate = build(terms, serial, entropy)?.sign(&authority);
        // The library keeps only that it failed.
        if let Some(failure) = authority.failure.take() {
            return Err(failure);
        }
        let certificate = certificate?;
        let certificate = certificate.to_openssh()?;
        examine(&certificate, terms, serial, &self.public.ssh_ca)?;
        Ok(SshCredential {
            certificate,
            key_id: terms.key_id(),
            serial,
            subject: terms.subject.digest(),
            valid_after: terms.valid_after,
            valid_before: terms.valid_before,
            principals: terms.profile.principals.clone(),
        })
    }
}

/// What was cleared, as a certificate says it.
pub(super) struct Terms<'a> {
    pub(super) request: RequestId,
    pub(super) holder: &'a PrincipalId,
    pub(super) lane: Lane,
    pub(super) on_behalf_of: &'a [PrincipalId],
    pub(super) subject: &'a PublicKey,
    pub(super) valid_after: Timestamp,
    pub(super) valid_before: Timestamp,
    pub(super) profile: &'a SshProfile,
}

impl<'a> Terms<'a> {
    /// `None` if it is not for an SSH certificate over a key.
    fn of(clearance: &'a Clearance) -> Option<Self> {
        let (Profile::Ssh(profile), Some(subject)) = (clearance.profile(), clearance.subject())
        else {
            return None;
        };
        Some(Self {
            request: clearance.request(),
            holder: clearance.holder(),
            lane: clearance.lane(),
            on_behalf_of: clearance.on_behalf_of(),
            subject,
            valid_after: clearance.not_before(),
            valid_before: clearance.expires_at(),
            profile,
        })
    }

    /// At most 638 bytes, without blanks: every part has a fixed alphabet, which has neither colon nor
    /// comma, and a bounded length, so that it is taken apart in one way only (R08).
    pub(super) fn key_id(&self) -> String {
        let drill = if self.lane == Lane::Drill { ":drill" } else { "" };
        let mut key_id = format!("bg:{}:{}{drill}", self.request, self.holder);
        for (at, hop) in self.on_behalf_of.iter().enumerate() {
            key_id.push_str(if at == 0 { ":for:" } else { "," });
            key_id.push_str(hop.as_str());
        }
        key_id
    }

    /// Critical options in the order they stand in a certificate.
    pub(super) fn critical_options(&self) -> Vec<(&'static str, String)> {
        let command = self.profile.force_command.clone().map(|command| ("force-command", command));
        let addresses = (!self.profile.source_address.is_empty())
            .then(|| ("source-address", self.profile.source_address.join(",")));
        command.into_iter().chain(addresses).collect()
    }

    /// Refuses whatever could mean more, or something else, once it stands in a certificate.
    ///
    /// The policy was checked for at least the same; a certificate that says too much cannot be unsaid, so
    /// it is checked where it is made as well.
    fn check(&self) -> Result<(), MintError> {
        let most = u64::from(Ttl::MAX.seconds()).saturating_add(BACKDATE_SECONDS);
        let life = self.valid_before.since(self.valid_after);
        if life == 0 || life > most {
            return Err(MintError::Lifetime);
        }
        check_list("principals", &self.profile.principals, is_principal)?;
        // A certificate without principals is good for every account, or for none.
        if self.profile.principals.is_empty() {
            return Err(wrong("principals", "must name at least one"));
        }
        check_list("source-address", &self.profile.source_address, is_network)?;
        check_list("extensions", &self.profile.extensions, |name| SSH_EXTENSIONS.contains(&name))?;
        match &self.profile.force_command {
            Some(command) if !is_command(command) => {
                Err(wrong("force-command", "must be one line of printable ASCII, at most 1024"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Each value one atom that `allowed` lets pass, none twice, not too many.
fn check_list(
    field: &'static str,
    values: &[String],
    allowed: impl Fn(&str) -> bool,
) -> Result<(), MintError> {
    if values.len() > LIST_MAX {
        return Err(wrong(field, "has more than 64 values"));
    }
    for (index, value) in values.iter().enumerate() {
        if !allowed(value) {
            return Err(wrong(field, "has a value that is not allowed there"));
        }
        if values.iter().take(index).any(|earlier| earlier == value) {
            return Err(wrong(field, "has a value twice"));
        }
    }
    Ok(())
}

const fn wrong(field: &'static str, rule: &'static str) -> MintError {
    MintError::Value { field, rule }
}

/// A name that sshd compares as a whole: no separator, no pattern, nothing invisible.
fn is_principal(name: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b':');
    // A leading hyphen reads as an option, wherever a script passes the name on.
    let length = name.strip_prefix(DRILL_PREFIX).unwrap_or(name).len();
    (1..=PRINCIPAL_MAX).contains(&length) && name.bytes().all(allowed) && !name.starts_with('-')
}

/// An address, or a network whose host bits are 0: sshd refuses the whole certificate otherwise.
fn is_network(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let Some(length) = length else { return true };
    // Leading zeros and signs are another spelling, which other parsers may read otherwise.
    let Some(length) = length.parse::<u32>().ok().filter(|n| n.to_string() == length) else {
        return false;
    };
    match address {
        IpAddr::V4(v4) => length <= 32 && v4.to_bits().checked_shl(length).unwrap_or(0) == 0,
        IpAddr::V6(v6) => length <= 128 && v6.to_bits().checked_shl(length).unwrap_or(0) == 0,
    }
}

fn is_command(command: &str) -> bool {
    let printable = command.bytes().all(|b| matches!(b, b' '..=b'~'));
    printable && !command.trim().is_empty() && command.len() <= FORCE_COMMAND_MAX_BYTES
}

fn build(terms: &Terms<'_>, serial: u64, entropy: &dyn Entropy) -> Result<Builder, MintError> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce)?;
    let subject = ssh_key::PublicKey::from_bytes(terms.subject.wire())?;
    let (after, before) = (terms.valid_after.unix_seconds(), terms.valid_before.unix_seconds());
    let mut builder = Builder::new(nonce, subject, after, before)?;
    builder.serial(serial)?.cert_type(CertType::User)?.key_id(terms.key_id())?;
    for principal in &terms.profile.principals {
        builder.valid_principal(principal)?;
    }
    for (name, value) in terms.critical_options() {
        builder.critical_option(name, value)?;
    }
    for name in &terms.profile.extensions {
        builder.extension(name, "")?;
    }
    Ok(builder)
}

/// Our signer under ssh-key: ring takes a tenth of the time of the one it brings.
struct Authority<'a> {
    key: &'a Ed25519Key,
    failure: Cell<Option<MintError>>,
}

impl Signer<Signature> for Authority<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        let raw = self.key.sign(message).map_err(|error| {
            self.failure.set(Some(error));
            signature::Error::new()
        })?;
        Signature::new(Algorithm::Ed25519, raw.to_vec()).map_err(signature::Error::from_source)
    }
}

impl From<&Authority<'_>> for KeyData {
    fn from(authority: &Authority<'_>) -> Self {
        Self::Ed25519(ssh_key::public::Ed25519PublicKey(*authority.key.public()))
    }
}

/// Random bytes at the front of a certificate; OpenSSH puts 32 there.
const NONCE_BYTES: usize = 32;
/// Most values in one list: far more than a scope sensibly has.
const LIST_MAX: usize = 64;
/// Longest principal, in bytes and without a drill's mark: longer than any account name.
const PRINCIPAL_MAX: usize = 64;
#[cfg(test)]
mod tests;
