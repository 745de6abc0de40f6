use std::cell::RefCell;
use std::rc::Rc;

use breakglass_ledger::time::Timestamp;
use jiff::tz::TimeZone;

use super::*;

#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn streams(format: Format) -> (Output, Kept, Kept) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let output = Output::to_streams(format, Box::new(stdout.clone()), Box::new(stderr.clone()));
    (output, stdout, stderr)
}

fn text(kept: &Kept) -> String {
    String::from_utf8(kept.0.borrow().clone()).unwrap()
}

#[test]
fn stdout_carries_the_result_alone() {
    let (mut output, stdout, stderr) = streams(Format::Text);
    output.say("waiting");
    output.progress("1 of 2");
    output.result("req-1", &serde_json::json!({"id": "req-1"})).unwrap();
    assert_eq!(text(&stdout), "req-1\n");
    assert_eq!(text(&stderr), "waiting\n1 of 2\n");
}

/// A hostile broker's words reached the terminal as they came, so that it could draw over what a
/// person reads before they say yes.
#[test]
fn nothing_that_anybody_says_moves_the_cursor() {
    let hostile = "no\u{1b}[2J\u{9b}31m\rapproved\u{202e}";
    let (mut output, stdout, stderr) = streams(Format::Text);
    output.say(hostile);
    output.progress(&format!("{hostile}\nsecond"));
    output.failure(&Failure::new(Exit::Refused, hostile, hostile, hostile));
    output.result(hostile, &serde_json::json!({})).unwrap();
    for shown in [text(&stdout), text(&stderr)] {
        assert!(
            !shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')),
            "{shown:?}"
        );
    }
    assert_eq!(text(&stdout).lines().count(), 1);
}

#[test]
fn json_is_one_object_on_one_line() {
    let (mut output, stdout, _) = streams(Format::Json);
    output.result("req-1", &serde_json::json!({"id": "req-1"})).unwrap();
    assert_eq!(text(&stdout), "{\"id\":\"req-1\"}\n");
}

/// CVE-2021-42574, and ECMA-48's one-byte forms: serde leaves all of these as they are.
#[test]
fn json_steers_no_terminal_and_says_the_same_to_programs() {
    let said = "a\u{9b}31m b\u{202e}c \u{2066}d \u{7f} \u{feff} \u{e0041} \u{1b}[2J é – 🔑\n";
    let (mut out, stdout, stderr) = streams(Format::Json);
    out.result("", &serde_json::json!({ said: said })).unwrap();
    out.failure(&Failure::usage(said, said));
    for written in [text(&stdout), text(&stderr)] {
        let line = written.strip_suffix('\n').unwrap();
        assert_eq!(clean(line), line, "nothing in it is obeyed");
        assert!(line.contains("\\u009b31m") && line.contains("\\u202ec"), "{line}");
        assert!(line.contains("\\udb40\\udc41") && line.contains("é – 🔑"), "{line}");
    }
    let read: serde_json::Value = serde_json::from_str(&text(&stdout)).unwrap();
    assert_eq!(read[said], said);
}

#[test]
fn without_a_terminal_there_is_no_colour_and_no_question() {
    let (mut output, _, stderr) = streams(Format::Text);
    assert_eq!(output.strong("x"), "x");
    let failure = output.ask("really?").unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    assert!(failure.to_string().contains("--yes"));
    assert_eq!(text(&stderr), "");
}

#[test]
fn times_are_relative_then_local_then_utc() {
    let now = Timestamp::from_unix_seconds(1_795_341_600);
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    assert_eq!(when(now.minus(14), now, &zone), "14 s ago (11:59:46 +02, 09:59:46 UTC)");
    assert_eq!(when(now.plus(780), now, &TimeZone::UTC), "in 13 m (10:13:00 UTC)");
    let tomorrow = when(now.plus(80_000), now, &zone);
    assert!(tomorrow.contains("(2026-11-23 10:13:20 +02, 08:13:20 UTC)"), "{tomorrow}");
}

