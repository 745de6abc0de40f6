//! The grammar of statements: shape, order, and that one meaning has one text.

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::statement::{
    Act, ActKind, Ask, Kind, Manifest, Rule, STATEMENT_MAX, Seen, Statement, StatementError,
    commitment,
};
use breakglass_ledger::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::acts::statement;
use crate::vectors::valid_statements;

fn fault(text: &str) -> StatementError {
    Statement::parse(text.as_bytes()).expect_err(text)
}

fn recomposed(read: &Statement) -> Statement {
    let act = read.act().clone();
    Statement::compose(read.log(), read.seen(), act, read.expires(), read.nonce()).unwrap()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn key_of(line: &str) -> &str {
    line.split_once(": ").map_or("act", |(key, _)| key)
}

/// `on-behalf-of`, `latency` and `ended` may be absent and `file` repeats; every other line stands exactly once.
fn is_single(line: &str) -> bool {
    !matches!(key_of(line), "on-behalf-of" | "latency" | "ended" | "file")
}

#[test]
fn every_line_of_every_act_is_needed() {
    for (name, statement) in valid_statements() {
        let all = lines(statement.text());
        for index in (1..all.len()).filter(|index| is_single(all[*index])) {
            let mut fewer = all.clone();
            let gone = fewer.remove(index);
            let error = fault(&fewer.concat());
            assert_eq!(error.field, key_of(gone), "{name}");
            assert_eq!(error.rule, Rule::Missing, "{name}");
        }
    }
}

#[test]
fn no_line_of_any_act_may_stand_twice() {
    for (name, statement) in valid_statements() {
        let all = lines(statement.text());
        for (from, to) in (0..all.len()).flat_map(|i| (0..=all.len()).map(move |j| (i, j))) {
            let mut more = all.clone();
            more.insert(to, all[from]);
            assert!(Statement::parse(more.concat().as_bytes()).is_err(), "{name} {from} {to}");
        }
    }
}

#[test]
fn no_two_lines_of_any_act_may_change_places() {
    for (name, statement) in valid_statements() {
        let all = lines(statement.text());
        for (one, other) in (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let mut swapped = all.clone();
            swapped.swap(one, other);
            assert!(Statement::parse(swapped.concat().as_bytes()).is_err(), "{name} {one} {other}");
        }
    }
}

/// R29: unknown or trailing input is never ignored.
#[test]
fn an_unknown_line_is_refused_wherever_it_stands() {
    for (name, statement) in valid_statements() {
        let all = lines(statement.text());
        for (index, unknown) in
            (0..=all.len()).flat_map(|index| ["note: x\n", "\n", "x\n", ": \n"].map(|u| (index, u)))
        {
            let mut more = all.clone();
            more.insert(index, unknown);
            assert!(Statement::parse(more.concat().as_bytes()).is_err(), "{name} {index}");
        }
    }
}

/// R01: a status supplied by the client is not a thing; the text has no place for one.
#[test]
fn a_statement_has_no_place_for_a_status() {
    for (_, statement) in valid_statements() {
        for status in ["status: approved\n", "approved-by: ada\n", "outcome: approved\n"] {
            let text = statement.text().replacen("nonce: ", &format!("{status}nonce: "), 1);
            assert_eq!(fault(&text).rule, Rule::Missing);
        }
    }
}

#[test]
fn blanks_around_a_key_or_value_are_refused() {
    for (name, statement) in valid_statements() {
        let all = lines(statement.text());
        for (index, line) in all.iter().enumerate() {
            let bare = line.trim_end();
            for wrong in [
                format!("{bare} \n"),
                format!(" {bare}\n"),
                format!("{bare}\r\n"),
                bare.replacen(": ", ":  ", 1) + "\n",
                bare.replacen(": ", ":", 1) + "\n",
                bare.replacen(": ", " : ", 1) + "\n",
                bare.replacen(": ", ":\t", 1) + "\n",
            ] {
                if wrong == *line {
                    continue;
                }
                let mut changed = all.clone();
                changed[index] = &wrong;
                let text = changed.concat();
                assert!(Statement::parse(text.as_bytes()).is_err(), "{name}: {wrong:?}");
            }
        }
    }
}

#[test]
fn every_act_is_read_only_under_its_own_name() {
    for (name, statement) in valid_statements() {
        let own = statement.act().kind();
        for other in ActKind::ALL.iter().filter(|other| **other != own) {
            let text = statement.text().replacen(own.name(), other.name(), 1);
            let Ok(read) = Statement::parse(text.as_bytes()) else { continue };
            // deny, withdraw, drop, cancel and escalate share their lines; the first differs.
            assert!(
                matches!(
                    read.act(),
                    Act::Deny(_)
                        | Act::Withdraw(_)
                        | Act::Drop(_)
                        | Act::Cancel(_)
                        | Act::Escalate(_)
                ),
                "{name} as {other}"
            );
            assert_ne!(read.digest(), statement.digest());
        }
    }
}

#[test]
fn a_statement_ends_with_one_line_feed_and_is_plain_ascii() {
    for (name, statement) in valid_statements() {
        let text = statement.text();
        assert_eq!(fault(text.trim_end()).rule, Rule::FinalLineFeed, "{name}");
        assert_eq!(fault(&format!("{text}\n")).rule, Rule::Trailing, "{name}");
        for byte in (0..=0xff).filter(|byte| !matches!(byte, b' '..=b'~' | b'\n')) {
            let mut bytes = text.as_bytes().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] = byte;
            assert_eq!(Statement::parse(&bytes).unwrap_err().rule, Rule::Character, "{name}");
        }
    }
    assert_eq!(fault("").rule, Rule::FinalLineFeed);
}

