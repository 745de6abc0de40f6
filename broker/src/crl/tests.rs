use breakglass_ledger::bytes::Digest;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::*;

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

fn serial(seq: u64) -> SerialNumber {
    SerialNumber::new(seq, (seq ^ 0x5a5a_0000_1234_abcd).to_be_bytes()).unwrap()
}

fn lines(count: u64) -> Vec<Line> {
    (1..=count).map(|seq| Line::new(serial(seq), NOW.minus(seq % 7000)).unwrap()).collect()
}

/// DER of the name `CN=x`.
const ISSUER: &[u8] = &[0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 12, 1, b'x'];

fn entries(lines: &[Line]) -> Entries {
    let mut entries = Entries::default();
    lines.iter().for_each(|line| entries.add(line, NOW).unwrap());
    entries
}

fn signed(header: &Header<'_>, entries: &Entries, signature: &[u8]) -> Vec<u8> {
    Draft::new(header, entries).unwrap().signed(signature).unwrap()
}

fn list(lines: &[Line]) -> Vec<u8> {
    let number = Number::new(70, NOW);
    let header = Header { issuer: ISSUER, key_id: &[7; 20], number, signed_at: NOW };
    signed(&header, &entries(lines), &[0x30, 0])
}

#[test]
fn a_list_reads_back_as_what_was_written() {
    for count in [0, 1, 2, 300] {
        let lines = lines(count);
        let der = list(&lines);
        let read = read(&der).unwrap();
        assert_eq!((read.issuer, read.key_id), (ISSUER, [7; 20].as_slice()));
        assert_eq!(read.number, Number::new(70, NOW));
        assert_eq!(read.number.version(), 70);
        assert_eq!((read.this_update, read.next_update), (NOW.minus(60), NOW.plus(604_800)));
        let expected = lines.iter().map(|line| (line.serial(), line.revoked_at()));
        assert!(read.revoked.iter().copied().eq(expected));
    }
}

