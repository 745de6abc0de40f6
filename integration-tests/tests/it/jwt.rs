//! Tokens, from the request to programs that take them: PyJWT and joserfc, over the served key set.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use breakglass_integration_tests::daemon::program;
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::site::Site;
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

const ISSUER: &str = "https://breakglass-dev.invalid";
const AUDIENCE: &str = "https://kubernetes.example.com";

/// sam's approved request for tokens; nothing is collected.
fn granted(dev: &Dev, ttl: &str) -> String {
    let words = ["--kind", "jwt", "--incident", "INC-1", "--reason", "drain", "--ttl", ttl];
    let id = dev.done("sam", &[&["request", "cluster"][..], &words].concat());
    dev.done("ada", &["approve", &id, "--yes"]);
    id
}

/// What the two libraries say of `tokens`, for this audience.
fn judged(dev: &Dev, audience: &str, tokens: &[String]) -> Vec<Vec<String>> {
    std::fs::write(dev.path("jwks.json"), dev.page("/.well-known/jwks.json")).unwrap();
    judged_by(&dev.path("jwks.json"), ISSUER, audience, tokens)
}

/// The same by the key set in `jwks`.
pub(crate) fn judged_by(
    jwks: &Path,
    issuer: &str,
    audience: &str,
    tokens: &[String],
) -> Vec<Vec<String>> {
    let script = jwks.with_file_name("tokens.py");
    std::fs::write(&script, include_str!("tokens.py")).unwrap();
    // Where `integration-tests/run` puts what Debian does not have.
    let build = program("breakglassd");
    let python = build.ancestors().map(|dir| dir.join("python")).find(|dir| dir.is_dir());
    let python = python.expect("run `integration-tests/run` once: it installs joserfc");
    let mut judge = Command::new("/usr/bin/python3")
        .arg(script)
        .args([jwks.to_str().unwrap(), issuer, audience])
        .env("PYTHONPATH", python)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = tokens.iter().map(|token| format!("{token}\n")).collect();
    judge.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<Vec<String>> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), tokens.len(), "every token is judged");
    said
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// `token` with other header and claims, and no signature yet.
fn signed_part(header: &Value, claims: &Value) -> String {
    let [header, claims] =
        [header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    format!("{header}.{claims}")
}

/// Everything that a forger or a careless issuer might hand in, made of a good token.
fn bad(dev: &Dev, good: &str) -> Vec<String> {
    let (header, claims) = (part(good, 0), part(good, 1));
    let signature = good.rsplit('.').next().unwrap();
    let with = |key: &str, value: Value| {
        let mut changed = claims.clone();
        changed[key] = value;
        format!("{}.{signature}", signed_part(&header, &changed))
    };
    let headed = |alg: &str| json!({ "alg": alg, "kid": header["kid"], "typ": "JWT" });
    let keys: Value = serde_json::from_slice(&dev.page("/.well-known/jwks.json")).unwrap();
    let hs256 = |secret: &str| {
        let signed = signed_part(&headed("HS256"), &claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let mac = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(mac.as_ref()))
    };
    let rng = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let other = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
    let signed = signed_part(&header, &claims);
    let foreign = other.sign(&rng, signed.as_bytes()).unwrap();
    vec![
        format!("{}.", signed_part(&headed("none"), &claims)),
        hs256(&keys["keys"][0].to_string()),
        hs256(keys["keys"][0]["x"].as_str().unwrap()),
        format!("{}.{signature}", signed_part(&headed("EdDSA"), &claims)),
        format!("{signed}.{}", BASE64URL_NOPAD.encode(foreign.as_ref())),
        with("sub", json!("breakglass:root")),
        with("exp", json!(claims["exp"].as_u64().unwrap() + 3600)),
        with("aud", json!([AUDIENCE, "https://other.example.com"])),
        good[..good.len() - 4].to_owned(),
    ]
}

#[test]
fn what_people_collect_is_taken_by_pyjwt_and_joserfc_and_nothing_else_is() {
    let dev = Dev::start();
    let id = granted(&dev, "15m");
    let token = dev.done("sam", &["token"]);
    let claims = part(&token, 1);
    assert_eq!(claims["sub"], format!("breakglass:{id}:sam"));
    assert_eq!(claims["groups"], json!(["breakglass:cluster-admin"]));
    let lived = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lived, 600, "ten minutes, though the grant has more");
    assert!(claims["cnf"]["jkt"].is_string() && claims.get("act").is_none(), "{claims}");
    let configuration: Value =
        serde_json::from_slice(&dev.page("/.well-known/openid-configuration")).unwrap();
    assert_eq!(configuration["issuer"], claims["iss"], "byte for byte");
    assert_eq!(judged(&dev, AUDIENCE, std::slice::from_ref(&token)), [["ok", "ok"]]);
    let foreign = judged(&dev, "https://other.example.com", std::slice::from_ref(&token));
    assert_eq!(foreign, [["InvalidAudienceError", "InvalidClaimError"]]);
    for (bad, said) in bad(&dev, &token).iter().zip(judged(&dev, AUDIENCE, &bad(&dev, &token))) {
        assert!(!said.contains(&"ok".to_owned()), "{said:?}: {bad}");
    }
    // The same documents as files, and nothing private in them.
    for (page, file) in
        [("jwks.json", "jwks.json"), ("openid-configuration", "openid-configuration")]
    {
        let file = std::fs::read(dev.path("broker/state/lists/current").join(file)).unwrap();
        assert_eq!(file, dev.page(&format!("/.well-known/{page}")));
        assert!(!String::from_utf8(file).unwrap().contains("\"d\""));
    }
}

