//! Statements: made by whom they name, for this ledger, in time, once.

use data_encoding::BASE64;

use super::*;
use crate::entry::Signed;
use crate::statement::{ActKind, Statement};

/// The first finding after a request by sam whose signed statement was spoiled.
fn request(spoil: impl FnOnce(&House, Signed, Act) -> Signed) -> (Code, Option<u64>, Verdict) {
    let mut house = House::new();
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    let act = Act::Request(ask);
    let signed = spoil(&house, house.said("sam", act.clone()), act);
    let mut body = house.requesting(id, "solo", signed);
    body.lapses = house.now.plus(600);
    house.record(body);
    first(&house.verify())
}

fn tampered(code: Code) -> (Code, Option<u64>, Verdict) {
    (code, Some(2), Verdict::Tampered)
}

/// R01: an edited text does not fit its signature.
#[test]
fn a_statement_edited_after_signing() {
    let at = request(|_, signed, _| Signed {
        statement: signed.statement.replacen("ttl: 60", "ttl: 90", 1),
        ..signed
    });
    assert_eq!(at, tampered(Code::SshsigBad));
}

#[test]
fn a_signature_made_in_another_namespace() {
    let at = request(|house, _, act| house.said_in("approve.v1@breakglass", "sam", act));
    assert_eq!(at, tampered(Code::Namespace));
}

#[test]
fn a_signature_by_somebody_else() {
    assert_eq!(request(|house, _, act| house.said("eve", act)), tampered(Code::KeyUnknown));
    assert_eq!(request(|house, _, act| house.said("nobody", act)), tampered(Code::KeyUnknown));
}

/// For the identity point one signature fits every message.
#[test]
fn a_signature_by_an_identity_point_key() {
    let at = request(|house, signed, _| {
        let wire = house.keys.raw("sam");
        let mut identity = [0; 32];
        identity[0] = 1;
        Signed { signature: armored_with(&signed.signature, &wire, &identity), ..signed }
    });
    assert_eq!(at, tampered(Code::KeyWeak));
}

/// `armored` with the bytes `from` replaced by `to`.
fn armored_with(armored: &str, from: &[u8], to: &[u8]) -> String {
    let encoded: String = armored.lines().filter(|line| !line.starts_with('-')).collect();
    let mut blob = BASE64.decode(encoded.as_bytes()).unwrap();
    let at = blob.windows(from.len()).position(|window| window == from).unwrap();
    blob.splice(at..at + from.len(), to.iter().copied());
    let encoded = BASE64.encode(&blob);
    let lines: Vec<_> =
        encoded.as_bytes().chunks(70).map(|line| str::from_utf8(line).unwrap()).collect();
    let body = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
}

#[test]
fn a_signature_by_a_key_type_that_is_not_allowed() {
    let at = request(|_, signed, _| {
        let other = armored_with(&signed.signature, b"\x0bssh-ed25519", b"\x0bssh-ed25518");
        Signed { signature: other, ..signed }
    });
    assert_eq!(at, tampered(Code::KeyType));
}

#[test]
fn a_signature_that_is_none() {
    let at = request(|_, signed, _| Signed { signature: "hello\n".to_owned(), ..signed });
    assert_eq!(at, (Code::SshsigMalformed, Some(2), Verdict::Malformed));
}

/// R29
#[test]
fn a_statement_with_an_unknown_line() {
    let at = request(|house, signed, _| {
        let text = signed.statement.replacen("ttl: 60\n", "ttl: 60\nnice: yes\n", 1);
        house.signed_in("request.v1@breakglass", "sam", &text)
    });
    assert_eq!(at, (Code::Schema, Some(2), Verdict::Malformed));
}

#[test]
fn a_statement_for_another_ledger() {
    let at = request(|house, signed, _| {
        let other = Keys::of("other").origin();
        let text = signed.statement.replacen(house.keys.origin().as_str(), other.as_str(), 1);
        house.signed_in("request.v1@breakglass", "sam", &text)
    });
    assert_eq!(at, tampered(Code::LogIdMismatch));
}

#[test]
fn a_statement_of_another_act_than_its_entry_records() {
    let at = request(|house, _, act| {
        let Act::Request(ask) = act else { panic!() };
        let lock = house.about_nothing("sam", ask.reason.unwrap());
        house.said("sam", Act::Lock(lock))
    });
    assert_eq!(at.0, Code::Schema);
}

