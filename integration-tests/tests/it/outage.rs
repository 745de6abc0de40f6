//! Outages with the real daemon, over the real wire: measured on a fake identity provider, declared by
//! people, and over again.

use std::collections::BTreeMap;
use std::time::Duration;

use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::idp::{Control, Idp, Manner};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, asking, now, signed};
use breakglass_ledger::audit::{Verdict, verify};
use breakglass_ledger::bundle::{Bundle, Opening, write_entry};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Cause, ConfigChange, Entry, WatchState};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::statement::{Act, Ask, Declare, Lane, Resolve};
use breakglass_proto::v1;
use breakglass_proto::v1::export_part::Part;
use tokio::runtime::Runtime;
use tonic::{Code, Status};

/// The lane that the directory's outage opens; recovery ends its grants a second later.
const SCOPE: &str = r#"
[[scope]]
id = "directory"
title = "Root on the directory servers"
purpose = "Repair sign-on"
business-owner = "group:leads"
technical-owner = "group:security"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 4
requesters = "group:oncall"
kinds = ["human"]
lanes = ["outage"]
outage = "okta"
ends-with-outage = true
grace = "1s"

[[scope.stage]]
name = "lead"
approvers = "group:leads"
quorum = 1

[scope.ssh]
principals = ["bg-directory"]
"#;

/// Whoever answers at all answers in time, also on a slow machine.
const NUMBERS: &str = "every = 1\ntimeout = 30\ndown-rounds = 2\ndown-seconds = 1\n\
up-rounds = 2\nup-seconds = 1\n";

/// A site, its daemon, and people on its wire.
struct House {
    runtime: Runtime,
    site: Site,
    daemon: Option<Daemon>,
    config: String,
    asked: u32,
}

impl House {
    /// A daemon with `watch` in its configuration.
    fn watching(watch: &str) -> Self {
        let names = ["pia", "sam", "ada", "bob", "eve"];
        let people: Vec<Person> = names.iter().map(|name| Person::named(name)).collect();
        let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
        let plain = sample(&listed);
        let scopes = [plain.scopes.as_slice(), SCOPE.as_bytes()].concat();
        let site = Site::under(Files { scopes, ..plain });
        let config = format!("{watch}\n{ROOMY}");
        let daemon = site.serve_with(&config, &[]).expect("the daemon starts");
        let runtime = Runtime::new().unwrap();
        Self { runtime, site, daemon: Some(daemon), config, asked: 0 }
    }

    /// Of a provider that nothing but its control depends on.
    fn of(idp: &Idp, more: &str) -> (Self, Control) {
        let control = Control::start();
        let at = control.address;
        let watch = format!(
            "[[watch]]\nid = 'okta'\nissuer = '{}'\ncontrols = ['{at}']\n{NUMBERS}{more}",
            idp.issuer
        );
        (Self::watching(&watch), control)
    }

    fn wire(&self) -> Wire {
        self.runtime.block_on(Wire::to(&self.site, self.daemon.as_ref().unwrap()))
    }

    fn submit(&self, act: v1::SubmitRequest) -> Result<Entry, Status> {
        let wire = self.wire();
        let answer = self.runtime.block_on(wire.submit(act))?;
        Ok(Entry::parse(&answer.entry).unwrap())
    }

    fn say(&self, who: &str, act: Act) -> Result<Entry, Status> {
        let act = signed(&Person::named(who), &self.wire().say(act));
        self.submit(act)
    }

    fn declare(&self, who: &str, seconds: u64) -> Result<String, Status> {
        let until = Some(now().plus(seconds));
        let (by, dependency) = (who.parse().unwrap(), "okta".parse().unwrap());
        let said = self.say(who, Act::Declare(Declare { by, dependency, until, comment: None }))?;
        Ok(said.body.decision().unwrap().outcome.clone())
    }

    fn resolve(&self, who: &str) -> Result<String, Status> {
        let (by, dependency) = (who.parse().unwrap(), "okta".parse().unwrap());
        let said = self.say(who, Act::Resolve(Resolve { by, dependency, comment: None }))?;
        Ok(said.body.decision().unwrap().outcome.clone())
    }

