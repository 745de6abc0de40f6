//! SSH certificates written by hand (OpenSSH `PROTOCOL.certkeys`), so that each part can be wrong.

use data_encoding::BASE64;

use super::Keys;
use crate::key::PublicKey;
use crate::time::Timestamp;

/// Everything a user certificate says.
#[derive(Clone, Debug)]
pub struct CertificateParts {
    /// The key it is for; Ed25519.
    pub subject: PublicKey,
    /// Its number.
    pub serial: u64,
    /// 1 for a user's, 2 for a host's.
    pub kind: u32,
    /// Its key id.
    pub key_id: String,
    /// Names it opens.
    pub principals: Vec<String>,
    /// First second at which it is valid.
    pub valid_after: Timestamp,
    /// First second at which it is no longer valid.
    pub valid_before: Timestamp,
    /// Critical options with their values, ascending.
    pub options: Vec<(String, String)>,
    /// Extensions, ascending.
    pub extensions: Vec<String>,
}

impl CertificateParts {
    /// The certificate as an OpenSSH line, signed with the key `ca`.
    #[must_use]
    pub fn sign(&self, keys: &Keys, ca: &str) -> String {
        const NAME: &str = "ssh-ed25519-cert-v01@openssh.com";
        let mut wire = Vec::new();
        put(&mut wire, NAME.as_bytes());
        put(&mut wire, &[9; 32]);
        let (_, raw) = self.subject.wire().split_at(19);
        put(&mut wire, raw);
        wire.extend_from_slice(&self.serial.to_be_bytes());
        wire.extend_from_slice(&self.kind.to_be_bytes());
        put(&mut wire, self.key_id.as_bytes());
        put(&mut wire, &list(self.principals.iter().map(|one| strings(&[one]))));
        wire.extend_from_slice(&self.valid_after.unix_seconds().to_be_bytes());
        wire.extend_from_slice(&self.valid_before.unix_seconds().to_be_bytes());
        let option = |(name, value): &(String, String)| {
            let mut one = strings(&[name]);
            // PROTOCOL.certkeys: a flag has no value at all, any other a string in a string.
            put(&mut one, &if value.is_empty() { Vec::new() } else { strings(&[value]) });
            one
        };
        put(&mut wire, &list(self.options.iter().map(option)));
        put(&mut wire, &list(self.extensions.iter().map(|name| strings(&[name, ""]))));
        put(&mut wire, b"");
        put(&mut wire, keys.public(ca).wire());
        let mut signature = strings(&["ssh-ed25519"]);
        put(&mut signature, &keys.sign(ca, &wire));
        put(&mut wire, &signature);
        format!("{NAME} {}", BASE64.encode(&wire))
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn strings(texts: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    texts.iter().for_each(|text| put(&mut out, text.as_bytes()));
    out
}

fn list(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    parts.collect::<Vec<_>>().concat()
}
