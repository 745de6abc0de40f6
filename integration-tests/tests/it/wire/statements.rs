//! Statements that are not what they should be, and signatures that are not whose they should be.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_proto::v1;
use data_encoding::BASE64;
use tonic::Code;

use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wire::{Wire, asking, now, signed};

use super::bench::Told::{Stopped, Unwritten, Written};
use super::bench::{Bench, files};

/// R01, R29: what is not in form, or not signed for, is told which field and which rule, and leaves
/// no trace.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_not_in_form_leaves_no_trace() {
    let bench = Bench::new().await;
    let (sam, subject) = (Person::named("sam"), Person::named("subject"));
    let good = bench.wire.ask(&sam, "root-on-host", 600, &subject);
    let text = String::from_utf8(good.statement.clone()).unwrap();
    // Signed as it stands, so that the form alone is at fault.
    let signed_as_is = |text: String| v1::SubmitRequest {
        signature: sam.sign_in("request.v1@breakglass", text.as_bytes()).armored().to_owned(),
        statement: text.into_bytes(),
        ..good.clone()
    };
    let edited = text.replace("ttl: 600", "ttl: 3000").into_bytes();
    let unknown = text.replace("lane: normal\n", "lane: normal\nstatus: approved\n");
    let doubled = text.replace("lane: normal\n", "lane: normal\nlane: normal\n");
    let moved = text.replace("lane: normal\nttl: 600\n", "ttl: 600\nlane: normal\n");
    let long = format!("{}{}", text, "x".repeat(4097));
    let other = sam.sign_in("approve.v1@breakglass", &good.statement).armored().to_owned();
    let session = sam.sign_in("session.v1@breakglass", &good.statement).armored().to_owned();
    let cases = [
        (
            "edited after signing",
            v1::SubmitRequest { statement: edited, ..good.clone() },
            Stopped(Code::Unauthenticated, "changed after signing"),
        ),
        ("an unknown line", signed_as_is(unknown), Stopped(Code::InvalidArgument, "`ttl`")),
        ("a doubled line", signed_as_is(doubled), Stopped(Code::InvalidArgument, "`ttl`")),
        ("lines out of order", signed_as_is(moved), Stopped(Code::InvalidArgument, "`lane`")),
        ("trailing bytes", signed_as_is(format!("{text}\n")), Stopped(Code::InvalidArgument, "")),
        (
            "no final line feed",
            signed_as_is(text.trim_end().to_owned()),
            Stopped(Code::InvalidArgument, ""),
        ),
        ("oversized", signed_as_is(long), Stopped(Code::InvalidArgument, "longer than 4096 bytes")),
        (
            "signed in another namespace",
            v1::SubmitRequest { signature: other, ..good.clone() },
            Stopped(Code::InvalidArgument, "signed for \"approve.v1@breakglass\""),
        ),
        (
            "signed as a session",
            v1::SubmitRequest { signature: session, ..good.clone() },
            Stopped(Code::InvalidArgument, "signed for \"session.v1@breakglass\""),
        ),
        (
            "without the text it commits to",
            v1::SubmitRequest { text: None, ..good.clone() },
            Stopped(Code::InvalidArgument, "`text`"),
        ),
        (
            "with another text",
            v1::SubmitRequest {
                text: Some(v1::Text { salt: vec![7; 32], text: "holiday".into() }),
                ..good.clone()
            },
            Stopped(Code::InvalidArgument, "changed after signing"),
        ),
    ];
    for (what, act, told) in cases {
        bench.expect(what, act, told).await;
    }
    bench.good(good).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_for_another_log_or_time_is_worth_nothing_here() {
    let bench = Bench::new().await;
    let (sam, subject) = (Person::named("sam"), Person::named("subject"));
    let ask = || Act::Request(asking("sam", "root-on-host", 600, &subject));
    let log = Origin::new("payments", &[9; 32]).unwrap();
    let elsewhere = Wire { log, ..bench.wire.clone() };
    let foreign = signed(&sam, &elsewhere.say(ask()));
    bench.expect("for another log", foreign, Unwritten(Code::InvalidArgument, "other-log")).await;
    let late = signed(&sam, &bench.wire.say_until(ask(), now().minus(1)));
    bench.expect("expired", late, Unwritten(Code::InvalidArgument, "expired")).await;
    let far = signed(&sam, &bench.wire.say_until(ask(), now().plus(90_000)));
    let told = Written(Code::InvalidArgument, "expires-too-far");
    bench.expect("good for more than a day", far, told).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_count_once_whatever_they_were() {
    let bench = Bench::new().await;
    let (sam, subject) = (Person::named("sam"), Person::named("subject"));
    let asking = bench.wire.ask(&sam, "root-on-host", 600, &subject);
    let request = Digest::of(&asking.statement);
    let policy = bench.policy().await;
    let collecting = {
        let (request, subject) = bench.asked(&sam, "solo").await;
        bench.wire.collect(&subject, request)
    };
    for act in [asking, collecting, bench.wire.push(&with_comment("again"), 2, policy)] {
        let first = bench.good(act.clone()).await;
        let before = bench.rows();
        let second = bench.good(act).await;
        assert!(second.repeated && !first.repeated);
        assert_eq!((second.seq, &second.entry), (first.seq, &first.entry));
        assert_eq!(second.credential, first.credential);
        assert_eq!(bench.rows(), before);
    }
    let policy = bench.policy().await;
    let approval = bench.wire.approve(&Person::named("ada"), "app-owner", request, policy);
    bench.good(approval.clone()).await;
    let told = Unwritten(Code::AlreadyExists, "repeated");
    bench.expect("an approval again", approval, told).await;
    // A "no" is not turned into a "yes" by asking again, nor written down twice.
    let early = bench.wire.collect(&subject, request);
    let told = Written(Code::FailedPrecondition, "not-approved-yet");
    bench.expect("too early", early.clone(), told).await;
    let told = Unwritten(Code::AlreadyExists, "repeated");
    bench.expect("too early, again", early, told).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_listed_signs_nothing() {
    let bench = Bench::new().await;
    let (sam, subject) = (Person::named("sam"), Person::named("subject"));
    let statement = bench.wire.say(Act::Request(asking("sam", "root-on-host", 600, &subject)));
    let told = Stopped(Code::Unauthenticated, "is not enrolled");
    let stranger = signed(&Person::named("mallory"), &statement);
    bench.expect("an unknown key", stranger, told).await;
    // R06, and what stock tools accept: a point for which one signature fits every message.
    let cases =
        [("a weak key", weak(&statement), "weak"), ("an RSA key", rsa(&statement), "ssh-rsa")];
    for (what, signature, words) in cases {
        let act = v1::SubmitRequest { signature, ..signed(&sam, &statement) };
        bench.expect(what, act, Stopped(Code::InvalidArgument, words)).await;
    }
    // tom's name under sam's words, and the other way round.
    let told = Written(Code::PermissionDenied, "key-not-theirs");
    let toms = bench.wire.say(Act::Request(asking("tom", "root-on-host", 600, &subject)));
    bench.expect("in somebody else's name", signed(&sam, &toms), told).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_longer_listed_signs_nothing_any_more() {
    let bench = Bench::new().await;
    let (tom, old) = (Person::named("tom"), Person::named("ada"));
    let (request, asked_with) = bench.asked(&tom, "root-on-host").await;
    let (sams, _) = bench.asked(&Person::named("sam"), "root-on-host").await;
    let policy = bench.policy().await;
    // ada's first key goes, her second one stays; tom leaves altogether.
    let mut files = files();
    let people = String::from_utf8(files.people).unwrap();
    let people = people.replace(&format!("{:?}, ", old.key().to_openssh()), "");
    let (before, rest) = people.split_once("\n[[principal]]\nid = \"tom\"").unwrap();
    let (_, after) = rest.split_once("\n[[principal]]").unwrap();
    files.people = format!("{before}\n[[principal]]{after}").into_bytes();
    bench.good(bench.wire.push(&files, 2, policy)).await;
    let policy = bench.policy().await;

    let told = Stopped(Code::Unauthenticated, "is not enrolled");
    let approval = bench.wire.approve(&old, "app-owner", request, policy);
    bench.expect("a key taken off the list", approval, told).await;
    let subject = Person::named("subject");
    let asking = bench.wire.ask(&tom, "solo", 600, &subject);
    bench.expect("somebody who left", asking, told).await;
    let session = Some(bench.wire.session(&tom));
    let read = v1::GetPolicyRequest { session };
    let status = bench.wire.client.clone().get_policy(read).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    // The key that stayed is still hers; but what tom asked for ended with his leaving.
    let second = Person::numbered("ada", 1);
    bench.good(bench.wire.approve(&second, "app-owner", sams, policy)).await;
    for act in [
        bench.wire.approve(&second, "app-owner", request, policy),
        bench.wire.collect(&asked_with, request),
    ] {
        let status = bench.wire.submit(act).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().contains("the request is lapsed"), "{status}");
    }
    bench.close().await;
}

fn with_comment(words: &str) -> breakglass_ledger::policy::Files {
    let mut files = files();
    files.people.extend(format!("\n# {words}\n").into_bytes());
    files
}

/// A signature by the identity point of Ed25519, which fits every message.
fn weak(statement: &Statement) -> String {
    let mut point = [0; 32];
    point[0] = 1;
    let mut raw = [0; 64];
    raw[0] = 1;
    armored(statement, "ssh-ed25519", &[&point], "ssh-ed25519", &raw)
}

fn rsa(statement: &Statement) -> String {
    armored(statement, "ssh-rsa", &[&[1, 0, 1], &[0x7f; 256]], "rsa-sha2-512", &[0x55; 256])
}

/// An SSHSIG (OpenSSH `PROTOCOL.sshsig`) of any key and signature.
fn armored(
    statement: &Statement,
    key_type: &str,
    key: &[&[u8]],
    algorithm: &str,
    raw: &[u8],
) -> String {
    let strings = |parts: &[&[u8]]| {
        let mut wire = Vec::new();
        for part in parts {
            wire.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            wire.extend(*part);
        }
        wire
    };
    let mut key_parts = vec![key_type.as_bytes()];
    key_parts.extend(key);
    let public = strings(&key_parts);
    let signature = strings(&[algorithm.as_bytes(), raw]);
    let namespace = statement.act().kind().namespace();
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    blob.extend(strings(&[&public, namespace.as_bytes(), b"", b"sha512", &signature]));
    let encoded = BASE64.encode(&blob);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let body = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
}
