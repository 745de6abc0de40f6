//! A real `sshd` takes what the house mints, and nothing that only looks like it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use breakglass_broker::desk::DeskError;
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::grant::{Hosted, files_with, now, scope};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::sshd::{Lets, Login, Sshd, said};
use breakglass_integration_tests::wait::until;
use breakglass_ledger::key::{KeyError, PublicKey};
use ssh_key::certificate::{Builder, CertType};

const GOOD: &str = "echo in; exit 0";

/// A host that trusts an authority of our own, which certifies whatever it is asked to.
struct Forge {
    dir: tempfile::TempDir,
    host: Sshd,
}

impl Forge {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Person::named("forger").write(dir.path(), "");
        let host = Sshd::start(&Lets {
            authorities: vec![Person::named("forger").key().to_openssh()],
            revoked: None,
            principals: vec!["bg-root".to_owned(), "bg-a".to_owned()],
        });
        Self { dir, host }
    }

    /// A certificate made by stock `ssh-keygen`; `principals` as its `-n` takes them.
    fn certify(&self, principals: Option<&str>) -> PathBuf {
        let name = principals.unwrap_or("none");
        let subject = Person::named(name);
        let key = subject.write(&self.dir.path().join(name.replace('*', "star")), "");
        std::fs::remove_file(key.with_file_name("id-cert.pub")).unwrap();
        let public = key.with_extension("pub");
        std::fs::write(&public, subject.key().to_openssh()).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.arg("-q").arg("-s").arg(self.dir.path().join("id"));
        command.args(["-I", "forged", "-z", "9", "-V", "-1m:+1h"]);
        if let Some(principals) = principals {
            command.args(["-n", principals]);
        }
        said(command.arg(&public));
        key
    }
}

#[test]
fn a_minted_certificate_lets_its_holder_in_and_the_host_logs_whose_it_is() {
    let mut site = Hosted::new();
    let (grant, key) = site.grant("root-on-host", 900);
    assert_eq!(site.host.log_in(&key, GOOD), Login::In("in\n".to_owned()));
    let id = format!("ID bg:{}:sam (serial {})", grant.id, grant.serial);
    site.host.logged(0, &["Accepted publickey", &id]);
}

/// R33: ending a grant reaches the host, and only that grant.
#[test]
fn a_dropped_certificate_is_refused_from_the_next_login_on() {
    let mut site = Hosted::new();
    let (dropped, dropped_key) = site.grant("host", 900);
    let (_, other_key) = site.grant("host", 900);
    assert!(site.host.log_in(&dropped_key, GOOD).is_in());
    let before = site.host.log().len();
    site.take_back(&dropped);
    assert!(!site.host.log_in(&dropped_key, GOOD).is_in());
    site.host.logged(before, &["revoked by file"]);
    assert!(site.host.log_in(&other_key, GOOD).is_in());
}

/// R39: at its end the host refuses the certificate by its own clock, and the list names it too,
/// by the same path as a drop.
#[test]
fn an_expired_certificate_is_refused_by_the_hosts_clock_and_by_the_list() {
    let mut site = Hosted::new();
    // Long enough to log in once on a slow machine.
    let (_, key) = site.grant("host", 25);
    assert!(site.host.log_in(&key, GOOD).is_in());
    until("the certificate is over", Duration::from_secs(90), || {
        (!site.host.log_in(&key, GOOD).is_in()).then_some(())
    });
    site.host.logged(0, &["expired"]);
    let before = site.host.log().len();
    site.house.clock.set(now());
    site.house.pass(0);
    site.house.publish();
    assert!(!site.host.log_in(&key, GOOD).is_in());
    site.host.logged(before, &["revoked by file"]);
}

/// Certificates are backdated by a minute: a host whose clock is behind does not turn a responder
/// away. One that is a quarter of an hour behind does.
#[test]
fn a_fresh_certificate_works_on_a_host_whose_clock_is_a_little_behind() {
    let mut site = Hosted::new();
    let minted_ahead_by = |site: &mut Hosted, seconds, number| {
        site.house.clock.set(now());
        site.house.clock.advance(seconds);
        site.house.grant("host", 900, number).write(site.keys.path())
    };
    let a_little = minted_ahead_by(&mut site, 45, 1);
    assert!(site.host.log_in(&a_little, GOOD).is_in());
    let much = minted_ahead_by(&mut site, 900, 2);
    assert!(!site.host.log_in(&much, GOOD).is_in());
    site.host.logged(0, &["not yet valid"]);
}

#[test]
fn a_certificate_for_other_principals_is_refused() {
    let mut site = Hosted::new();
    let (_, key) = site.grant("quick", 900);
    assert!(!site.host.log_in(&key, GOOD).is_in());
}

#[test]
fn a_certificate_without_its_private_key_opens_nothing() {
    let mut site = Hosted::new();
    let (grant, _) = site.grant("host", 900);
    let thief = Person::named("thief").write(&site.keys.path().join("thief"), &grant.certificate);
    assert!(!site.host.log_in(&thief, GOOD).is_in());
}

