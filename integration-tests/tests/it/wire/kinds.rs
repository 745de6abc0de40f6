//! Bad input for each kind of credential: whose key, which key, which names.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::statement::{Act, Ask, Collect, Kind, Statement};
use breakglass_proto::v1;
use data_encoding::BASE64;
use tonic::Code;

use breakglass_integration_tests::holder::{Holder, strings};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wire::{asking, signed};

use super::bench::Told::{Stopped, Written};
use super::bench::{Bench, all_kinds};

/// A scope for each kind.
const EACH: [(Kind, &str); 3] =
    [(Kind::Ssh, "host"), (Kind::X509, "database"), (Kind::Jwt, "cluster")];

/// How many credentials the ledger says were issued.
fn issued(bench: &Bench) -> usize {
    let rows = bench.rows();
    let bodies = rows.iter().map(|bytes| Entry::parse(bytes).unwrap().body);
    bodies.filter(|body| matches!(body, Body::Issued(_))).count()
}

fn collecting(bench: &Bench, request: Digest, kind: Kind) -> Statement {
    bench.wire.say(Act::Collect(Collect { request, kind }))
}

/// sam's request for `kind`, with `key` in the place of the subject key, signed as it stands.
fn with_key(bench: &Bench, (kind, scope): (Kind, &str), key: &str) -> v1::SubmitRequest {
    with_line(bench, (kind, scope), "key", key)
}

/// sam's request for `kind` with another value on this line, signed as it stands.
fn with_line(
    bench: &Bench,
    (kind, scope): (Kind, &str),
    line: &str,
    value: &str,
) -> v1::SubmitRequest {
    let sam = Person::named("sam");
    let good = Holder::fresh().asks(&bench.wire, scope, &[kind]);
    let told = good.text().lines().find(|one| one.starts_with(&format!("{line}: "))).unwrap();
    let text = good.text().replace(told, &format!("{line}: {value}"));
    let signature = sam.sign_in("request.v1@breakglass", text.as_bytes());
    v1::SubmitRequest {
        statement: text.into_bytes(),
        signature: signature.armored().to_owned(),
        ..signed(&sam, &good)
    }
}

/// R16: whatever the kind, the subject key collects and no other.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_collected_by_its_own_key_only() {
    let bench = Bench::kinds().await;
    let (waiting, told) = (Holder::fresh(), Written(Code::PermissionDenied, "not-the-subject-key"));
    // Of another request, so that the door knows the key.
    waiting.asked(&bench.wire, "gateway", &[Kind::Jwt]).await;
    for (kind, scope) in EACH {
        let holder = Holder::fresh();
        let request = holder.asked(&bench.wire, scope, &[kind]).await.digest();
        let before = issued(&bench);
        let theft = waiting.submits(&collecting(&bench, request, kind));
        bench.expect("by the key of another request", theft, told).await;
        for who in ["sam", "ada"].map(Person::named) {
            let theft = signed(&who, &collecting(&bench, request, kind));
            bench.expect("by a person's own key", theft, told).await;
        }
        let stranger = Holder::fresh().submits(&collecting(&bench, request, kind));
        let stopped = Stopped(Code::Unauthenticated, "is not enrolled");
        bench.expect("by a key that nobody named", stranger, stopped).await;
        for (other, _) in EACH.iter().filter(|(other, _)| *other != kind) {
            let wrong = holder.submits(&collecting(&bench, request, *other));
            let told = Written(Code::InvalidArgument, "kind-not-asked");
            bench.expect("another kind", wrong, told).await;
        }
        assert_eq!(issued(&bench), before, "{kind:?}: nothing was minted");
        let good = bench.good(holder.submits(&collecting(&bench, request, kind))).await;
        assert!(!good.credential.is_empty(), "{kind:?}");
        assert_eq!(issued(&bench), before + 1);
    }
    bench.close().await;
}

