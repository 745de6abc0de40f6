//! What tokens say, over the wire: for whom, through whom, bound to what, for how long, and which one
//! counts.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry, Issued};
use breakglass_ledger::policy::Files;
use breakglass_ledger::statement::{Act, Ask, Collect, Kind, Lane};
use breakglass_proto::v1;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tonic::Code;

use breakglass_integration_tests::grant::scope;
use breakglass_integration_tests::holder::Holder;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::ROOMY;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, asking, signed};

use super::bench::Told::Written;
use super::bench::{Bench, all_kinds, with_tokens};

/// [`all_kinds`], `bot`, which sam answers for, `sub`, which the bot's people own, and scopes for them.
fn with_robots() -> Files {
    let mut files = all_kinds();
    for (id, sponsor) in [("bot", "sam"), ("sub", "bot")] {
        let key = Person::named(id).key().to_openssh();
        let robot = format!(
            "\n[[principal]]\nid = \"{id}\"\nkind = \"agent\"\nname = \"{id}\"\n\
             groups = [\"oncall\"]\nsponsor = \"sam\"\nowner = \"principal:{sponsor}\"\n\
             keys = [\"{key}\"]\n"
        );
        files.people.extend(robot.into_bytes());
    }
    let robots = scope("robots", "principals = [\"bg-root\"]")
        .replace("kinds = [\"human\"]", "kinds = [\"human\", \"agent\"]")
        .replace("lanes = [\"normal\"]", "lanes = [\"normal\", \"drill\"]");
    let hour = scope("hour", "principals = [\"bg-root\"]");
    let jwt = "[scope.jwt]\naudience = \"payments-api\"\ngroups = [\"dba\"]\n";
    let scopes = format!("\n{robots}\n{jwt}\n{hour}\n{jwt}ttl-max = \"1h\"\n");
    files.scopes.extend(scopes.into_bytes());
    files
}

/// `who` asks with the changes of `more`, for this key or none, and the token is collected.
async fn token(
    bench: &Bench,
    who: &str,
    scope: &str,
    holder: Option<&Holder>,
    more: impl FnOnce(&mut Ask),
) -> Value {
    let who = Person::named(who);
    let mut ask = asking(&who.name, scope, 1800, &who);
    ask.kinds = vec![Kind::Jwt];
    ask.key = holder.map(|holder| holder.key().clone());
    more(&mut ask);
    let statement = bench.wire.say(Act::Request(ask));
    bench.good(signed(&who, &statement)).await;
    let collect = Collect { request: statement.digest(), kind: Kind::Jwt };
    let collect = bench.wire.say(Act::Collect(collect));
    let collect = match holder {
        Some(holder) => holder.submits(&collect),
        None => signed(&who, &collect),
    };
    let answer = bench.good(collect).await;
    let claims = claims(&answer);
    let Body::Issued(issued) = Entry::parse(&answer.entry).unwrap().body else {
        panic!("{claims}")
    };
    assert_eq!(claims["jti"], format!("{}.{}", issued.link.grant, issued.serial));
    assert_eq!(issued.claims.as_deref(), Some(claims.to_string().as_str()));
    claims
}

fn claims(answer: &v1::SubmitAnswer) -> Value {
    let part = answer.credential.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// Seconds between its `iat` and its `exp`.
fn life(claims: &Value) -> u64 {
    claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()
}

/// RFC 7638 of a P-256 key.
fn thumbprint(holder: &Holder) -> String {
    let wire = holder.key().wire();
    let (x, y) = wire[wire.len() - 64..].split_at(32);
    let [x, y] = [x, y].map(|part| BASE64URL_NOPAD.encode(part));
    let text = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
    BASE64URL_NOPAD.encode(Digest::of(text.as_bytes()).as_bytes())
}

/// RFC 8693, 4.1: the subject is the person, and whoever acts for them stands in `act`.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_robot_collects_says_for_whom_and_through_whom() {
    let bench = Bench::under(with_robots(), &with_tokens()).await;
    let behalf =
        |chain: &[&str]| -> Vec<_> { chain.iter().map(|one| one.parse().unwrap()).collect() };
    for (who, chain, act) in [
        ("bot", &["sam"][..], json!({ "sub": "bot" })),
        ("sub", &["sam", "bot"], json!({ "act": { "sub": "bot" }, "sub": "sub" })),
    ] {
        let holder = Holder::fresh();
        let more = |ask: &mut Ask| ask.on_behalf_of = behalf(chain);
        let claims = token(&bench, who, "robots", Some(&holder), more).await;
        assert_eq!(claims["act"], act, "{claims}");
        assert!(claims["sub"].as_str().unwrap().ends_with(":sam"), "{claims}");
    }
    // Nobody stands behind it, or somebody who does not answer for it.
    let bot = Person::named("bot");
    for (chain, code, name) in [
        (&[][..], Code::InvalidArgument, "delegation-missing"),
        (&["tom"], Code::PermissionDenied, "delegation-not-sponsored"),
    ] {
        let holder = Holder::fresh();
        let ask = asking("bot", "robots", 600, &bot);
        let (kinds, key) = (vec![Kind::Jwt], Some(holder.key().clone()));
        let ask = Ask { kinds, key, on_behalf_of: behalf(chain), ..ask };
        let asked = signed(&bot, &bench.wire.say(Act::Request(ask)));
        bench.expect(name, asked, Written(code, name)).await;
    }
    let holder = Holder::fresh();
    let claims = token(&bench, "sam", "robots", Some(&holder), |_| ()).await;
    assert!(claims.get("act").is_none(), "a person acts for themselves: {claims}");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_bound_to_its_key_ends_soon_and_opens_nothing_in_a_drill() {
    let bench = Bench::under(with_robots(), &with_tokens()).await;
    let holder = Holder::fresh();
    let bound = token(&bench, "sam", "robots", Some(&holder), |_| ()).await;
    assert_eq!(bound["cnf"], json!({ "jkt": thumbprint(&holder) }));
    assert_eq!((life(&bound), &bound["groups"]), (600, &json!(["dba"])));
    let bearer = token(&bench, "sam", "gateway", None, |_| ()).await;
    assert!(bearer.get("cnf").is_none(), "{bearer}");
    assert_eq!(life(&bearer), 600);
    let holder = Holder::fresh();
    let long = token(&bench, "sam", "hour", Some(&holder), |_| ()).await;
    assert_eq!(life(&long), 1800, "its scope says an hour, and the grant is over before");
    let holder = Holder::fresh();
    let short = |ask: &mut Ask| ask.ttl = breakglass_ledger::time::Ttl::from_seconds(90).unwrap();
    assert_eq!(life(&token(&bench, "kim", "robots", Some(&holder), short).await), 90);
    let holder = Holder::fresh();
    let practised = |ask: &mut Ask| ask.lane = Lane::Drill;
    let drill = token(&bench, "tom", "robots", Some(&holder), practised).await;
    assert_eq!(drill["groups"], json!(["drill-dba"]), "{drill}");
    bench.close().await;
}

/// Refusal 81: a day of tokens of ten minutes each, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_gives_a_hundred_and_forty_four_tokens_and_only_the_newest_counts() {
    let bench = Bench::kinds().await;
    let sam = Person::named("sam");
    let ask = Ask { kinds: vec![Kind::Jwt], key: None, ..asking("sam", "gateway", 600, &sam) };
    let asked = bench.wire.say(Act::Request(ask));
    bench.good(signed(&sam, &asked)).await;
    let (request, kind) = (asked.digest(), Kind::Jwt);
    let collect = || signed(&sam, &bench.wire.say(Act::Collect(Collect { request, kind })));
    for _ in 0..144 {
        bench.good(collect()).await;
    }
    let told = Written(Code::ResourceExhausted, "tokens-spent");
    bench.expect("one more", collect(), told).await;
    let replaced = issued(&bench.rows());
    assert_eq!(replaced.len(), 144);
    for pair in replaced.windows(2) {
        assert_eq!(pair[1].replaces, Some(pair[0].serial));
    }
    bench.good(bench.wire.about(&sam, Act::Drop, request)).await;
    bench.close().await;
}

