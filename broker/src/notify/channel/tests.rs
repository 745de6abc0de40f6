//! The HTTP channels against a server of a few lines: what it receives, and what its answers mean.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use data_encoding::BASE64;
use ring::hmac;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::notify::notice::Topic;
use crate::notify::testing::{NOW, notice};

/// What arrived: the head in lower case, and the body.
struct Received {
    head: String,
    body: Value,
}

/// A server that takes one request and gives `answer`; `None` keeps it waiting.
async fn server(answer: Option<&'static str>) -> (u16, JoinHandle<Received>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody");
        let mut read = Vec::new();
        let received = loop {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.expect("bytes");
            read.extend_from_slice(&part[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str(body)
            {
                break Received { head: head.to_lowercase(), body };
            }
            assert_ne!(count, 0, "cut off: {text}");
        };
        match answer {
            Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
            None => std::future::pending().await,
        }
        received
    });
    (port, served)
}

/// One channel of `kind` that leads to `port`, its secret in a file.
fn channel(dir: &Path, kind: &str, port: u16, secret: &str) -> Channels {
    let secret = secret.replace("PORT", &port.to_string());
    let file = dir.join("secret");
    std::fs::write(&file, secret).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
    let url = match kind {
        "slack" | "teams" => String::new(),
        _ => format!("url = \"http://127.0.0.1:{port}/hook\"\n"),
    };
    let file = file.display();
    let text =
        format!("[[channel]]\nname = \"one\"\nkind = \"{kind}\"\n{url}secret-file = \"{file}\"\n");
    Channels::open(&toml::from_str(&text).expect("a configuration")).expect("channels")
}

/// A notice of `topic` to `address`, delivered by a channel of `kind` to a server that says `answer`.
async fn deliver(
    kind: &str,
    secret: &str,
    answer: &'static str,
    topic: Topic,
    address: &str,
) -> (Result<(), Trouble>, Received) {
    let dir = tempfile::tempdir().expect("a directory");
    let (port, served) = server(Some(answer)).await;
    let channels = channel(dir.path(), kind, port, secret);
    let name = "one".parse().expect("a name");
    let outcome = channels.deliver(&name, &notice(topic, address), NOW).await;
    (outcome, served.await.expect("served"))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>";
const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
const HOOK: &str = "http://127.0.0.1:PORT/T0/B0/x";

#[tokio::test]
async fn the_webhook_is_signed_over_id_time_and_body() {
    let (outcome, received) = deliver("webhook", KEY, OK, Topic::Asked, "one:sam").await;
    assert_eq!(outcome, Ok(()));
    let header = |name: &str| {
        let line = received.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.expect(name).to_owned()
    };
    let notice = notice(Topic::Asked, "one:sam");
    assert_eq!(header("webhook-id"), notice.id.to_string());
    assert_eq!(header("webhook-timestamp"), NOW.unix_seconds().to_string());
    assert_eq!(received.body["type"], "breakglass.asked");
    assert_eq!(received.body["data"]["requester"], "sam");
    assert_eq!(received.body["data"]["address"], "sam");
    assert_eq!(received.body["data"]["ttl_seconds"], 1800);
    // Sorted keys, no blanks: what serde_json wrote is what it writes again.
    let signed = format!("{}.{}.{}", notice.id, NOW.unix_seconds(), received.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"012345678901234567890123");
    let expected = BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref()).to_lowercase();
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
}

