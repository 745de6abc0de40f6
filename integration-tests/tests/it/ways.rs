//! The ways in: `breakglass ssh` and `exec` use the grant that is there, and leave nothing behind.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use breakglass_integration_tests::dev::{Dev, LONG, Running, Said};
use breakglass_integration_tests::sshd::{Login, Sshd, said};
use breakglass_integration_tests::terminal::Terminal;
use breakglass_integration_tests::wait::until;

/// A broker, and a host that lets its readers of logs in.
struct Stage {
    dev: Dev,
    host: Sshd,
}

impl Stage {
    fn new() -> Self {
        let dev = Dev::start();
        let host = dev.host(&["bg-logs"]);
        Self { dev, host }
    }

    /// What ssh is told, after the verb and its own flags, to run `command` on the host.
    fn words<'a>(&self, command: &'a [&'a str]) -> Vec<String> {
        let mut words = vec![self.host.target()];
        words.extend(self.host.arguments());
        words.extend(command.iter().map(|word| (*word).to_owned()));
        words
    }

    fn ssh(&self, flags: &[&str], command: &[&str]) -> Said {
        let words = self.words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.dev.says("sam", &[&["ssh"], flags, &words].concat())
    }
}

/// sam's request for the logs, for `ttl`.
fn ask(dev: &Dev, ttl: &str) -> String {
    let asked = ["request", "quick", "--incident", "INC-1", "--reason", "stuck", "--ttl", ttl];
    dev.done("sam", &asked)
}

/// The same, approved; nothing is collected.
fn granted(dev: &Dev, ttl: &str) -> String {
    let id = ask(dev, ttl);
    dev.done("ada", &["approve", &id, "--yes"]);
    id
}

fn exec(dev: &Dev, arguments: &[&str]) -> Said {
    dev.says("sam", &[&["exec"], arguments].concat())
}

fn state(dev: &Dev, id: &str) -> String {
    dev.says("sam", &["status", id]).out
}

#[test]
fn a_log_in_collects_what_was_approved_and_hands_on_words_streams_and_the_code() {
    let stage = Stage::new();
    let id = granted(&stage.dev, "15m");
    let login = stage.ssh(&[], &["printf '<%s>' 'a b' \"c'd\" '$HOME'; exit 42"]);
    assert_eq!((login.code, login.out.as_str()), (42, "<a b><c'd><$HOME>"), "{login:?}");
    assert!(login.err.contains(&format!("{id} of sam for quick ends in")), "{login:?}");
    assert!(login.err.contains(&format!("breakglass drop {id}")), "without a terminal it stays");
    assert_eq!(state(&stage.dev, &id), "live");
    // Again, by its id, with something to read; and what comes after the host is ssh's.
    let words = [vec!["ssh".to_owned(), id.clone()], stage.words(&["cat; echo in"])].concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut client = stage.dev.client("sam", &words);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    client.stdin.take().unwrap().write_all(b"two\nlines\n").unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "two\nlines\nin\n");
    stage.host.logged(0, &["Accepted publickey", &format!("ID bg:{id}:sam")]);
}

#[test]
fn words_reach_the_program_as_they_were_given_with_the_grant_beside_them() {
    let stage = Stage::new();
    let id = granted(&stage.dev, "15m");
    let script = r#"printf '<%s>' "$@"; printf ' %s %s' "$BREAKGLASS_REQUEST" "$BREAKGLASS_SCOPE""#;
    let words = ["a b", "c'd\"e", "", "--drop", "$HOME", "*", "\u{e9}\n"];
    let ran = exec(&stage.dev, &[&["--", "sh", "-c", script, "sh"][..], &words].concat());
    let expected = words.map(|word| format!("<{word}>")).concat();
    assert_eq!((ran.code, ran.out), (0, format!("{expected} {id} quick")), "{}", ran.err);
    // The paths open the door.
    let login = stage.host.arguments().join(" ");
    let script = format!(
        "test -r \"$BREAKGLASS_SSH_CERTIFICATE\" && test $BREAKGLASS_EXPIRES_AT -gt $(date +%s) &&
         ssh -o IdentitiesOnly=yes -i \"$BREAKGLASS_SSH_KEY\" {login} {} 'echo in'",
        stage.host.target()
    );
    let ran = exec(&stage.dev, &["--", "sh", "-c", &script]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "in"), "{}", ran.err);
}