#[test]
fn a_statement_is_at_most_4096_bytes() {
    // A manifest grows by its file names until it is exactly as long as allowed, or one longer.
    let of = |files: Vec<(String, Digest)>| {
        let manifest = Manifest { version: 1, previous: Digest::ZERO, files };
        let log = "payments/3f9a1c0e5b7d2a44".parse().unwrap();
        Statement::compose(&log, None, Act::Policy(manifest), None, Salt::from_bytes([7; 16]))
    };
    let names = |count: usize, length: usize| -> Vec<(String, Digest)> {
        (0..count).map(|i| (format!("{i:0>length$}"), Digest::ZERO)).collect()
    };
    let longest = of(names(16, 64)).unwrap().text().len();
    assert!(longest < STATEMENT_MAX, "no manifest that the grammar allows is too long");
    let filler = "x".repeat(STATEMENT_MAX - 1);
    assert_eq!(fault(&format!("{filler}\n")).rule, Rule::UnknownAct, "long, but not too long");
    assert_eq!(fault(&format!("{filler}x\n")).rule, Rule::TooLong);
}

#[test]
fn only_known_acts_of_version_one_are_read() {
    for first in [
        "breakglass-borrow/v1",
        "breakglass-request/v2",
        "breakglass-request/v01",
        "breakglass-request",
        "Breakglass-request/v1",
        "breakglass-/v1",
        "request/v1",
        " breakglass-request/v1",
        "breakglass-request/v1 ",
        "",
    ] {
        let error = fault(&format!("{first}\nlog: payments/3f9a1c0e5b7d2a44\n"));
        assert_eq!((error.field, error.rule), ("act", Rule::UnknownAct));
    }
}

#[test]
fn composing_needs_seen_and_expires_exactly_where_the_act_has_them() {
    for (name, read) in valid_statements() {
        let compose = |seen, expires| {
            Statement::compose(read.log(), seen, read.act().clone(), expires, read.nonce())
        };
        assert_eq!(compose(read.seen(), read.expires()).as_ref(), Ok(&read), "{name}");
        let other_seen = if read.seen().is_some() { None } else { Some(Seen::NOTHING) };
        assert!(compose(other_seen, read.expires()).is_err(), "{name}");
        let other_expires = if read.expires().is_some() { None } else { Some(Timestamp::MAX) };
        assert!(compose(read.seen(), other_expires).is_err(), "{name}");
    }
}

