//! The address that stands in `iss`, and below which the two documents are found.

use std::fmt;

use serde::Deserialize;

use super::error::IssuerError;

/// Longest address in bytes: it stands in every token.
const ISSUER_MAX_BYTES: usize = 255;

/// An `https://` address (OpenID Connect Core 1.0, section 2: `iss`), compared byte for byte by
/// everybody who takes tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Issuer(String);

impl Issuer {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] if it could be written in more than one way, or would not be found.
    pub fn new(address: &str) -> Result<Self, IssuerError> {
        if is_issuer(address) { Ok(Self(address.to_owned())) } else { Err(IssuerError::Address) }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Issuer {
    type Error = IssuerError;

    fn try_from(address: String) -> Result<Self, IssuerError> {
        Self::new(&address)
    }
}

fn is_issuer(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("https://") else { return false };
    let mut parts = rest.split('/');
    let host = parts.next().unwrap_or_default();
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    // Lower case only: a client would ask for the same host under any, and then compare bytes.
    let in_name =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let in_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~');
    let is_segment =
        |part: &str| !part.is_empty() && !matches!(part, "." | "..") && part.bytes().all(in_path);
    address.len() <= ISSUER_MAX_BYTES
        && !name.is_empty()
        && name.bytes().all(in_name)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|n| n.to_string() == port))
        && parts.all(is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_one_spelling() {
        for good in [
            "https://breakglass.example.com",
            "https://bg:7443",
            "https://bg.example.com/tokens/v1",
        ] {
            assert_eq!(Issuer::new(good).map(|issuer| issuer.to_string()), Ok(good.to_owned()));
        }
        let long = format!("https://{}", "a".repeat(248));
        for bad in [
            "",
            "https://",
            "http://bg",
            "HTTPS://bg",
            "https://bg/",
            "https://bg//x",
            "https:///x",
            "https://sam@bg",
            "https://bg?x",
            "https://bg#x",
            "https://BG",
            "https://bg:",
            "https://bg:0x1",
            "https://bg:070",
            "https://bg:70000",
            "https://bg/..",
            "https://bg/a b",
            "https://bg/%41",
            &long,
        ] {
            assert_eq!(Issuer::new(bad), Err(IssuerError::Address), "{bad}");
        }
    }
}
