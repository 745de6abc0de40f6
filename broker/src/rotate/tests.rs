use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::mint::RoleKey;

const PREPARE: Step = Step::Prepare { in_file: false };

/// A founded state directory.
fn house() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    crate::dev::set_up(dir.path()).unwrap();
    let state = dir.path().join("state");
    (dir, state)
}

fn step(state: &Path, role: KeyRole, step: &Step) -> Result<String, RotateError> {
    run(state, &Custody::default(), role, step)
}

fn public(state: &Path) -> PublicParts {
    house::existing_keys(state, &Custody::default()).unwrap().public().clone()
}

fn opened(state: &Path) -> Result<Parts, RotateError> {
    open(state, &Custody::default())
}

#[test]
fn every_key_goes_from_next_to_current_to_old_to_gone() {
    for role in KeyRole::ALL {
        let (_dir, state) = house();
        let first = public(&state).current(role).unwrap();
        step(&state, role, &PREPARE).unwrap();
        let second = public(&state).trusted(role)[1].clone();
        step(&state, role, &Step::Switch { now: true }).unwrap();
        assert_eq!(public(&state).trusted(role), [second.clone(), first], "{role:?}");
        drop(opened(&state).unwrap());
        step(&state, role, &Step::Retire { forced: None }).unwrap();
        assert_eq!(public(&state).trusted(role), [second]);
        drop(opened(&state).unwrap());
    }
}

#[test]
fn a_key_that_nobody_knows_yet_does_not_sign_unless_the_operator_says_so() {
    let (_dir, state) = house();
    let switch = |now| step(&state, KeyRole::SshCa, &Step::Switch { now });
    assert!(matches!(switch(true), Err(RotateError::Unprepared(_))));
    step(&state, KeyRole::SshCa, &PREPARE).unwrap();
    let again = step(&state, KeyRole::SshCa, &PREPARE);
    assert!(matches!(again, Err(RotateError::Prepared(_))));
    let Err(RotateError::TooEarly { since, from, .. }) = switch(false) else { panic!() };
    assert_eq!(from.since(since), PUBLISHED_SECONDS);
    switch(true).unwrap();
}

#[test]
fn a_next_key_can_be_given_up() {
    let (_dir, state) = house();
    step(&state, KeyRole::Lists, &PREPARE).unwrap();
    step(&state, KeyRole::Lists, &Step::Abandon).unwrap();
    assert_eq!(public(&state).trusted(KeyRole::Lists).len(), 1);
    let gone = step(&state, KeyRole::Lists, &Step::Retire { forced: None });
    assert!(matches!(gone, Err(RotateError::NoneOld(_))));
}

#[test]
fn while_the_daemon_runs_no_key_is_changed() {
    let (_dir, state) = house();
    let _running = opened(&state).unwrap();
    let refused = step(&state, KeyRole::SshCa, &PREPARE);
    assert!(matches!(refused, Err(RotateError::Running)));
    let shown = status(&state, &Custody::default(), false).unwrap();
    assert!(shown.contains("ssh-ca   current"), "{shown}");
}

/// Killed after the entry and before the first file: the entry decides.
#[test]
fn a_switch_that_only_the_ledger_knows_is_finished_by_the_next_start() {
    for role in KeyRole::ALL {
        let (_dir, state) = house();
        step(&state, role, &PREPARE).unwrap();
        let next = public(&state).trusted(role)[1].clone();
        let desk = Desk::start(opened(&state).unwrap()).unwrap();
        let (answer, told) = channel();
        let key = next.named().unwrap();
        desk.rekey(role, key, Box::new(move |written| drop(answer.send(written)))).unwrap();
        told.recv().unwrap().unwrap();
        drop(desk);
        assert_ne!(public(&state).current(role), Some(next.clone()), "{role:?}");
        drop(opened(&state).unwrap());
        assert_eq!(public(&state).current(role), Some(next));
        assert_eq!(public(&state).trusted(role).len(), 2);
    }
}