/// R19: the token is its holder's; the ledger has claims and digest, and nothing anywhere has its signature.
#[test]
fn a_token_is_nowhere_but_with_its_holder() {
    let mut dev = Dev::start();
    let id = granted(&dev, "15m");
    let token = dev.done("sam", &["token"]);
    let canary = token.rsplit('.').next().unwrap().to_owned();
    dev.done("ada", &["audit", "export", "--out", "export"]);
    let case = ["audit", "export", "--request", &id, "--out", "case"];
    dev.done("sam", &case);
    dev.done("sam", &["drop", &id]);
    let ended = dev.daemon.take().unwrap().stop();
    assert!(!ended.err.contains(&canary) && !ended.out.contains(&canary), "in the log");
    for place in ["broker", "export", "case", "client", "home"] {
        assert_no(&dev.path(place), &canary);
    }
}

/// No file below `dir` contains `canary`.
fn assert_no(dir: &Path, canary: &str) {
    let Ok(listing) = std::fs::read_dir(dir) else { return };
    for entry in listing {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no(&path, canary);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn the_token_that_is_here_is_printed_again_and_a_lost_one_is_replaced_in_the_same_grant() {
    let dev = Dev::start();
    let refused = dev.says("sam", &["token"]);
    assert_eq!((refused.code, refused.out.as_str()), (6, ""), "it asks for nothing");
    let id = granted(&dev, "15m");
    let first = dev.done("sam", &["token", &id]);
    assert_eq!(dev.done("sam", &["token", "--scope", "cluster"]), first, "no new one is needed");
    // Lost on the way: whoever holds the key asks again.
    dev.done("sam", &["collect", &id, "--kind", "jwt"]);
    let second = dev.done("sam", &["token"]);
    assert_ne!(second, first);
    let seq = |token: &str| {
        let id = part(token, 1)["jti"].as_str().unwrap().to_owned();
        id.rsplit('.').next().unwrap().parse::<u64>().unwrap()
    };
    dev.done("ada", &["audit", "export", "--out", "export"]);
    let entries = std::fs::read_to_string(dev.path("export/entries.jsonl")).unwrap();
    let entry: Value =
        serde_json::from_str(entries.lines().nth(usize::try_from(seq(&second)).unwrap()).unwrap())
            .unwrap();
    assert_eq!(entry["body"]["replaces"], seq(&first));
    assert_eq!(entry["body"]["claims"].as_str().unwrap().as_bytes(), {
        let part = second.split('.').nth(1).unwrap();
        BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()
    });
    let verify = ["audit", "verify", "export", "--trust", "broker/trust.toml"];
    let verdict = dev.says("ada", &verify);
    assert_eq!(verdict.code, 0, "{verdict:?}");
    // A changed claim is found.
    let groups = r#"breakglass:cluster-admin\"]"#;
    assert!(entries.contains(groups), "{entries}");
    let changed = entries.replace(groups, r#"breakglass:cluster-owner\"]"#);
    std::fs::write(dev.path("export/entries.jsonl"), changed).unwrap();
    assert_eq!(dev.says("ada", &verify).code, 10);
}

#[test]
fn kubectl_gets_the_token_of_a_grant_without_certificates() {
    let dev = Dev::start();
    granted(&dev, "15m");
    let answer: Value = serde_json::from_str(&dev.done("sam", &["kube"])).unwrap();
    assert_eq!(answer["status"]["token"], dev.done("sam", &["token"]));
    assert!(answer["status"].get("clientCertificateData").is_none());
}

#[test]
fn the_token_lies_where_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dev = Dev::start();
    let id = granted(&dev, "15m");
    let told = dev.json("sam", &["collect", &id, "--out", "here"]);
    let path = Path::new(told["token_file"].as_str().unwrap()).to_owned();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), dev.done("sam", &["token"]));
    dev.done("sam", &["drop", &id]);
    assert!(!path.exists());
}

/// Without an issuer nobody could verify a token: so nobody is asked to approve one.
#[test]
fn without_an_issuer_a_request_for_tokens_is_refused_with_what_to_do() {
    let site = Site::sample();
    let daemon = site.serve();
    let web = daemon.web;
    let page = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}"])
        .arg(format!("http://{web}/.well-known/jwks.json"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&page.stdout), "404");
    let bad = site.serve_with("[jwt]\nissuer = \"http://bg.example.com\"\n", &[]).err().unwrap();
    assert!(bad.err.contains("an issuer is an address like https://"), "{}", bad.err);
}
