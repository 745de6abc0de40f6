//! One of the broker's keys is replaced: what is signed from there on is judged by the new one.

use super::Judge;
use crate::audit::{Code, Findings};
use crate::bytes::Digest;
use crate::entry::{KeyRole, Keys};
use crate::key::PublicKey;

impl Judge<'_> {
    /// Learns the key of an entry `keys`, which is entry `seq`.
    pub(super) fn rotated(&mut self, body: &Keys, seq: u64, out: &mut Findings) {
        match body.role {
            KeyRole::SshCa => self.learn_ca(&body.key, seq, out),
            KeyRole::X509Ca => self.learn_x509_ca(&body.key, seq, out),
            KeyRole::JwtKey => self.learn_jwt_key(&body.key, seq, out),
            // Nothing in the ledger is signed by these two: lists and handshakes are not in it.
            KeyRole::Lists => {
                if let Err(error) = PublicKey::from_openssh(&body.key) {
                    out.add(Code::Schema, Some(seq), format!("the key of lists: {error}"));
                }
            }
            KeyRole::TlsCa => {
                if body.key.parse::<Digest>().is_err() {
                    out.add(Code::Schema, Some(seq), "the TLS CA is no SHA-256 in hex");
                }
            }
        }
    }
}
