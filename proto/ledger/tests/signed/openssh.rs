//! Foreign eyes: stock `ssh-keygen` must accept what we make, and we what it makes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use breakglass_ledger::key::{KeyError, KeyType, PublicKey};
use breakglass_ledger::sshsig::{
    SshSig, SshSigError, Verified, assemble, ed25519_signature_blob, to_be_signed,
};
use ring::signature::Ed25519KeyPair;
use tempfile::TempDir;

use crate::signer::{Blob, Signer};

const NAMESPACE: &str = "approve.v1@breakglass";
const MESSAGE: &[u8] = b"breakglass-approve/v1\nlog: payments/3f9a1c0e5b7d2a44\n";

fn ssh_keygen(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("ssh-keygen")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ssh-keygen of OpenSSH is needed to test against");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], input: &[u8]) -> String {
    let output = ssh_keygen(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A fresh key pair; the private half is at the path, the public one beside it with `.pub`.
fn generate(dir: &TempDir, name: &str, options: &[&str]) -> PathBuf {
    let path = dir.path().join(name);
    let common = ["-q", "-N", "", "-C", "a comment", "-f", text(&path)];
    done(&[&common[..], options].concat(), b"");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn public_line(private: &Path) -> String {
    fs::read_to_string(private.with_extension("pub")).unwrap().trim_end().to_owned()
}

fn sign(private: &Path, options: &[&str]) -> String {
    let file = private.with_extension("message");
    fs::write(&file, MESSAGE).unwrap();
    let common = ["-q", "-Y", "sign", "-n", NAMESPACE, "-f", text(private)];
    done(&[&common[..], options, &[text(&file)]].concat(), b"");
    let signature = private.with_extension("message.sig");
    let armored = fs::read_to_string(&signature).unwrap();
    fs::remove_file(signature).unwrap();
    armored
}

/// Whether stock OpenSSH finds `signature` right over `message`, key unknown and key known.
fn openssh_accepts(signature: &SshSig, message: &[u8]) -> bool {
    let dir = TempDir::new().unwrap();
    let (file, signers) = (dir.path().join("sig"), dir.path().join("signers"));
    fs::write(&file, signature.armored()).unwrap();
    fs::write(&signers, format!("ada {}\n", signature.public_key())).unwrap();
    let common = ["-n", signature.namespace(), "-s", text(&file)];
    let check = [&["-Y", "check-novalidate"], &common[..]].concat();
    let verify = [&["-Y", "verify", "-I", "ada", "-f", text(&signers)], &common[..]].concat();
    let [check, verify] = [check, verify].map(|all| ssh_keygen(&all, message).status.success());
    assert_eq!(check, verify);
    check
}

#[test]
fn keys_and_signatures_of_ssh_keygen_are_accepted() {
    let dir = TempDir::new().unwrap();
    for (key_type, options) in [
        (KeyType::Ed25519, &["-t", "ed25519"][..]),
        (KeyType::EcdsaP256, &["-t", "ecdsa", "-b", "256"]),
    ] {
        let private = generate(&dir, key_type.name(), options);
        let key = PublicKey::from_openssh(&public_line(&private)).unwrap();
        assert_eq!(key.key_type(), key_type);
        let listed = done(&["-l", "-f", text(&private.with_extension("pub"))], b"");
        assert_eq!(listed.split(' ').nth(1), Some(key.fingerprint().to_string().as_str()));
        for options in [&[][..], &["-O", "hashalg=sha512"], &["-O", "hashalg=sha256"]] {
            let signature = SshSig::parse(&sign(&private, options)).unwrap();
            assert_eq!(*signature.public_key(), key);
            let verdict = signature.verify(NAMESPACE, MESSAGE);
            assert_eq!(verdict, Ok(Verified { user_verified: false }));
            assert_eq!(signature.verify(NAMESPACE, b"another"), Err(SshSigError::Bad));
        }
    }
}

#[test]
fn ssh_keygen_accepts_our_signatures_of_all_four_types() {
    for signer in Signer::all() {
        let blob = signer.sign(&to_be_signed(NAMESPACE, MESSAGE));
        let signature = assemble(&signer.public(), NAMESPACE, &blob).unwrap();
        assert!(openssh_accepts(&signature, MESSAGE), "{}", signer.key_type());
        assert!(!openssh_accepts(&signature, b"another"), "{}", signer.key_type());
    }
}

/// Ed25519 is deterministic, so the same key must lead to the very same text.
#[test]
fn our_text_is_byte_for_byte_what_ssh_keygen_writes() {
    let dir = TempDir::new().unwrap();
    let private = generate(&dir, "key", &["-t", "ed25519"]);
    let pem = fs::read_to_string(&private).unwrap();
    let opened = ssh_key::PrivateKey::from_openssh(&pem).unwrap();
    let seed = opened.key_data().ed25519().unwrap().private.to_bytes();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let raw = pair.sign(&to_be_signed(NAMESPACE, MESSAGE));
    let raw: &[u8; 64] = raw.as_ref().try_into().unwrap();
    let key = PublicKey::from_openssh(&public_line(&private)).unwrap();
    let ours = assemble(&key, NAMESPACE, &ed25519_signature_blob(raw)).unwrap();
    assert_eq!(ours.armored(), sign(&private, &[]));
}

/// R06: a certificate is never a signing or subject key.
#[test]
fn a_real_certificate_is_refused_as_key_and_as_signer() {
    let dir = TempDir::new().unwrap();
    let ca = generate(&dir, "ca", &["-t", "ed25519"]);
    let private = generate(&dir, "key", &["-t", "ed25519"]);
    let public = private.with_extension("pub");
    done(&["-q", "-s", text(&ca), "-I", "id", "-n", "root", text(&public)], b"");
    let line = fs::read_to_string(dir.path().join("key-cert.pub")).unwrap();
    let name = "ssh-ed25519-cert-v01@openssh.com".to_owned();
    let refused = PublicKey::from_openssh(line.trim_end());
    assert_eq!(refused, Err(KeyError::Type(name.clone())));
    let encoded = line.split(' ').nth(1).unwrap();
    let mut blob = Blob::of(&Signer::ed25519(1), NAMESPACE, MESSAGE);
    blob.key = data_encoding::BASE64.decode(encoded.as_bytes()).unwrap();
    assert_eq!(SshSig::parse(&blob.armored()), Err(SshSigError::KeyType(name)));
}

#[test]
fn real_keys_of_other_types_are_refused_as_keys_and_as_signers() {
    let dir = TempDir::new().unwrap();
    for (name, options) in [
        ("ssh-rsa", &["-t", "rsa", "-b", "2048"][..]),
        ("ecdsa-sha2-nistp384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa-sha2-nistp521", &["-t", "ecdsa", "-b", "521"]),
    ] {
        let private = generate(&dir, name, options);
        let refused = PublicKey::from_openssh(&public_line(&private));
        assert_eq!(refused, Err(KeyError::Type(name.to_owned())));
        let refused = SshSig::parse(&sign(&private, &[]));
        assert_eq!(refused, Err(SshSigError::KeyType(name.to_owned())));
    }
}
