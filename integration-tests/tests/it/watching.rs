//! `breakglass watch` as approvers use it: in a real terminal, and in a pipe.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use breakglass_integration_tests::dev::{Dev, LONG};
use breakglass_integration_tests::terminal::Terminal;
use breakglass_integration_tests::wait::until;
use serde_json::Value;

const SIZE: (u16, u16) = (120, 32);

/// Into the output of the run, also of one that passes: what people see is part of what is proved.
fn show(what: &str, screen: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{what}:\n{screen}").unwrap();
}

fn asked(dev: &Dev, scope: &str) -> String {
    let words = ["request", scope, "--reason", "payments are stuck", "--incident", "INC-4711"];
    dev.done("sam", &words).lines().next().unwrap().to_owned()
}

/// The row of `scope` in a capture, its blanks single.
fn row(screen: &str, scope: &str) -> String {
    let line = screen.lines().find(|line| line.contains(scope)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The terminal is as it was: no table, a cursor at the prompt's place, echo and lines.
fn is_as_it_was(terminal: &Terminal) {
    is_as_it_was_after(terminal, 0);
}

fn is_as_it_was_after(terminal: &Terminal, code: u8) {
    let ended = format!("ended with {code}");
    let is_over = |screen: &str| {
        let words: Vec<&str> = screen.split_whitespace().collect();
        screen.contains(&ended) && words.contains(&"echo") && words.contains(&"icanon")
    };
    let screen = terminal.comes_to("the terminal is as it was", is_over);
    show("after it", &screen);
    assert!(!screen.contains("wait for you"), "{screen}");
}

/// Appears, is looked at, approved by one key, moves on; a broker that restarts is found again.
#[test]
fn a_request_appears_is_approved_by_a_key_and_its_row_moves_on() {
    let mut dev = Dev::start();
    let terminal = Terminal::of(&dev.client("ada", &["watch"]), SIZE);
    show("nothing yet", &terminal.shows(&["0 of 0 wait for you", "watching at"]));
    let id = asked(&dev, "root-on-host");
    // A screen may be seen while it is drawn: all of it is waited for.
    let screen = terminal.comes_to("a row that waits for ada", |screen| {
        let first = row(screen, "root-on-host");
        first.starts_with("> sam root-on-host")
            && first.ends_with("1 app-owner, 1 security waits for you")
            && ["1 of 1 wait for you", &id].iter().all(|part| screen.contains(part))
    });
    show("it appears", &screen);

    terminal.press(&["Enter"]);
    let parts = ["“payments are stuck”", "INC-4711", "bg-root", "bound to", "silence", "policy"];
    let screen = terminal.shows(&[&parts[..], &["approve this as ada? [y/N]"]].concat());
    show("the approval screen", &screen);
    terminal.press(&["n"]);
    let _ = terminal.shows(&["not approved: you did not say yes", "waits for you"]);
    assert_eq!(dev.json("ada", &["show", &id])["missing"], 2);

    terminal.press(&["a"]);
    let _ = terminal.shows(&["approve this as ada? [y/N]"]);
    terminal.press(&["y"]);
    let screen = terminal.comes_to("a row that waits for others", |screen| {
        row(screen, "root-on-host").ends_with("1 security waits for others")
            && ["approved (entry", "0 of 1 wait for you"].iter().all(|part| screen.contains(part))
    });
    show("after y", &screen);

    // The broker restarts; what happens meanwhile is not missed.
    dev.while_stopped(|_| {
        show("the broker is gone", &terminal.shows(&["line lost, trying again in"]));
    });
    dev.done("bob", &["approve", &id, "--yes"]);
    let screen = terminal.shows(&["back at", "nothing was missed"]);
    show("it is back", &screen);
    let _ = terminal.comes_to("a row that has moved on", |screen| {
        row(screen, "root-on-host").ends_with("- approved")
    });
    dev.done("sam", &["collect", &id, "--out", "credential"]);
    let screen = terminal.shows(&[" live"]);
    show("it is live", &screen);

    // Another one is denied, with a reason.
    let other = asked(&dev, "quick");
    let _ = terminal.shows(&["1 of 2 wait for you"]);
    terminal.press(&["Home", "d"]);
    let _ = terminal.shows(&["deny, because:", &other]);
    terminal.press(&["n", "o", "t", "Space", "n", "o", "w", "Enter"]);
    let screen = terminal.shows(&["denied (entry", "denied by ada"]);
    show("the other is denied", &screen);
    assert_eq!(dev.says("sam", &["status", &other]).code, 4);
    terminal.press(&["q"]);
    is_as_it_was(&terminal);
}

#[test]
fn control_c_leaves_the_terminal_as_it_was() {
    let dev = Dev::start();
    let terminal = Terminal::of(&dev.client("ada", &["watch"]), SIZE);
    let _ = terminal.shows(&["0 of 0 wait for you", "watching at"]);
    terminal.press(&["C-c"]);
    is_as_it_was(&terminal);
}

/// A signal from outside ended the program where it stood: the shell after it showed nothing that was
/// typed, on a screen without its history.
#[test]
fn a_signal_from_outside_leaves_the_terminal_as_it_was() {
    let dev = Dev::start();
    for (signal, code) in [("TERM", 128 + 15), ("HUP", 128 + 1)] {
        let terminal = Terminal::of(&dev.client("ada", &["watch"]), SIZE);
        let _ = terminal.shows(&["0 of 0 wait for you", "watching at"]);
        terminal.signal(signal);
        is_as_it_was_after(&terminal, code);
    }
}

/// Elsewhere than on a terminal: a line for each thing, or a JSON object.
#[test]
fn in_a_pipe_each_thing_that_happens_is_a_line() {
    let dev = Dev::start();
    let before = asked(&dev, "root-on-host");
    let watching = |words: &[&str], to: &str| {
        let mut command = dev.client("ada", words);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(fs::File::create(dev.path(to)).unwrap());
        Watching(command.spawn().unwrap())
    };
    let _lines = watching(&["pending", "--watch"], "lines");
    let _json = watching(&["watch", "-o", "json"], "json");
    let said = |name: &str| fs::read_to_string(dev.path(name)).unwrap();
    for name in ["lines", "json"] {
        until("what waits is listed", LONG, || said(name).contains(&before).then_some(()));
    }
    let id = asked(&dev, "quick");
    for name in ["lines", "json"] {
        until("the request is told", LONG, || said(name).contains(&id).then_some(()));
    }
    dev.done("bob", &["deny", &id, "--reason", "not now", "--yes"]);
    for name in ["lines", "json"] {
        let is_told = |line: &str| {
            let is_closing = line.contains("  closed  ") || line.contains("\"kind\":\"closed\"");
            is_closing && line.contains(&id)
        };
        until("the end is told", LONG, || {
            let said = said(name);
            // Only whole lines: the file is read while it is written.
            (said.ends_with('\n') && said.lines().any(is_told)).then_some(())
        });
    }
    let lines = said("lines");
    println!("{lines}");
    assert!(lines.lines().any(|line| {
        line.contains(&format!("requested  {id}  sam for quick for 30 minutes"))
            && line.contains("0 of 1: waiting for second-person (ada, bob, eve)")
    }));
    let told: Vec<Value> =
        said("json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = told.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pending", "requested", "denied", "closed"]);
    let seqs: Vec<u64> = told.iter().filter_map(|one| one["seq"].as_u64()).collect();
    assert!(seqs.is_sorted() && seqs.len() == 3, "{seqs:?}");
    assert_eq!(told[1]["request"]["id"], id.as_str());
}

/// A client that does not end by itself. Killed when dropped.
struct Watching(std::process::Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
