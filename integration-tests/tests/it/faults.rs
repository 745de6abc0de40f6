//! Faults of files, disks and configuration, met by the real daemon: it refuses in words that say
//! what to do, with nothing lost.

use breakglass_integration_tests::daemon::{Daemon, breakglassd};
use breakglass_integration_tests::site::{ROOMY, Site};

#[test]
fn a_second_daemon_on_the_same_ledger_is_refused() {
    let site = Site::sample();
    let first = site.serve();
    let second = site.serve_with(ROOMY, &[]).err().expect("refused");
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another daemon holds"), "{}", second.err);
    assert!(second.err.contains("stop the other one first"), "{}", second.err);
    assert_eq!(first.stop().code, Some(0));
    let check = site.check();
    assert_eq!(check.code, Some(0), "{check:?}");
}

#[test]
fn the_throw_away_daemon_says_in_one_line_where_it_listens() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::dev(&dir.path().join("dev")).unwrap();
    assert_ne!(daemon.rpc, daemon.web);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn nobody_else_may_have_the_port() {
    let (site, other) = (Site::sample(), Site::sample());
    let first = site.serve();
    let listen = first.rpc.to_string();
    let mut command = breakglassd();
    command.arg("serve").arg("--state").arg(other.state()).args(["--listen", &listen]);
    let second = Daemon::start(command.args(["--web", "127.0.0.1:0"])).err().expect("refused");
    assert_eq!(second.code, Some(1));
    let words = format!("cannot listen on {listen}; is another daemon running there?");
    assert!(second.err.contains(&words), "{}", second.err);
}
