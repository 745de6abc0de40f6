//! People are told: by the real daemon, over the real wire, to servers on loopback.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use breakglass_client::telling::telling;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, ConfigChange, Entry, Notified};
use breakglass_ledger::policy::{Files, sample};
use breakglass_proto::v1::{self, NoticeState};
use data_encoding::BASE64;
use ring::hmac;

use breakglass_integration_tests::daemon::{Daemon, breakglassd, run};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::sink::{Mood, Post, Relay, Sink};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::Wire;

/// A key that must be found nowhere but in its file.
const KEY: &str = "whsec_c2VjcmV0LWNhbmFyeS1vZi10aGUtd2ViaG9vaw==";

/// The deployment of the sample policy, in which people have these addresses.
fn site(addresses: &[(&str, &str)]) -> Site {
    let people: Vec<Person> =
        ["pia", "sam", "ada", "bob", "eve"].into_iter().map(Person::named).collect();
    let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
    let mut files: Files = sample(&listed);
    let mut text = String::from_utf8(files.people).unwrap();
    for (who, at) in addresses {
        let name = format!("name = \"{who}\"\n");
        text = text.replace(&name, &format!("{name}notify = [{at}]\n"));
    }
    files.people = text.into_bytes();
    Site::under(files)
}

/// A channel of the configuration, its secret in a file of this mode.
fn channel(site: &Site, name: &str, kind: &str, more: &str, secret: Option<&str>) -> String {
    let mut text = format!("[[notify.channel]]\nname = \"{name}\"\nkind = \"{kind}\"\n{more}");
    if let Some(secret) = secret {
        let path = site.dir().join(format!("{name}.secret"));
        fs::write(&path, format!("{secret}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        text.push_str(&format!("secret-file = \"{}\"\n", path.display()));
    }
    text
}

fn webhook(site: &Site, name: &str, sink: &Sink) -> String {
    let url = format!("url = \"{}\"\n", sink.url(&format!("/{name}")));
    channel(site, name, "webhook", &url, Some(KEY))
}

fn serve(site: &Site, channels: &str) -> Daemon {
    site.serve_with(&format!("{ROOMY}{channels}"), &[]).unwrap()
}

/// sam asks for root; what is answered.
async fn asked(wire: &Wire) -> v1::SubmitAnswer {
    let (sam, subject) = (Person::named("sam"), Person::numbered("subject", rand()));
    wire.submit(wire.ask(&sam, "root-on-host", 600, &subject)).await.unwrap()
}

fn rand() -> u32 {
    u32::from_be_bytes(breakglass_integration_tests::wire::random())
}

async fn view(wire: &Wire, request_id: &str) -> v1::RequestView {
    let session = Some(wire.session(&Person::named("sam")));
    let request =
        v1::GetRequestRequest { session, request_id: request_id.to_owned(), beside: false };
    wire.client.clone().get_request(request).await.unwrap().into_inner()
}

/// What the ledger says became of notices.
fn recorded(site: &Site) -> Vec<Notified> {
    let read = rows(&site.ledger()).into_iter();
    let notified = |bytes: Vec<u8>| {
        let Body::Config(config) = Entry::parse(&bytes).unwrap().body else { return None };
        let ConfigChange::Notified(notified) = config.what else { return None };
        Some(notified)
    };
    read.filter_map(notified).collect()
}

fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, SOON, look)
}

fn one(sink: &Sink, path: &str) -> Post {
    let posts = sink.taken(path);
    assert_eq!(posts.len(), 1, "{path}: {posts:?}");
    posts.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "six kinds of channel, each with what it must say")]
