use breakglass_ledger::id::RequestId;
use breakglass_ledger::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;

/// A signer of whatever it is told, who is not bound by our rules.
struct Forger {
    pair: EcdsaKeyPair,
    key: JwtKey,
}

impl Forger {
    fn new() -> Self {
        let (algorithm, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
        let key = JwtKey::of_point(pair.public_key().as_ref()).unwrap();
        Self { pair, key }
    }

    fn header(&self) -> String {
        format!(r#"{{"alg":"ES256","kid":"{}","typ":"JWT"}}"#, self.key.thumbprint())
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let signed = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    /// What we read of a token with these claims.
    fn read(&self, claims: &str) -> Result<Claims, TokenError> {
        read(&self.sign(&self.header(), claims), std::slice::from_ref(&self.key))
    }

    fn read_under(&self, header: &str) -> Result<Claims, TokenError> {
        read(&self.sign(header, &text()), std::slice::from_ref(&self.key))
    }
}

fn unsigned(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    format!("{header}.{claims}")
}

fn id() -> RequestId {
    RequestId::new(1_795_348_700_000, [7; 10])
}

fn claims() -> Claims {
    Claims {
        act: None,
        aud: "https://db.example.com".to_owned(),
        cnf: Some(Confirmation { jkt: "A".repeat(43) }),
        exp: 1_795_349_400,
        groups: vec!["dba".to_owned()],
        iat: 1_795_348_800,
        iss: "https://bg.example.com".to_owned(),
        jti: format!("{}.42", id()),
        nbf: 1_795_348_795,
        sub: format!("breakglass:{}:sam", id()),
    }
}

fn text() -> String {
    claims().to_text().unwrap()
}

#[test]
fn a_token_in_our_form_by_our_key_is_read() {
    let ours = Forger::new();
    let read = ours.read(&text()).unwrap();
    assert_eq!(read, claims());
    assert_eq!(read.id(), Some(TokenId { request: id(), seq: 42 }));
    assert_eq!(read.holder(), Some("sam".parse().unwrap()));
    let at = Timestamp::from_unix_seconds;
    assert!(!read.is_good_at(at(read.nbf - 1)) && read.is_good_at(at(read.nbf)));
    assert!(read.is_good_at(at(read.exp - 1)) && !read.is_good_at(at(read.exp)));
}

/// RFC 8725, sections 2.1, 3.1: the algorithm is ours to say, never the token's.
#[test]
fn no_token_chooses_its_algorithm() {
    let ours = Forger::new();
    let keys = [ours.key.clone()];
    for alg in ["none", "None", "HS256", "RS256", "ES384", "EdDSA", "es256", ""] {
        let header = ours.header().replace("ES256", alg);
        assert_eq!(ours.read_under(&header), Err(TokenError::Algorithm), "{alg}");
        let bare = format!("{}.", unsigned(&header, &text()));
        assert_eq!(read(&bare, &keys), Err(TokenError::Algorithm), "{alg}");
    }
    // Without a signature at all, under the right name.
    let bare = format!("{}.", unsigned(&ours.header(), &text()));
    assert_eq!(read(&bare, &keys), Err(TokenError::Signature));
    // The public key as the secret of a MAC, in the forms in which it is published.
    let jwk = ours.key.to_jwk();
    for secret in [ours.key.point().as_slice(), jwk.as_bytes(), ours.key.thumbprint().as_bytes()] {
        for header in [ours.header().replace("ES256", "HS256"), ours.header()] {
            let signed = unsigned(&header, &text());
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
            let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(mac.as_ref()));
            let refused = read(&token, &keys).unwrap_err();
            assert!(matches!(refused, TokenError::Algorithm | TokenError::Signature), "{refused}");
        }
    }
}

#[test]
fn a_key_of_another_type_or_another_owner_signs_nothing_of_ours() {
    let (ours, other) = (Forger::new(), Forger::new());
    let keys = [ours.key.clone()];
    assert_eq!(read(&other.sign(&other.header(), &text()), &keys), Err(TokenError::Key));
    assert_eq!(read(&other.sign(&ours.header(), &text()), &keys), Err(TokenError::Signature));
    let seed = [3; 32];
    let ed25519 = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let signed = unsigned(&ours.header(), &text());
    let signature = BASE64URL_NOPAD.encode(ed25519.sign(signed.as_bytes()).as_ref());
    assert_eq!(read(&format!("{signed}.{signature}"), &keys), Err(TokenError::Signature));
    // A key that the token brings along is not looked at (RFC 7515, 4.1.3: `jwk`).
    let brought =
        ours.header().replace(r#","typ""#, &format!(r#","jwk":{},"typ""#, other.key.to_jwk()));
    assert_eq!(ours.read_under(&brought), Err(TokenError::Header));
}

#[test]
fn a_token_has_one_spelling() {
    let ours = Forger::new();
    let keys = [ours.key.clone()];
    let good = ours.sign(&ours.header(), &text());
    assert!(read(&good, &keys).is_ok());
    let header = ours.header();
    for (other, why) in [
        (header.replace(r#""typ":"JWT""#, r#""typ":"jwt""#), TokenError::Type),
        (header.replace(r#","typ":"JWT""#, ""), TokenError::Header),
        (header.replace('{', "{ "), TokenError::Header),
        (header.replace(r#","kid""#, r#","alg":"ES256","kid""#), TokenError::Header),
        (header.replace('}', r#","crit":["exp"]}"#), TokenError::Header),
        ("[]".to_owned(), TokenError::Header),
    ] {
        assert_eq!(ours.read_under(&other), Err(why), "{other}");
    }
    for bad in [
        format!("{good}="),
        format!("{good}."),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', ""),
        good.replacen('.', "..", 1),
        String::new(),
        "a.b".to_owned(),
        format!("a.{good}"),
    ] {
        assert_eq!(read(&bad, &keys), Err(TokenError::Form), "{bad}");
    }
    assert_eq!(read(&"a".repeat(TOKEN_MAX_BYTES + 1), &keys), Err(TokenError::TooLong));
}

#[test]
fn no_character_of_a_token_can_be_another() {
    let ours = Forger::new();
    let keys = [ours.key.clone()];
    let good = ours.sign(&ours.header(), &text());
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bytes).unwrap();
        assert!(read(&bad, &keys).is_err(), "character {at}");
    }
    for cut in 0..good.len() {
        assert!(read(&good[..cut], &keys).is_err(), "cut at {cut}");
    }
}

/// R21: `aud` as a list, as a string and missing are not the same; there is no token without end.
#[test]
fn an_audience_is_one_string_and_an_end_is_needed() {
    let ours = Forger::new();
    let plain = text();
    let aud = r#""aud":"https://db.example.com""#;
    let exp = r#""exp":1795349400"#;
    for (from, to) in [
        (aud, r#""aud":["https://db.example.com"]"#),
        (aud, r#""aud":["https://db.example.com","other"]"#),
        (aud, r#""aud":[]"#),
        (aud, r#""aud":null"#),
        (&format!("{aud},"), ""),
        (&format!("{exp},"), ""),
        (exp, r#""exp":null"#),
        (exp, r#""exp":"1795349400""#),
        (exp, r#""exp":1795349400.0"#),
        (exp, r#""exp":-1"#),
        (exp, r#""exp":1795349400,"exp":1895349400"#),
        (r#""groups":["dba"]"#, r#""groups":"dba""#),
        (r#""groups""#, r#""admin":true,"groups""#),
        (",", ", "),
    ] {
        assert!(plain.contains(from), "{from}");
        assert_eq!(ours.read(&plain.replacen(from, to, 1)), Err(TokenError::Claims), "{to}");
    }
    assert_eq!(
        ours.read(&plain.replace(aud, r#""aud":"""#)),
        Err(TokenError::Claim { claim: "aud" })
    );
}

/// Makes one claim what it must not be.
type Spoil = fn(&mut Claims, RequestId);

#[test]
fn every_claim_has_a_grammar() {
    let ours = Forger::new();
    let other = RequestId::new(1_795_348_700_001, [8; 10]);
    let cases: [(&str, Spoil); 11] = [
        ("jti", |claims, _| claims.jti = format!("{}.042", id())),
        ("jti", |claims, _| claims.jti = id().to_string()),
        ("jti", |claims, _| claims.jti = format!("{}.+4", id())),
        ("sub", |claims, other| claims.sub = format!("breakglass:{other}:sam")),
        ("sub", |claims, _| claims.sub = "sam".to_owned()),
        ("sub", |claims, _| claims.sub = format!("breakglass:{}:sam:root", id())),
        ("iss", |claims, _| claims.iss = "http://bg.example.com".to_owned()),
        ("nbf", |claims, _| claims.nbf = claims.iat),
        ("exp", |claims, _| claims.exp = claims.iat),
        ("cnf", |claims, _| claims.cnf = Some(Confirmation { jkt: String::new() })),
        ("act", |claims, _| claims.act = Some(Actor { act: None, sub: "No One".to_owned() })),
    ];
    for (claim, change) in cases {
        let mut claims = claims();
        change(&mut claims, other);
        let text = claims.to_text().unwrap();
        assert_eq!(ours.read(&text), Err(TokenError::Claim { claim }), "{text}");
    }
}

#[test]
fn nested_actors_beyond_all_measure_are_refused_and_do_no_harm() {
    let ours = Forger::new();
    let act = format!("{}{}", r#"{"act":"#.repeat(300), "}".repeat(300));
    let text = text().replacen('{', &format!(r#"{{"act":{act},"#), 1);
    assert_eq!(ours.read(&text), Err(TokenError::Claims));
}

#[test]
fn the_documents_say_who_issues_and_by_which_keys() {
    let (first, next) = (Forger::new(), Forger::new());
    let issuer = Issuer::new("https://bg.example.com/tokens").unwrap();
    let documents = Documents::of(&issuer, &[first.key.clone(), next.key.clone()]);
    let configuration: serde_json::Value = serde_json::from_str(&documents.configuration).unwrap();
    assert_eq!(configuration["issuer"], "https://bg.example.com/tokens");
    assert_eq!(configuration["jwks_uri"], "https://bg.example.com/tokens/.well-known/jwks.json");
    let jwks: serde_json::Value = serde_json::from_str(&documents.jwks).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for (key, of) in keys.iter().zip([&first, &next]) {
        assert_eq!(key["kid"], of.key.thumbprint());
        assert_eq!((&key["kty"], &key["crv"]), (&"EC".into(), &"P-256".into()));
        assert_eq!((&key["use"], &key["alg"]), (&"sig".into(), &"ES256".into()));
        assert!(key.get("d").is_none());
    }
}
