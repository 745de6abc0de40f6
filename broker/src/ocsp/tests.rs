use der::Decode;
use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use proptest::prelude::*;

use super::testing::{NONCE, Question, SHA1, SHA256, SOMETHING, serial};
use super::*;

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

#[test]
fn a_question_is_read_as_it_was_asked() {
    for (digest, hash) in [(SHA1, Hash::Sha1), (SHA256, Hash::Sha256)] {
        for parameters in [None, Some(AnyRef::NULL)] {
            let question = Question { digest, parameters, ..Question::plain() };
            let request = question.read().unwrap();
            let [asked] = request.asked.as_slice() else { panic!("one") };
            assert_eq!((asked.hash, asked.null), (hash, parameters.is_some()));
            assert!(Issuer::of(b"name", b"key").is_of(asked));
            assert_eq!(asked.serial(), SerialNumber::new(42, [9; 8]));
            assert_eq!(request.nonce, None);
        }
    }
}

/// RFC 9654, 2.1: 1 to 128 bytes; others are malformed.
#[test]
fn a_nonce_has_1_to_128_bytes() {
    for bytes in [1, 16, 32, 128] {
        assert_eq!(Question::with_nonce(bytes).read().unwrap().nonce, Some(vec![7; bytes]));
    }
    for bytes in [0, 129, 300] {
        assert!(matches!(Question::with_nonce(bytes).read(), Err(OcspError::Form(_))), "{bytes}");
    }
    let twice = Question::with(|question| {
        question.extensions = vec![(NONCE, false, vec![4, 1, 7]); 2];
    });
    assert!(twice.read().is_err(), "two of them are none");
    let bare = Question::with(|question| question.extensions = vec![(NONCE, false, vec![7; 8])]);
    assert!(bare.read().is_err(), "not wrapped");
}

#[test]
fn what_is_not_understood_is_passed_over_unless_it_is_critical() {
    let known = |critical| {
        Question::with(|question| question.extensions = vec![(SOMETHING, critical, vec![5, 0])])
    };
    assert!(known(false).read().is_ok());
    assert!(known(true).read().is_err());
    assert!(Question::with(|question| question.of_one = Some(false)).read().is_ok());
    assert!(Question::with(|question| question.of_one = Some(true)).read().is_err());
}

#[test]
fn another_version_digest_or_number_of_certificates_is_refused() {
    assert!(Question::with(|question| question.version = Some(1)).read().is_err());
    let sha512 = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
    assert!(Question::with(|question| question.digest = sha512).read().is_err());
    let parameters = AnyRef::from_der(&[4, 1, 7]).unwrap();
    assert!(Question::with(|question| question.parameters = Some(parameters)).read().is_err());
    assert!(Question::with(|question| question.serials.clear()).read().is_err());
    let many = |count| Question::with(|question| question.serials = vec![serial(); count]).read();
    assert_eq!(many(QUESTIONS_MAX).unwrap().asked.len(), QUESTIONS_MAX);
    assert_eq!(many(QUESTIONS_MAX + 1), Err(OcspError::TooMuch));
    assert_eq!(read(&vec![0x30; REQUEST_MAX_BYTES + 1]), Err(OcspError::TooMuch));
}

/// A negative number must not be taken for the positive one with the same bytes.
#[test]
fn a_serial_number_that_was_never_given_here_is_none() {
    let asked = |serial: &[u8]| {
        let question = Question::with(|question| question.serials = vec![serial.to_vec()]);
        question.read().map(|request| request.asked[0].serial())
    };
    assert_eq!(asked(&[0xff; 16]), Ok(None));
    assert_eq!(asked(&[0x9a, 9, 9, 9, 9, 9, 9, 9, 9]), Ok(None));
    assert_eq!(
        asked(&[0, 0x9a, 9, 9, 9, 9, 9, 9, 9, 9]),
        Ok(SerialNumber::new(0x9a, [9; 8])),
        "with its zero it is positive"
    );
    assert_eq!(asked(&[5]), Ok(None), "the random half is missing");
    assert_eq!(asked(&[0x11; 20]), Ok(None));
    assert!(asked(&[0x11; 22]).is_err());
}

