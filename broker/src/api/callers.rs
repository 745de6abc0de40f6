//! Who calls: a secret of 256 bits, shown as Bearer (RFC 6750) or as the password of Basic (RFC 7617).

use axum::http::{HeaderMap, header};
use breakglass_ledger::bytes::Digest;
use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use super::config::{Caller, Errand};
use super::secret;

/// Everybody who may call.
pub(super) struct Callers(Vec<Caller>);

/// Why a call goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It shows no secret.
    Nameless,
    /// It shows something that is no caller's secret.
    Unknown,
    /// It says twice who it is (RFC 6749, section 2.3: one way at a time).
    Twice,
    /// It is known, and may not do this.
    MayNot,
}

impl Callers {
    pub(super) const fn new(callers: Vec<Caller>) -> Self {
        Self(callers)
    }

    /// The caller with these `headers`, if it may do `errand`.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub(super) fn admit(&self, headers: &HeaderMap, errand: Errand) -> Result<&Caller, Stopped> {
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let one = shown.next().ok_or(Stopped::Nameless)?;
        if shown.next().is_some() {
            return Err(Stopped::Twice);
        }
        let (scheme, value) =
            one.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Stopped::Unknown)?;
        let caller = if scheme.eq_ignore_ascii_case("bearer") {
            self.known(None, value)
        } else if scheme.eq_ignore_ascii_case("basic") {
            let decoded = BASE64.decode(value.as_bytes()).ok();
            let pair = decoded.and_then(|pair| String::from_utf8(pair).ok());
            // Names and secrets consist of characters that form encoding leaves as they are
            // (RFC 6749, section 2.3.1).
            pair.and_then(|pair| {
                let (id, secret) = pair.split_once(':')?;
                self.known(Some(id), secret)
            })
        } else {
            None
        };
        let caller = caller.ok_or(Stopped::Unknown)?;
        if caller.may.contains(&errand) { Ok(caller) } else { Err(Stopped::MayNot) }
    }

    /// Whose secret it is. Takes as long whoever's it is, and if it is nobody's (R20).
    fn known(&self, id: Option<&str>, shown: &str) -> Option<&Caller> {
        if !secret::is_one(shown) {
            return None;
        }
        let digest = Digest::of(shown.as_bytes());
        let mut found = None;
        for caller in &self.0 {
            let is_same = bool::from(digest.as_bytes().ct_eq(caller.token_sha256.as_bytes()));
            let is_meant = id.is_none_or(|id| caller.id.as_str() == id);
            if is_same & is_meant {
                found = Some(caller);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::super::testing::{callers, secret_of};
    use super::*;

    fn admit(shown: &[String], errand: Errand) -> Result<String, Stopped> {
        let mut headers = HeaderMap::new();
        for one in shown {
            headers.append(header::AUTHORIZATION, HeaderValue::try_from(one).unwrap());
        }
        let callers = callers();
        callers.admit(&headers, errand).map(|caller| caller.id.to_string())
    }

    fn basic(id: &str, secret: &str) -> String {
        format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()))
    }

    #[test]
    fn a_caller_is_known_by_its_secret_in_either_form() {
        let secret = secret_of("gateway");
        for shown in
            [format!("Bearer {secret}"), format!("bEARER {secret}"), basic("gateway", &secret)]
        {
            assert_eq!(admit(&[shown], Errand::Introspect).unwrap(), "gateway");
        }
    }

    #[test]
    fn whoever_is_not_known_is_not_admitted() {
        let secret = secret_of("gateway");
        let digest = Digest::of(secret.as_bytes());
        for shown in [
            format!("Bearer {}", secret_of("nobody")),
            format!("Bearer {digest}"),
            format!("Bearer  {secret}"),
            format!("Bearer {secret} "),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Token {secret}"),
            basic("cluster", &secret),
            basic("", &secret),
            basic("gateway", ""),
            basic("gateway", &format!("{secret}:")),
            format!("Basic {secret}"),
            basic("gateway", &secret).trim_end_matches('=').replace("Basic ", "Basic ="),
        ] {
            assert_eq!(
                admit(std::slice::from_ref(&shown), Errand::Introspect),
                Err(Stopped::Unknown),
                "{shown}"
            );
        }
        assert_eq!(admit(&[], Errand::Introspect), Err(Stopped::Nameless));
    }

    #[test]
    fn a_caller_says_once_who_it_is() {
        let shown = format!("Bearer {}", secret_of("gateway"));
        assert_eq!(admit(&[shown.clone(), shown], Errand::Introspect), Err(Stopped::Twice));
    }

    #[test]
    fn a_caller_does_what_it_may_and_nothing_else() {
        let shown = format!("Bearer {}", secret_of("cluster"));
        assert_eq!(admit(std::slice::from_ref(&shown), Errand::Review).unwrap(), "cluster");
        for errand in [Errand::Introspect, Errand::Revoke] {
            assert_eq!(admit(std::slice::from_ref(&shown), errand), Err(Stopped::MayNot));
        }
    }
}