#[tokio::test]
async fn slack_gets_plain_text_with_its_three_characters_escaped() {
    let (outcome, received) = deliver("slack", HOOK, OK, Topic::Asked, "slack:U012ABCDEF").await;
    assert_eq!(outcome, Ok(()));
    assert!(received.head.starts_with("post /t0/b0/x "), "{}", received.head);
    assert_eq!(received.body["text"], "<@U012ABCDEF> sam asks for root-on-host");
    let block = &received.body["blocks"][1]["text"];
    assert_eq!(block["type"], "plain_text");
    let text = block["text"].as_str().expect("text");
    assert!(text.contains("Root &lt;on&gt; the *payments* hosts &amp; more"), "{text}");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card_without_markdown_and_without_actions() {
    let (outcome, received) = deliver("teams", HOOK, ACCEPTED, Topic::Asked, "teams:x").await;
    assert_eq!(outcome, Ok(()));
    let attachment = &received.body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!(
        (card["type"].as_str(), card["version"].as_str()),
        (Some("AdaptiveCard"), Some("1.4"))
    );
    assert_eq!(card["body"][0]["inlines"][0]["text"], "sam asks for root-on-host");
    let whole = card.to_string();
    assert!(!whole.contains("\"TextBlock\"") && !whole.contains("Action."), "{whole}");
}

#[tokio::test]
async fn pagerduty_opens_one_alert_for_a_request_and_resolves_it() {
    let (outcome, received) = deliver("pagerduty", "r0ut3", ACCEPTED, Topic::Asked, "one:x").await;
    assert_eq!(outcome, Ok(()));
    let body = received.body;
    assert_eq!(body["routing_key"], "r0ut3");
    assert_eq!(body["event_action"], "trigger");
    assert_eq!(body["payload"]["severity"], "error");
    assert_eq!(body["payload"]["summary"], "sam asks for root-on-host");
    assert_eq!(body["payload"]["custom_details"]["requester"], "sam");
    let (_, resolved) = deliver("pagerduty", "r0ut3", ACCEPTED, Topic::Denied, "one:x").await;
    assert_eq!(resolved.body["event_action"], "resolve");
    assert_eq!(resolved.body["dedup_key"], body["dedup_key"]);
}

#[tokio::test]
async fn ntfy_gets_json_with_its_topic_and_the_token() {
    let took = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"id\":\"abcd\"}";
    let took = &*Box::leak(took.replace(": 12", ": 13").into_boxed_str());
    let topic = Topic::Emergency;
    let (outcome, received) = deliver("ntfy", "tk_1", took, topic, "ntfy:sam-oncall").await;
    assert_eq!(outcome, Ok(()));
    assert!(received.head.contains("authorization: bearer tk_1"), "{}", received.head);
    assert_eq!(received.body["topic"], "sam-oncall");
    assert_eq!(received.body["priority"], 5);
    assert!(received.body["title"].as_str().is_some_and(|title| title.starts_with("EMERGENCY")));
}

/// A log-in page says 200 to everything.
#[tokio::test]
async fn an_answer_of_somebody_else_is_no_delivery() {
    for (kind, secret) in [("slack", HOOK), ("teams", HOOK), ("pagerduty", "r"), ("ntfy", "t")] {
        let (outcome, _) = deliver(kind, secret, PAGE, Topic::Asked, "one:x").await;
        assert!(matches!(outcome, Err(Trouble::Channel { .. })), "{kind}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_an_answer_means_is_told_apart() {
    let answer = |answer| deliver("webhook", KEY, answer, Topic::Asked, "one:x");
    let empty = |status: &str| -> &'static str {
        Box::leak(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_boxed_str())
    };
    let limited = "HTTP/1.1 429 Slow\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    let (outcome, _) = answer(limited).await;
    let wait = Some(Duration::from_secs(30));
    assert_eq!(outcome, Err(Trouble::Channel { what: "the other side answers 429".into(), wait }));
    let for_ever = "HTTP/1.1 503 Down\r\nretry-after: 99999999\r\ncontent-length: 0\r\n\r\n";
    let (outcome, _) = answer(for_ever).await;
    let Err(Trouble::Channel { wait, .. }) = outcome else { unreachable!("{outcome:?}") };
    assert_eq!(wait, Some(Duration::from_secs(3600)));
    for status in ["500 Oops", "401 Who", "404 Gone"] {
        let (outcome, _) = answer(empty(status)).await;
        assert!(matches!(outcome, Err(Trouble::Channel { wait: None, .. })), "{status}");
    }
    let (outcome, _) = answer(empty("422 No")).await;
    assert!(matches!(outcome, Err(Trouble::Notice { .. })), "{outcome:?}");
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (outcome, _) = answer(elsewhere).await;
    let Err(Trouble::Channel { what, .. }) = outcome else { unreachable!("{outcome:?}") };
    assert!(what.contains("redirected"), "{what}");
    let (outcome, _) = answer("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    assert!(matches!(outcome, Err(Trouble::Channel { .. })), "{outcome:?}");
}

/// An answer without an end costs what is read of it, and no more.
#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let start = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
    let endless = Box::leak(format!("{start}{}", "x".repeat(100_000)).into_boxed_str());
    let (outcome, _) = deliver("webhook", KEY, endless, Topic::Asked, "one:x").await;
    assert_eq!(outcome, Ok(()));
}

#[tokio::test]
async fn a_server_that_hangs_or_is_not_there_is_the_channels_trouble_and_no_secret_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let (port, served) = server(None).await;
    let channels = channel(dir.path(), "slack", port, HOOK);
    let name = "one".parse().expect("a name");
    let outcome = channels.deliver(&name, &notice(Topic::Asked, "one:x"), NOW).await;
    served.abort();
    let Err(Trouble::Channel { what, .. }) = outcome else { unreachable!("{outcome:?}") };
    assert!(!what.contains("T0"), "the URL is the secret: {what}");
    let nobody = channel(dir.path(), "slack", 1, HOOK);
    let outcome = nobody.deliver(&name, &notice(Topic::Asked, "one:x"), NOW).await;
    let Err(Trouble::Channel { what, .. }) = outcome else { unreachable!("{outcome:?}") };
    assert!(!what.contains("T0") && !what.contains("127.0.0.1:1/"), "{what}");
}

#[test]
fn an_address_means_a_channel_by_name_and_then_by_kind() {
    let text = "[[channel]]\nname = \"night\"\nkind = \"ntfy\"\nurl = \"https://n.example\"\n\
                [[channel]]\nname = \"ntfy\"\nkind = \"mail\"\nrelay = \"h.example:587\"\n\
                from = \"a@b.example\"\n";
    let channels = Channels::open(&toml::from_str(text).expect("fine")).expect("channels");
    let meant = |address| channels.meant_by(&Address::new(address)).map(ChannelId::as_str);
    assert_eq!(meant("night:x"), Some("night"));
    assert_eq!(meant("ntfy:x"), Some("ntfy"), "the name goes first");
    assert_eq!(meant("mailto:a@b.example"), Some("ntfy"));
    assert_eq!(meant("slack:x"), None);
}