/// R33: what a program used is given back when it ends, and the host knows.
#[test]
fn with_drop_the_grant_ends_with_the_program_and_the_host_refuses_a_copy_of_the_key() {
    let stage = Stage::new();
    let id = granted(&stage.dev, "15m");
    let copy = stage.dev.path("copy");
    let script = format!("mkdir {0} && cp \"$BREAKGLASS_SSH_KEY\"* {0}/; exit 9", copy.display());
    let ran = exec(&stage.dev, &["--", "sh", "-c", &script]);
    assert_eq!(ran.code, 9, "{}", ran.err);
    assert_eq!(stage.host.log_in(&copy.join("id"), "echo in"), Login::In("in\n".to_owned()));
    let login = stage.ssh(&["--drop"], &["echo in; exit 3"]);
    assert_eq!((login.code, login.out.as_str()), (3, "in"), "{}", login.err);
    assert!(login.err.contains("revoked"), "{}", login.err);
    assert_eq!(state(&stage.dev, &id), "ended");
    assert!(!stage.host.log_in(&copy.join("id"), "echo in").is_in());
    // Nothing is left to reuse.
    let again = stage.ssh(&["--drop"], &["echo in"]);
    assert_eq!((again.code, again.out.as_str()), (6, ""), "{}", again.err);
}