/// Public keys that are none, or not of a type that a credential is bound to.
fn no_keys() -> Vec<(&'static str, String)> {
    let line = |name: &str, rest: &[&[u8]]| {
        let mut parts = vec![name.as_bytes()];
        parts.extend(rest);
        format!("{name} {}", BASE64.encode(&strings(&parts)))
    };
    let modulus = |bytes: usize| [&[0, 0xc1][..], &vec![0x5a; bytes - 1]].concat();
    let (p256, ed25519) = (Holder::fresh(), Person::named("fresh"));
    let point = &p256.key().wire()[p256.key().wire().len() - 65..];
    let mut off = point.to_vec();
    off[64] ^= 1;
    let mut identity = [0; 32];
    identity[0] = 1;
    let certificate = |name: &str| line(name, &[&[7; 32], point, &[0; 8], &[0, 0, 0, 1]]);
    let good = p256.key().to_openssh();
    let (_, base64) = good.split_once(' ').unwrap();
    vec![
        ("RSA of 1024 bits", line("ssh-rsa", &[&[1, 0, 1], &modulus(128)])),
        ("RSA of 4096 bits", line("ssh-rsa", &[&[1, 0, 1], &modulus(512)])),
        ("DSA", line("ssh-dss", &[&modulus(128), &modulus(20), &[2], &[3]])),
        ("P-384", line("ecdsa-sha2-nistp384", &[b"nistp384", &[4; 97]])),
        ("P-521", line("ecdsa-sha2-nistp521", &[b"nistp521", &[4; 133]])),
        ("Ed448", line("ssh-ed448", &[&[9; 57]])),
        // R06: a certificate is never a subject key.
        ("an SSH certificate of Ed25519", certificate("ssh-ed25519-cert-v01@openssh.com")),
        ("an SSH certificate of P-256", certificate("ecdsa-sha2-nistp256-cert-v01@openssh.com")),
        ("a certificate in PEM", "-----BEGIN CERTIFICATE-----".to_owned()),
        ("the identity point", line("ssh-ed25519", &[&identity])),
        ("a point beside the curve", line("ecdsa-sha2-nistp256", &[b"nistp256", &off])),
        (
            "a compressed point",
            line("ecdsa-sha2-nistp256", &[b"nistp256", &[&[2][..], &point[1..33]].concat()]),
        ),
        ("another curve's name", line("ecdsa-sha2-nistp256", &[b"nistp384", point])),
        ("one type named, another meant", format!("ssh-ed25519 {base64}")),
        ("something after it", format!("{good}AAAA")),
        ("with a comment", format!("{} sam@home", ed25519.key().to_openssh())),
        ("two keys", format!("{good},{good}")),
        ("nothing", String::new()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_key_that_is_weak_or_of_another_type_is_refused_by_name_for_every_kind() {
    let bench = Bench::kinds().await;
    for (kind, scope) in EACH {
        for (what, key) in no_keys() {
            let act = with_key(&bench, (kind, scope), &key);
            let told = "`key`: must be an allowed OpenSSH public key";
            bench.expect(what, act, Stopped(Code::InvalidArgument, told)).await;
        }
        let told = Written(Code::InvalidArgument, "subject-key-missing");
        bench.expect("no key", with_key(&bench, (kind, scope), "none"), told).await;
        let adas = Person::named("ada").key().to_openssh();
        let told = Written(Code::InvalidArgument, "subject-key-enrolled");
        bench.expect("a person's", with_key(&bench, (kind, scope), &adas), told).await;
        // What SSH takes, TLS servers and those who check tokens do not.
        if kind != Kind::Ssh {
            let fresh = Person::named("fresh").key().to_openssh();
            let told = Written(Code::InvalidArgument, "subject-key-type");
            bench.expect("Ed25519", with_key(&bench, (kind, scope), &fresh), told).await;
        }
        assert_eq!(issued(&bench), 0, "{kind:?}: nothing was minted");
    }
    for (kind, scope) in EACH {
        let holder = Holder::fresh();
        let request = holder.asked(&bench.wire, scope, &[kind]).await.digest();
        bench.good(holder.submits(&collecting(&bench, request, kind))).await;
    }
    bench.close().await;
}

/// R07, R08, R17: no name holds what somebody further on would read as two names, as everybody, or
/// as another.
const NO_NAMES: [(&str, &str); 14] = [
    ("a comma", "sam,root"),
    ("a wildcard", "*"),
    ("a pattern", "sa?"),
    ("a blank", "sam root"),
    ("a tab", "sam\troot"),
    ("a path", "../sam"),
    ("a slash", "sam/root"),
    ("an equals sign", "CN=sam"),
    ("a null", "sam\0"),
    ("a carriage return", "sam\r"),
    ("an escape", "sam\u{1b}[2K"),
    ("upper case", "SAM"),
    ("another alphabet", "s\u{430}m"),
    ("text that runs backwards", "sam\u{202e}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_separators_wildcards_or_controls_is_refused_in_its_field_for_every_kind() {
    let bench = Bench::kinds().await;
    let long = "a".repeat(65);
    let decomposed = "rene\u{301}".to_owned();
    let more = [("too long", long.as_str()), ("decomposed", &decomposed), ("nothing", "")];
    for (kind, scope) in EACH {
        for (what, name) in NO_NAMES.iter().chain(&more) {
            for line in ["by", "scope"] {
                let act = with_line(&bench, (kind, scope), line, name);
                let answer = bench.wire.submit(act).await;
                let status = answer.expect_err(what);
                assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
                let controls = name.chars().any(|c| !(' '..='~').contains(&c));
                // Statements are ASCII: that is said of the whole, before any line is read.
                let named = controls || status.message().contains(&format!("`{line}`"));
                assert!(named, "{what} in {line}: {status}");
            }
        }
        // A line feed ends the line: what follows is a line that is not expected there.
        let act = with_line(&bench, (kind, scope), "by", "sam\nby: root");
        bench.expect("a line feed", act, Stopped(Code::InvalidArgument, "`scope`")).await;
        assert_eq!(issued(&bench), 0, "{kind:?}: nothing was minted");
    }
    assert_eq!(bench.rows().len(), 2, "genesis and policy: nothing was written down");
    bench.close().await;
}

/// What a scope puts into credentials is judged before it is law.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_would_put_two_names_into_one_is_refused_for_every_kind() {
    let bench = Bench::kinds().await;
    let policy = bench.policy().await;
    let base = String::from_utf8(all_kinds().scopes).unwrap();
    for bad in ["", "*", "dba,root", "dba=root", "dba\\troot", "dba\\u0000", "dba\\nroot"] {
        for (what, good, fault) in [
            ("principals", "principals = [\"bg-root\"]", "[ssh-principal]"),
            ("organizations", "organizations = [\"dba\"]", "[credential-name]"),
            ("groups", "groups = [\"dba\"]", "[credential-name]"),
            ("audience", "audience = \"payments-api\"", "[credential-name]"),
        ] {
            // An audience is an address, and may hold what parts the names of others.
            if what == "audience" && (bad == "*" || bad == "dba=root" || bad == "dba,root") {
                continue;
            }
            let replaced = if what == "audience" {
                format!("audience = \"{bad}\"")
            } else {
                format!("{what} = [\"{bad}\"]")
            };
            let mut files = all_kinds();
            files.scopes = base.replace(good, &replaced).into_bytes();
            let rows = bench.rows().len();
            let push = bench.wire.submit(bench.wire.push(&files, 2, policy)).await;
            let status = push.expect_err(&replaced);
            assert_eq!(status.code(), Code::FailedPrecondition, "{replaced}: {status}");
            assert!(status.message().contains(fault), "{replaced}: {status}");
            assert_eq!(bench.rows().len(), rows, "{replaced}");
        }
    }
    assert_eq!(bench.policy().await, policy, "the one of before is in force");
    bench.close().await;
}

/// A token that is bound to nothing is for a scope that says so, and alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_key_is_for_tokens_of_a_scope_that_says_so() {
    let bench = Bench::kinds().await;
    let sam = Person::named("sam");
    let ask = |scope: &str, kinds: &[Kind]| {
        let ask = asking("sam", scope, 600, &sam);
        signed(&sam, &bench.wire.say(Act::Request(Ask { kinds: kinds.to_vec(), key: None, ..ask })))
    };
    let told = Written(Code::InvalidArgument, "subject-key-missing");
    bench.expect("a scope without", ask("cluster", &[Kind::Jwt]), told).await;
    bench.expect("beside SSH", ask("gateway", &[Kind::Ssh, Kind::Jwt]), told).await;
    let asked = bench.good(ask("gateway", &[Kind::Jwt])).await;
    let Body::Requested(requested) = Entry::parse(&asked.entry).unwrap().body else {
        panic!("not a request")
    };
    let request = requested.signed.digest();
    // Bound to nothing, it is collected by the key that asked.
    let told = Written(Code::PermissionDenied, "not-the-subject-key");
    let adas = signed(&Person::named("ada"), &collecting(&bench, request, Kind::Jwt));
    bench.expect("by another person", adas, told).await;
    bench.good(signed(&sam, &collecting(&bench, request, Kind::Jwt))).await;
    bench.close().await;
}
