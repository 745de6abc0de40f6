//! Which public keys are accepted, and in which one form.

use std::collections::BTreeSet;

use breakglass_ledger::key::{
    APPLICATION_MAX, Fingerprint, KEY_LINE_MAX, KeyError, KeyType, PublicKey,
};
use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::VerifyingKey;

use crate::signer::{Signer, strings};

fn line_of(wire: &[u8]) -> String {
    let length = usize::from(wire[3]);
    let name = str::from_utf8(&wire[4..4 + length]).unwrap();
    format!("{name} {}", BASE64.encode(wire))
}

/// Both doors must give the same answer.
fn refused(wire: &[u8]) -> KeyError {
    let error = PublicKey::from_wire(wire).unwrap_err();
    assert_eq!(PublicKey::from_openssh(&line_of(wire)), Err(error.clone()));
    error
}

#[test]
fn a_key_of_each_allowed_type_is_read_and_written_alike() {
    for signer in Signer::all() {
        let key = signer.public();
        assert_eq!(key.key_type(), signer.key_type());
        assert_eq!(key.is_sk(), key.key_type().name().starts_with("sk-"));
        assert_eq!(key.application().is_some(), key.is_sk());
        assert_eq!(key.wire(), signer.wire());
        assert_eq!(key.to_openssh(), line_of(key.wire()));
        assert_eq!(PublicKey::from_openssh(&key.to_openssh()), Ok(key));
    }
}

#[test]
fn a_comment_is_dropped_and_does_not_tell_keys_apart() {
    let key = Signer::ed25519(1).public();
    for comment in ["", " sam@yubikey", "  two words", " Zoë"] {
        let read = PublicKey::from_openssh(&format!("{key}{comment}")).unwrap();
        assert_eq!(read, key);
        assert_eq!(BTreeSet::from([read, key.clone()]).len(), 1);
    }
}

#[test]
fn two_applications_of_one_security_key_are_two_keys() {
    let point = Signer::ed25519(9).public();
    let name = KeyType::SkEd25519.name().as_bytes();
    let of = |application: &str| {
        let wire = strings(&[name, &point.wire()[19..], application.as_bytes()]);
        PublicKey::from_wire(&wire).unwrap()
    };
    assert_ne!(of("ssh:"), of("ssh:breakglass"));
}

/// R06: a certificate is never a signing or subject key.
#[test]
fn a_certificate_is_not_a_key() {
    for key_type in KeyType::ALL {
        let plain = key_type.name().trim_end_matches("@openssh.com");
        let name = format!("{plain}-cert-v01@openssh.com");
        let wire = strings(&[name.as_bytes(), &[7; 32], &[9; 32]]);
        assert_eq!(refused(&wire), KeyError::Type(name));
    }
}

#[test]
fn rsa_dsa_and_other_curves_are_refused_by_name() {
    for name in [
        "ssh-rsa",
        "rsa-sha2-512",
        "ssh-dss",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-ed448",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "SSH-ED25519",
    ] {
        let wire = strings(&[name.as_bytes(), &[7; 32]]);
        assert_eq!(refused(&wire), KeyError::Type(name.to_owned()));
    }
}

#[test]
fn a_type_that_is_no_name_is_not_quoted_back() {
    for name in ["", "a b", "a\u{1b}[31m", &"x".repeat(65), "é"] {
        let wire = strings(&[name.as_bytes(), &[7; 32]]);
        assert_eq!(PublicKey::from_wire(&wire), Err(KeyError::Malformed), "{name}");
    }
}

#[test]
fn the_type_before_the_base64_must_be_the_one_inside() {
    let encoded = BASE64.encode(&Signer::ed25519(1).wire());
    for key_type in [KeyType::EcdsaP256, KeyType::SkEd25519, KeyType::SkEcdsaP256] {
        let line = format!("{key_type} {encoded}");
        assert_eq!(PublicKey::from_openssh(&line), Err(KeyError::Malformed));
    }
}

#[test]
fn nothing_may_be_missing_from_a_key_or_follow_it() {
    for signer in Signer::all() {
        let wire = signer.wire();
        for length in 0..wire.len() {
            assert!(PublicKey::from_wire(&wire[..length]).is_err(), "{length}");
        }
        let longer = [&wire[..], &[0]].concat();
        assert_eq!(refused(&longer), KeyError::Malformed);
    }
}

/// The eight points of small order, and the second texts of those that have one.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[test]
fn a_point_of_small_order_is_refused_in_every_text() {
    for hex in SMALL_ORDER {
        let point = HEXLOWER.decode(hex.as_bytes()).unwrap();
        let plain = strings(&[b"ssh-ed25519", &point]);
        assert_eq!(refused(&plain), KeyError::Weak, "{hex}");
        let sk = strings(&[b"sk-ssh-ed25519@openssh.com", &point, b"ssh:"]);
        assert_eq!(refused(&sk), KeyError::Weak, "{hex}");
    }
}