#[test]
fn a_statement_accepted_after_its_end_or_made_for_a_week() {
    let after = |seconds| {
        let mut house = House::new();
        let ask = house.ask("sam", "solo", 60);
        let id = ask.id;
        let signed = house.said("sam", Act::Request(ask));
        house.pass(seconds);
        house.record(house.requesting(id, "solo", signed));
        house.verify()
    };
    assert_eq!(after(600).findings, [], "it is refused after its second, not from it on");
    assert_eq!(first(&after(601)), tampered(Code::ApprovalExpired));
    let at = request(|house, signed, _| {
        let end = house.now.plus(600).to_string();
        let week = house.now.plus(7 * 86_400).to_string();
        let text = signed.statement.replacen(&end, &week, 1);
        house.signed_in("request.v1@breakglass", "sam", &text)
    });
    assert_eq!(at, tampered(Code::ApprovalExpired));
}

#[test]
fn a_signer_who_saw_the_future() {
    let at = request(|house, signed, _| {
        let seen = signed.statement.replacen("seen: 2 ", "seen: 3 ", 1);
        house.signed_in("request.v1@breakglass", "sam", &seen)
    });
    assert_eq!(at, tampered(Code::SeenFuture));
}

#[test]
fn a_signer_on_first_contact_saw_nothing_and_that_is_fine() {
    let mut house = House::new();
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask));
    let Seen { size, root } = house.seen();
    let seen = format!("seen: {size} {}", root.unwrap().to_base64());
    let text = signed.statement.replacen(&seen, "seen: 0 -", 1);
    assert_ne!(text, signed.statement);
    let signed = house.signed_in("request.v1@breakglass", "sam", &text);
    house.record(house.requesting(id, "solo", signed));
    assert_eq!(house.verify().findings, []);
}

/// What is refused may be wrong in most ways, but not blamed on somebody else.
#[test]
fn a_refused_act_blamed_on_another() {
    let mut house = House::new();
    let id = house.request("sam", "quick", 60);
    let signed = house.said("sam", Act::Approve(house.yes(id, "sam", "second-person")));
    let mut body = Refused {
        signed,
        decision: house.decision("refused"),
        by: Some("sam".parse().unwrap()),
        act: ActKind::Approve,
        refusal: Numbered { name: "self-approval".to_owned(), number: 1 },
        request: None,
    };
    house.record(body.clone());
    assert_eq!(house.verify().findings, [], "the same act may be refused again and again");
    house.record(body.clone());
    assert_eq!(house.verify().findings, []);
    body.by = Some("eve".parse().unwrap());
    house.record(body);
    assert_eq!(first(&house.verify()).0, Code::KeyUnknown);
}

/// A host's report, and a refusal of one: not by a person who approves.
#[test]
fn a_report_is_by_whom_it_names() {
    let mut house = House::hosted();
    house.applied("db-1", "db-1", 1, Canary::Refused);
    assert_eq!(house.verify().findings, []);
    house.applied_by("eve", "db-1", "db-1", 2, Canary::Refused);
    assert_eq!(first(&house.verify()).0, Code::KeyUnknown);
}

#[test]
fn every_entry_made_from_a_statement_is_checked() {
    let house = eventful();
    let mut checked = 0;
    for bytes in &house.entries {
        let entry = Entry::parse(bytes).unwrap();
        // A refused act may well be one that is not by whom it names.
        let Some(signed) = entry.body.signed().filter(|_| entry.body.type_name() != "refused")
        else {
            continue;
        };
        let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
        let namespace = statement.act().kind().namespace();
        let forged = house.signed_in(&namespace, "mallory", &signed.statement);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let escape = |text: &str| text.replace('\n', "\\n");
        let text = text.replace(&escape(&signed.signature), &escape(&forged.signature));
        let forged = Entry::parse(text.as_bytes()).unwrap();
        let mut export = house.export();
        let mut all = export.lines();
        let at = usize::try_from(entry.seq).unwrap();
        all[at] = forged.to_bytes().unwrap();
        export.set_lines(&all);
        let report = export.verify(&house.trust(), None);
        let named = report
            .findings
            .iter()
            .any(|finding| finding.code == Code::KeyUnknown && finding.entry == Some(entry.seq));
        assert!(named, "{}", entry.body.type_name());
        checked += 1;
    }
    assert!(checked >= 12, "{checked}");
}
