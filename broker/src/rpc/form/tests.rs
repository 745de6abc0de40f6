use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{About, Rule, Seen};
use breakglass_ledger::time::Timestamp;

use super::*;
use crate::rpc::testing::{Key, compose, log};

const SALT: [u8; 32] = [3; 32];

/// Sam denies, for the reason that `text` commits to.
fn denial(text: Option<&str>) -> Statement {
    let by = "sam".parse().expect("a name");
    let comment = text.map(|text| commitment(&SALT, text));
    let act = Act::Deny(About { request: Digest::of(b"request"), by, comment });
    compose(&log(), Some(Seen::NOTHING), act, Some(Timestamp::from_unix_seconds(1_000)))
}

/// The denial as Sam sends it, with the text.
fn sent(text: &str) -> v1::SubmitRequest {
    let text_sent = Some(v1::Text { salt: SALT.to_vec(), text: text.to_owned() });
    v1::SubmitRequest { text: text_sent, ..Key::of(1).say(&denial(Some(text))) }
}

fn refusal(request: v1::SubmitRequest) -> FormError {
    act(request).expect_err("a refusal")
}

/// The rule of the statement's grammar that is broken, and where.
fn grammar(statement: &[u8]) -> (&'static str, Rule) {
    let error = refusal(v1::SubmitRequest { statement: statement.to_vec(), ..sent("no") });
    let FormError::Statement(error) = error else { panic!("{error}") };
    (error.field, error.rule)
}

#[test]
fn an_act_in_form_passes_with_its_text() {
    let incoming = act(sent("not\nnow")).expect("in form");
    assert_eq!(incoming.statement, denial(Some("not\nnow")));
    assert_eq!(incoming.text, Some(Text { salt: SALT, text: "not\nnow".into() }));
    assert!(incoming.bundle.is_none());
}

/// R29: nothing unknown, doubled or trailing is passed over.
#[test]
fn unknown_doubled_and_trailing_lines_are_named() {
    let text = denial(Some("no")).text().to_owned();
    let doubled = text.replace("by: sam\n", "by: sam\nby: sam\n");
    assert_eq!(grammar(doubled.as_bytes()), ("comment", Rule::Missing));
    let unknown = text.replace("by: sam\n", "by: sam\nfor: eve\n");
    assert_eq!(grammar(unknown.as_bytes()), ("comment", Rule::Missing));
    let trailing = format!("{text}by: eve\n");
    assert_eq!(grammar(trailing.as_bytes()).1, Rule::Trailing);
    assert_eq!(grammar(&vec![b'a'; 4097]).1, Rule::TooLong);
    assert_eq!(grammar("é".as_bytes()).1, Rule::Character);
}

#[test]
fn a_signature_for_another_act_does_not_count() {
    let statement = denial(Some("no"));
    let signature = Key::of(1).sign("approve.v1@breakglass", statement.text().as_bytes());
    let error = refusal(v1::SubmitRequest { signature, ..sent("no") });
    let expected = "`signature`: signed for \"approve.v1@breakglass\"";
    assert!(error.to_string().starts_with(expected), "{error}");
}

/// R01: what was signed cannot be edited afterwards.
#[test]
fn an_edited_statement_does_not_fit_its_signature() {
    let text = denial(Some("no")).text().replace("by: sam", "by: ada");
    let error = refusal(v1::SubmitRequest { statement: text.into_bytes(), ..sent("no") });
    let bad = FormError::Signature { field: "signature", source: SshSigError::Bad };
    assert_eq!(error, bad);
}

#[test]
fn a_text_is_there_exactly_if_it_is_committed_to() {
    let without = v1::SubmitRequest { text: None, ..sent("no") };
    assert_eq!(refusal(without), FormError::TextMissing);
    let uncommitted = v1::SubmitRequest { text: sent("no").text, ..Key::of(1).say(&denial(None)) };
    assert_eq!(refusal(uncommitted), FormError::TextUnwanted);
}

