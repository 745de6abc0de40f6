//! People who sign with FIDO security keys: through the real agent, to the real daemon.

use std::process::Command;

use breakglass_client::agent::Agent;
use breakglass_client::broker::{Broker, BrokerError, Pinned};
use breakglass_integration_tests::daemon::{Daemon, Ended, program, run};
use breakglass_integration_tests::people::{Person, ask, say};
use breakglass_integration_tests::security_key::{KeyAgent, SecurityKeys};
use breakglass_integration_tests::signers::claims;
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::wait::SOON;
use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::policy::sample;
use breakglass_ledger::sshsig::{assemble, to_be_signed};
use breakglass_ledger::statement::{Act, Seen};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

use crate::stock_tools::all_signatures_hold;

/// A deployment whose people have the keys they are given here.
struct Office {
    site: Site,
    daemon: Daemon,
}

impl Office {
    /// sam has this key, ada and bob those.
    fn of(sam: &PublicKey, ada: &PublicKey, bob: &PublicKey) -> Self {
        let pia = Person::named("pia");
        let site =
            Site::under(sample(&[("pia", pia.key()), ("sam", sam), ("ada", ada), ("bob", bob)]));
        let daemon = site.serve();
        Self { site, daemon }
    }

    /// sam has this key, the others plain ones.
    fn of_sam(sam: &PublicKey) -> Self {
        Self::of(sam, Person::named("ada").key(), Person::named("bob").key())
    }

    /// `breakglass` as `by`, who signs with `key` in `agent`.
    fn breakglass(
        &self,
        by: &str,
        key: &PublicKey,
        agent: Option<&KeyAgent>,
        arguments: &[&str],
    ) -> Ended {
        let mut client = Command::new(program("breakglass"));
        client.env_clear().env("HOME", self.site.dir());
        if let Some(agent) = agent {
            client.env("SSH_AUTH_SOCK", agent.socket());
        }
        client.arg("--config").arg(self.site.state().join("client.toml"));
        client.arg("--state-dir").arg(self.site.dir().join(by));
        client.args(["--broker", &self.daemon.rpc.to_string(), "--by", by]);
        client.args(["--key", &key.fingerprint().to_string()]).args(arguments);
        run(&mut client)
    }

    /// sam asks for root.
    fn request(&self, key: &PublicKey, agent: Option<&KeyAgent>) -> Ended {
        self.breakglass("sam", key, agent, &REQUEST)
    }

    /// How many entries there are.
    fn size(&self) -> u64 {
        let mut broker = self.line();
        let note = broker.checkpoint(0).unwrap().note;
        note.lines().nth(1).unwrap().parse().unwrap()
    }

    fn line(&self) -> Broker {
        let pinned = Pinned {
            addresses: vec![self.daemon.rpc.to_string()],
            ca: self.site.ca(),
            kept_size: 0,
            answer_within: SOON,
        };
        Broker::connect(pinned, &|_| Ok(())).unwrap()
    }
}

const REQUEST: [&str; 7] =
    ["request", "root-on-host", "--reason", "disk full", "--incident", "INC-1", "--ttl=10m"];

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_seconds(since.as_secs())
}

#[test]
fn a_whole_emergency_is_signed_with_security_keys() {
    let keys = SecurityKeys::new();
    let sam = keys.make("sam", "ed25519-sk", &[]);
    let ada = keys.make("ada", "ecdsa-sk", &["-O", "application=ssh:breakglass"]);
    let bob = keys.make("bob", "ed25519-sk", &[]);
    assert_eq!((sam.key_type(), ada.key_type()), (KeyType::SkEd25519, KeyType::SkEcdsaP256));
    let agent = keys.agent(&["sam", "ada", "bob"]);
    let office = Office::of(&sam, &ada, &bob);
    let asked = office.request(&sam, Some(&agent));
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let touch =
        format!("touch your security key now (to sign: request; key {})", sam.fingerprint());
    assert_eq!(asked.err.matches(&touch).count(), 1, "{asked:?}");
    let id = asked.out.trim();
    for (who, key) in [("ada", &ada), ("bob", &bob)] {
        let approved = office.breakglass(who, key, Some(&agent), &["--yes", "approve", id]);
        assert_eq!(approved.code, Some(0), "{approved:?}");
        // One to read what is asked, one to agree.
        assert_eq!(approved.err.matches("touch your security key now").count(), 2, "{approved:?}");
    }
    // The subject key signs for this: nobody has to touch anything, and no agent is needed.
    let out = office.site.dir().join("credential");
    let collected =
        office.breakglass("sam", &sam, None, &["collect", id, "--out", out.to_str().unwrap()]);
    assert_eq!(collected.code, Some(0), "{collected:?}");
    assert!(!collected.err.contains("touch"), "{collected:?}");
    let export = office.site.dir().join("export");
    let exported = office.breakglass(
        "sam",
        &sam,
        Some(&agent),
        &["audit", "export", "--out", export.to_str().unwrap()],
    );
    assert_eq!(exported.code, Some(0), "{exported:?}");
    // Policy, request, two approvals, collecting, and that it arrived.
    assert_eq!(all_signatures_hold(&export), 6);
    let (claims, allowed) = claims(&export);
    let others = allowed.replace(&ada.to_openssh(), &sam.to_openssh());
    let by_ada: Vec<_> = claims.iter().filter(|claim| claim.by == "ada").collect();
    assert_eq!(by_ada.len(), 1);
    assert!(by_ada.iter().all(|claim| !claim.holds(&others)), "it was ada's key that signed");
}

