//! Every small change to something signed is noticed.

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::{SshSig, assemble, to_be_signed};
use breakglass_ledger::statement::Statement;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::signer::{Blob, Signer, armored};
use crate::vectors::valid_statements;

fn request() -> Statement {
    valid_statements().into_iter().find(|(name, _)| name == "request").unwrap().1
}

fn signed(signer: &Signer, statement: &Statement) -> SshSig {
    let namespace = statement.act().kind().namespace();
    let blob = signer.sign(&to_be_signed(&namespace, statement.text().as_bytes()));
    assemble(&signer.public(), &namespace, &blob).unwrap()
}

/// R01: any change after signing is refused.
#[test]
fn no_single_bit_of_a_statement_can_change_under_its_signature() {
    let statement = request();
    let signature = signed(&Signer::ed25519(1), &statement);
    let mut still_read = 0;
    for (index, bit) in (0..statement.text().len()).flat_map(|i| (0..8).map(move |b| (i, b))) {
        let mut bytes = statement.text().as_bytes().to_vec();
        bytes[index] ^= 1 << bit;
        let Ok(read) = Statement::parse(&bytes) else { continue };
        still_read += 1;
        assert_ne!(read.digest(), statement.digest());
        let namespace = read.act().kind().namespace();
        assert!(signature.verify(&namespace, &bytes).is_err(), "byte {index}, bit {bit}");
    }
    assert!(still_read > 100, "only {still_read} changes got as far as the signature");
}

/// R01: any change after signing is refused.
#[test]
fn no_character_of_a_statement_can_be_replaced_inserted_or_deleted() {
    let statement = request();
    let text = statement.text();
    let signature = signed(&Signer::ecdsa(), &statement);
    let namespace = statement.act().kind().namespace();
    for index in 0..text.len() {
        let (before, after) = text.split_at(index);
        let replaced = if after.starts_with('0') { "1" } else { "0" };
        for changed in [
            format!("{before}{}", &after[1..]),
            format!("{before}{replaced}{}", &after[1..]),
            format!("{before}0{after}"),
        ] {
            if Statement::parse(changed.as_bytes()).is_ok() {
                assert!(signature.verify(&namespace, changed.as_bytes()).is_err(), "{index}");
            }
        }
    }
}

/// Ed25519 and security keys: no bit of key, namespace, hash, signature, flags or counter is idle.
#[test]
fn no_single_bit_of_a_signature_can_change() {
    let statement = request();
    let namespace = statement.act().kind().namespace();
    for signer in [Signer::ed25519(1), Signer::sk_ed25519(), Signer::ecdsa()] {
        let bytes = Blob::of(&signer, &namespace, statement.text().as_bytes()).bytes();
        for (index, bit) in (0..bytes.len()).flat_map(|i| (0..8).map(move |b| (i, b))) {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            let verdict = SshSig::parse(&armored(&changed, 70))
                .and_then(|read| read.verify(&namespace, statement.text().as_bytes()));
            assert!(verdict.is_err(), "{}: byte {index}, bit {bit}", signer.key_type());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_of_keys_and_signatures_panic(
        bytes in vec(any::<u8>(), 0..400),
        text in any::<String>(),
    ) {
        let _ = PublicKey::from_wire(&bytes);
        let _ = PublicKey::from_openssh(&text);
        let _ = SshSig::parse(&text);
        let _ = SshSig::parse(&armored(&[b"SSHSIG\0\0\0\x01", &bytes[..]].concat(), 70));
    }

    #[test]
    fn whatever_key_is_read_is_written_as_it_was(
        which in 0..4_usize,
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut wire = Signer::all()[which].wire();
        let index = position.index(wire.len());
        wire[index] = byte;
        if let Ok(key) = PublicKey::from_wire(&wire) {
            prop_assert_eq!(key.wire(), &wire[..]);
            prop_assert_eq!(PublicKey::from_openssh(&key.to_openssh()), Ok(key));
        }
    }
}