/// The decoder accepts y and y + p alike, which would give one key two fingerprints.
#[test]
fn an_ed25519_coordinate_that_is_not_reduced_is_refused() {
    let mut strong = 0;
    for (low, sign) in (0xed..=0xff).flat_map(|low| [(low, 0x7f), (low, 0xff)]) {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (low, sign);
        strong += u32::from(VerifyingKey::from_bytes(&point).is_ok_and(|key| !key.is_weak()));
        assert!(PublicKey::from_wire(&strings(&[b"ssh-ed25519", &point])).is_err());
    }
    assert!(strong > 0, "none of them would have passed the other checks anyway");
}

#[test]
fn an_ed25519_key_that_is_no_point_is_refused() {
    let mut point = [0; 32];
    point[0] = 2;
    assert!(VerifyingKey::from_bytes(&point).is_err());
    assert_eq!(refused(&strings(&[b"ssh-ed25519", &point])), KeyError::Malformed);
}

#[test]
fn a_p256_key_must_be_an_uncompressed_point_of_the_curve() {
    let name = b"ecdsa-sha2-nistp256";
    let good = Signer::ecdsa().wire();
    let point = &good[good.len() - 65..];
    assert!(PublicKey::from_wire(&strings(&[name, b"nistp256", point])).is_ok());
    let mut off = point.to_vec();
    off[64] ^= 1;
    let mut form = point.to_vec();
    form[0] = 6;
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    for wrong in [&off[..], &form, &compressed, &[0], &[], &point[..64]] {
        let wire = strings(&[name, b"nistp256", wrong]);
        assert_eq!(refused(&wire), KeyError::Malformed);
    }
    assert_eq!(refused(&strings(&[name, b"nistp384", point])), KeyError::Malformed);
}

#[test]
fn an_application_is_one_plain_word() {
    let point = Signer::ed25519(9).wire()[19..].to_vec();
    let of = |application: &[u8]| {
        PublicKey::from_wire(&strings(&[b"sk-ssh-ed25519@openssh.com", &point, application]))
    };
    assert!(of(&[b'a'; APPLICATION_MAX]).is_ok());
    for wrong in [&b""[..], b"ssh: ", b"a\nb", b"a\0", &[0xff], &[b'a'; APPLICATION_MAX + 1]] {
        assert_eq!(of(wrong), Err(KeyError::Malformed));
    }
}

#[test]
fn the_text_of_a_key_is_strict() {
    let key = Signer::ed25519(1).public().to_openssh();
    let (name, encoded) = key.split_once(' ').unwrap();
    // 51 bytes need no padding, so the stray forms are made on a longer key.
    let padded = Signer::ecdsa().public().to_openssh();
    for wrong in [
        String::new(),
        name.to_owned(),
        format!(" {key}"),
        format!("{key}\n"),
        format!("{key}\r"),
        format!("{key} comment\n{key}"),
        format!("{name}\t{encoded}"),
        format!("{name}  {encoded}"),
        format!("{name} {encoded}="),
        format!("{name} {}", &encoded[..encoded.len() - 1]),
        padded.trim_end_matches('=').to_owned(),
        format!("{name} {}", encoded.replace('A', "*")),
    ] {
        assert_eq!(PublicKey::from_openssh(&wrong), Err(KeyError::Malformed), "{wrong:?}");
    }
    let options = format!("no-pty,command=\"x\" {key}");
    assert!(matches!(PublicKey::from_openssh(&options), Err(KeyError::Type(_))));
}

#[test]
fn a_key_longer_than_any_allowed_one_is_not_even_looked_at() {
    let key = Signer::ed25519(1).public();
    let comment = "c".repeat(KEY_LINE_MAX - key.to_openssh().len() - 1);
    let longest = format!("{key} {comment}");
    assert_eq!(PublicKey::from_openssh(&longest), Ok(key));
    assert_eq!(PublicKey::from_openssh(&format!("{longest}c")), Err(KeyError::TooLong));
    assert_eq!(PublicKey::from_wire(&[0; KEY_LINE_MAX + 1]), Err(KeyError::TooLong));
}

#[test]
fn a_fingerprint_has_one_text() {
    let text = Signer::ed25519(1).public().fingerprint().to_string();
    assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), text);
    let stray = format!("{}9", &text[..text.len() - 1]);
    for wrong in ["", "SHA256:", &text[7..], &format!("{text}="), &text[..49], &stray] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
    }
}

#[test]
fn a_key_travels_through_json_as_its_line() {
    let key = Signer::sk_ecdsa().public();
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(json, format!("\"{key}\""));
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
}
