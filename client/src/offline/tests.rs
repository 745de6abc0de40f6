use std::fs;

use breakglass_ledger::statement::{About, Act, Approve, Statement};
use breakglass_ledger::testing::House;
use breakglass_ledger::time::Ttl;
use tempfile::TempDir;

use super::*;
use crate::asked::Asked;
use crate::client::Opening;
use crate::failure::Exit;
use crate::in_force;
use crate::testing::{policy, view};

/// A house in which sam waits, and the file that was saved of it.
fn saved() -> (House, TempDir) {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    let dir = TempDir::new().unwrap();
    let case = Case {
        saved: house.now,
        checkpoint: house.checkpoint(),
        view: view(&house, id),
        policy: policy(&house),
    };
    case.save(&dir.path().join("case"), &house.keys.origin()).unwrap();
    (house, dir)
}

/// ada's approval of what sam asks, with a comment, as a file.
fn approved(house: &House, dir: &TempDir) -> std::path::PathBuf {
    let case = Case::load(&dir.path().join("case"), &house.keys.origin()).unwrap();
    let request = Statement::parse(&case.view.statement).unwrap().digest();
    let comment = Opening::new("as agreed on the phone").unwrap();
    let act = Act::Approve(Approve {
        request,
        by: "ada".parse().unwrap(),
        stage: "app-owner".parse().unwrap(),
        policy: house.policy.digest,
        ttl_max: Ttl::from_seconds(1800).unwrap(),
        comment: Some(comment.digest()),
    });
    signed(house, dir, act, Some(&comment))
}

fn signed(house: &House, dir: &TempDir, act: Act, comment: Option<&Opening>) -> std::path::PathBuf {
    let said = house.said("ada", act);
    let statement = Statement::parse(said.statement.as_bytes()).unwrap();
    let signature = breakglass_ledger::sshsig::SshSig::parse(&said.signature).unwrap();
    let path = dir.path().join("approval");
    Approval::new(statement, signature, comment).save(&path).unwrap();
    path
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn refused<T>(result: Result<T, Failure>) -> (Exit, String) {
    let failure = result.err().expect("taken");
    (failure.exit(), failure.to_string())
}

#[test]
fn a_saved_request_shows_the_same_as_the_broker_did() {
    let (house, dir) = saved();
    let log = house.keys.origin();
    let case = Case::load(&dir.path().join("case"), &log).unwrap();
    let read = in_force::read(&case.policy, &log).unwrap();
    assert_eq!(read.digest, house.policy.digest);
    let asked = Asked::verify(&case.view, &read, &log).unwrap();
    assert_eq!(asked.reason.as_deref(), Some("sam must repair root-on-host"));
    assert_eq!(case.checkpoint, house.checkpoint());
    assert_eq!(case.saved, house.now);
}

#[test]
fn a_saved_request_that_was_edited_is_not_shown() {
    let (house, dir) = saved();
    let log = house.keys.origin();
    let path = dir.path().join("case");
    edit(&path, "ttl: 1800", "ttl: 3600");
    let case = Case::load(&path, &log).unwrap();
    let read = in_force::read(&case.policy, &log).unwrap();
    assert_eq!(
        refused(Asked::verify(&case.view, &read, &log).map_err(Into::into)).0,
        Exit::Tampered
    );
    edit(&path, "quorum = 1", "quorum = 2");
    let case = Case::load(&path, &log).unwrap();
    assert_eq!(refused(in_force::read(&case.policy, &log).map_err(Into::into)).0, Exit::Tampered);
}

#[test]
fn an_approval_survives_the_journey_with_its_comment() {
    let (house, dir) = saved();
    let path = approved(&house, &dir);
    let approval = Approval::load(&path, &house.keys.origin(), house.now).unwrap();
    assert_eq!(approval.approve().unwrap().by.as_str(), "ada");
    let wire = approval.to_wire().unwrap();
    assert_eq!(wire.statement, approval.statement().text().as_bytes());
    assert_eq!(wire.text.unwrap().text, "as agreed on the phone");
}

#[test]
fn an_approval_that_was_edited_is_not_sent() {
    for (from, to) in [
        ("stage: app-owner", "stage: security"),
        ("ttl-max: 1800", "ttl-max: 3600"),
        ("on the phone", "by nobody"),
    ] {
        let (house, dir) = saved();
        let path = approved(&house, &dir);
        edit(&path, from, to);
        let (exit, text) = refused(Approval::load(&path, &house.keys.origin(), house.now));
        assert_eq!(exit, Exit::Tampered, "{from}");
        assert!(text.contains("changed after signing"), "{text}");
    }
}

#[test]
fn files_for_another_ledger_and_approvals_that_are_over_are_not_sent() {
    let (house, dir) = saved();
    let path = approved(&house, &dir);
    let other = "payments/0000000000000000".parse().unwrap();
    assert_eq!(refused(Approval::load(&path, &other, house.now)).0, Exit::Usage);
    assert_eq!(refused(Case::load(&dir.path().join("case"), &other)).0, Exit::Usage);
    let late = house.now.plus(86_401);
    assert_eq!(refused(Approval::load(&path, &house.keys.origin(), late)).0, Exit::Lapsed);
}

/// R29: unknown or doubled keys, trailing bytes, another kind of file and long files are refused.
#[test]
fn a_file_is_exactly_what_was_written_or_nothing() {
    let spoilt: [(&str, &str); 6] = [
        ("{\n", "{\n  \"urgent\": true,\n"),
        ("\"signature\"", "\"statement\": \"x\", \"signature\""),
        ("breakglass-approval/v1", "breakglass-approval/v2"),
        ("breakglass-approve/v1", "breakglass-deny/v1"),
        ("}\n", "} {}\n"),
        ("\"salt\": \"", "\"salt\": \"zz"),
    ];
    for (from, to) in spoilt {
        let (house, dir) = saved();
        let path = approved(&house, &dir);
        if from == "}\n" {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}{{}}")).unwrap();
        } else {
            edit(&path, from, to);
        }
        let (exit, text) = refused(Approval::load(&path, &house.keys.origin(), house.now));
        assert_eq!(exit, Exit::Malformed, "{to}: {text}");
    }
    let (house, dir) = saved();
    let log = house.keys.origin();
    let long = dir.path().join("long");
    fs::write(&long, vec![b' '; 5 * 1024 * 1024]).unwrap();
    assert_eq!(refused(Case::load(&long, &log)).0, Exit::Malformed);
    assert_eq!(refused(Approval::load(&long, &log, house.now)).0, Exit::Malformed);
    assert_eq!(
        refused(Approval::load(&dir.path().join("case"), &log, house.now)).0,
        Exit::Malformed
    );
    assert_eq!(refused(Case::load(&dir.path().join("none"), &log)).0, Exit::Usage);
}

#[test]
fn only_approvals_travel_and_nothing_is_overwritten() {
    let (house, dir) = saved();
    let about = About {
        request: breakglass_ledger::bytes::Digest::ZERO,
        by: "ada".parse().unwrap(),
        comment: None,
    };
    let path = signed(&house, &dir, Act::Cancel(about), None);
    let (exit, text) = refused(Approval::load(&path, &house.keys.origin(), house.now));
    assert_eq!(exit, Exit::Malformed);
    assert!(text.contains("`cancel`"), "{text}");
    let case = Case::load(&dir.path().join("case"), &house.keys.origin()).unwrap();
    let again = case.save(&path, &house.keys.origin());
    assert_eq!(refused(again).0, Exit::Usage);
    assert!(fs::read_to_string(&path).unwrap().contains("breakglass-cancel/v1"));
}
