//! The strictness of signatures, one rule at a time.

use std::fs;

use breakglass_ledger::sshsig::{
    ARMORED_MAX, SshSig, SshSigError, Verified, assemble, ed25519_signature_blob, to_be_signed,
};
use ed25519_dalek::{Verifier as _, VerifyingKey};

use crate::signer::{Blob, Signer, armored, mpint, strings};
use crate::vectors::files;

const NAMESPACE: &str = "request.v1@breakglass";
const MESSAGE: &[u8] = b"breakglass-request/v1\n";

fn assembled(signer: &Signer) -> SshSig {
    let signature = signer.sign(&to_be_signed(NAMESPACE, MESSAGE));
    assemble(&signer.public(), NAMESPACE, &signature).unwrap()
}

fn refused(change: impl FnOnce(&mut Blob)) -> SshSigError {
    let mut blob = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE);
    assert!(SshSig::parse(&blob.armored()).is_ok());
    change(&mut blob);
    SshSig::parse(&blob.armored()).unwrap_err()
}

fn rule(error: SshSigError) -> &'static str {
    let SshSigError::Malformed { rule } = error else { panic!("{error:?}") };
    rule
}

#[test]
fn a_signature_of_each_type_of_key_verifies() {
    for signer in Signer::all() {
        let signature = assembled(&signer);
        assert_eq!(*signature.public_key(), signer.public());
        assert_eq!(signature.namespace(), NAMESPACE);
        assert_eq!(signature.verify(NAMESPACE, MESSAGE), Ok(Verified { user_verified: false }));
        assert_eq!(SshSig::parse(signature.armored()), Ok(signature));
    }
}

#[test]
fn the_signer_of_a_kept_signature_is_the_one_that_parsing_it_names() {
    for signer in Signer::all() {
        let signature = assembled(&signer);
        let key = signature.public_key().fingerprint();
        assert_eq!(SshSig::signer_of(signature.armored()), Ok(key));
    }
    let broken = SshSig::signer_of("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n");
    assert!(matches!(broken, Err(SshSigError::Malformed { .. })));
}

#[test]
fn no_other_message_and_no_other_key_verifies() {
    for signer in Signer::all() {
        let signature = assembled(&signer);
        for other in [&b""[..], b"breakglass-request/v1", b"breakglass-request/v2\n"] {
            assert_eq!(signature.verify(NAMESPACE, other), Err(SshSigError::Bad));
        }
    }
    let mut blob = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE);
    blob.key = Signer::ed25519(2).wire();
    let foreign = SshSig::parse(&blob.armored()).unwrap();
    assert_eq!(foreign.verify(NAMESPACE, MESSAGE), Err(SshSigError::Bad));
}

#[test]
fn a_signature_for_one_act_is_worthless_for_another() {
    let signature = assembled(&Signer::ed25519(1));
    assert_eq!(
        signature.verify("approve.v1@breakglass", MESSAGE),
        Err(SshSigError::Namespace {
            expected: "approve.v1@breakglass".to_owned(),
            found: NAMESPACE.to_owned(),
        })
    );
    let mut renamed = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE);
    renamed.namespace = b"approve.v1@breakglass".to_vec();
    let renamed = SshSig::parse(&renamed.armored()).unwrap();
    assert_eq!(renamed.verify("approve.v1@breakglass", MESSAGE), Err(SshSigError::Bad));
}

#[test]
fn only_version_one_is_known() {
    for version in [0, 2, 0x0100_0000, u32::MAX] {
        assert_eq!(rule(refused(|blob| blob.version = version)), "version is not 1");
    }
    let magic = refused(|blob| blob.magic = b"SSHSIh".to_vec());
    assert_eq!(rule(magic), "does not begin with SSHSIG");
}

#[test]
fn the_reserved_field_is_empty() {
    let error = refused(|blob| blob.reserved = b"x".to_vec());
    assert_eq!(rule(error), "the reserved field is not empty");
}

#[test]
fn the_hash_is_sha512_or_sha256() {
    for hash in [&b""[..], b"sha1", b"sha384", b"SHA512", b"sha512 ", b"sha512\0"] {
        let error = refused(|blob| blob.hash = hash.to_vec());
        assert_eq!(rule(error), "the hash is neither sha512 nor sha256");
    }
}

#[test]
fn a_renamed_hash_does_not_verify() {
    let mut blob = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE);
    blob.hash = b"sha256".to_vec();
    let signature = SshSig::parse(&blob.armored()).unwrap();
    assert_eq!(signature.verify(NAMESPACE, MESSAGE), Err(SshSigError::Bad));
}

#[test]
fn a_namespace_is_one_plain_word_of_at_most_64_bytes() {
    let long = [b'a'; 65];
    for namespace in [&b""[..], b"a b", b"a\n", b"a\0", &[0xff], &long] {
        let error = refused(|blob| blob.namespace = namespace.to_vec());
        assert!(rule(error).starts_with("the namespace is"));
    }
}

