use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::entropy::SeededEntropy;
use crate::krl;
use crate::mint::tests::{NOW, mint};
use crate::mint::{Custody, SignedList};

/// Of the X.509 authority.
const CERTIFICATE: &str = "x509-ca.crt";
/// The entry that names the successor.
const ENTRY: u64 = 17;

fn reopened(dir: &TempDir) -> Mint {
    Mint::open(dir.path(), "payments").unwrap()
}

fn prepared(role: KeyRole) -> (TempDir, Mint) {
    let (dir, mint) = mint(1);
    prepare(&dir, &mint, role);
    let mint = reopened(&dir);
    (dir, mint)
}

fn prepare(dir: &TempDir, mint: &Mint, role: KeyRole) {
    let dice = SeededEntropy::new(9);
    mint.prepare(dir.path(), &wanted(role, &Custody::default()), &dice).unwrap();
}

fn wanted(role: KeyRole, custody: &Custody) -> NextKey<'_> {
    NextKey { role, custody, in_file: false, spent: &[], now: NOW }
}

fn next(mint: &Mint, role: KeyRole) -> RoleKey {
    let mut others = mint.public().others_of(role);
    others.find(|other| other.stage == Stage::Next { since: NOW }).unwrap().key.clone()
}

#[test]
fn a_next_key_is_trusted_and_signs_nothing() {
    for role in KeyRole::ALL {
        let (dir, before) = mint(1);
        prepare(&dir, &before, role);
        let mint = reopened(&dir);
        let (next, public) = (next(&mint, role), mint.public());
        assert_eq!(public.current(role), before.public().current(role), "{role:?}");
        assert_eq!(public.trusted(role), [before.public().current(role).unwrap(), next]);
        assert_eq!(public.trusted(role).len(), 2);
    }
}

#[test]
fn a_switch_keeps_the_old_key_and_repeating_it_changes_nothing() {
    for role in KeyRole::ALL {
        let (dir, before) = prepared(role);
        let (old, new) = (before.public().current(role).unwrap(), next(&before, role));
        for _ in 0..2 {
            Mint::switch(dir.path(), role, ENTRY).unwrap();
            let after = reopened(&dir);
            assert_eq!(after.public().current(role), Some(new.clone()), "{role:?}");
            assert_eq!(after.public().trusted(role), [new.clone(), old.clone()]);
        }
        Mint::remove_key(dir.path(), role, Stage::Old { until: ENTRY }).unwrap();
        assert_eq!(reopened(&dir).public().trusted(role), [new]);
    }
}