/// Killed after the keys and before the files for hosts and clients: to repeat the step is refused, so
/// the files went on naming a key that is retired.
#[test]
fn files_that_an_interrupted_step_left_are_brought_up_to_date_by_the_next_one() {
    let (_dir, state) = house();
    let role = KeyRole::SshCa;
    step(&state, role, &PREPARE).unwrap();
    step(&state, role, &Step::Switch { now: true }).unwrap();
    let Stage::Old { until } = public(&state).others_of(role).next().unwrap().stage else {
        panic!("no old key")
    };
    Mint::remove_key(&state, role, Stage::Old { until }).unwrap();
    let given = || std::fs::read_to_string(Layout::of(&state).ssh_ca()).unwrap().lines().count();
    assert_eq!(given(), 2, "as it was left");
    let again = step(&state, role, &Step::Retire { forced: None });
    assert!(matches!(again, Err(RotateError::NoneOld(_))));
    assert_eq!(given(), 1);
}

/// Whoever puts a key of their own into the directory, or restores an older one, is told.
#[test]
fn keys_that_the_ledger_does_not_name_are_not_used() {
    let (_dir, state) = house();
    let (_other_dir, other) = house();
    std::fs::copy(other.join("keys/ssh-ca"), state.join("keys/ssh-ca")).unwrap();
    let Err(RotateError::House(HouseError::Keys(Disagreement::Current { role, seq, .. }))) =
        opened(&state)
    else {
        panic!("it was opened")
    };
    assert_eq!((role, seq), (KeyRole::SshCa, 0));
}

#[test]
fn keys_from_before_a_switch_are_not_used_after_it() {
    let (dir, state) = house();
    let kept = dir.path().join("ssh-ca");
    std::fs::copy(state.join("keys/ssh-ca"), &kept).unwrap();
    step(&state, KeyRole::SshCa, &PREPARE).unwrap();
    step(&state, KeyRole::SshCa, &Step::Switch { now: true }).unwrap();
    std::fs::copy(&kept, state.join("keys/ssh-ca")).unwrap();
    let refused = opened(&state);
    let keys = matches!(refused, Err(RotateError::House(HouseError::Keys(_))));
    assert!(keys);
}

/// Its file's name says which revocations are told under it.
#[test]
fn an_old_key_under_another_entrys_name_is_refused() {
    let (_dir, state) = house();
    step(&state, KeyRole::SshCa, &PREPARE).unwrap();
    step(&state, KeyRole::SshCa, &Step::Switch { now: true }).unwrap();
    let old = state.join("keys/old");
    let name = std::fs::read_dir(&old).unwrap().next().unwrap().unwrap().file_name();
    std::fs::rename(old.join(name), old.join("1-ssh-ca")).unwrap();
    let refused = opened(&state);
    let told = matches!(
        refused,
        Err(RotateError::House(HouseError::Keys(Disagreement::Old { until: 1, .. })))
    );
    assert!(told);
}

#[test]
fn what_hosts_and_clients_are_given_holds_both_keys_in_the_overlap() {
    let (_dir, state) = house();
    let given = crate::init::client_config(&public(&state), &[]);
    std::fs::write(Layout::of(&state).client(), given).unwrap();
    for role in [KeyRole::SshCa, KeyRole::Lists, KeyRole::TlsCa, KeyRole::X509Ca] {
        step(&state, role, &PREPARE).unwrap();
    }
    let layout = Layout::of(&state);
    let count =
        |path: PathBuf, what: &str| std::fs::read_to_string(&path).unwrap().matches(what).count();
    assert_eq!(count(layout.ssh_ca(), "ssh-ed25519 "), 2);
    assert_eq!(count(layout.lists_allowed(), "ssh-ed25519 "), 2);
    assert_eq!(count(layout.x509_ca(), "BEGIN CERTIFICATE"), 2);
    assert_eq!(count(layout.client(), "BEGIN CERTIFICATE"), 4, "of TLS and of X.509");
}

#[test]
fn the_status_tells_keys_apart_and_says_what_comes_next() {
    let (_dir, state) = house();
    step(&state, KeyRole::JwtKey, &PREPARE).unwrap();
    let shown = status(&state, &Custody::default(), true).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
    let of = |stage: &str| {
        let found = rows.iter().find(|row| row["role"] == "jwt-key" && row["stage"] == stage);
        found.unwrap().clone()
    };
    assert_ne!(of("next")["key"], of("current")["key"]);
    assert_eq!(of("next")["then"], "rotate switch");
    let is_jwt = matches!(public(&state).trusted(KeyRole::JwtKey)[1], RoleKey::JwtKey(_));
    assert!(is_jwt);
}