#[test]
fn a_text_is_the_one_that_was_signed_and_harmless_on_a_terminal() {
    let with = |salt: &[u8], text: &str| {
        let text = Some(v1::Text { salt: salt.to_vec(), text: text.to_owned() });
        refusal(v1::SubmitRequest { text, ..sent("no") })
    };
    assert_eq!(with(&SALT, "yes"), FormError::TextMismatch);
    assert_eq!(with(&[4; 32], "no"), FormError::TextMismatch);
    assert_eq!(with(&[3; 31], "no"), FormError::TextSalt);
    assert_eq!(with(&SALT, ""), FormError::TextLength);
    assert_eq!(with(&SALT, &"a".repeat(TEXT_MAX + 1)), FormError::TextLength);
    for hostile in ["\u{1b}[2J", "\r", "\u{7f}", "\u{85}", "\0", "\u{202e}", "\u{2066}"] {
        assert_eq!(refusal(sent(hostile)), FormError::TextCharacter, "{hostile:?}");
    }
}

#[test]
fn a_session_is_not_submitted() {
    let session = Key::of(1).session(&log(), "sam", Timestamp::from_unix_seconds(9));
    let v1::Session { statement, signature } = session;
    let request = v1::SubmitRequest { statement, signature, ..v1::SubmitRequest::default() };
    assert_eq!(refusal(request), FormError::Session);
}

#[test]
fn only_a_policy_brings_files_and_further_signatures() {
    let signatures = v1::SubmitRequest { more_signatures: vec![String::new()], ..sent("no") };
    assert_eq!(refusal(signatures), FormError::OnlyPolicy { field: "more_signatures" });
    let blobs = v1::SubmitRequest { blobs: vec![v1::Blob::default()], ..sent("no") };
    assert_eq!(refusal(blobs), FormError::OnlyPolicy { field: "blobs" });
}

/// A policy as two people sign it, before anybody asks whether it is a good one.
fn policy() -> v1::SubmitRequest {
    let files = Files {
        authority: b"a".to_vec(),
        people: b"p".to_vec(),
        rules: b"r".to_vec(),
        scopes: b"s".to_vec(),
    };
    let manifest = compose(&log(), None, Act::Policy(files.manifest(1, Digest::ZERO)), None);
    let blob = |name: &&str| v1::Blob {
        name: (*name).to_owned(),
        content: files.get(name).expect("a file").to_vec(),
    };
    v1::SubmitRequest {
        more_signatures: vec![Key::of(2).say(&manifest).signature],
        blobs: Files::NAMES.iter().map(blob).collect(),
        ..Key::of(1).say(&manifest)
    }
}

#[test]
fn a_policy_comes_with_all_its_signatures_and_files() {
    let bundle = act(policy()).expect("in form").bundle.expect("a bundle");
    assert_eq!(bundle.signatures.len(), 2);
    assert_eq!(bundle.files.scopes, b"s");
}

#[test]
fn a_policy_file_is_neither_missing_nor_doubled_nor_unknown() {
    let refused = |change: fn(&mut Vec<v1::Blob>)| {
        let mut request = policy();
        change(&mut request.blobs);
        refusal(request).to_string()
    };
    assert!(refused(|blobs| drop(blobs.pop())).contains("missing"));
    assert!(refused(|blobs| blobs.push(blobs[0].clone())).contains("doubled"));
    assert!(refused(|blobs| blobs[0].name = "trust.toml".into()).contains("unknown"));
}

#[test]
fn every_signature_of_a_policy_is_verified() {
    let mut request = policy();
    request.more_signatures = vec![request.signature.replace("A", "B")];
    assert!(matches!(refusal(request), FormError::Signature { field: "more_signatures", .. }));
    let mut request = policy();
    request.more_signatures = vec![request.signature.clone(); MORE_SIGNATURES_MAX + 1];
    assert_eq!(refusal(request), FormError::ManySignatures);
}
