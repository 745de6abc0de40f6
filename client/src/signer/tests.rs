use std::path::PathBuf;
use std::process::Command;

use breakglass_ledger::statement::Kind;

use super::*;

const NAMESPACE: &str = "approve.v1@breakglass";

fn keygen(dir: &Path, name: &str, kind: &str, passphrase: &str) -> PathBuf {
    let path = dir.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "ada@desk", "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    path
}

/// Whether stock OpenSSH accepts `signature` over `message` as made by the key beside `path`.
fn openssh_accepts(path: &Path, signature: &SshSig, message: &[u8]) -> bool {
    let dir = path.parent().unwrap();
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    std::fs::write(dir.join("allowed"), format!("ada {public}")).unwrap();
    std::fs::write(dir.join("sig"), signature.armored()).unwrap();
    std::fs::write(dir.join("message"), message).unwrap();
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", "ada", "-n", NAMESPACE, "-f"])
        .arg(dir.join("allowed"))
        .arg("-s")
        .arg(dir.join("sig"))
        .stdin(std::fs::File::open(dir.join("message")).unwrap())
        .output()
        .unwrap();
    verified.status.success()
}

#[test]
fn key_files_of_both_kinds_sign_what_openssh_accepts() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "ecdsa"] {
        let path = keygen(dir.path(), kind, kind, "");
        let signer = Signer::open(&KeyChoice::File(path.clone())).unwrap();
        assert!(matches!(signer, Signer::File(_)));
        let signature = signer.sign(NAMESPACE, b"yes\n").unwrap();
        assert!(openssh_accepts(&path, &signature, b"yes\n"));
        assert!(!openssh_accepts(&path, &signature, b"no\n"));
    }
}

#[test]
fn ssh_keygen_signs_for_us() {
    let dir = tempfile::tempdir().unwrap();
    let path = keygen(dir.path(), "id", "ed25519", "");
    let signer = Signer::open(&KeyChoice::SshKeygen(path.clone())).unwrap();
    let signature = signer.sign(NAMESPACE, b"yes\n").unwrap();
    assert!(openssh_accepts(&path, &signature, b"yes\n"));
    std::fs::remove_file(path.with_extension("pub")).unwrap();
    let again = Signer::open(&KeyChoice::SshKeygen(path)).unwrap();
    assert_eq!(again.public_key(), signer.public_key());
}

#[test]
fn an_encrypted_key_file_is_left_to_ssh_keygen() {
    let dir = tempfile::tempdir().unwrap();
    let path = keygen(dir.path(), "id", "ed25519", "correct horse");
    let signer = Signer::open(&KeyChoice::File(path)).unwrap();
    assert!(matches!(signer, Signer::SshKeygen(_)));
}

#[test]
fn an_rsa_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = keygen(dir.path(), "id", "rsa", "");
    assert!(Signer::open(&KeyChoice::File(path.clone())).is_err());
    assert!(Signer::open(&KeyChoice::SshKeygen(path)).is_err());
}

#[test]
fn a_file_that_is_no_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("id");
    std::fs::write(&path, "hello").unwrap();
    let Err(error) = Signer::open(&KeyChoice::File(path)) else { panic!("accepted") };
    assert!(error.to_string().contains("/id: not a private key"), "{error}");
    assert_eq!(Failure::from(error).exit(), Exit::Usage);
}

#[test]
fn a_subject_key_is_read_by_openssh_and_signs() {
    let dir = tempfile::tempdir().unwrap();
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let path = dir.path().join("id");
    crate::state::write_private(&path, key.to_openssh().unwrap().as_bytes()).unwrap();
    let shown = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output().unwrap();
    let line = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(PublicKey::from_openssh(line.trim()).unwrap(), *key.public());
    std::fs::write(path.with_extension("pub"), line).unwrap();
    let signature = Signer::Subject(key).sign(NAMESPACE, b"mine\n").unwrap();
    assert!(openssh_accepts(&path, &signature, b"mine\n"));
}
