//! An SSH user certificate (OpenSSH's PROTOCOL.certkeys).

use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Ask, Kind, Lane};
use breakglass_ledger::time::Timestamp;
use ssh_key::certificate::CertType;
use ssh_key::{Certificate, PublicKey};

use super::{Credential, CredentialError, differs};
use crate::state::SubjectKey;

pub(super) fn read(line: &str) -> Result<Credential, CredentialError> {
    let parsed = Certificate::from_openssh(line).map_err(|_| CredentialError::Form)?;
    if parsed.cert_type() != CertType::User {
        return Err(CredentialError::Form);
    }
    Ok(Credential {
        kind: Kind::Ssh,
        text: line.trim().to_owned(),
        blob: parsed.to_bytes().map_err(|_| CredentialError::Form)?,
        serial: parsed.serial(),
        expires_at: Timestamp::from_unix_seconds(parsed.valid_before()),
        ends: Timestamp::from_unix_seconds(parsed.valid_before()),
        principals: parsed.valid_principals().to_vec(),
        name: parsed.key_id().to_owned(),
    })
}

pub(super) fn check(
    credential: &Credential,
    ask: &Ask,
    key: &SubjectKey,
) -> Result<(), CredentialError> {
    let parsed = Certificate::from_openssh(&credential.text).map_err(|_| CredentialError::Form)?;
    let certified = PublicKey::from(parsed.public_key().clone()).to_bytes();
    differs(certified.is_ok_and(|wire| wire == key.public().wire()), "its key")?;
    differs(credential.name == key_id(ask), "its key id")?;
    differs(!credential.principals.is_empty(), "its principals (none: any user)")
}

/// What hosts log for a grant: `bg:<request id>:<principal>`, then `:drill` in a drill, then
/// `:for:<principal>,…` with those on whose behalf it was asked, outermost first.
#[must_use]
pub fn key_id(ask: &Ask) -> String {
    let drill = if ask.lane == Lane::Drill { ":drill" } else { "" };
    let chain: Vec<&str> = ask.on_behalf_of.iter().map(PrincipalId::as_str).collect();
    let chain = if chain.is_empty() { String::new() } else { format!(":for:{}", chain.join(",")) };
    format!("bg:{}:{}{drill}{chain}", ask.id, ask.by)
}