    /// sam asks in the outage lane; answers the statement's digest and the subject's key.
    fn ask(&mut self) -> Result<(Digest, Person), Status> {
        self.asked += 1;
        let subject = Person::numbered("subject", self.asked);
        let ask = Ask { lane: Lane::Outage, ..asking("sam", "directory", 600, &subject) };
        let statement = self.wire().say(Act::Request(ask));
        self.submit(signed(&Person::named("sam"), &statement))?;
        Ok((statement.digest(), subject))
    }

    /// From the request to the credential.
    fn grant(&mut self) {
        let (request, subject) = self.ask().unwrap();
        let wire = self.wire();
        let policy = self.runtime.block_on(wire.policy()).unwrap();
        self.submit(wire.approve(&Person::named("ada"), "lead", request, policy)).unwrap();
        let issued = self.submit(wire.collect(&subject, request)).unwrap();
        assert!(matches!(issued.body, Body::Issued(_)), "{issued:?}");
    }

    /// The export as its reader gets it: entries, and the parts a verifier wants.
    fn export(&self) -> Vec<v1::ExportPart> {
        let wire = self.wire();
        let session = Some(wire.session(&Person::named("bob")));
        let request = v1::ExportRequest { session, ..v1::ExportRequest::default() };
        self.runtime.block_on(async {
            let mut stream = wire.client.clone().export(request).await.unwrap().into_inner();
            let mut parts = Vec::new();
            while let Some(part) = stream.message().await.unwrap() {
                parts.push(part);
            }
            parts
        })
    }

    fn entries(&self) -> Vec<Entry> {
        let parts = self.export();
        let mut entries = Vec::new();
        for part in parts {
            if let Some(Part::Entries(page)) = part.part {
                entries.extend(page.entries.iter().map(|bytes| Entry::parse(bytes).unwrap()));
            }
        }
        entries
    }

    /// Waits for an entry of which `pick` makes something.
    fn sees<T>(&self, what: &str, mut pick: impl FnMut(&Body) -> Option<T>) -> T {
        until(what, SOON, || self.entries().iter().find_map(|entry| pick(&entry.body)))
    }

    fn standing(&self) -> v1::OutageView {
        let wire = self.wire();
        let session = Some(wire.session(&Person::named("bob")));
        let request = v1::ListOutagesRequest { session };
        let answer = self.runtime.block_on(wire.client.clone().list_outages(request)).unwrap();
        answer.into_inner().outages.into_iter().find(|one| one.dependency == "okta").unwrap()
    }

    fn is_down(&self, what: &str) {
        until(what, SOON, || (self.standing().down_since > 0).then_some(()));
    }

    fn is_up(&self, what: &str) {
        until(what, SOON, || (self.standing().down_since == 0).then_some(()));
    }

    /// `kill -9`, and a new start.
    fn crash(&mut self) {
        self.daemon.take().unwrap().kill();
        self.daemon = Some(self.site.serve_with(&self.config, &[]).expect("starts again"));
    }

    /// The whole record is fine for a stranger, and for the operator's check.
    fn proves(mut self) {
        let parts = self.export();
        let (mut lines, mut openings, mut note) = (Vec::new(), Vec::new(), String::new());
        let mut blobs = BTreeMap::new();
        for part in parts {
            match part.part.unwrap() {
                Part::Entries(page) => {
                    page.entries.iter().for_each(|entry| write_entry(&mut lines, entry).unwrap());
                }
                Part::Opening(one) => {
                    let salt = one.salt.try_into().unwrap();
                    let line = Opening::new(&salt, &one.text).to_line().unwrap();
                    write_entry(&mut openings, &line).unwrap();
                }
                Part::Blob(blob) => drop(blobs.insert(Digest::of(&blob.content), blob.content)),
                Part::Checkpoint(signed) => note = signed,
            }
        }
        let bundle = Bundle {
            entries: &mut lines.as_slice(),
            checkpoint: &note,
            openings: &mut openings.as_slice(),
            blobs: &|digest| blobs.get(&digest).cloned(),
        };
        let report = verify(bundle, &self.site.trust(), None, None).unwrap();
        assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
        self.daemon.take().unwrap().stop();
        let checked = self.site.check();
        assert_eq!(checked.code, Some(0), "{checked:?}");
    }
}

