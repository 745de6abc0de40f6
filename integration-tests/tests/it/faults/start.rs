//! What keeps a daemon from starting.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use breakglass_integration_tests::daemon::{Daemon, Ended, breakglassd};
use breakglass_integration_tests::record::{copy_files, rows};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wire::{Wire, refusal};
use tonic_health::pb::health_check_response::ServingStatus::NotServing;

use super::{credential, give_back, minting, site, sound};

/// The daemon does not start, and says all of these.
#[track_caller]
fn refused(site: &Site, words: &[&str]) -> Ended {
    let ended = site.serve_with(ROOMY, &[]).err().expect("must not start");
    told(&ended, words);
    ended
}

#[track_caller]
fn told(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word:?} is not in {}", ended.err);
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

/// A ledger with a life behind it, at rest.
async fn lived() -> Site {
    let site = site();
    let daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    let (request, _) = credential(&wire, "sam", 600).await.unwrap();
    give_back(&wire, "sam", request).await.unwrap();
    credential(&wire, "tom", 600).await.unwrap();
    assert_eq!(daemon.stop().code, Some(0));
    site
}

#[test]
fn a_second_daemon_on_the_same_ledger_is_refused() {
    let site = Site::sample();
    let first = site.serve();
    refused(&site, &["another daemon holds", "stop the other one first"]);
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
    told(&second, &[&format!("cannot listen on {listen}; is another daemon running there?")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_database_is_never_continued() {
    let site = lived().await;
    let backup = tempfile::tempdir().unwrap();
    copy_files(&site.ledger(), backup.path());
    let daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    let (_, newer) = credential(&wire, "kim", 600).await.unwrap();
    assert_eq!(daemon.stop().code, Some(0));

    let newest = tempfile::tempdir().unwrap();
    copy_files(&site.ledger(), newest.path());
    fs::copy(backup.path().join("ledger.db"), site.ledger().join("ledger.db")).unwrap();
    refused(&site, &["E_ROLLBACK", "would fork the ledger", "restore the newest database"]);
    // Not even an operator's word for a lost guard makes up for one that contradicts.
    let mut command = breakglassd();
    command.arg("serve").arg("--config").arg(site.config(ROOMY)).arg("--accept-guard-loss");
    told(&Daemon::start(&mut command).err().expect("refused"), &["E_ROLLBACK"]);

    copy_files(newest.path(), &site.ledger());
    assert_eq!(site.serve().stop().code, Some(0));
    sound(&site, &[&newer]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_guard_needs_an_operators_word() {
    let site = lived().await;
    fs::remove_file(site.ledger().join("guard")).unwrap();
    refused(&site, &["the guard file", "is missing or unreadable", "accept the loss explicitly"]);
    // The refused start must not have made one that the next start would believe.
    refused(&site, &["the guard file"]);
    let mut command = breakglassd();
    command.arg("serve").arg("--config").arg(site.config(ROOMY)).arg("--accept-guard-loss");
    assert_eq!(Daemon::start(&mut command).unwrap().stop().code, Some(0));
    assert_eq!(site.serve().stop().code, Some(0), "and only once");
    sound(&site, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_entry_is_refused_where_it_is_met() {
    let site = lived().await;
    let before = rows(&site.ledger());
    let last = before.len() - 1;
    edit(&site, last, &before[last]);
    let evidence = "the database was edited or damaged; keep it as evidence and restore a backup";
    refused(&site, &[&format!("entry {last} is not what was recorded"), evidence]);
    put(&site, last, &before[last]);

    // The end is sound, so it starts; but whatever reads the entry says so, and so does `check`.
    edit(&site, 2, &before[2]);
    let daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    let session = Some(wire.session(&breakglass_integration_tests::people::Person::named("sam")));
    let request =
        breakglass_proto::v1::ExportRequest { session, from: 0, request_id: String::new() };
    let mut parts = wire.client.clone().export(request).await.unwrap().into_inner();
    let failed = loop {
        match parts.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an edited ledger was exported to its end"),
            Err(status) => break status,
        }
    };
    assert_eq!(failed.code(), tonic::Code::Internal, "{failed}");
    assert_eq!(daemon.stop().code, Some(0));
    told(&site.check(), &["entry 2 is not what was recorded", evidence]);
    put(&site, 2, &before[2]);
    assert_eq!(site.check().code, Some(0));
    sound(&site, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_database_is_refused() {
    let site = lived().await;
    let path = site.ledger().join("ledger.db");
    let whole = fs::read(&path).unwrap();
    let log = fs::metadata(site.ledger().join("ledger.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "a daemon that was asked to stop leaves all in one file");
    for (kept, words) in [
        (whole.len() - 100, "edited or damaged"),
        (whole.len() / 2, "edited or damaged"),
        (0, "is not a breakglass ledger"),
    ] {
        fs::write(&path, &whole[..kept]).unwrap();
        refused(&site, &[words]);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(site.serve().stop().code, Some(0));
    sound(&site, &[]);
}

#[test]
fn the_ledger_of_another_deployment_is_not_continued() {
    let site = Site::sample();
    let name = site.state().join("name");
    fs::write(&name, "invoices\n").unwrap();
    refused(&site, &["it belongs to another deployment", "restore the matching keys"]);
    fs::write(&name, "").unwrap();
    refused(&site, &["is not a state directory", "breakglassd init"]);
    fs::write(&name, "payments\n").unwrap();
    let (other, keys) = (Site::sample(), site.state().join("keys"));
    let kept = tempfile::tempdir().unwrap();
    copy_files(&keys, kept.path());
    copy_files(&other.state().join("keys"), &keys);
    refused(&site, &["it belongs to another deployment", "restore the matching keys"]);
    copy_files(kept.path(), &keys);
    assert_eq!(site.serve().stop().code, Some(0));
    sound(&site, &[]);
}

#[test]
fn keys_that_are_missing_or_in_others_reach_are_refused() {
    let site = Site::sample();
    for key in ["log", "ssh-ca", "lists", "tls-ca"] {
        let path = site.state().join("keys").join(key);
        let text = path.display().to_string();
        let content = fs::read(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let remedy = format!("run `chmod 600 {text}`");
        refused(&site, &[&text, "has mode 0640", &remedy]);
        fs::remove_file(&path).unwrap();
        refused(&site, &[&format!("cannot open {text}"), "No such file"]);
        fs::write(&path, b"-----BEGIN NOTHING-----\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        refused(&site, &[&text, "restore it from your backup"]);
        fs::write(&path, content).unwrap();
    }
    assert_eq!(site.serve().stop().code, Some(0));
    sound(&site, &[]);
}

#[test]
fn a_configuration_that_is_not_understood_is_refused() {
    let site = Site::sample();
    for (more, words) in [
        ("litsen = \"127.0.0.1:1\"\n", ["unknown field `litsen`", "line 4"]),
        ("state = \"/elsewhere\"\n", ["duplicate key", "line 4"]),
        ("[limits]\nstreamz = 1\n", ["unknown field `streamz`", "line 5"]),
        ("[limits]\nconnects = { per-second = 0, burst = 1 }\n", ["nonzero", "line 5"]),
    ] {
        let ended = site.serve_with(more, &[]).err().expect("refused");
        told(&ended, &["breakglassd.toml has a fault; correct it and start again"]);
        told(&ended, &words);
    }
    let nothing = breakglassd().args(["serve", "--config", "/nowhere/x.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(said.contains("cannot read the configuration /nowhere/x.toml"), "{said}");
    let usage = breakglassd().arg("serve").output().unwrap();
    assert_eq!(usage.status.code(), Some(2), "neither --config nor --state");
    let nowhere = site.dir().join("nowhere");
    let mut command = breakglassd();
    let ended = Daemon::start(command.arg("serve").arg("--state").arg(&nowhere)).err().unwrap();
    told(&ended, &["is not a state directory; make one with `breakglassd init`"]);
    assert!(!nowhere.exists(), "a refused start makes nothing");
}

/// The doors are open before the newest entries were read again; once they were, nothing is minted.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_contradicts_its_ledger_stops_minting_after_the_start() {
    let site = lived().await;
    let database = rusqlite::Connection::open(site.ledger().join("ledger.db")).unwrap();
    assert!(database.execute("DELETE FROM statement WHERE seq > 2", ()).unwrap() > 0);
    drop(database);
    let daemon = site.serve();
    minting(&site, &daemon, NotServing).await;
    let wire = Wire::to(&site, &daemon).await;
    let told = credential(&wire, "kim", 600).await.unwrap_err();
    assert_eq!(refusal(&told).unwrap().name, "cannot-revoke");
    daemon.logs("somebody else has written the database");
    daemon.logs("run `breakglassd check`");
    assert_eq!(daemon.stop().code, Some(0));
    let check = site.check();
    assert_eq!(check.code, Some(1), "{check:?}");
}

/// Changes a digit of the salt of an entry in the database.
fn edit(site: &Site, seq: usize, bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (before, after) = text.split_once("\"salt\":\"").unwrap();
    let digit = if after.starts_with('0') { '1' } else { '0' };
    put(site, seq, format!("{before}\"salt\":\"{digit}{}", &after[1..]).as_bytes());
}

fn put(site: &Site, seq: usize, bytes: &[u8]) {
    let path: &Path = &site.ledger().join("ledger.db");
    let database = rusqlite::Connection::open(path).unwrap();
    let changed =
        database.execute("UPDATE entry SET bytes = ?2 WHERE seq = ?1", (seq, bytes)).unwrap();
    assert_eq!(changed, 1);
}
