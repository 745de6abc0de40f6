use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;
use crate::entropy::SeededEntropy;
use crate::mint::tests::{NOW, mint};
use crate::mint::{Custody, Mint, PublicParts};

const FIRST: &[u8] = b"a passphrase of the first year";
const SECOND: &[u8] = b"and another of the second\n";
const NAMES: [&str; 6] = ["log", "ssh-ca", "lists", "tls-ca", "x509-ca.pem", "jwt-key.pem"];

fn phrase(text: &[u8]) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn open(dir: &TempDir, passphrase: Option<&[u8]>) -> Result<PublicParts, MintError> {
    let custody = Custody::of(passphrase.map(phrase));
    Mint::open_in(dir.path(), "payments", &custody).map(|mint| mint.public().clone())
}

fn same(one: &PublicParts, other: &PublicParts) -> bool {
    one.origin == other.origin && one.ssh_ca == other.ssh_ca && one.tls_ca_der == other.tls_ca_der
}

/// Fresh keys, encrypted under `FIRST`.
fn encrypted() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (custody, dice) = (Custody::of(Some(phrase(FIRST))), SeededEntropy::new(1));
    Mint::create_in(dir.path(), "payments", &custody, &dice, NOW).unwrap();
    dir
}

/// What `openssl` makes of a key with this passphrase: its public half, or nothing.
fn shown_by_openssl(path: &Path, passphrase: &[u8]) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["pkcs8", "-passin", "stdin", "-in"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(passphrase).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_stock_tool_opens_every_encrypted_key_with_the_passphrase_and_with_no_other() {
    let dir = encrypted();
    for name in NAMES {
        let path = dir.path().join("keys").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{name}");
        assert!(shown_by_openssl(&path, FIRST).is_some(), "{name}");
        assert!(shown_by_openssl(&path, SECOND).is_none(), "{name}");
    }
    let ours = fs::read_to_string(dir.path().join("keys/log")).unwrap();
    rewrap(dir.path(), Some(&phrase(FIRST)), None, &SeededEntropy::new(2)).unwrap();
    let plain = fs::read_to_string(dir.path().join("keys/log")).unwrap();
    fs::write(dir.path().join("sealed"), ours).unwrap();
    assert_eq!(shown_by_openssl(&dir.path().join("sealed"), FIRST).unwrap(), plain);
}

#[test]
fn encrypted_keys_open_with_their_passphrase_alone() {
    let dir = encrypted();
    open(&dir, Some(FIRST)).unwrap();
    let wrong = open(&dir, Some(SECOND)).unwrap_err();
    assert!(matches!(&wrong, MintError::Passphrase { path } if path.ends_with("keys/log")));
    let missing = open(&dir, None).unwrap_err().to_string();
    assert!(missing.contains("keys/log is encrypted"), "{missing}");
    assert!(missing.contains("--passphrase-fd"), "{missing}");
}

#[test]
fn encrypting_rewrapping_and_decrypting_leaves_the_keys_what_they_were() {
    let (dir, mint) = mint(1);
    let (before, dice) = (mint.public().clone(), SeededEntropy::new(2));
    fs::create_dir(dir.path().join("keys/old")).unwrap();
    let old = dir.path().join("keys/old/1-ssh-ca");
    fs::copy(dir.path().join("keys/ssh-ca"), &old).unwrap();
    let (first, second) = (phrase(FIRST), phrase(SECOND));
    assert_eq!(rewrap(dir.path(), None, Some(&first), &dice).unwrap(), 7);
    assert!(same(&open(&dir, Some(FIRST)).unwrap(), &before));
    assert!(shown_by_openssl(&old, FIRST).is_some(), "older generations too");
    rewrap(dir.path(), Some(&first), Some(&second), &dice).unwrap();
    assert!(same(&open(&dir, Some(SECOND)).unwrap(), &before));
    assert!(open(&dir, Some(FIRST)).is_err());
    assert!(rewrap(dir.path(), Some(&first), None, &dice).is_err(), "not by the old one");
    assert_eq!(rewrap(dir.path(), Some(&second), None, &dice).unwrap(), 7);
    assert!(same(&open(&dir, None).unwrap(), &before));
    assert!(!dir.path().join("keys.wrap").exists());
}

#[test]
fn a_key_that_is_not_as_the_others_is_named() {
    let (dir, _mint) = mint(1);
    let path = dir.path().join("keys/lists");
    let plain = fs::read(&path).unwrap();
    rewrap(dir.path(), None, Some(&phrase(FIRST)), &SeededEntropy::new(2)).unwrap();
    fs::write(&path, plain).unwrap();
    let error = open(&dir, Some(FIRST)).unwrap_err().to_string();
    assert!(error.contains("keys/lists is not encrypted"), "{error}");
    assert!(error.contains("breakglassd keys encrypt"), "{error}");
    // Which is then the remedy indeed.
    rewrap(dir.path(), None, Some(&phrase(FIRST)), &SeededEntropy::new(3)).unwrap();
    open(&dir, Some(FIRST)).unwrap();
}

/// Every state that a crash can leave: nothing is lost, and what is left over goes.
#[test]
fn a_crash_while_rewrapping_loses_nothing() {
    let (dir, _mint) = mint(1);
    let (beside, first) = (dir.path().join("keys.wrap"), phrase(FIRST));
    // Before the exchange: half of the new ones.
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("log"), "half of a key").unwrap();
    open(&dir, None).unwrap();
    rewrap(dir.path(), None, Some(&first), &SeededEntropy::new(2)).unwrap();
    // After it: the old ones, plain.
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("log"), "the old key").unwrap();
    clear(dir.path()).unwrap();
    assert!(!beside.exists());
    open(&dir, Some(FIRST)).unwrap();
}

