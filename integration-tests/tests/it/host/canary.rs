//! Whether `sshd` refuses, asked of `sshd` itself.

use std::process::Command;

use breakglass_integration_tests::agent::{HostAgent, verb};
use breakglass_integration_tests::daemon::run;
use breakglass_integration_tests::sshd::{Lets, Sshd, said};
use breakglass_integration_tests::tls_site::free_port;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::entry::Body;
use breakglass_ledger::statement::{Applied, Canary};

use super::{Held, Stage, kept};

/// One that reads the agent's list, or another one that names nobody.
fn host(stage: &Stage, reads_ours: bool) -> Sshd {
    letting_in(stage, reads_ours, "bg-root")
}

fn letting_in(stage: &Stage, reads_ours: bool, role: &str) -> Sshd {
    let empty = stage.told.path("empty");
    said(Command::new("ssh-keygen").args(["-q", "-k", "-f"]).arg(&empty).arg("/dev/null"));
    Sshd::start(&Lets {
        authorities: vec![stage.pins.ssh_ca.clone()],
        revoked: Some(if reads_ours { stage.told.list() } else { empty }),
        principals: vec![role.to_owned()],
    })
}

/// The agent, which asks at this address.
fn asking(stage: &Stage, address: &str) -> HostAgent {
    let more = format!("[[target]]\nkind = \"sshd\"\nname = \"db-1\"\naddress = \"{address}\"");
    stage.told.write(&stage.pins, &more);
    let agent = stage.told.run();
    until("a list is in place", SOON, || stage.told.list().exists().then_some(()));
    agent
}

/// Somebody logs in and gives back what they were given; what became of it, as the ledger has it.
fn used_and_given_back(stage: &Stage, host: &Sshd, is_kept: impl Fn(&str) -> bool) -> Canary {
    let held = used(stage, host, is_kept);
    given_back(stage, &held)
}

/// Somebody logs in, and that is seen.
fn used(stage: &Stage, host: &Sshd, is_kept: impl Fn(&str) -> bool) -> Held {
    let held = stage.grant(3600, "first");
    let _session = kept(host.ssh_with(&held.key, &[], &["sleep 600"]));
    until("its certificate is kept", SOON, || {
        let kept = std::fs::read_to_string(stage.told.path("state/canaries.json"));
        is_kept(&kept.unwrap_or_default()).then_some(())
    });
    held
}

fn given_back(stage: &Stage, held: &Held) -> Canary {
    stage.take_back(held);
    until("the list that names it is reported", SOON, || {
        let revoked = stage.bodies().iter().position(|body| matches!(body, Body::Revoked(_)))?;
        let all = stage.applied();
        let names_it = |applied: &&Applied| usize::try_from(applied.version).unwrap() >= revoked;
        all.iter().find(names_it).map(|applied| applied.canary)
    })
}

#[test]
fn sshd_itself_is_shown_to_refuse_what_it_took_before() {
    let stage = Stage::new();
    let host = host(&stage, true);
    let _agent = asking(&stage, &host.address());
    let canary = used_and_given_back(&stage, &host, |kept| kept.contains(":\"root\"}"));
    assert_eq!(canary, Canary::Refused);
    assert_eq!(host.log().matches("revoked by file").count(), 1, "asked once: {}", host.log());
}

/// The file is as it should be, and `sshd` reads another one.
#[test]
fn an_sshd_that_reads_another_list_is_told_apart_from_one_that_refuses() {
    let stage = Stage::new();
    let host = host(&stage, false);
    let _agent = asking(&stage, &host.address());
    let canary = used_and_given_back(&stage, &host, |kept| kept.contains(":\"root\"}"));
    assert_eq!(canary, Canary::Accepted);
    until("it is said", SOON, || {
        stage.told.log().contains("a revoked certificate is accepted").then_some(())
    });
    until("it is in its state", SOON, || {
        stage.told.state().contains("ALARM: the server does not refuse").then_some(())
    });
    let status = run(verb(stage.told.dir.path(), &["status", "--config"]).arg(stage.told.config()));
    assert_eq!(status.code, Some(13), "{status:?}");
    assert!(status.out.contains("canary accepted"), "{status:?}");
}

/// It took the certificate before and is gone since: that the file names it is not enough.
#[test]
fn of_an_sshd_that_is_gone_nothing_is_claimed() {
    let stage = Stage::new();
    let host = host(&stage, true);
    let _agent = asking(&stage, &host.address());
    let held = used(&stage, &host, |kept| kept.contains(":\"root\"}"));
    drop(host);
    assert_eq!(given_back(&stage, &held), Canary::Untried);
    is_told(&stage, "canary untried (sshd did not answer at `address`): nothing in the way");
}

/// Whoever looks after the host is told why nothing was learnt.
fn is_told(stage: &Stage, said: &str) {
    until("the status says it", SOON, || {
        let mut status = verb(stage.told.dir.path(), &["status", "--config"]);
        run(status.arg(stage.told.config())).out.contains(said).then_some(())
    });
}

/// Nobody ever answered there.
#[test]
fn of_an_sshd_that_cannot_be_asked_nothing_is_claimed() {
    let stage = Stage::new();
    let host = host(&stage, true);
    let _agent = asking(&stage, &format!("127.0.0.1:{}", free_port()));
    let canary = used_and_given_back(&stage, &host, |kept| kept.contains("\"taken\":{}"));
    assert_eq!(canary, Canary::Untried);
    is_told(&stage, "canary untried (sshd never said of a certificate");
}

/// It says no to whatever it is shown, so that its no has another reason.
#[test]
fn the_no_of_an_sshd_that_never_said_yes_is_no_claim_either() {
    let stage = Stage::new();
    let host = host(&stage, true);
    let other = letting_in(&stage, true, "bg-somebody-else");
    let _agent = asking(&stage, &other.address());
    let canary = used_and_given_back(&stage, &host, |kept| kept.contains("\"taken\":{}"));
    assert_eq!(canary, Canary::Untried);
}
