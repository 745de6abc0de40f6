//! The credential itself: is it the one that was decided on, and nothing more?

use data_encoding::BASE64;
use ssh_key::certificate::{CertType, Certificate};

use super::grant::{Credential, Grant, State};
use super::{Case, token, x509};
use crate::audit::{Code, Findings};
use crate::bytes::Digest;
use crate::entry::Issued;
use crate::key::{KeyType, PublicKey};
use crate::policy::SshProfile;
use crate::statement::{Act, Ask, Kind, Lane};

/// The end of a certificate before the 64 bytes of its Ed25519 signature (RFC 8709, 6): the length
/// of the signature blob, the name of the algorithm, the length of the signature.
const SIGNATURE_HEAD: [u8; 23] = *b"\0\0\0\x53\0\0\0\x0bssh-ed25519\0\0\0\x40";

/// What every principal of a drill's certificate begins with, so that it opens nothing real.
const DRILL_PREFIX: &str = "drill-";

/// The broker's keys that sign credentials, as the ledger names them so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities {
    pub(super) ssh: Option<PublicKey>,
    pub(super) x509: Option<x509::Authority>,
    pub(super) jwt: Option<PublicKey>,
}

/// Checks the credential of an `issued` entry against entry, request and policy.
pub(super) fn check(
    case: &Case<'_>,
    grant: &Grant,
    body: &Issued,
    by: &Authorities,
    out: &mut Findings,
) {
    let mut wrong = |detail: &str| case.find(out, Code::CredMismatch, detail);
    if !grant.ask.kinds.contains(&body.kind) {
        return wrong("this kind of credential was not asked for");
    }
    if (body.kind == Kind::Jwt) == body.certificate.is_some()
        || (body.kind == Kind::Jwt) != (body.claims.is_some() && body.token.is_some())
        || body.kind != Kind::Jwt && (body.claims.is_some() || body.token.is_some())
    {
        wrong("it is written down as another kind of credential is");
    }
    if body.serial != case.entry.seq || body.serial == 0 {
        wrong("the serial is not the number of its entry");
    }
    if grant.ask.key.as_ref().map_or(Digest::ZERO, PublicKey::digest) != body.subject {
        wrong("the subject is not the request's key");
    }
    match body.kind {
        Kind::Ssh => check_ssh(case, grant, body, by.ssh.as_ref(), out),
        Kind::X509 => x509::check(case, grant, body, by.x509.as_ref(), out),
        Kind::Jwt => token::check(case, grant, body, by.jwt.is_some(), out),
    }
}

fn check_ssh(
    case: &Case<'_>,
    grant: &Grant,
    body: &Issued,
    ca: Option<&PublicKey>,
    out: &mut Findings,
) {
    let mut wrong = |detail: &str| case.find(out, Code::CredMismatch, detail);
    let Some((certificate, wire)) = body.certificate.as_deref().and_then(read) else {
        return wrong("the certificate is not one in its one form");
    };
    if !ca.is_some_and(|ca| is_signed(&certificate, &wire, ca)) {
        wrong("the certificate is not signed by the ledger's SSH CA");
    }
    for (is_right, detail) in facts(grant, body, &certificate) {
        if !is_right {
            wrong(detail);
        }
    }
    let profile = grant.scope(case.policy).and_then(|scope| scope.ssh.as_ref());
    let prefix = if grant.ask.lane == Lane::Drill { DRILL_PREFIX } else { "" };
    if let Some(fault) = profile.and_then(|profile| exceeds(profile, prefix, body, &certificate)) {
        case.find(out, Code::ScopeExceeded, fault);
    }
}

/// The certificate and its wire form, if `line` is `type base64` and nothing else.
fn read(line: &str) -> Option<(Certificate, Vec<u8>)> {
    let (name, encoded) = line.split_once(' ')?;
    let wire = BASE64.decode(encoded.as_bytes()).ok()?;
    let certificate = Certificate::from_bytes(&wire).ok()?;
    let is_same = certificate.to_bytes().ok()? == wire
        && certificate.algorithm().to_certificate_type() == name;
    is_same.then_some((certificate, wire))
}

fn is_signed(certificate: &Certificate, wire: &[u8], ca: &PublicKey) -> bool {
    let Some((head, signature)) = wire.split_last_chunk::<64>() else { return false };
    let Some(signed) = head.strip_suffix(&SIGNATURE_HEAD) else { return false };
    ca.key_type() == KeyType::Ed25519
        && wire_of(certificate.signature_key()).as_deref() == Some(ca.wire())
        && ca.verifies(signed, signature)
}

fn wire_of(key: &ssh_key::public::KeyData) -> Option<Vec<u8>> {
    ssh_key::PublicKey::from(key.clone()).to_bytes().ok()
}