/// Every file in the directory of keys, by its name below it.
fn files(dir: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for below in ["", "next", "old"] {
        let Ok(listing) = fs::read_dir(dir.path().join("keys").join(below)) else { continue };
        for path in listing.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Killed after any of the renames of a switch: the next start is at its end.
#[test]
fn a_switch_that_stopped_half_way_is_finished_by_the_next_start() {
    for role in [KeyRole::SshCa, KeyRole::TlsCa, KeyRole::X509Ca] {
        let (dir, before) = prepared(role);
        let (old, new) = (before.public().current(role).unwrap(), next(&before, role));
        let keys = dir.path().join("keys");
        let names: &[&str] = match role {
            KeyRole::SshCa => &["ssh-ca"],
            KeyRole::TlsCa => &["tls-ca.crt", "tls-ca"],
            KeyRole::X509Ca | KeyRole::Lists | KeyRole::JwtKey => &["x509-ca.crt", "x509-ca.pem"],
        };
        let moved = |name: &str| {
            fs::create_dir_all(keys.join("old")).unwrap();
            fs::set_permissions(keys.join("old"), mode(0o700)).unwrap();
            fs::hard_link(keys.join(name), keys.join(format!("old/{ENTRY}-{name}"))).unwrap();
        };
        fs::write(keys.join("switching"), format!("{} {ENTRY}\n", role.name())).unwrap();
        let before = files(&dir);
        for done in 0..=names.len() * 2 {
            restore(&dir, &before);
            for (at, name) in names.iter().enumerate() {
                if done > at * 2 {
                    moved(name);
                }
                if done > at * 2 + 1 {
                    fs::rename(keys.join("next").join(name), keys.join(name)).unwrap();
                }
            }
            let after = reopened(&dir);
            assert_eq!(after.public().trusted(role), [new.clone(), old.clone()], "{role:?} {done}");
            assert!(!keys.join("switching").exists());
        }
    }
}

/// Whether a role's key is in a file, or in a token with its public half in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    File,
    Pin,
}

impl Form {
    fn name(self, role: KeyRole) -> String {
        match (role, self) {
            (KeyRole::X509Ca | KeyRole::JwtKey, Self::File) => format!("{}.pem", role.name()),
            (_, Self::File) => role.name().to_owned(),
            (_, Self::Pin) => format!("{}.pub", role.name()),
        }
    }

    /// The key at `place` from here on, of which `line` is the public half.
    fn put(self, keys: &Path, place: &str, role: KeyRole, line: &str) {
        if self == Self::Pin {
            let file = Self::File.name(role);
            fs::remove_file(keys.join(place).join(file)).unwrap();
            let pin = keys.join(place).join(self.name(role));
            fs::write(pin, format!("{line}\n")).unwrap();
        }
    }
}

/// The public half, as a file pins it.
fn line(role: KeyRole, key: &RoleKey) -> String {
    key_named(role, &key.named().unwrap()).unwrap().to_openssh()
}

/// From a file into a token, out of it, and from one key in it to another; killed after any of the links,
/// renames and removals of which that is made.
#[test]
fn a_switch_into_a_token_or_out_of_it_that_stopped_half_way_is_finished_by_the_next_start() {
    use Form::{File, Pin};
    for role in [KeyRole::SshCa, KeyRole::X509Ca] {
        for (from, to) in [(File, Pin), (Pin, File), (Pin, Pin)] {
            let (dir, before) = prepared(role);
            let (old, new) = (before.public().current(role).unwrap(), next(&before, role));
            let keys = dir.path().join("keys");
            from.put(&keys, "", role, &line(role, &old));
            to.put(&keys, "next", role, &line(role, &new));
            assert_eq!(reopened(&dir).public().trusted(role), [old.clone(), new.clone()]);
            fs::create_dir(keys.join("old")).unwrap();
            fs::set_permissions(keys.join("old"), mode(0o700)).unwrap();
            fs::write(keys.join("switching"), format!("{} {ENTRY}\n", role.name())).unwrap();
            let (was, is) = (from.name(role), to.name(role));
            let kept = |name: &str| keys.join(format!("old/{ENTRY}-{name}"));
            let mut steps: Vec<Box<dyn Fn() -> std::io::Result<()>>> = Vec::new();
            if role == KeyRole::X509Ca {
                steps.push(Box::new(|| fs::hard_link(keys.join(CERTIFICATE), kept(CERTIFICATE))));
                steps.push(Box::new(|| {
                    fs::rename(keys.join("next").join(CERTIFICATE), keys.join(CERTIFICATE))
                }));
            }
            steps.push(Box::new(|| fs::hard_link(keys.join(&was), kept(&was))));
            steps.push(Box::new(|| fs::rename(keys.join("next").join(&is), keys.join(&is))));
            if was != is {
                steps.push(Box::new(|| fs::remove_file(keys.join(&was))));
            }
            let start = files(&dir);
            for done in 0..=steps.len() {
                restore(&dir, &start);
                steps.iter().take(done).for_each(|step| step().unwrap());
                let after = reopened(&dir);
                let what = format!("{role:?} {from:?} {to:?} {done}");
                assert_eq!(after.public().trusted(role), [new.clone(), old.clone()], "{what}");
                let is_file = |stage| after.held(role, stage) == Held::File;
                assert_eq!(is_file(None), to == File, "{what}");
                assert_eq!(is_file(Some(Stage::Old { until: ENTRY })), from == File, "{what}");
                assert!(keys.join(&is).exists() && (was == is || !keys.join(&was).exists()));
                assert!(!keys.join("switching").exists());
            }
            Mint::remove_key(dir.path(), role, Stage::Old { until: ENTRY }).unwrap();
            assert_eq!(fs::read_dir(keys.join("old")).unwrap().count(), 0, "nothing is left");
        }
    }
}

/// A key in a token is not left for one in a file unless somebody says so.
#[test]
fn where_a_next_key_is_to_be_is_said_by_somebody() {
    let (dir, mint) = mint(1);
    let role = KeyRole::SshCa;
    let current = line(role, &mint.public().current(role).unwrap());
    Form::Pin.put(&dir.path().join("keys"), "", role, &current);
    let (custody, dice) = (Custody::default(), SeededEntropy::new(9));
    let refused = mint.prepare(dir.path(), &wanted(role, &custody), &dice);
    assert!(matches!(refused, Err(MintError::InToken { role: "ssh-ca" })));
    assert_eq!(reopened(&dir).public().others.len(), 0);
    let in_file = NextKey { in_file: true, ..wanted(role, &custody) };
    mint.prepare(dir.path(), &in_file, &dice).unwrap();
    assert_eq!(reopened(&dir).held(role, Some(Stage::Next { since: NOW })), Held::File);
}

#[test]
fn a_key_in_a_file_and_in_a_token_at_once_is_refused() {
    let (dir, mint) = mint(1);
    let role = KeyRole::JwtKey;
    let current = line(role, &mint.public().current(role).unwrap());
    fs::write(dir.path().join("keys/jwt-key.pub"), format!("{current}\n")).unwrap();
    let refused = Mint::open(dir.path(), "payments").err().unwrap();
    assert!(matches!(refused, MintError::TwoKeys { .. }), "{refused}");
}

/// A signature for one purpose must never be taken for one for another.
#[test]
fn two_keys_that_are_one_are_refused() {
    let (dir, mint) = mint(1);
    let keys = dir.path().join("keys");
    fs::copy(keys.join("lists"), keys.join("ssh-ca")).unwrap();
    let refused = Mint::open(dir.path(), "payments").err().unwrap();
    assert!(matches!(refused, MintError::Shared("ssh-ca", "lists")), "{refused}");
    drop(mint);
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn restore(dir: &TempDir, before: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(dir) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in before {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, mode(0o600)).unwrap();
    }
}

#[test]
fn what_a_crash_left_of_a_next_key_is_made_again() {
    let (dir, mint) = mint(1);
    let next = dir.path().join("keys/next");
    fs::create_dir(&next).unwrap();
    fs::set_permissions(&next, mode(0o700)).unwrap();
    fs::write(next.join("x509-ca.crt"), "half").unwrap();
    fs::write(next.join("x509-ca.since"), "half").unwrap();
    assert_eq!(reopened(&dir).public().others.len(), 0);
    prepare(&dir, &mint, KeyRole::X509Ca);
    assert_eq!(reopened(&dir).public().others.len(), 1);
}

#[test]
fn a_second_next_key_is_not_made() {
    let (dir, mint) = prepared(KeyRole::SshCa);
    let dice = SeededEntropy::new(10);
    let again = mint.prepare(dir.path(), &wanted(KeyRole::SshCa, &Custody::default()), &dice);
    assert!(matches!(again, Err(MintError::Exists { .. })));
}

#[test]
fn revocations_are_told_under_the_authority_that_signed_each() {
    let (dir, before) = prepared(KeyRole::SshCa);
    Mint::switch(dir.path(), KeyRole::SshCa, ENTRY).unwrap();
    let after = reopened(&dir);
    let (old, new) = (before.public().ssh_ca.wire(), after.public().ssh_ca.wire());
    let SignedList { krl, .. } = after.krl(&[3, 16, 18, 40], 50, NOW).unwrap();
    assert!(krl::read_of(&krl, &[new, old]).unwrap().is_exactly(&[3, 16, 18, 40]));
    for one in [new, old] {
        assert!(krl::read(&krl, one).is_err(), "there are two sections");
    }
    let SignedList { krl, .. } = after.krl(&[3], 50, NOW).unwrap();
    assert!(krl::read(&krl, old).unwrap().is_exactly(&[3]));
    let SignedList { krl, .. } = after.krl(&[18], 50, NOW).unwrap();
    assert!(krl::read(&krl, new).unwrap().is_exactly(&[18]));
}

#[test]
fn every_x509_authority_signs_a_list_while_it_is_trusted() {
    let (dir, before) = prepared(KeyRole::X509Ca);
    Mint::switch(dir.path(), KeyRole::X509Ca, ENTRY).unwrap();
    let after = reopened(&dir);
    let list = after.crl([].iter(), 50, NOW).unwrap().unwrap();
    let issuer = |mint: &Mint| Issuer::from_pem(mint.public().x509_ca.as_deref().unwrap()).unwrap();
    let read = |der| crate::crl::read(der).unwrap();
    assert!(issuer(&after).made(&read(&list.der)));
    assert!(issuer(&before).made(&read(&list.older[0])));
    assert_eq!(crate::crl::all_from_pem(list.pem()).unwrap(), [list.der, list.older[0].clone()]);
}