#[test]
fn composing_refuses_a_value_that_its_text_would_not_carry() {
    let request = valid_statements().into_iter().find(|(name, _)| name == "request").unwrap().1;
    let Act::Request(ask) = request.act() else { panic!("not a request") };
    let field = |ask: Ask, seen: Seen| {
        let (log, expires) = (request.log(), request.expires());
        let act = Act::Request(ask);
        Statement::compose(log, Some(seen), act, expires, request.nonce()).unwrap_err().field
    };
    let nothing = Seen::NOTHING;
    let incident = |text: &str| Ask { incident: Some(text.to_owned()), ..ask.clone() };
    assert_eq!(field(incident("-"), nothing), "statement");
    assert_eq!(field(incident(""), nothing), "incident");
    // A line smuggled into a value is a line of the wrong kind.
    assert_eq!(field(incident("x\nttl: 9"), nothing), "reason");
    for kinds in [vec![], vec![Kind::Jwt, Kind::Ssh], vec![Kind::Ssh, Kind::Ssh]] {
        assert_eq!(field(Ask { kinds, ..ask.clone() }, nothing), "kinds");
    }
    let twice = vec![ask.by.clone(), ask.by.clone()];
    assert_eq!(field(Ask { on_behalf_of: twice, ..ask.clone() }, nothing), "on-behalf-of");
    for (size, root) in [(0, Some(Digest::ZERO)), (1, None), (1 << 53, Some(Digest::ZERO))] {
        assert_eq!(field(ask.clone(), Seen { size, root }), "seen");
    }
}

#[test]
fn a_namespace_names_the_act_and_its_version() {
    assert_eq!(ActKind::Request.namespace(), "request.v1@breakglass");
    assert_eq!(ActKind::Policy.namespace(), "policy.v1@breakglass");
    assert_eq!(ActKind::ALL.len(), 18);
}

#[test]
fn who_speaks_and_about_what_is_known_without_looking_into_the_act() {
    for (_, statement) in valid_statements() {
        let value = |key: &str| {
            let found = lines(statement.text()).into_iter().find(|line| key_of(line) == key);
            found.map(|line| line.trim_end().split_once(": ").unwrap().1.to_owned())
        };
        assert_eq!(statement.by().map(ToString::to_string), value("by"));
        let about = statement.about().map(|digest| format!("sha256:{digest}"));
        assert_eq!(about, value("request"));
        let text = value("comment").or(value("reason")).filter(|text| text != "-");
        assert_eq!(statement.act().text().map(|digest| format!("sha256:{digest}")), text);
    }
}

#[test]
fn a_commitment_hides_its_text_behind_the_salt() {
    let salt = [7; 32];
    let by_hand = Digest::of(&[&salt[..], "database is down".as_bytes()].concat());
    assert_eq!(commitment(&salt, "database is down"), by_hand);
    assert_ne!(commitment(&[8; 32], "database is down"), by_hand);
}

proptest! {
    #[test]
    fn what_is_composed_is_read_back(statement in statement()) {
        prop_assert_eq!(Statement::parse(statement.text().as_bytes()), Ok(statement.clone()));
        prop_assert_eq!(recomposed(&statement), statement);
    }

    #[test]
    fn whatever_is_read_is_the_one_text_of_its_meaning(
        statement in statement(),
        position in any::<Index>(),
        byte in prop_oneof![any::<u8>(), select(&b" \n-,:0aA=/"[..])],
        inserts in any::<bool>(),
    ) {
        let mut bytes = statement.text().as_bytes().to_vec();
        let index = position.index(bytes.len());
        if inserts { bytes.insert(index, byte) } else { bytes[index] = byte }
        if let Ok(read) = Statement::parse(&bytes) {
            let again = recomposed(&read);
            prop_assert_eq!(again.text().as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..600), text in "(?s)[ -~\n]{0,600}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            if let Ok(read) = Statement::parse(bytes) {
                let again = recomposed(&read);
                prop_assert_eq!(again.text().as_bytes(), bytes);
            }
        }
    }
}