/// A program in a loop must not open requests: not without a grant, not while one is pending, not
/// when the broker is gone.
#[test]
fn without_a_live_grant_nothing_is_run_and_nothing_is_asked_for() {
    let mut dev = Dev::start();
    let ran = exec(&dev, &["--", "echo", "ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (6, ""));
    assert!(ran.err.contains("breakglass request SCOPE --incident"), "{}", ran.err);
    let ran = exec(&dev, &["--scope", "quick", "--", "echo", "ran"]);
    assert!(ran.err.contains("breakglass request quick --incident"), "{}", ran.err);
    assert!(dev.json("ada", &["pending"])["requests"].as_array().unwrap().is_empty());
    let id = ask(&dev, "15m");
    let ran = exec(&dev, &["--", "echo", "ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
    assert!(ran.err.contains(&format!("breakglass collect {id} --wait")), "{}", ran.err);
    dev.done("ada", &["deny", &id, "--reason", "no", "--yes"]);
    let ran = exec(&dev, &["--", "echo", "ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{}", ran.err);
    assert!(dev.json("ada", &["pending"])["requests"].as_array().unwrap().is_empty());
    // What was collected works on while the broker is away.
    let id = granted(&dev, "15m");
    dev.done("sam", &["collect", &id, "--out", "key"]);
    dev.daemon = None;
    let ran = exec(&dev, &["--", "echo", "ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "ran"), "{}", ran.err);
    // It did well, and what it used could not be given back: that is no success.
    let ran = exec(&dev, &["--drop", "--", "echo", "ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (7, "ran"), "{}", ran.err);
    assert!(ran.err.contains("NOT recorded as revoked"), "{}", ran.err);
}

#[test]
fn of_several_grants_one_has_to_be_named() {
    let dev = Dev::start();
    let quick = granted(&dev, "15m");
    let solo = dev.done("sam", &["request", "solo", "--reason", "say so", "--ttl", "5m"]);
    for id in [&quick, &solo] {
        dev.done("sam", &["collect", id]);
    }
    let which = ["--", "sh", "-c", "echo $BREAKGLASS_REQUEST"];
    let ran = exec(&dev, &which);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    for words in [&quick, &solo, "--scope"] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    assert_eq!(exec(&dev, &[&[quick.as_str()][..], &which].concat()).out, quick);
    assert_eq!(exec(&dev, &[&["--scope", "solo"][..], &which].concat()).out, solo);
    let other = exec(&dev, &[&["--scope", "root-on-host"][..], &which].concat());
    assert_eq!(other.code, 6, "{other:?}");
}

#[test]
fn a_refused_log_in_says_that_somebody_ended_the_grant() {
    let stage = Stage::new();
    let id = granted(&stage.dev, "15m");
    assert_eq!(stage.ssh(&[], &["echo in"]).out, "in");
    stage.dev.done("ada", &["cancel", &id, "--reason", "laptop stolen", "--yes"]);
    let login = stage.ssh(&["--keep"], &["echo in"]);
    assert_eq!((login.code, login.out.as_str()), (255, ""), "{}", login.err);
    assert!(login.err.contains(&format!("{id} is over: revoked by ada")), "{}", login.err);
}

#[test]
fn the_end_is_announced_while_the_program_runs_and_after_it_nothing_is_run() {
    let dev = Dev::start();
    let id = granted(&dev, "63s");
    let err = dev.path("err");
    let wait = format!("until grep -q 'the grant ends in' {}; do sleep 0.1; done", err.display());
    let mut client = dev.client("sam", &["exec", "--keep", "--", "sh", "-c", &wait]);
    client.stdin(Stdio::null()).stderr(File::create(&err).unwrap());
    assert!(client.status().unwrap().success());
    let told = std::fs::read_to_string(&err).unwrap();
    assert!(told.contains("breakglass: the grant ends in 1 m; then nothing new opens"), "{told}");
    // At its end it is used no more, by this machine's clock.
    let ran = until("the grant is over", LONG, || {
        let ran = exec(&dev, &["--keep", "--", "echo", "ran"]);
        (ran.code != 0).then_some(ran)
    });
    assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{}", ran.err);
    assert!(ran.err.contains(&format!("{id} expired")), "{}", ran.err);
    assert!(ran.err.contains("breakglass request quick --incident"), "{}", ran.err);
}

#[test]
fn what_would_end_the_client_reaches_the_program_and_its_end_counts() {
    let dev = Dev::start();
    granted(&dev, "15m");
    let ready = dev.path("ready");
    for (signal, code) in [("TERM", 71), ("INT", 72), ("HUP", 73), ("QUIT", 74)] {
        let script = format!(
            "trap 'exit {code}' {signal}; touch {}; while :; do sleep 0.1; done",
            ready.display()
        );
        let mut client = dev.client("sam", &["exec", "--keep", "--", "sh", "-c", &script]);
        client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = client.spawn().unwrap();
        until("the program runs", LONG, || ready.exists().then_some(()));
        said(Command::new("kill").args(["-s", signal, &client.id().to_string()]));
        assert_eq!(client.wait().unwrap().code(), Some(code), "{signal}");
        std::fs::remove_file(&ready).unwrap();
    }
    let killed = Running::of(dev.client("sam", &["exec", "--", "sh", "-c", "kill -KILL $$"])).end();
    assert_eq!(killed.code, 128 + 9, "{}", killed.err);
}

#[test]
fn at_a_terminal_the_grant_is_offered_back_and_a_yes_ends_it() {
    let stage = Stage::new();
    let id = granted(&stage.dev, "15m");
    let question = format!("give {id} back now? [y/N]");
    for (answer, after) in [("n", "live"), ("y", "ended")] {
        let words = stage.words(&["echo in; exit 5"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let client = stage.dev.client("sam", &[&["ssh"][..], &words].concat());
        let terminal = Terminal::of(&client, (160, 40));
        let _ = terminal.shows(&[&question]);
        terminal.press(&[answer, "Enter"]);
        let _ = terminal.shows(&["ended with 5"]);
        assert_eq!(state(&stage.dev, &id), after);
    }
}