/// What has to be the same in certificate, entry and request.
fn facts(grant: &Grant, body: &Issued, certificate: &Certificate) -> [(bool, &'static str); 7] {
    let key_id = key_id(&grant.ask);
    let subject = grant.ask.key.as_ref().map(PublicKey::wire);
    let (after, before) = (body.valid_after.unix_seconds(), body.valid_before.unix_seconds());
    [
        (certificate.cert_type() == CertType::User, "it is not a user certificate"),
        (certificate.serial() == body.serial, "its serial is not the entry's"),
        (
            certificate.key_id() == key_id,
            "its key id does not name request, principal, drill and delegation",
        ),
        (wire_of(certificate.public_key()).as_deref() == subject, "it is for another key"),
        (certificate.valid_principals() == body.principals, "its principals are not the entry's"),
        (certificate.valid_after() == after, "it begins at another time than the entry says"),
        (certificate.valid_before() == before, "it ends at another time than the entry says"),
    ]
}

/// What sshd logs of whoever comes in with it: request and principal, whether it is a drill, and on
/// whose behalf it was asked.
fn key_id(ask: &Ask) -> String {
    let hops: Vec<String> = ask.on_behalf_of.iter().map(ToString::to_string).collect();
    let drill = (ask.lane == Lane::Drill).then(|| ":drill".to_owned());
    let behalf = (!hops.is_empty()).then(|| format!(":for:{}", hops.join(",")));
    let rest: String = drill.into_iter().chain(behalf).collect();
    format!("bg:{}:{}{rest}", ask.id, ask.by)
}

/// What the certificate opens beyond the profile, if anything.
fn exceeds(
    profile: &SshProfile,
    prefix: &str,
    body: &Issued,
    certificate: &Certificate,
) -> Option<&'static str> {
    // No principals at all would mean everybody (R07).
    let is_ours = |one: &String| {
        one.strip_prefix(prefix)
            .is_some_and(|one| profile.principals.iter().any(|ours| ours == one))
    };
    if body.principals.is_empty() || !body.principals.iter().all(is_ours) {
        return Some("its principals are not the scope's");
    }
    let is_granted =
        |(name, value): (&String, &String)| value.is_empty() && profile.extensions.contains(name);
    if !certificate.extensions().iter().all(is_granted) {
        return Some("it has extensions that the scope does not grant");
    }
    let addresses = profile.source_address.join(",");
    let mut demanded: Vec<(&str, &str)> = Vec::new();
    if let Some(command) = &profile.force_command {
        demanded.push(("force-command", command));
    }
    if !addresses.is_empty() {
        demanded.push(("source-address", &addresses));
    }
    let options = certificate.critical_options().iter();
    if !options.map(|(name, value)| (name.as_str(), value.as_str())).eq(demanded) {
        return Some("its critical options are not the scope's");
    }
    None
}

/// Hears that the credential arrived.
pub(super) fn picked_up(case: &Case<'_>, grant: &mut Grant, out: &mut Findings) {
    grant.must_be_about(case, out);
    let Some(credential) = out_now(case, grant, out) else { return };
    let issued: Vec<Digest> = credential.all().map(|one| one.issued).collect();
    grant.picked_up = true;
    let Some(spoken) = case.spoken else { return };
    if Some(&spoken.key) != grant.ask.key.as_ref() {
        case.find(out, Code::KeyUnknown, "it was not confirmed with the request's subject key");
    }
    let Act::Pickup(pickup) = spoken.statement.act() else { return };
    if !issued.contains(&pickup.issued) {
        case.find(out, Code::CredMismatch, "another credential was confirmed");
    }
}

/// Hears that the credential was used.
pub(super) fn used(case: &Case<'_>, grant: &Grant, out: &mut Findings) {
    let Some(credential) = out_now(case, grant, out) else { return };
    let Some(Act::Use(used)) = case.spoken.map(|spoken| spoken.statement.act()) else { return };
    if !credential.all().any(|one| one.serial == used.serial.0) {
        case.find(out, Code::CredMismatch, "another credential was used");
    }
    if let State::Revoked(_, at) = grant.state
        && used.at > at
    {
        case.find(out, Code::UseAfterRevoke, format!("used at {}, revoked at {at}", used.at));
    }
}

fn out_now<'a>(case: &Case<'_>, grant: &'a Grant, out: &mut Findings) -> Option<&'a Credential> {
    match &grant.state {
        State::Live(credential) | State::Revoked(credential, _) => Some(credential),
        State::Pending | State::Ended(_) => {
            case.find(out, Code::GrantOrder, "there is no credential yet, or never was");
            None
        }
    }
}