#[test]
fn the_scopes_command_runs_whatever_was_asked() {
    let ssh = "principals = [\"bg-root\"]\nforce-command = \"echo asked: $SSH_ORIGINAL_COMMAND\"";
    let mut site = Hosted::with(&scope("forced", ssh));
    let (_, key) = site.grant("forced", 900);
    assert_eq!(site.host.log_in(&key, "id"), Login::In("asked: id\n".to_owned()));
}

#[test]
fn a_certificate_works_only_from_its_scopes_networks() {
    let near = "principals = [\"bg-root\"]\nsource-address = [\"192.0.2.0/24\", \"127.0.0.0/8\"]";
    let far = "principals = [\"bg-root\"]\nsource-address = [\"192.0.2.0/24\"]";
    let mut site = Hosted::with(&format!("{}\n{}", scope("near", near), scope("far", far)));
    let (_, near) = site.grant("near", 900);
    let (_, far) = site.grant("far", 900);
    assert!(site.host.log_in(&near, GOOD).is_in());
    assert!(!site.host.log_in(&far, GOOD).is_in());
    site.host.logged(0, &["127.0.0.1", "not from a permitted source address"]);
}

/// R07: what would stand for every user or for two is refused by the host, and before that by the
/// policy, so it is never minted.
#[test]
fn empty_wildcard_and_doubled_principals_are_refused_by_the_host_and_never_minted() {
    let forge = Forge::new();
    assert!(forge.host.log_in(&forge.certify(Some("bg-root")), GOOD).is_in());
    for principals in [None, Some("*"), Some("bg-*")] {
        let key = forge.certify(principals);
        assert!(!forge.host.log_in(&key, GOOD).is_in(), "{principals:?}");
    }
    for doubled in ["bg-root,bg-a", "bg-root bg-a", "bg-root\nbg-a", ""] {
        let key = certify_atom(&forge, doubled);
        assert!(!forge.host.log_in(&key, GOOD).is_in(), "{doubled:?}");
    }
    let mut house = House::sample();
    for principals in [r#"[]"#, r#"[""]"#, r#"["*"]"#, r#"["a,b"]"#, r#"["a b"]"#, r#"["a\nb"]"#] {
        let files = files_with(&scope("forged", &format!("principals = {principals}")));
        let refused = house.push(files);
        assert!(matches!(refused, Err(DeskError::Policy(_))), "{principals}: {refused:?}");
    }
    house.push(files_with(&scope("forged", r#"principals = ["a"]"#))).unwrap();
}

/// A certificate with one principal of exactly these bytes, which `ssh-keygen` would split.
fn certify_atom(forge: &Forge, principal: &str) -> PathBuf {
    let subject = Person::named(&format!("atom {principal}"));
    let now = now().second();
    let (from, until) = (now.minus(60).unix_seconds(), now.plus(3600).unix_seconds());
    let public = subject.private_key().public_key().clone();
    let mut builder = Builder::new([7; 16], public, from, until).unwrap();
    builder.cert_type(CertType::User).unwrap().key_id("forged").unwrap().serial(9).unwrap();
    builder.valid_principal(principal).unwrap();
    let certificate = builder.sign(&Person::named("forger").private_key()).unwrap();
    let place = forge.dir.path().join(subject.key().digest().to_string());
    subject.write(&place, &certificate.to_openssh().unwrap())
}

/// R06: whoever holds a certificate cannot make others with it, not even where a host's file of
/// authorities lists it by mistake; and no certificate is ever taken for a key here.
#[test]
fn a_certificate_is_never_an_authority() {
    let mut site = Hosted::new();
    let (grant, key) = site.grant("host", 900);
    let host = Sshd::start(&Lets {
        authorities: vec![
            site.house.desk().public().ssh_ca.to_openssh(),
            grant.certificate.clone(),
        ],
        revoked: None,
        principals: vec!["bg-root".to_owned()],
    });
    assert!(host.log_in(&key, GOOD).is_in());
    let friend = Person::named("friend");
    let friends = friend.write(&site.keys.path().join("friend"), "");
    let public = friends.with_extension("pub");
    std::fs::write(&public, friend.key().to_openssh()).unwrap();
    let mut sign = Command::new("ssh-keygen");
    sign.arg("-q").arg("-s").arg(&key).args(["-I", "forged", "-n", "bg-root"]).arg(&public);
    said(&mut sign);
    assert!(
        said(
            Command::new("ssh-keygen")
                .arg("-L")
                .arg("-f")
                .arg(friends.with_file_name("id-cert.pub"))
        )
        .contains("bg-root")
    );
    assert!(!host.log_in(&friends, GOOD).is_in());
    let taken = PublicKey::from_openssh(&grant.certificate);
    assert!(matches!(taken, Err(KeyError::Type(_))), "{taken:?}");
}