/// Refusal 84: nobody approves what will never be given.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_an_issuer_says_so_before_anybody_is_asked() {
    let bench = Bench::under(all_kinds(), ROOMY).await;
    let sam = Person::named("sam");
    let asked = signed(&sam, &Holder::fresh().asks(&bench.wire, "cluster", &[Kind::Jwt]));
    let told = Written(Code::FailedPrecondition, "kind-not-minted");
    bench.expect("asking", asked, told).await;
    let holder = Holder::fresh();
    let request = holder.asked(&bench.wire, "database", &[Kind::X509]).await.digest();
    let collect = bench.wire.say(Act::Collect(Collect { request, kind: Kind::X509 }));
    bench.good(holder.submits(&collect)).await;
    bench.close().await;
}

fn issued(rows: &[Vec<u8>]) -> Vec<Issued> {
    let bodies = rows.iter().map(|bytes| Entry::parse(bytes).unwrap().body);
    bodies.filter_map(|body| if let Body::Issued(one) = body { Some(one) } else { None }).collect()
}

/// An answer that was lost, because the broker died before or after the entry: another is minted in
/// the same grant, and whatever was minted before counts no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_answer_is_lost_in_a_crash_is_replaced_in_the_same_grant() {
    let mut bench = Bench::kinds().await;
    let holder = Holder::fresh();
    let request = holder.asked(&bench.wire, "cluster", &[Kind::Jwt]).await.digest();
    let (mut lost, mut newest) = (0, String::new());
    for millis in [0, 1, 2, 4, 8, 400] {
        let act = bench.wire.say(Act::Collect(Collect { request, kind: Kind::Jwt }));
        let (act, wire) = (holder.submits(&act), bench.wire.clone());
        let under_way = tokio::spawn(async move { wire.submit(act).await });
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        bench.daemon.kill();
        lost += usize::from(under_way.await.unwrap().is_err());
        bench.daemon = bench.site.serve_with(&with_tokens(), &[]).unwrap();
        bench.wire = Wire::to(&bench.site, &bench.daemon).await;
        let act = bench.wire.say(Act::Collect(Collect { request, kind: Kind::Jwt }));
        newest = bench.good(holder.submits(&act)).await.credential;
    }
    assert!(lost > 0, "no answer was lost");
    let all = issued(&rows(&bench.site.ledger()));
    assert!(all.iter().all(|one| one.link.grant == all[0].link.grant));
    for pair in all.windows(2) {
        assert_eq!(pair[1].replaces, Some(pair[0].serial));
    }
    let (last, before) = all.split_last().unwrap();
    assert_eq!(last.token, Some(Digest::of(newest.as_bytes())), "the newest is the one in hand");
    let url = format!("http://{}/v1/jwt/denied.json", bench.daemon.web);
    let denied = until("those before are denied", SOON, || {
        let page = std::process::Command::new("curl").args(["-sf", &url]).output().unwrap();
        let page = String::from_utf8(page.stdout).unwrap();
        let all_there =
            before.iter().all(|one| page.contains(&format!("{}.{}\"", one.link.grant, one.serial)));
        all_there.then_some(page)
    });
    assert!(!denied.contains(&format!("{}.{}\"", last.link.grant, last.serial)), "{denied}");
    bench.close().await;
}