#[test]
fn a_directory_with_something_strange_in_it_stays_as_it_is() {
    let (dir, _mint) = mint(1);
    let link = dir.path().join("keys/link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    let error = rewrap(dir.path(), None, Some(&phrase(FIRST)), &SeededEntropy::new(2));
    assert!(matches!(error, Err(MintError::KeyFile { path, .. }) if path == link));
    fs::remove_file(&link).unwrap();
    open(&dir, None).unwrap();
}

#[test]
fn a_passphrase_is_one_line_and_a_new_one_is_long_enough() {
    for (text, rule) in [
        (&b""[..], "empty"),
        (b"\n", "empty"),
        (b"\r\n", "empty"),
        (b"one line\nand two", "more than one line"),
        (b"nul\0nul", "control character"),
        (&[b'x'; 1025], "longer than 1024"),
    ] {
        let error = Passphrase::of(text).err().unwrap().to_string();
        assert!(error.contains(rule), "{error}");
    }
    assert!(Passphrase::of(b"short").is_ok());
    let error = Passphrase::new(b"eleven char\n").err().unwrap().to_string();
    assert!(error.contains("fewer than 12"), "{error}");
    assert!(Passphrase::of(&[b'x'; 1024]).is_ok());
    assert_eq!(Passphrase::of(b"the same\r\n").unwrap().reveal(), b"the same");
}

/// A file asks for what it takes to read it: gigabytes, hours, or nothing that scrypt knows (N = 0 made
/// the library overflow).
#[test]
fn what_a_file_asks_of_us_is_bounded_before_it_is_done() {
    let path = Path::new("keys/log");
    let sealed = encrypted::seal(b"\x30\x00", &phrase(FIRST), &SeededEntropy::new(1)).unwrap();
    assert_eq!(*encrypted::open(path, &sealed, &phrase(FIRST)).unwrap(), b"\x30\x00");
    // INTEGER 16384, INTEGER 8, INTEGER 5: as they stand in the file.
    let costs = [2, 2, 0x40, 0, 2, 1, 8, 2, 1, 5];
    let at = sealed.windows(costs.len()).position(|window| window == costs).unwrap();
    for (offset, value) in [
        (2, 0x7f), // N not a power of 2
        (2, 0x00), // N = 0, not minimal either
        (6, 127),  // r: 260 MB
        (9, 127),  // p: a minute
        (9, 0),
    ] {
        let mut changed = sealed.clone();
        changed[at + offset] = value;
        let error = encrypted::open(path, &changed, &phrase(FIRST)).unwrap_err();
        assert!(matches!(error, MintError::KeyFile { .. }), "{offset} {value}: {error}");
    }
    for end in 0..sealed.len() {
        assert!(encrypted::open(path, &sealed[..end], &phrase(FIRST)).is_err(), "{end}");
    }
}