fn answers() -> Vec<Answer> {
    let question = Question::with(|question| question.serials = vec![serial(), vec![5], vec![6]]);
    let asked = question.read().unwrap().asked;
    let standings = [Standing::Good, Standing::Revoked(NOW.minus(9)), Standing::Unknown];
    asked.into_iter().zip(standings).map(|(asked, standing)| Answer { asked, standing }).collect()
}

fn answered(nonce: Option<&[u8]>) -> Vec<u8> {
    assemble(&write(&[3; 20], &answers(), nonce, NOW).unwrap(), &[0x30, 0]).unwrap()
}

/// The writer and the reader share no code.
#[test]
fn an_answer_reads_back_as_what_was_written() {
    for nonce in [None, Some([8; 32].as_slice())] {
        let said = open(&answered(nonce)).unwrap();
        assert_eq!(said.answers, answers());
        assert_eq!(said.nonce.as_deref(), nonce);
        assert_eq!((said.responder, said.at), (vec![3; 20], NOW));
        assert_eq!(said.signature, [0x30, 0]);
    }
}

#[test]
fn a_refusal_is_the_number_of_its_reason_and_nothing_else() {
    for (why, number) in [
        (Refused::Malformed, 1),
        (Refused::Internal, 2),
        (Refused::Later, 3),
        (Refused::Unauthorized, 6),
    ] {
        assert_eq!(refusal(why), [0x30, 3, 0x0a, 1, number]);
    }
}

#[test]
fn whoever_is_asked_about_is_named_by_both_name_and_key() {
    let ours = Issuer::of(b"name", b"key");
    let of = |issuer| {
        let question = Question::with(|question| question.issuer = issuer);
        question.read().unwrap().asked.remove(0)
    };
    assert!(ours.is_of(&of([b"name", b"key"])));
    assert!(!ours.is_of(&of([b"name", b"other"])), "the same name, another key");
    assert!(!ours.is_of(&of([b"other", b"key"])));
    let asked = CertId { hash: Hash::Sha256, ..of([b"name", b"key"]) };
    assert!(!ours.is_of(&asked), "digests of another kind");
}

/// Every cut and every flipped bit is refused or read as something else; nothing panics.
#[test]
fn no_cut_or_flipped_bit_reads_as_the_same() {
    type Same = fn(&[u8]) -> bool;
    let wholes: [(Vec<u8>, Same); 2] = [
        (Question::with_nonce(32).der(), |der| {
            read(der).is_ok_and(|one| Ok(one) == Question::with_nonce(32).read())
        }),
        (answered(Some(&[8; 32])), |der| {
            open(der).is_ok_and(|one| Ok(one) == open(&answered(Some(&[8; 32]))))
        }),
    ];
    for (whole, is_same) in wholes {
        assert!(is_same(&whole));
        for end in 0..whole.len() {
            assert!(!is_same(&whole[..end]), "cut at {end}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&flipped), "bit {bit}");
        }
        assert!(!is_same(&[whole.as_slice(), &[0]].concat()), "something follows");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = open(&bytes);
    }

    /// Changed in several places: what is still read can be answered.
    #[test]
    fn whatever_is_read_can_be_answered(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut der = Question::with_nonce(16).der();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Ok(request) = read(&der) {
            let answer = |asked| Answer { asked, standing: Standing::Unknown };
            let answers: Vec<_> = request.asked.into_iter().map(answer).collect();
            let nonce = request.nonce.as_deref();
            let der = assemble(&write(&[3; 20], &answers, nonce, NOW).unwrap(), &[0x30, 0]).unwrap();
            let said = open(&der).unwrap();
            prop_assert_eq!(said.answers, answers);
            prop_assert_eq!(said.nonce.as_deref(), nonce);
        }
    }
}
