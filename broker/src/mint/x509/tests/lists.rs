//! Lists: what they are held to before they leave, and that length makes no difference.

use super::*;

/// What a list is held to before it leaves, and for a long one the digest is made beside the signature.
#[test]
fn a_signature_over_a_digest_counts_for_its_authority_and_these_bytes_alone() {
    let ((_dir, ours), (_other_dir, other)) = (mint(1), mint(2));
    let authority = |mint: &'_ Mint| mint.x509.as_ref().unwrap().sign(b"a list").unwrap();
    let (ours, signature) = (ours.x509.as_ref().unwrap(), authority(&ours));
    let digest = Digest::of(b"a list");
    assert!(ours.has_signed_digest(&digest, &signature));
    assert!(!ours.has_signed_digest(&Digest::of(b"a lisp"), &signature));
    assert!(!other.x509.as_ref().unwrap().has_signed_digest(&digest, &signature));
    let raw = ours.key().sign(b"a list").unwrap();
    for other in [&authority(&other)[..], &raw, &signature[1..], &[]] {
        assert!(!ours.has_signed_digest(&digest, other));
    }
}

/// From [`list::LONG`] bytes on two threads share the work; what they make is the same.
#[test]
fn a_long_list_verifies_and_says_what_a_short_one_would() {
    let (_dir, ours) = mint(1);
    let good = Cleared::plain().sign(&ours).unwrap();
    let serial = |seq| SerialNumber::new(seq, [7; 8]).unwrap();
    let (mut entries, all) = (crate::crl::Entries::default(), || (100..8100).map(serial));
    for serial in all() {
        entries.add(&Line::new(serial, NOW).unwrap(), NOW.plus(900)).unwrap();
    }
    let list = |entries: &crate::crl::Entries| ours.crl_of(entries, 7, NOW).unwrap().unwrap();
    let (at, before) = (NOW.plus(20), list(&entries));
    entries.add(&Line::new(good.serial_number, NOW).unwrap(), NOW.plus(900)).unwrap();
    let after = list(&entries);
    assert!(before.der.len() > list::LONG);
    let read = crate::crl::read(&before.der).unwrap();
    assert!(crate::crl::Issuer::from_pem(&ca(&ours)).unwrap().made(&read));
    assert!(read.revoked.iter().map(|(serial, _)| *serial).eq(all()));
    assert_eq!(verdict(at, &ca(&ours), Some(before.pem()), &good.certificate), 0);
    assert_eq!(verdict(at, &ca(&ours), Some(after.pem()), &good.certificate), 23);
}

#[test]
fn the_stock_tool_reads_and_verifies_the_list_in_both_forms() {
    let (_dir, mint) = mint(1);
    let ended = Cleared::plain().sign(&mint).unwrap();
    let list = crl(&mint, &[&ended], NOW.plus(20));
    let ca = ca(&mint);
    for (form, bytes) in [("PEM", list.pem().as_bytes()), ("DER", list.der.as_slice())] {
        let args = ["crl", "-inform", form, "-in", "crl", "-noout", "-text", "-CAfile", "ca"];
        let output = openssl(&args, &[("crl", bytes), ("ca", ca.as_bytes())]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("verify OK"), "{output:?}");
        let text = said(&output);
        for line in [
            "Version 2 (0x1)",
            "Last Update: Nov 22 11:59:20 2026 GMT",
            "Next Update: Nov 29 12:00:20 2026 GMT",
            &format!("Serial Number: {}", ended.serial_number),
            "Revocation Date: Nov 22 12:00:10 2026 GMT",
            "Cessation Of Operation",
            "X509v3 CRL Number",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("Issuing Distribution Point"));
    }
    let empty = crl(&mint, &[], NOW);
    let args = ["crl", "-in", "crl", "-noout", "-text"];
    let text = said(&openssl(&args, &[("crl", empty.pem().as_bytes())]));
    assert!(text.contains("No Revoked Certificates"), "{text}");
}
