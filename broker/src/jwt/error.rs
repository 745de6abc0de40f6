//! Why something is no token of ours, or no issuer.

/// What is wrong with a token. None of them quotes it: a token is a secret even if it is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any of ours.
    #[error("the token has more than 4096 bytes")]
    TooLong,
    /// Not three parts of base64url without padding (RFC 7515, section 7.1).
    #[error("the token is not three parts of base64url")]
    Form,
    /// The header is not an object of `alg`, `kid` and `typ` alone.
    #[error("the token's header is not the one of our tokens")]
    Header,
    /// `alg` is not exactly `ES256`: not `none`, not a MAC, nothing that the token may choose.
    #[error("the token's algorithm is not ES256")]
    Algorithm,
    /// `typ` is not exactly `JWT`.
    #[error("the token's type is not JWT")]
    Type,
    /// `kid` names none of the keys.
    #[error("the token names a key that is not ours")]
    Key,
    /// The signature is not one by that key over these bytes.
    #[error("the token's signature does not verify")]
    Signature,
    /// A claim is missing, unknown, of another type, or in another order than ours.
    #[error("the token's claims are not in the form of ours")]
    Claims,
    /// A claim does not fit the others, or is not of its grammar.
    #[error("the token's {claim} is not what it should be")]
    Claim {
        /// Its name.
        claim: &'static str,
    },
}

/// What is wrong with an issuer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not an `https://` address, without user, query, fragment or slash at its end.
    #[error(
        "an issuer is an address like https://breakglass.example.com: https, a host, maybe a port \
         and a path; no user, query, fragment or slash at the end, at most 255 bytes"
    )]
    Address,
}