#[test]
fn nothing_follows_the_signature() {
    let error = refused(|blob| blob.trailing = vec![0]);
    assert_eq!(rule(error), "bytes after the signature");
    let error = refused(|blob| blob.signature.push(0));
    assert_eq!(rule(error), "bytes after the inner signature");
    for signer in Signer::all() {
        let mut blob = Blob::of(&signer, NAMESPACE, MESSAGE);
        blob.signature.extend([1, 0, 0, 0, 7]);
        assert!(SshSig::parse(&blob.armored()).is_err(), "flags and counter once more");
    }
}

#[test]
fn a_signature_cut_anywhere_is_malformed() {
    for signer in Signer::all() {
        let bytes = Blob::of(&signer, NAMESPACE, MESSAGE).bytes();
        for length in 0..bytes.len() {
            assert!(SshSig::parse(&armored(&bytes[..length], 70)).is_err(), "{length}");
        }
    }
}

#[test]
fn the_signature_is_of_the_type_of_the_key() {
    for (signer, other) in Signer::all().iter().zip(Signer::all().iter().cycle().skip(1)) {
        let mut blob = Blob::of(signer, NAMESPACE, MESSAGE);
        blob.signature = other.sign(&to_be_signed(NAMESPACE, MESSAGE));
        let error = SshSig::parse(&blob.armored()).unwrap_err();
        assert_eq!(rule(error), "the signature's type is not the key's");
    }
}

#[test]
fn an_ed25519_signature_has_64_bytes() {
    for length in [0, 63, 65] {
        let raw = vec![0; length];
        let error = refused(|blob| blob.signature = strings(&[b"ssh-ed25519", &raw]));
        assert_eq!(rule(error), "the signature's numbers are malformed");
    }
}

#[test]
fn an_ecdsa_signature_is_two_shortest_positive_numbers() {
    let signer = Signer::ecdsa();
    let of = |parts: &[&[u8]]| {
        let mut blob = Blob::of(&signer, NAMESPACE, MESSAGE);
        blob.signature = strings(&[b"ecdsa-sha2-nistp256", &strings(parts)]);
        SshSig::parse(&blob.armored())
    };
    let (small, large) = (mpint(&[0x7f; 32]), mpint(&[0x80; 32]));
    assert_eq!(large.len(), 33);
    assert!(of(&[&small, &large]).is_ok());
    assert!(of(&[&[1], &[0x7f]]).is_ok());
    let too_long = [&[1][..], &[0; 32]].concat();
    let padded = [&[0][..], &small].concat();
    let padded_twice = [&[0][..], &large].concat();
    for wrong in [&[][..], &[0], &[0, 0], &[0x80; 32], &[0xff], &too_long, &padded, &padded_twice] {
        for parts in [[wrong, &small], [&small, wrong]] {
            let error = of(&parts).unwrap_err();
            assert_eq!(rule(error), "the signature's numbers are malformed");
        }
    }
    assert!(of(&[&small]).is_err());
    assert!(of(&[&small, &small, &small]).is_err());
}

/// R06: a certificate is never a signing key.
#[test]
fn a_certificate_signs_nothing() {
    let name = b"ssh-ed25519-cert-v01@openssh.com";
    let error = refused(|blob| blob.key = strings(&[name, &[7; 32], &[9; 32]]));
    assert_eq!(error, SshSigError::KeyType("ssh-ed25519-cert-v01@openssh.com".to_owned()));
    let error = refused(|blob| blob.key = strings(&[b"ssh-rsa", &[1, 0, 1], &[9; 256]]));
    assert_eq!(error, SshSigError::KeyType("ssh-rsa".to_owned()));
}

/// For the identity point, R = identity and S = 0 fit every message in stock tools.
#[test]
fn a_weak_key_signs_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut everything = [0; 64];
    everything[0] = 1;
    let error = refused(|blob| {
        blob.key = strings(&[b"ssh-ed25519", &identity]);
        blob.signature = ed25519_signature_blob(&everything);
    });
    assert_eq!(error, SshSigError::Weak);
}

/// Whoever holds a strong key can make R the identity; the plain check takes it, the strict one not.
#[test]
fn a_small_order_commitment_is_refused_under_a_strong_key() {
    let name = "ed25519-r-of-small-order";
    let paths = files("signatures/E_SSHSIG_BAD", "sig");
    let path = paths.iter().find(|path| path.file_stem().unwrap() == name).unwrap();
    let armored = fs::read_to_string(path).unwrap();
    let message = fs::read(&files("signatures", "txt")[0]).unwrap();
    let signature = SshSig::parse(&armored).unwrap();
    assert_eq!(signature.verify(NAMESPACE, &message), Err(SshSigError::Bad));

    let encoded: String = armored.lines().filter(|line| !line.starts_with("-----")).collect();
    let blob = data_encoding::BASE64.decode(encoded.as_bytes()).unwrap();
    let raw = blob.last_chunk::<64>().unwrap();
    let point = signature.public_key().wire().last_chunk::<32>().unwrap();
    let plain = VerifyingKey::from_bytes(point).unwrap();
    let raw = ed25519_dalek::Signature::from_bytes(raw);
    assert!(
        plain.verify(&to_be_signed(NAMESPACE, &message), &raw).is_ok(),
        "a vector without teeth"
    );
}