async fn approvers_are_told_by_every_kind_of_channel() {
    let sink = Sink::start(Mood::Works);
    let site = site(&[
        ("ada", "\"webhook:ada\", \"slack:U012ABCDEF\", \"mailto:ada@example.com\""),
        ("bob", "\"ntfy:bob-oncall\", \"pager:bob\""),
        ("eve", "\"teams:security\""),
    ]);
    let relay = Relay::start(site.dir(), true);
    let mail = format!(
        "relay = \"localhost:{}\"\nfrom = \"Breakglass <bg@example.com>\"\nca-file = \"{}\"\n",
        relay.port,
        relay.ca.display()
    );
    let at = |path: &str| format!("url = \"{}\"\n", sink.url(path));
    let channels = [
        webhook(&site, "webhook", &sink),
        channel(&site, "slack", "slack", "", Some(&sink.url("/slack"))),
        channel(&site, "teams", "teams", "", Some(&sink.url("/teams"))),
        channel(&site, "pager", "pagerduty", &at("/pagerduty"), Some("r0ut1ng-canary")),
        channel(&site, "ntfy", "ntfy", &at("/ntfy"), Some("tk_canary")),
        channel(&site, "mail", "mail", &mail, None),
    ];
    let daemon = serve(&site, &channels.concat());
    let wire = Wire::to(&site, &daemon).await;
    let answer = asked(&wire).await;
    let id = answer.request_id.clone();
    eventually("all are told", || {
        (sink.posts().len() >= 5 && relay.mails().len() == 1).then_some(())
    });

    let post = one(&sink, "/webhook");
    assert_eq!(post.body["type"], "breakglass.asked");
    assert_eq!(post.body["data"]["request"], id);
    assert_eq!(post.body["data"]["requester"], "sam");
    assert_eq!(post.body["data"]["scope"], "root-on-host");
    assert_eq!(post.body["data"]["to"], serde_json::json!(["ada"]));
    let (notice, time) = (post.header("webhook-id"), post.header("webhook-timestamp"));
    let signed = format!("{}.{}.{}", notice.unwrap(), time.unwrap(), post.text);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret-canary-of-the-webhook");
    let tag = BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref()).to_lowercase();
    assert_eq!(post.header("webhook-signature"), Some(&*format!("v1,{tag}")));
    let name = Digest::of(format!("{}\nwebhook:ada", answer.seq).as_bytes()).to_string();
    assert_eq!(notice, name.get(..32), "named by the entry and the address");

    let slack = one(&sink, "/slack").body;
    assert_eq!(slack["text"], "<@U012ABCDEF> sam asks for root-on-host");
    let teams = one(&sink, "/teams").body;
    assert_eq!(teams["attachments"][0]["content"]["type"], "AdaptiveCard");
    let pager = one(&sink, "/pagerduty").body;
    assert_eq!(
        (pager["event_action"].as_str(), pager["dedup_key"].as_str()),
        (Some("trigger"), Some(&*id))
    );
    assert_eq!(pager["routing_key"], "r0ut1ng-canary");
    let ntfy = one(&sink, "/ntfy");
    assert_eq!(ntfy.header("authorization"), Some("bearer tk_canary"));
    assert_eq!(ntfy.body["topic"], "bob-oncall");
    assert!(ntfy.body["message"].as_str().unwrap().contains(&id));
    let mail = relay.mails().remove(0);
    assert_eq!(
        (mail["tls"].as_bool(), mail["to"][0].as_str()),
        (Some(true), Some("ada@example.com"))
    );
    assert_eq!(mail["headers"]["subject"], "sam asks for root-on-host");
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    let message_id = mail["headers"]["message-id"].as_str().unwrap();
    let name = Digest::of(format!("{}\nmailto:ada@example.com", answer.seq).as_bytes()).to_string();
    assert_eq!(message_id, format!("<{}@example.com>", name.get(..32).unwrap()));
    assert!(mail["text"].as_str().unwrap().contains(&format!("breakglass show {id}")));

    eventually("all of it is on record", || (recorded(&site).len() == 6).then_some(()));
    assert!(recorded(&site).iter().all(|one| one.delivered && one.entry == answer.seq));
    let seen = view(&wire, &id).await;
    assert_eq!(telling(&seen), "notified ada, bob, eve");
    // Nothing of the secrets is anywhere but in their files.
    let log = daemon.stop().err;
    for canary in ["canary", "c2VjcmV0", "/slack", "/teams"] {
        assert!(!log.contains(canary), "{canary} in {log}");
    }
    assert_eq!(site.check().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_before_a_crash_is_told_after_it() {
    // A server for each life of the daemon: what a killed one had under way may still arrive.
    let sinks = [Mood::Fails, Mood::Works, Mood::Works].map(Sink::start);
    let [before, after, later] = &sinks;
    let site =
        site(&[("ada", "\"webhook:ada\""), ("bob", "\"webhook:bob\""), ("eve", "\"webhook:eve\"")]);
    let daemon = serve(&site, &webhook(&site, "webhook", before));
    let wire = Wire::to(&site, &daemon).await;
    let first = asked(&wire).await;
    eventually("it is tried", || (!before.posts().is_empty()).then_some(()));
    daemon.kill();
    assert!(recorded(&site).is_empty());
    let daemon = serve(&site, &webhook(&site, "webhook", after));
    eventually("that it was told after all is on record", || {
        (recorded(&site).len() == 3).then_some(())
    });
    daemon.kill();
    // Once more: what has a result is not told again, and news are.
    let daemon = serve(&site, &webhook(&site, "webhook", later));
    let wire = Wire::to(&site, &daemon).await;
    let request = Digest::of(&view(&wire, &first.request_id).await.statement);
    let deny = wire.about(&Person::named("ada"), breakglass_ledger::statement::Act::Deny, request);
    wire.submit(deny).await.unwrap();
    eventually("the end is on record", || (recorded(&site).len() == 6).then_some(()));
    let [asked, ended] = [after, later].map(|sink| {
        let posts = sink.taken("/webhook").into_iter();
        posts.map(|post| post.header("webhook-id").unwrap().to_owned()).collect::<BTreeSet<_>>()
    });
    assert_eq!((asked.len(), ended.len()), (3, 3), "three asked, three told of the end");
    assert!(asked.is_disjoint(&ended), "{asked:?} {ended:?}");
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_sees_that_nobody_could_be_told() {
    let moods = [Mood::Fails, Mood::Limits, Mood::Babbles, Mood::Hangs];
    let sinks = moods.map(Sink::start);
    let names = ["fails", "limits", "babbles", "hangs"];
    let site = site(&[
        ("ada", "\"fails:x\", \"limits:x\", \"pigeon:loft\""),
        ("bob", "\"babbles:x\""),
        ("eve", "\"hangs:x\""),
    ]);
    let channels: Vec<String> =
        names.iter().zip(&sinks).map(|(name, sink)| webhook(&site, name, sink)).collect();
    let daemon = serve(&site, &channels.concat());
    let wire = Wire::to(&site, &daemon).await;
    let answer = asked(&wire).await;
    let all_fail = async {
        loop {
            let seen = view(&wire, &answer.request_id).await;
            let is_over = |notice: &v1::NoticeView| {
                matches!(notice.state(), NoticeState::Failing | NoticeState::NoChannel)
            };
            if seen.notices.len() == 5 && seen.notices.iter().all(is_over) {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let seen = tokio::time::timeout(SOON, all_fail).await.expect("seen in a minute");
    assert_eq!(
        telling(&seen),
        "NOBODY WAS REACHED, every channel fails (babbles, fails, hangs, limits, pigeon): tell \
         ada, bob, eve yourself"
    );
    // And the request goes its way all the same.
    let (request, policy) = (Digest::of(&seen.statement), wire.policy().await.unwrap());
    for (who, stage) in [("ada", "app-owner"), ("bob", "security")] {
        wire.submit(wire.approve(&Person::named(who), stage, request, policy)).await.unwrap();
    }
    // Nobody has to answer any more; that they were never told is on record.
    eventually("given up", || (recorded(&site).len() >= 3).then_some(()));
    assert!(recorded(&site).iter().all(|one| !one.delivered));
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_never_goes_in_the_clear() {
    let site = site(&[("ada", "\"mailto:ada@example.com\"")]);
    let relay = Relay::start(site.dir(), false);
    let mail = format!(
        "relay = \"localhost:{}\"\nfrom = \"bg@example.com\"\nca-file = \"{}\"\n",
        relay.port,
        relay.ca.display()
    );
    let daemon = serve(&site, &channel(&site, "mail", "mail", &mail, None));
    let wire = Wire::to(&site, &daemon).await;
    asked(&wire).await;
    eventually("it is tried", || daemon.log().contains("not delivered").then_some(()));
    assert!(relay.mails().is_empty());
    drop(daemon);
}

#[test]
fn a_secret_that_others_can_read_stops_the_start() {
    let sink = Sink::start(Mood::Works);
    let site = site(&[]);
    let channels = webhook(&site, "webhook", &sink);
    fs::set_permissions(site.dir().join("webhook.secret"), Permissions::from_mode(0o644)).unwrap();
    let Err(ended) = site.serve_with(&channels, &[]) else { unreachable!("it started") };
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("webhook.secret has mode 0644"), "{}", ended.err);
    assert!(ended.err.contains("chmod 0600"), "{}", ended.err);
}

#[test]
fn an_operator_can_try_a_channel() {
    let sink = Sink::start(Mood::Works);
    let site = site(&[]);
    let config = site.config(&webhook(&site, "webhook", &sink));
    let tried = |channel: &str| {
        run(breakglassd().args(["notify", "test", "--config"]).arg(&config).arg(channel))
    };
    let works = tried("webhook:sam");
    assert_eq!((works.code, works.out.trim()), (Some(0), "delivered"), "{}", works.err);
    let post = one(&sink, "/webhook");
    assert_eq!(post.body["type"], "breakglass.test");
    assert!(post.body["data"]["text"].as_str().unwrap().contains("nothing is to be done"));
    sink.set(Mood::Fails);
    let fails = tried("webhook");
    assert_eq!(fails.code, Some(1));
    assert!(fails.err.contains("not delivered: the other side answers 500"), "{}", fails.err);
    assert!(tried("pigeon").err.contains("no channel of the configuration is meant by"));
}