/// Waits for more rounds than make an outage.
fn rounds(idp: &Idp) {
    let asked = idp.asked();
    until("many rounds later", SOON, || (idp.asked() >= asked + 12).then_some(()));
}

fn refused<T>(said: Result<T, Status>, part: &str) {
    let Err(status) = said else { panic!("not refused: {part}") };
    assert!(status.message().contains(part), "{status:?}");
}

#[test]
fn a_measured_outage_opens_the_lane_and_its_recovery_ends_what_it_opened() {
    let idp = Idp::plain();
    let (mut house, _control) = House::of(&idp, "");
    refused(house.ask(), "outage lane of directory is closed");
    idp.set(Manner::Unavailable);
    house.is_down("measured down");
    let began = house.sees("its evidence", |body| {
        if let Body::OutageBegan(began) = body { Some(began.clone()) } else { None }
    });
    assert!(began.signed.is_none());
    let evidence = began.evidence.unwrap();
    let saw = |probe: &str| evidence.iter().find(|one| one.probe.as_str() == probe).unwrap();
    assert_eq!(saw("discovery").saw.as_str(), "http-5xx");
    assert!(saw("discovery").rounds >= 2);
    assert_eq!(saw("control-1").saw.as_str(), "up");
    house.grant();
    // Killed in the outage, it goes on from what is on record.
    house.crash();
    assert!(house.standing().down_since > 0);
    assert!(house.ask().is_ok());
    idp.set(Manner::Up);
    house.is_up("measured up");
    refused(house.ask(), "outage lane of directory is closed");
    let revoked = house.sees("the grant is revoked", |body| {
        if let Body::Revoked(revoked) = body { Some(revoked.clone()) } else { None }
    });
    assert_eq!(revoked.cause, Cause::OutageEnded);
    let entries = house.entries();
    let at = |name: &str| {
        let found = entries.iter().find(|entry| entry.body.type_name() == name);
        found.unwrap_or_else(|| panic!("no {name}")).time.second()
    };
    assert!(at("revoked") >= at("outage-ended").plus(1), "not before its grace");
    house.proves();
}

#[test]
fn every_way_in_which_a_provider_fails_is_measured_as_down() {
    let ways = [
        (Manner::Hang, "discovery", "slow"),
        (Manner::WrongIssuer, "discovery", "wrong-issuer"),
        (Manner::NoKeys, "keys", "no-keys"),
        (Manner::Redirects, "discovery", "redirect"),
        (Manner::Huge, "discovery", "too-large"),
    ];
    let idps: Vec<Idp> = ways.iter().map(|_| Idp::plain()).collect();
    let control = Control::start();
    let at = control.address;
    let watch = |(idp, number): (&Idp, usize)| {
        let issuer = &idp.issuer;
        let numbers = if number == 0 { NUMBERS.replace("30", "3") } else { NUMBERS.to_owned() };
        format!("[[watch]]\nid = 'w{number}'\nissuer = '{issuer}'\ncontrols = ['{at}']\n{numbers}")
    };
    let watches: String = idps.iter().zip(0..).map(watch).collect();
    let house = House::watching(&watches);
    for (idp, (manner, ..)) in idps.iter().zip(ways) {
        idp.set(manner);
    }
    for (number, (manner, probe, finding)) in ways.into_iter().enumerate() {
        let saw = house.sees(&format!("{manner:?} is down"), |body| {
            let Body::OutageBegan(began) = body else { return None };
            let meant = began.dependency.as_str() == format!("w{number}");
            began.evidence.clone().filter(|_| meant)
        });
        let one = saw.iter().find(|one| one.probe.as_str() == probe).unwrap();
        assert_eq!(one.saw.as_str(), finding, "{manner:?}");
    }
    house.proves();
}

#[test]
fn an_expired_certificate_is_an_outage_of_its_own_kind_and_a_good_one_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let idp = Idp::with_tls(dir.path(), true);
    let ca = format!("ca-file = '{}'\n", dir.path().join("idp.pem").display());
    let (house, _control) = House::of(&idp, &ca);
    let saw = house.sees("expired TLS is down", |body| {
        if let Body::OutageBegan(began) = body { began.evidence.clone() } else { None }
    });
    assert_eq!(
        saw.iter().find(|one| one.probe.as_str() == "discovery").unwrap().saw.as_str(),
        "tls"
    );
    house.proves();
}

