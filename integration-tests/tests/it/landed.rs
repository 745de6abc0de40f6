//! What hosts report, to the real daemon: over a restart, and who hears of it when it is an alarm.

use std::fs;
use std::time::Duration;

use breakglass_broker::desk::LANDING_MAX_SECONDS;
use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::hosts::files_with_hosts;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::sink::{Mood, Post, Sink};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, refusal, signed};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, ConfigChange, Entry};
use breakglass_ledger::statement::{Act, Applied, Canary, List, Maybe, Serial, Statement, Use};
use breakglass_proto::v1;
use tonic::Status;

/// A minute for the host, and what the daemon and the channel take.
const LATE: Duration = Duration::from_secs(LANDING_MAX_SECONDS + 30);

/// `db-1` says that this list is in force at `target`.
async fn applied(
    wire: &Wire,
    (target, list): (&str, List),
    (version, digest): (u64, Digest),
    canary: Canary,
) -> Result<v1::SubmitAnswer, Status> {
    let (by, target) = ("db-1".parse().unwrap(), target.parse().unwrap());
    let (latency, ended) = (Maybe(Some(1)), Maybe(Some(0)));
    let act = Act::Applied(Applied { by, target, list, version, digest, canary, latency, ended });
    wire.submit(signed(&Person::named("db-1"), &wire.say(act))).await
}

/// The version of the list that is published, and the digest of one of its files.
fn published(site: &Site, file: &str) -> (u64, Digest) {
    let dir = fs::canonicalize(site.state().join("lists/current")).unwrap();
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    let version = name.split('-').next().unwrap().parse().unwrap();
    (version, Digest::of(&fs::read(dir.join(file)).unwrap()))
}

/// sam is given a credential and gives it back; the request's id, once the list says so.
async fn revoked(site: &Site, wire: &Wire, number: u32) -> String {
    let (before, _) = published(site, "krl");
    let (sam, subject) = (Person::named("sam"), Person::numbered("subject", number));
    let asked = wire.ask(&sam, "host", 600, &subject);
    let request = Statement::parse(&asked.statement).unwrap().digest();
    let id = wire.submit(asked).await.unwrap().request_id;
    wire.submit(wire.collect(&subject, request)).await.unwrap();
    wire.submit(wire.about(&sam, Act::Drop, request)).await.unwrap();
    until("it is published", SOON, || (published(site, "krl").0 > before).then_some(()));
    id
}

fn site(addresses: &str) -> Site {
    let mut files = files_with_hosts(&["db-1"]);
    let opens = breakglass_integration_tests::grant::scope("host", "principals = [\"bg-root\"]");
    files.scopes.extend_from_slice(format!("\n{opens}").as_bytes());
    let people = String::from_utf8(files.people).unwrap();
    let name = "name = \"sam\"\n";
    files.people = people.replace(name, &format!("{name}{addresses}")).into_bytes();
    Site::under(files)
}

/// A host that took a list just before the broker was started again reports it after: the broker knows
/// what it published by what lies in the directory, and still refuses what it never published.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_a_list_of_before_the_start_is_taken() {
    let site = site("");
    let daemon: Daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    revoked(&site, &wire, 1).await;
    let (krl, crl) = (published(&site, "krl"), published(&site, "crl.pem"));
    revoked(&site, &wire, 2).await;
    daemon.kill();
    let daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    assert!(published(&site, "krl").0 > krl.0);
    for (target, list, known) in [("db-1", List::Krl, krl), ("db-1.postgresql", List::Crl, crl)] {
        let another = (known.0, Digest::of(b"another"));
        let refused = applied(&wire, (target, list), another, Canary::Untried).await.unwrap_err();
        assert_eq!(refusal(&refused).unwrap().name, "list-mismatch");
        applied(&wire, (target, list), known, Canary::Untried).await.unwrap();
    }
}

/// Each alarm of a host reaches the channel once, and says which host and, where there is one, which grant.
#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_a_host_hears_once_of_each_of_its_alarms() {
    let sink = Sink::start(Mood::Works);
    let site = site("notify = [\"webhook:sam\"]\n");
    let secret = site.dir().join("webhook.secret");
    fs::write(&secret, "whsec_c2VjcmV0LWNhbmFyeS1vZi10aGUtd2ViaG9vaw==\n").unwrap();
    let private = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    fs::set_permissions(&secret, private).unwrap();
    let channel = format!(
        "{ROOMY}[[notify.channel]]\nname = \"webhook\"\nkind = \"webhook\"\nurl = \"{}\"\n\
         secret-file = \"{}\"\n",
        sink.url("/webhook"),
        secret.display()
    );
    let daemon = site.serve_with(&channel, &[]).unwrap();
    let wire = Wire::to(&site, &daemon).await;
    let told = |kind: &str| {
        let kind = format!("breakglass.{kind}");
        let posts = sink.taken("/webhook").into_iter();
        posts.filter(|post| post.body["type"] == kind.as_str()).collect::<Vec<Post>>()
    };
    applied(&wire, ("db-1", List::Krl), published(&site, "krl"), Canary::Untried).await.unwrap();
    let first = revoked(&site, &wire, 1).await;
    // Another server of the host, whose canary is let in twice.
    let crl = ("db-1.postgresql", List::Crl);
    applied(&wire, crl, published(&site, "crl.pem"), Canary::Accepted).await.unwrap();
    let second = revoked(&site, &wire, 2).await;
    applied(&wire, crl, published(&site, "crl.pem"), Canary::Accepted).await.unwrap();
    let act = Act::Use(Use {
        by: "db-1".parse().unwrap(),
        target: "db-1".parse().unwrap(),
        serial: Serial(4_711),
        at: breakglass_client::clock::now(),
    });
    wire.submit(signed(&Person::named("db-1"), &wire.say(act))).await.unwrap();
    until("the target is late", LATE, || (!told("landing-overdue").is_empty()).then_some(()));
    until("the others came", SOON, || {
        (!told("canary-accepted").is_empty() && !told("credential-unlogged").is_empty())
            .then_some(())
    });
    // Each is in the ledger once it was delivered, so that a second one would have come by then.
    until("all of it is recorded", SOON, || {
        let delivered = rows(&site.ledger()).into_iter().filter(|bytes| {
            let Body::Config(config) = Entry::parse(bytes).unwrap().body else { return false };
            matches!(config.what, ConfigChange::Notified(notified) if notified.delivered)
        });
        (delivered.count() >= sink.taken("/webhook").len()).then_some(())
    });
    let one = |kind: &str| {
        let posts = told(kind);
        assert_eq!(posts.len(), 1, "{kind}: {posts:?}");
        posts[0].body["data"].clone()
    };
    let late = one("landing-overdue");
    assert_eq!(late["target"], "db-1");
    // What is revoked in one second is looked at together, and the newest is named.
    let grant = late["request"].as_str().unwrap();
    assert!([first.as_str(), &second].contains(&grant), "{late}");
    assert!(late["text"].as_str().unwrap().contains(grant), "{late}");
    let accepted = one("canary-accepted");
    assert_eq!(accepted["target"], "db-1.postgresql");
    assert!(accepted["title"].as_str().unwrap().contains("accepts a revoked credential under crl"));
    let unlogged = one("credential-unlogged");
    assert_eq!(unlogged["target"], "db-1");
    assert!(unlogged["title"].as_str().unwrap().contains("4711"), "{unlogged}");
    for notice in [&late, &accepted, &unlogged] {
        assert_eq!(notice["to"], serde_json::json!(["sam"]));
    }
}