/// A signature of a security key that nobody touched could come from anything that runs beside it.
#[test]
fn a_signature_without_a_touch_is_refused_by_the_client_and_by_the_daemon() {
    let keys = SecurityKeys::new();
    let sam = keys.make("sam", "ed25519-sk", &["-O", "no-touch-required"]);
    let agent = keys.agent(&["sam"]);
    let office = Office::of_sam(&sam);
    let before = office.size();
    let asked = office.request(&sam, Some(&agent));
    assert_eq!((asked.code, asked.out.as_str()), (Some(1), ""), "{asked:?}");
    assert!(asked.err.contains("the security key was not touched"), "{asked:?}");
    assert!(asked.err.contains("nothing was sent"), "{asked:?}");
    // A client that does not look sends it all the same.
    let act = Act::Request(ask("sam", "solo", 60, 1, Person::named("subject").key()));
    let statement = say(&office.site.origin(), Seen::NOTHING, act, now(), 600, 1);
    let namespace = statement.act().kind().namespace();
    let message = to_be_signed(&namespace, statement.text().as_bytes());
    let raw = Agent::at(agent.socket()).unwrap().sign(sam.wire(), &message).unwrap();
    let signature = assemble(&sam, &namespace, &raw).unwrap();
    let sent = office.line().submit(&v1::SubmitRequest {
        statement: statement.text().as_bytes().to_vec(),
        signature: signature.armored().to_owned(),
        text: Some(v1::Text { salt: vec![7; 32], text: "disk full".to_owned() }),
        ..v1::SubmitRequest::default()
    });
    let Err(BrokerError::Unrecognised(why)) = sent else { panic!("{sent:?}") };
    assert!(why.contains("the security key was not touched"), "{why}");
    assert_eq!(office.size(), before, "strangers write nothing");
}

/// The application is part of the key: one enrolled for it signs for nothing else.
#[test]
fn the_same_key_under_another_application_is_a_stranger() {
    let keys = SecurityKeys::new();
    let made = keys.make("sam", "ecdsa-sk", &[]);
    assert_eq!(made.application(), Some("ssh:"));
    let point = made.wire().strip_suffix(b"\0\0\0\x04ssh:").unwrap();
    let enrolled = [point, b"\0\0\0\x0essh:breakglass"].concat();
    let enrolled = PublicKey::from_wire(&enrolled).unwrap();
    let agent = keys.agent(&["sam"]);
    let office = Office::of_sam(&enrolled);
    let before = office.size();
    let asked = office.request(&made, Some(&agent));
    assert_eq!((asked.code, asked.out.as_str()), (Some(8), ""), "{asked:?}");
    assert_eq!(office.size(), before, "strangers write nothing");
    let asked = office.request(&enrolled, Some(&agent));
    assert_eq!(asked.code, Some(2), "{asked:?}");
    let says = format!("ssh-agent does not hold the key {}", enrolled.fingerprint());
    assert!(asked.err.contains(&says), "{asked:?}");
}

#[test]
fn a_key_that_nobody_touches_and_an_agent_that_is_not_there_are_told_apart() {
    let keys = SecurityKeys::new();
    let sam = keys.make("sam", "ed25519-sk", &[]);
    let office = Office::of_sam(&sam);
    let before = office.size();
    let untouched = office.request(&sam, Some(&keys.untouched_agent(&["sam"])));
    assert!(untouched.err.contains("ssh-agent refused"), "{untouched:?}");
    assert!(untouched.err.contains("not touched in time"), "{untouched:?}");
    let empty = office.request(&sam, Some(&keys.agent(&[])));
    assert!(empty.err.contains("ssh-agent does not hold the key"), "{empty:?}");
    let none = office.request(&sam, None);
    assert!(none.err.contains("no ssh-agent is running here"), "{none:?}");
    let codes = [&untouched, &empty, &none].map(|ended| ended.code);
    assert_eq!(codes, [Some(1), Some(2), Some(1)]);
    for ended in [&untouched, &empty, &none] {
        assert!(ended.err.contains("nothing was signed"), "{ended:?}");
        assert_eq!(ended.out, "", "no id of a request that does not exist");
    }
    assert_eq!(office.size(), before);
}
