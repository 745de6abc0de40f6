use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::entropy::SeededEntropy;
use crate::mint::Mint;
use crate::mint::tests::{NOW, mint};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn error(dir: &TempDir) -> MintError {
    Mint::open(dir.path(), "payments").err().unwrap()
}

#[test]
fn private_keys_are_for_their_owner_alone() {
    let (dir, _mint) = mint(1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let keys = dir.path().join("keys");
    assert_eq!(mode(&keys), 0o700);
    for name in ["log", "ssh-ca", "lists", "tls-ca", "x509-ca.pem"] {
        assert_eq!(mode(&keys.join(name)), 0o600, "{name}");
    }
    assert!(!dir.path().join("keys.new").exists());
}

#[test]
fn the_stock_tool_reads_every_key() {
    let (dir, mint) = mint(1);
    for name in ["log", "ssh-ca", "lists", "tls-ca", "x509-ca.pem"] {
        let path = dir.path().join("keys").join(name);
        let args = ["pkey", "-noout", "-text_pub", "-in"];
        let output = Command::new("openssl").args(args).arg(path).output().unwrap();
        assert!(output.status.success(), "{name}");
        let text = String::from_utf8(output.stdout).unwrap();
        let expected =
            if name.contains("-ca.") || name == "tls-ca" { "prime256v1" } else { "ED25519" };
        assert!(text.contains(expected), "{text}");
        if name == "log" {
            let hex = data_encoding::HEXLOWER.encode(mint.public().log.public_key());
            let shown: String = text.chars().filter(char::is_ascii_hexdigit).collect();
            assert!(shown.contains(&hex), "{text}");
        }
    }
}

#[test]
fn a_key_that_others_may_read_is_refused_with_the_remedy() {
    let (dir, _mint) = mint(1);
    for name in ["log", "ssh-ca", "lists", "tls-ca", "x509-ca.pem"] {
        let path = dir.path().join("keys").join(name);
        for mode in [0o640, 0o604, 0o620, 0o601] {
            set_mode(&path, mode);
            let text = error(&dir).to_string();
            assert!(text.contains(&format!("{} has mode {mode:04o}", path.display())), "{text}");
            assert!(text.contains(&format!("`chmod 600 {}`", path.display())), "{text}");
        }
        set_mode(&path, 0o600);
    }
    assert!(Mint::open(dir.path(), "payments").is_ok());
}

#[test]
fn a_directory_of_keys_that_others_may_enter_is_refused() {
    let (dir, _mint) = mint(1);
    set_mode(&dir.path().join("keys"), 0o750);
    assert!(matches!(error(&dir), MintError::Permissions { mode: 0o750, remedy: 0o700, .. }));
}

#[test]
fn keys_are_never_overwritten() {
    let (dir, before) = mint(1);
    let again = Mint::create(dir.path(), "payments", &SeededEntropy::new(2), NOW);
    assert!(matches!(again, Err(MintError::Exists { .. })));
    let after = Mint::open(dir.path(), "payments").unwrap();
    assert_eq!(before.public().origin, after.public().origin);
    assert_eq!(before.public().tls_ca_der, after.public().tls_ca_der);
}

#[test]
fn what_a_crash_left_half_made_is_made_again() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("keys.new")).unwrap();
    fs::write(dir.path().join("keys.new/log"), "half").unwrap();
    Mint::create(dir.path(), "payments", &SeededEntropy::new(1), NOW).unwrap();
    assert!(Mint::open(dir.path(), "payments").is_ok());
}

#[test]
fn the_same_dice_make_the_same_log_and_other_dice_another() {
    let origin = |seed| mint(seed).1.public().origin.clone();
    assert_eq!(origin(1), origin(1));
    assert_ne!(origin(1), origin(2));
}

#[test]
fn a_key_of_another_kind_or_cut_short_is_refused() {
    let (dir, _mint) = mint(1);
    let keys = dir.path().join("keys");
    for (name, other) in [("log", "tls-ca"), ("tls-ca", "log"), ("lists", "tls-ca.crt")] {
        let good = fs::read(keys.join(name)).unwrap();
        for bad in [fs::read(keys.join(other)).unwrap(), good[..good.len() - 1].to_vec(), vec![]] {
            fs::write(keys.join(name), bad).unwrap();
            assert!(matches!(error(&dir), MintError::KeyFile { .. }), "{name}");
        }
        fs::write(keys.join(name), vec![b'x'; files::FILE_MAX + 1]).unwrap();
        assert!(matches!(error(&dir), MintError::KeyFile { .. }), "{name}");
        fs::write(keys.join(name), good).unwrap();
    }
}

#[test]
fn a_missing_key_is_named() {
    let (dir, _mint) = mint(1);
    let path = dir.path().join("keys/lists");
    fs::remove_file(&path).unwrap();
    assert_eq!(error(&dir).to_string(), format!("cannot open {}", path.display()));
}

#[test]
fn an_authority_certificate_of_another_key_is_refused() {
    let (dir, _mint) = mint(1);
    let (other, _other_mint) = mint(2);
    let name = "keys/tls-ca.crt";
    fs::copy(other.path().join(name), dir.path().join(name)).unwrap();
    assert!(matches!(error(&dir), MintError::Tls(_)));
}

#[test]
fn a_deployment_name_that_breaks_the_origin_is_refused() {
    let (dir, _mint) = mint(1);
    let refused = Mint::open(dir.path(), "pay/ments").err().unwrap();
    assert!(matches!(refused, MintError::Deployment(_)));
}

#[test]
fn both_forms_of_a_p256_signature_verify_by_other_hands() {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let key = P256Key::from_pkcs8(&P256Key::generate().unwrap()).unwrap();
    let (raw, der) = (key.sign(b"message").unwrap(), key.sign_der(b"message").unwrap());
    let verified = |form, signature: &[u8]| {
        UnparsedPublicKey::new(form, key.public()).verify(b"message", signature).is_ok()
    };
    assert!(verified(&ECDSA_P256_SHA256_FIXED, &raw));
    assert!(verified(&ECDSA_P256_SHA256_ASN1, &der));
    assert!(P256Key::from_pkcs8(&Ed25519Key::generate(&SeededEntropy::new(1)).unwrap()).is_none());
}
