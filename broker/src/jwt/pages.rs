//! What verifiers fetch: who issues, and by which keys.

use super::issuer::Issuer;
use super::key::JwtKey;

/// The two documents, as they are served and as files. Public, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 3).
    pub configuration: String,
    /// `/.well-known/jwks.json` (RFC 7517, section 5).
    pub jwks: String,
}

impl Documents {
    /// The documents of `issuer`, who signs by the first of `keys`; the others are announced ahead, or
    /// have signed what still lives. All are P-256: libraries trip over a set of several types.
    #[must_use]
    pub fn of(issuer: &Issuer, keys: &[JwtKey]) -> Self {
        // No authorisation endpoint: nobody logs in here, and no library for tokens asks for it.
        let configuration = format!(
            "{{\"id_token_signing_alg_values_supported\":[\"ES256\"],\"issuer\":\"{issuer}\",\
             \"jwks_uri\":\"{issuer}{JWKS_PATH}\",\"response_types_supported\":[\"id_token\"],\
             \"subject_types_supported\":[\"public\"]}}\n"
        );
        let keys: Vec<String> = keys.iter().map(JwtKey::to_jwk).collect();
        Self { configuration, jwks: format!("{{\"keys\":[{}]}}\n", keys.join(",")) }
    }
}

/// Where the keys are, below the issuer.
const JWKS_PATH: &str = "/.well-known/jwks.json";