#[test]
fn a_security_key_must_have_been_touched() {
    for mut signer in [Signer::sk_ed25519(), Signer::sk_ecdsa()] {
        for flags in [0x00, 0x02, 0x04, 0xfe] {
            signer.flags = flags;
            let verdict = assembled(&signer).verify(NAMESPACE, MESSAGE);
            assert_eq!(verdict, Err(SshSigError::UserPresence), "{flags:#x}");
        }
    }
}

#[test]
fn a_security_key_says_whether_it_checked_its_user() {
    for mut signer in [Signer::sk_ed25519(), Signer::sk_ecdsa()] {
        for (flags, user_verified) in [(0x01, false), (0x05, true)] {
            signer.flags = flags;
            let verdict = assembled(&signer).verify(NAMESPACE, MESSAGE);
            assert_eq!(verdict, Ok(Verified { user_verified }));
        }
    }
}

#[test]
fn flags_counter_and_application_are_under_the_signature() {
    for mut signer in [Signer::sk_ed25519(), Signer::sk_ecdsa()] {
        signer.flags = 0;
        let untouched = Blob::of(&signer, NAMESPACE, MESSAGE);
        let end = untouched.signature.len();
        for (position, value) in [(end - 5, 1), (end - 5, 5), (end - 1, 8), (end - 4, 1)] {
            let mut blob = Blob::of(&signer, NAMESPACE, MESSAGE);
            blob.signature.clone_from(&untouched.signature);
            blob.signature[position] = value;
            let signature = SshSig::parse(&blob.armored()).unwrap();
            assert_eq!(signature.verify(NAMESPACE, MESSAGE), Err(SshSigError::Bad));
        }
        let mut elsewhere = Blob::of(&signer, NAMESPACE, MESSAGE);
        let last = elsewhere.key.len() - 1;
        elsewhere.key[last] ^= 1;
        let signature = SshSig::parse(&elsewhere.armored()).unwrap();
        assert_ne!(signature.public_key(), &signer.public());
        assert_eq!(signature.verify(NAMESPACE, MESSAGE), Err(SshSigError::Bad));
    }
}

#[test]
fn one_signature_has_one_armored_text() {
    let bytes = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE).bytes();
    let text = armored(&bytes, 70);
    assert!(SshSig::parse(&text).is_ok());
    let one_line_down = text.replacen("-----\n", "-----\n\n", 1);
    for wrong in [
        armored(&bytes, 64),
        armored(&bytes, 76),
        armored(&bytes, usize::MAX),
        text.replace('\n', "\r\n"),
        text.replace('\n', " \n"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("\n{text}"),
        format!("{text}{text}"),
        format!("# comment\n{text}"),
        text.replace("SSH", "PGP"),
        one_line_down,
        String::new(),
    ] {
        assert!(SshSig::parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn base64_is_canonical() {
    // A namespace of the right length makes the blob end within a group of three bytes.
    let namespace = (1..4)
        .map(|length| "n".repeat(length))
        .find(|name| Blob::of(&Signer::ed25519(1), name, MESSAGE).bytes().len() % 3 == 2)
        .unwrap();
    let text = Blob::of(&Signer::ed25519(1), &namespace, MESSAGE).armored();
    assert!(SshSig::parse(&text).is_ok());
    let padding = text.find("=\n").unwrap();
    let without = text.replace("=\n", "\n");
    assert!(SshSig::parse(&without).is_err());
    let last = text.as_bytes()[padding - 1];
    let strays = (b'0'..=b'z').filter(|byte| byte.is_ascii_alphanumeric() && *byte != last);
    let accepted = strays.filter(|stray| {
        let mut bytes = text.clone().into_bytes();
        bytes[padding - 1] = *stray;
        let read = SshSig::parse(str::from_utf8(&bytes).unwrap());
        read.is_ok_and(|signature| signature.verify(&namespace, MESSAGE).is_ok())
    });
    assert_eq!(accepted.count(), 0);
}

#[test]
fn an_armored_text_over_8_kib_is_not_even_looked_at() {
    let error = SshSig::parse(&"A".repeat(ARMORED_MAX + 1)).unwrap_err();
    assert_eq!(rule(error), "over 8 KiB");
    assert_ne!(rule(SshSig::parse(&"A".repeat(ARMORED_MAX)).unwrap_err()), "over 8 KiB");
}

#[test]
fn assembling_refuses_what_does_not_fit_the_key() {
    let signature = Signer::ecdsa().sign(&to_be_signed(NAMESPACE, MESSAGE));
    assert!(assemble(&Signer::ed25519(1).public(), NAMESPACE, &signature).is_err());
    assert!(assemble(&Signer::ecdsa().public(), "", &signature).is_err());
}
