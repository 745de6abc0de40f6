use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::open_checkpoint;
use tempfile::TempDir;

use super::*;
use crate::entropy::SeededEntropy;
use crate::krl::{self, KrlError, NAMESPACE};

/// 2026-11-22, about noon.
pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

/// A mint with keys of its own, the same for the same seed (but for TLS).
pub(super) fn mint(seed: u64) -> (TempDir, Mint) {
    let dir = TempDir::new().unwrap();
    Mint::create(dir.path(), "payments", &SeededEntropy::new(seed), NOW).unwrap();
    let mint = Mint::open(dir.path(), "payments").unwrap();
    (dir, mint)
}

#[test]
fn a_checkpoint_is_signed_by_the_key_its_origin_names() {
    let (_dir, mint) = mint(1);
    let origin = mint.public().origin.clone();
    assert!(origin.matches(mint.public().log.public_key()));
    let checkpoint = Checkpoint { origin, size: 3, root: Digest::of(b"x") };
    let note = mint.sign_checkpoint(&checkpoint).unwrap();
    assert_eq!(open_checkpoint(&note, &mint.public().log).unwrap(), checkpoint);
}

#[test]
fn a_checkpoint_of_another_log_is_not_signed() {
    let (_dir, ours) = mint(1);
    let (_other_dir, other) = mint(2);
    let origin = other.public().origin.clone();
    let foreign = Checkpoint { origin, size: 3, root: Digest::ZERO };
    assert!(matches!(ours.sign_checkpoint(&foreign), Err(MintError::ForeignCheckpoint)));
}

#[test]
fn every_purpose_has_a_key_of_its_own() {
    let (_dir, mint) = mint(1);
    let public = mint.public();
    let raw = |key: &PublicKey| key.wire()[key.wire().len() - 32..].to_vec();
    let keys = [public.log.public_key().to_vec(), raw(&public.ssh_ca), raw(&public.lists)];
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2]);
    assert_ne!(keys[0], keys[2]);
}

/// R40: a list is parsed back before it leaves, and never has zero bytes.
#[test]
fn a_list_says_whose_it_is_and_exactly_what_was_revoked() {
    let (_dir, mint) = mint(1);
    for revoked in [vec![], vec![4, 5, 9], (1..50_000).collect()] {
        let list = mint.krl(&revoked, 12, NOW).unwrap();
        let read = krl::read(&list.krl, mint.public().ssh_ca.wire()).unwrap();
        assert!(read.is_exactly(&revoked));
        assert_eq!((list.version, read.version, read.generated), (12, 12, NOW));
        assert_eq!(read.comment, format!("breakglass {} version 12", mint.public().origin));
    }
}

/// R40: serial 0 cannot be revoked.
#[test]
fn a_list_with_serial_zero_is_not_signed() {
    let (_dir, mint) = mint(1);
    let refused = mint.krl(&[0, 1], 1, NOW);
    assert!(matches!(refused, Err(MintError::List(KrlError::SerialZero))));
}

#[test]
fn the_stock_tool_verifies_a_list_by_the_lists_key_and_by_no_other() {
    let (dir, mint) = mint(1);
    let list = mint.krl(&[1, 2, 3, 70], 5, NOW).unwrap();
    fs::write(dir.path().join("krl.sig"), &list.signature).unwrap();
    let verify = |key: &PublicKey, content: &[u8]| {
        let signers = format!("lists namespaces=\"{NAMESPACE}\" {}\n", key.to_openssh());
        fs::write(dir.path().join("signers"), signers).unwrap();
        let args = ["-Y", "verify", "-f", "signers", "-I", "lists", "-n", NAMESPACE];
        let mut child = Command::new("ssh-keygen")
            .args(args)
            .args(["-s", "krl.sig"])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        child.wait().unwrap().success()
    };
    assert!(verify(&mint.public().lists, &list.krl));
    assert!(!verify(&mint.public().lists, &mint.krl(&[1, 2], 5, NOW).unwrap().krl));
    assert!(!verify(&mint.public().ssh_ca, &list.krl));
}