/// The other library, which shares nothing with the one that writes nor with our reader.
#[test]
fn another_library_reads_the_same() {
    let lines = lines(40);
    let der = list(&lines);
    let (rest, other) = CertificateRevocationList::from_der(&der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(other.issuer().to_string(), "CN=x");
    for (entry, line) in other.iter_revoked_certificates().zip(&lines) {
        let number = SerialNumber::from_number(&entry.user_certificate.to_bytes_be());
        assert_eq!(number, Some(line.serial()));
        let at = u64::try_from(entry.revocation_date.timestamp()).unwrap();
        assert_eq!(at, line.revoked_at().unix_seconds());
    }
    assert_eq!(other.iter_revoked_certificates().count(), lines.len());
}

/// RFC 5280, 5.1.2.6: openssl refuses a list with an empty sequence of entries.
#[test]
fn a_list_of_nobody_has_no_entries_at_all() {
    let der = list(&[]);
    let (_, other) = CertificateRevocationList::from_der(&der).unwrap();
    assert_eq!(other.iter_revoked_certificates().count(), 0);
    let list =
        std::str::from_utf8(ISSUER).is_ok_and(|_| der.windows(2).any(|two| two == [0x30, 0]));
    // The one empty sequence is the signature's in this test.
    assert!(list && der.windows(2).filter(|two| *two == [0x30, 0]).count() == 1);
}

#[test]
fn a_list_with_anything_missing_added_or_changed_in_its_form_is_refused() {
    let der = list(&lines(3));
    assert!(read(&[]).is_err());
    for cut in 0..der.len() {
        assert!(read(&der[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = der.clone();
    longer.push(0);
    assert!(read(&longer).is_err());
    let good = read(&der).unwrap();
    for place in 0..der.len() {
        for bit in 0..8 {
            let mut other = der.clone();
            other[place] ^= 1 << bit;
            // Whatever still reads says something else: the signature is what tells.
            if let Ok(found) = read(&other) {
                assert_ne!(found, good, "bit {bit} of byte {place}");
            }
        }
    }
}

#[test]
fn a_serial_number_is_16_bytes_that_begin_with_the_entry() {
    let number = SerialNumber::new(41, [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(number.seq(), 41);
    assert_eq!(number.to_string(), "290102030405060708");
    assert_eq!(SerialNumber::from_number(&number.as_bytes()[7..]), Some(number));
    assert_eq!(SerialNumber::new(0, [1; 8]), None, "an entry that is never a credential");
    assert_eq!(SerialNumber::new(1, [0; 8]), None, "nothing was drawn");
    assert_eq!(SerialNumber::new(u64::MAX, [1; 8]), None, "negative in DER");
    assert_eq!(SerialNumber::from_number(&[1; 17]), None);
}

#[test]
fn numbers_of_lists_grow_with_the_ledger_and_with_the_clock() {
    let later = NOW.plus(300);
    assert!(Number::new(70, NOW) < Number::new(70, later));
    assert!(Number::new(70, later) < Number::new(71, NOW));
}

/// Dates from 2050 on have four digits for their year (RFC 5280, 5.1.2.4).
#[test]
fn a_list_of_the_far_future_reads_back() {
    let far = Timestamp::from_unix_seconds(2_524_608_000);
    let header =
        Header { issuer: ISSUER, key_id: &[7; 20], number: Number::new(1, far), signed_at: far };
    let lines = [Line::new(serial(1), far.plus(5)).unwrap()];
    let der = signed(&header, &entries(&lines), &[0x30, 0]);
    let found = read(&der).unwrap();
    assert_eq!((found.this_update, found.next_update), (far.minus(60), far.plus(604_800)));
    assert_eq!(found.revoked, [(serial(1), far.plus(5))]);
}

#[test]
fn a_list_in_pem_is_one_block_in_lines_of_64() {
    for count in [0, 1, 7, 300] {
        let der = list(&lines(count));
        let pem = to_pem(&der);
        assert_eq!(from_pem(&pem), Some(der.clone()));
        let (rest, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        assert_eq!((block.label.as_str(), block.contents, rest.len()), ("X509 CRL", der, 0));
        let (last, whole) = pem
            .lines()
            .collect::<Vec<_>>()
            .split_last()
            .map(|(_, all)| {
                let (last, whole) = all[1..].split_last().unwrap();
                (last.len(), whole.iter().all(|line| line.len() == 64))
            })
            .unwrap();
        assert!(whole && (1..=64).contains(&last));
    }
}

/// A length takes more bytes from 128, 256 and 65,536 on.
#[test]
fn the_length_outside_is_right_however_long_the_signature_is() {
    let number = Number::new(70, NOW);
    let header = Header { issuer: ISSUER, key_id: &[7; 20], number, signed_at: NOW };
    let mut widths = std::collections::BTreeSet::new();
    let all = lines(2000);
    let near = 65_536 / entries(&all[1000..1100]).der().len().div_ceil(100);
    for count in [0, 1, 2].into_iter().chain(near - 12..near + 12) {
        let entries = entries(&all[..count]);
        for length in [0, 8, 40, 70, 72, 100, 150, 300] {
            let shown = Draft::new(&header, &entries).unwrap().tbs().to_vec();
            let der = signed(&header, &entries, &vec![9; length]);
            let read = read(&der).unwrap();
            assert_eq!((read.signed, read.signature), (&*shown, &*vec![9; length]));
            assert_eq!(read.revoked.len(), count);
            widths.insert(der[1]);
        }
    }
    assert!(widths.is_superset(&[0x81, 0x82, 0x83].into()), "{widths:02x?}");
}

/// A host names what it keeps, and before there is any text it can keep none.
#[test]
fn digests_are_those_of_each_list_and_of_all_in_one_from_the_first_text_on() {
    let (one, other) = (list(&lines(1)), list(&lines(2)));
    let crl = SignedCrl::new(Number::new(7, NOW), NOW, one.clone(), vec![other.clone()]);
    let known = crl.digests().clone();
    assert!(known.all().is_empty());
    let blocks = [to_pem(&one), to_pem(&other)];
    assert_eq!(crl.pem(), blocks.concat());
    let expected =
        [&*blocks[0], &*blocks[1], &*blocks.concat()].map(|text| Digest::of(text.as_bytes()));
    assert_eq!(known.all(), expected);
    let alone = SignedCrl::new(Number::new(7, NOW), NOW, one, Vec::new());
    assert_eq!(alone.pem(), blocks[0]);
    assert_eq!(alone.digests().all(), &expected[..1]);
    assert!(*alone.digests() != known && alone != crl);
    let found = alone.found(blocks.concat());
    assert_eq!(found.digests().all(), expected, "what lay there at the start is known at once");
}