#[test]
fn lengths_of_time_are_read_with_their_unit_only() {
    assert_eq!(parse_duration("30m"), Ok(1800));
    assert_eq!(parse_duration("1h30m"), Ok(5400));
    assert_eq!(parse_duration("90s"), Ok(90));
    for bad in ["", "30", "0s", "m", "1m1h", "-5m", "1.5h", "1h 5m", "99999999999999999999s"] {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
}

#[test]
fn lengths_of_time_are_said_in_two_units_at_most() {
    assert_eq!(duration(1800), "30 minutes");
    assert_eq!(duration(3661), "1 hour 1 minute");
    assert_eq!(duration(0), "0 seconds");
    assert_eq!(short_duration(250), "4 m 10 s");
}

/// R22: an approver must not be shown another text than the one that was signed.
#[test]
fn escape_sequences_and_reordering_characters_are_shown_not_obeyed() {
    let tricky = "fix\u{1b}[2Jall \u{202e}gnihton\u{200b}\nscope: toy";
    let shown = clean(tricky);
    assert_eq!(shown, "fix\\u{1b}[2Jall \\u{202e}gnihton\\u{200b}\\u{a}scope: toy");
    assert_eq!(clean("Zürich – déjà vu"), "Zürich – déjà vu");
}

#[test]
fn a_table_is_aligned_and_has_no_trailing_blanks() {
    let mut table = Table::new(&["ID", "WHO"]);
    table.row(&["req-1".to_owned(), "sam".to_owned()]);
    table.row(&["x\u{7}".to_owned(), String::new()]);
    assert_eq!(table.render(None), "ID      WHO\nreq-1   sam\nx\\u{7}");
}

#[test]
fn a_table_that_does_not_fit_goes_on_below_and_stays_aligned() {
    let mut table = Table::new(&["ID", "SCOPE", "LAPSES"]);
    table.row(&["req-1".to_owned(), "quick".to_owned(), "in 3 m".to_owned()]);
    table.row(&["req-22".to_owned(), "root".to_owned(), String::new()]);
    let narrow = "ID      SCOPE\n    LAPSES\nreq-1   quick\n    in 3 m\nreq-22  root";
    assert_eq!(table.render(Some(20)), narrow);
    assert_eq!(table.render(Some(21)), table.render(None));
    assert_eq!(table.render(Some(1)).lines().count(), 8, "one cell a line is the least");
}

/// R22: a reason, wrapped by the terminal, went on in column one and could pass for a line of the
/// screen.
#[test]
fn no_value_of_a_screen_goes_on_outside_its_own_column() {
    let (mut output, _, stderr) = streams(Format::Text);
    output.columns = Some(40);
    let forged = format!("disk full{}stage 2    security: done", " ".repeat(18));
    let long = "x".repeat(90);
    output.say_screen(&format!(
        "  reason     {forged}\n  policy     {long}\n  state      wide 広い広い広い広い広い広い広い"
    ));
    let shown = text(&stderr);
    let own = ["  reason     ", "  policy     ", "  state      ", &" ".repeat(13)];
    for line in shown.lines() {
        assert!(own.iter().any(|begin| line.starts_with(begin)), "{shown}");
        assert!(
            line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() <= 40,
            "{shown}"
        );
    }
    assert_eq!(shown.matches('x').count(), 90, "nothing is left out");
    assert!(shown.contains("\n             stage 2    security: done\n"), "{shown}");
}

#[test]
fn progress_is_rewritten_in_place_also_when_it_takes_several_lines() {
    let (mut output, _, stderr) = streams(Format::Text);
    (output.is_terminal, output.columns) = (true, Some(20));
    output.progress("0 of 2: waiting for ada");
    output.progress("1 of 2");
    output.say("done");
    let first = "\r\u{1b}[J0 of 2: waiting for\n  ada";
    assert_eq!(text(&stderr), format!("{first}\u{1b}[1A\r\u{1b}[J1 of 2\ndone\n"));
}
