//! Tokens (RFC 7519) as those who take them read them, and the two documents by which they are
//! verified.
//!
//! One algorithm, one form, one spelling: a token that says the same in other words is no token of
//! ours. Reading shares no code with `mint`, which signs. Holds no private key.

mod claims;
mod error;
mod issuer;
mod key;
mod pages;
mod read;

pub use claims::{Actor, Claims, Confirmation, TokenId};
pub use error::{IssuerError, TokenError};
pub use issuer::Issuer;
pub use key::JwtKey;
pub use pages::Documents;
pub use read::read;

/// Longest token in bytes: what the formats allow stays below it, and servers take headers of 8 KiB.
pub const TOKEN_MAX_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