#[test]
fn cut_off_from_everything_the_daemon_is_blind_and_nothing_is_down() {
    let idp = Idp::plain();
    let (house, control) = House::of(&idp, "");
    // In this order: a provider that is gone while the control is there is an outage.
    let _nobody = control.end();
    drop(idp);
    let watched = house.sees("blind", |body| {
        let Body::Config(config) = body else { return None };
        let ConfigChange::Watched(watched) = &config.what else { return None };
        Some(watched.clone())
    });
    assert_eq!(watched.state, WatchState::Blind);
    let control = watched.evidence.iter().find(|one| one.probe.as_str() == "control-1").unwrap();
    assert_eq!(control.saw.as_str(), "connect");
    let many = Duration::from_secs(4);
    let begun = std::time::Instant::now();
    until("many rounds later", SOON, || (begun.elapsed() > many).then_some(()));
    assert_eq!(house.standing().down_since, 0, "blind is not down");
    house.proves();
}

#[test]
fn a_provider_that_is_only_busy_is_not_down() {
    let idp = Idp::plain();
    let (house, _control) = House::of(&idp, "");
    idp.set(Manner::Busy);
    rounds(&idp);
    assert_eq!(house.standing().down_since, 0, "429 comes from something alive");
    house.proves();
}

#[test]
fn a_provider_that_comes_and_goes_is_flapping_and_opens_nothing() {
    let idp = Idp::plain();
    let (house, _control) = House::of(&idp, "flap-changes = 1\nflap-seconds = 600\n");
    idp.set(Manner::Unavailable);
    house.is_down("once");
    idp.set(Manner::Up);
    house.is_up("and up");
    let flapping = house.sees("flapping", |body| {
        let Body::Config(config) = body else { return None };
        let ConfigChange::Watched(watched) = &config.what else { return None };
        Some(watched.state)
    });
    assert_eq!(flapping, WatchState::Flapping);
    idp.set(Manner::Flapping);
    rounds(&idp);
    assert_eq!(house.standing().down_since, 0, "nothing new is opened");
    house.proves();
}

#[test]
fn two_people_declare_an_outage_one_resolves_it_and_killing_the_daemon_changes_nothing() {
    let mut house = House::watching("");
    assert_eq!(house.declare("ada", 600).unwrap(), "declared");
    refused(house.declare("ada", 600), "already declared okta down");
    refused(house.ask(), "outage lane of directory is closed");
    house.crash();
    refused(house.declare("ada", 600), "already declared okta down");
    assert_eq!(house.declare("sam", 600).unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(house.declare("bob", 14_500).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(house.declare("bob", 600).unwrap(), "began");
    house.crash();
    assert_eq!(house.standing().declared.len(), 2);
    house.grant();
    assert_eq!(house.resolve("eve").unwrap(), "ended");
    refused(house.resolve("eve"), "nothing to resolve");
    // The grace is a second: killed before or after it, the grant ends.
    house.crash();
    let cause = house.sees("the grant is revoked", |body| {
        if let Body::Revoked(revoked) = body { Some(revoked.cause) } else { None }
    });
    assert_eq!(cause, Cause::OutageEnded);
    refused(house.ask(), "outage lane of directory is closed");
    house.proves();
}

/// An outage that ada declared for so long, and bob for longer, if he was in time.
fn began_for(seconds: u64) -> Option<House> {
    let house = House::watching("");
    house.declare("ada", seconds).ok()?;
    (house.declare("bob", 600).unwrap() == "began").then_some(house)
}

#[test]
fn a_declaration_runs_out_by_the_clock_also_while_the_daemon_is_down() {
    // On a slow machine the first of ada's are over before bob has said anything.
    let mut house = [3, 12, 45].into_iter().find_map(began_for).unwrap();
    house.crash();
    let ended = house.sees("it runs out", |body| {
        if let Body::OutageEnded(ended) = body { Some(ended.clone()) } else { None }
    });
    assert!(ended.signed.is_none() && ended.evidence.is_none());
    assert_eq!(ended.decision.outcome, "ended");
    assert_eq!(ended.decision.rules, ["declared-until"]);
    refused(house.ask(), "outage lane of directory is closed");
    house.proves();
}
