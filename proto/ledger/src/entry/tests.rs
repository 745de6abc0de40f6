//! Tests of the form against foreign eyes, and of every entry type.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::testing::examples;

fn bodies() -> Vec<Body> {
    examples().into_iter().map(|entry| entry.body).collect()
}

fn entry(body: Body) -> Entry {
    Entry {
        seq: 9,
        time: "2026-11-22T10:00:00.123Z".parse().unwrap(),
        prev: Digest::of(b"prev"),
        salt: Salt::from_bytes([5; 16]),
        log: "payments/3f9a1c0e5b7d2a44".parse().unwrap(),
        body,
    }
}

fn sample() -> String {
    String::from_utf8(entry(bodies().remove(3)).to_bytes().unwrap()).unwrap()
}

/// What another program makes of `input`; the test fails where the program is missing.
fn through(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} failed");
    output.stdout
}

#[test]
fn every_type_has_an_example_here() {
    let tested: Vec<_> = bodies().iter().map(Body::type_name).collect();
    assert_eq!(tested, Body::TYPES);
}

#[test]
fn every_type_is_read_as_it_was_written() {
    for body in bodies() {
        let entry = entry(body);
        let bytes = entry.to_bytes().unwrap();
        assert_eq!(Entry::parse(&bytes), Ok(entry), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_is_absent_is_not_written() {
    let Some(Body::Revoked(mut body)) = bodies().into_iter().nth(11) else { panic!() };
    body.signed = None;
    body.decision.context.kind = None;
    body.decision.context.lane = None;
    let entry = entry(body.into());
    let bytes = entry.to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains("statement") && !text.contains("null") && !text.contains("lane"));
    assert_eq!(Entry::parse(&bytes), Ok(entry));
}

#[test]
fn jq_and_python_write_the_same_bytes() {
    let lines: Vec<_> = bodies().into_iter().map(|body| entry(body).to_bytes().unwrap()).collect();
    let all = lines.join(&b'\n');
    let python = "import json,sys\nfor line in sys.stdin:\n \
                  sys.stdout.write(json.dumps(json.loads(line),sort_keys=True,separators=(',',':'))+'\\n')";
    let from_python = through("python3", &["-c", python], &all);
    assert_eq!(from_python.strip_suffix(b"\n").unwrap(), all);
    for line in &lines {
        assert_eq!(through("jq", &["-jcS", "."], line), *line);
    }
}

#[test]
fn the_top_level_is_found_without_parsing_the_body() {
    let entry = entry(bodies().remove(0));
    let bytes = entry.to_bytes().unwrap();
    let form = check_form(&bytes).unwrap();
    assert_eq!((form.seq, form.kind), (9, "genesis"));
    assert_eq!(form.prev, entry.prev.to_string());
    assert_eq!(form.log, entry.log.as_str());
    assert!(form.body.starts_with("{\"deployment\""));
}

/// R29, and the list of what a verifier must not be fooled by.
#[test]
fn anything_but_the_one_spelling_is_refused() {
    let good = sample();
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for (bad, why) in [
        (swap("\"missing\":0", "\"missing\":00"), "leading zero"),
        (swap("\"missing\":0", "\"missing\":-0"), "minus zero"),
        (swap("\"missing\":0", "\"missing\":1.0"), "float"),
        (swap("\"missing\":0", "\"missing\":1e0"), "exponent"),
        (swap("\"missing\":0", "\"missing\":null"), "null"),
        (swap("\"missing\":0", "\"missing\":9007199254740992"), "2^53"),
        (swap("\"missing\":0", "\"missing\":99999999999999999999"), "beyond u64"),
        (swap("\"missing\":0", "\"missing\":0,\"missing\":0"), "duplicate key"),
        (swap("\"seq\":9", "\"seq\": 9"), "blank"),
        (swap("\"seq\":9", "\"seq\":9 "), "blank after"),
        (swap("granted", "gr\u{7f}nted"), "U+007F"),
        (swap("granted", "gr\tnted"), "raw tab"),
        (swap("granted", "gr\nnted"), "raw line feed"),
        (swap("granted", "gr\u{e9}nted"), "beyond ASCII"),
        (swap("granted", "gr\\u0061nted"), "unicode escape"),
        (swap("granted", "gr\\/nted"), "needless escape"),
        (swap("granted", "gr\\tnted"), "tab escape"),
        (swap("\"log\"", "\"Log\""), "capital in a key"),
        (swap("\"log\"", "\"\""), "empty key"),
        (
            swap(
                "{\"body\"",
                "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}},\"body\"",
            ),
            "depth",
        ),
        (format!("{good}\n"), "trailing line feed"),
        (format!("{good}{{}}"), "trailing object"),
        (format!(" {good}"), "leading blank"),
        (format!("\u{feff}{good}"), "byte order mark"),
        (good[..good.len() - 1].to_owned(), "cut"),
        (String::new(), "nothing"),
    ] {
        let answer = check_form(bad.as_bytes());
        assert!(matches!(answer, Err(EntryError::Form { .. })), "{why}: {answer:?}");
    }
}

#[test]
fn an_entry_in_form_that_is_no_entry_of_ours_is_refused() {
    let good = sample();
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for (bad, why) in [
        (swap("\"type\":\"approved\"", "\"type\":\"approves\""), "unknown type"),
        (swap("\"type\":\"approved\"", "\"type\":\"denied\""), "another type's body"),
        (swap("\"v\":1", "\"v\":2"), "unknown version"),
        (swap("\"v\":1", "\"v\":1,\"x\":1"), "unknown key"),
        (swap("{\"body\"", "{\"a\":1,\"body\""), "unknown first key"),
        (swap(",\"v\":1", ""), "missing key"),
        (swap("\"missing\":0", "\"missing\":0,\"more\":1"), "unknown key in the body"),
        (swap("\"missing\":0,", ""), "missing key in the body"),
        (swap("\"missing\":0", "\"missing\":\"0\""), "text for a number"),
        (swap("\"outage\":\"none\"", "\"outage\":\"none\",\"p\":1"), "unknown key in the context"),
        (swap("\"delegation\":[\"sam\"]", "\"delegation\":\"sam\""), "R38: a bare text for a list"),
        (swap("2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.12Z"), "time of another width"),
        (swap("2026-11-22T10:00:00.123Z", "2026-11-31T10:00:00.123Z"), "no such day"),
        (
            swap("\"time\":\"2023-11-14T22:13:20Z\"", "\"time\":\"2023-11-14 22:13:20Z\""),
            "time in the body",
        ),
        (swap("\"seq\":9", "\"seq\":\"9\""), "seq as text"),
        (swap("\"salt\":\"05", "\"salt\":\""), "short salt"),
        (swap("3f9a1c", "3F9A1C"), "capital hex"),
    ] {
        let answer = Entry::parse(bad.as_bytes());
        assert!(answer.is_err(), "{why} was accepted");
        assert!(!matches!(answer, Err(EntryError::Form { .. })), "{why} is in form: {answer:?}");
    }
}

#[test]
fn a_cause_whose_number_and_name_disagree_is_refused() {
    let body = bodies().remove(11);
    let good = String::from_utf8(entry(body).to_bytes().unwrap()).unwrap();
    let bad =
        good.replace("{\"name\":\"dropped\",\"number\":2}", "{\"name\":\"dropped\",\"number\":1}");
    assert_ne!(good, bad);
    assert!(Entry::parse(bad.as_bytes()).is_err());
}

#[test]
fn the_numbers_of_causes_are_pinned() {
    let shown: Vec<_> = Cause::ALL.iter().map(|cause| (cause.number(), cause.name())).collect();
    let pinned = [
        (1, "expired"),
        (2, "dropped"),
        (3, "cancelled"),
        (4, "policy-changed"),
        (5, "locked"),
        (6, "outage-ended"),
        (7, "token-revoked"),
    ];
    assert_eq!(shown, pinned);
}

#[test]
fn an_entry_is_at_most_65535_bytes() {
    let with = |length: usize| {
        let keys = Keys { role: KeyRole::Lists, key: "k".repeat(length) };
        entry(keys.into()).to_bytes()
    };
    let frame = with(0).unwrap().len();
    assert_eq!(with(ENTRY_MAX - frame).map(|bytes| bytes.len()), Ok(ENTRY_MAX));
    let over = with(ENTRY_MAX - frame + 1);
    assert_eq!(over, Err(EntryError::TooLarge { bytes: ENTRY_MAX + 1 }));
}

/// A text that cannot be carried is refused when written, not when somebody verifies.
#[test]
fn a_text_beyond_the_form_is_not_written() {
    for text in ["tab\t", "bell\u{7}", "del\u{7f}", "caf\u{e9}", "cr\r\n"] {
        let keys = Keys { role: KeyRole::Lists, key: text.to_owned() };
        assert!(matches!(entry(keys.into()).to_bytes(), Err(EntryError::Form { .. })), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_printable_text_survives(text in "[ -~\n]{0,300}") {
        let entry = entry(Keys { role: KeyRole::Lists, key: text }.into());
        let bytes = entry.to_bytes().unwrap();
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check_form(&bytes);
    }

    /// Whatever single byte is changed, what is read (if anything) is written as those bytes: no
    /// two spellings mean the same.
    #[test]
    fn no_two_spellings_are_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = sample().into_bytes();
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] = byte;
        if let Ok(read) = Entry::parse(&bad) {
            prop_assert_eq!(read.to_bytes().unwrap(), bad.clone());
            prop_assert_eq!(read == Entry::parse(&good).unwrap(), bad == good);
        }
    }
}
