//! Services that are shown tokens, as they come: `curl` over TLS to the real daemon, with real tokens.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use breakglass_broker::deny;
use breakglass_integration_tests::daemon::{Daemon, breakglassd, run};
use breakglass_integration_tests::grant::{files_with, scope};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, asking, signed};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry, Revoked};
use breakglass_ledger::statement::{About, Act, Ask, Collect, Kind};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rusqlite::Connection;

const INTROSPECT: &str = "/v1/oauth/introspect";
const REVOKE: &str = "/v1/oauth/revoke";
const REVIEW: &str = "/v1/kubernetes/tokenreview";
const FORM: &str = "application/x-www-form-urlencoded";
const INACTIVE: &str = "{\"active\":false}";

/// A daemon that serves `gateway`, which may all, `narrow`, for another audience, and `cluster`.
struct Place {
    site: Site,
    daemon: Daemon,
    config: String,
    secrets: Vec<(&'static str, String)>,
    api: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

/// What came back.
#[derive(Debug)]
struct Told {
    status: u16,
    head: String,
    body: String,
}

/// A token in somebody's hands.
struct Token {
    request: Digest,
    text: String,
}

impl Token {
    /// What it claims, as it stands in it.
    fn claims(&self) -> String {
        let middle = self.text.split('.').nth(1).unwrap();
        String::from_utf8(BASE64URL_NOPAD.decode(middle.as_bytes()).unwrap()).unwrap()
    }

    fn form(&self) -> String {
        format!("token={}", self.text)
    }

    /// As a cluster asks.
    fn review(&self, version: &str) -> String {
        format!(
            "{{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/{version}\",\
             \"metadata\":{{\"creationTimestamp\":null}},\"spec\":{{\"token\":\"{}\",\
             \"audiences\":[\"payments-api\"]}},\"status\":{{\"user\":{{}}}}}}",
            self.text
        )
    }

    /// The value of a claim that is text.
    fn claim(&self, name: &str) -> String {
        let claims: serde_json::Value = serde_json::from_str(&self.claims()).unwrap();
        claims[name].as_str().unwrap().to_owned()
    }
}

impl Place {
    fn new() -> Self {
        let jwt = "[scope.jwt]\naudience = \"payments-api\"\ngroups = [\"dba\"]\nbearer = true\n";
        let of_tokens = scope("tokens", "principals = [\"bg-root\"]");
        let site = Site::under(files_with(&format!("{of_tokens}\n{jwt}")));
        let (mut secrets, mut callers) = (Vec::new(), String::new());
        for (id, may, audience) in [
            ("gateway", "\"introspect\", \"revoke\"", ""),
            ("narrow", "\"introspect\", \"revoke\"", "audiences = [\"other-api\"]\n"),
            ("cluster", "\"review\"", "audiences = [\"payments-api\"]\n"),
        ] {
            let made = run(breakglassd().args(["caller", id]));
            assert_eq!(made.code, Some(0), "{made:?}");
            secrets.push((id, made.out.trim_end().to_owned()));
            let may = format!("may = [{may}]\n{audience}");
            callers.push_str(&made.err.replace("may = [\"introspect\"]\n", &may));
        }
        let config = format!(
            "names = [\"127.0.0.1\"]\n{ROOMY}\n[jwt]\nissuer = \"https://bg.example.com\"\n\
             [api]\nlisten = \"127.0.0.1:0\"\n{callers}"
        );
        let daemon = site.serve_with(&config, &[]).expect("the daemon starts");
        let api = Self::listens(&daemon);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { site, daemon, config, secrets, api, runtime }
    }

    fn listens(daemon: &Daemon) -> SocketAddr {
        const SAYS: &str = "services that ask about tokens";
        daemon.logs(SAYS);
        until("it says where", SOON, || {
            let log = daemon.log();
            let line = log.lines().find(|line| line.contains(SAYS))?.to_owned();
            let at = line.find("127.0.0.1:")?;
            let address: String = line[at..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
                .collect();
            address.parse().ok()
        })
    }

    fn restart(mut self) -> Self {
        let ended = self.daemon.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        self.daemon = self.site.serve_with(&self.config, &[]).expect("the daemon starts");
        self.api = Self::listens(&self.daemon);
        self
    }

    fn secret(&self, id: &str) -> &str {
        &self.secrets.iter().find(|(one, _)| *one == id).unwrap().1
    }

    fn curl(&self, arguments: &[&str]) -> Told {
        let ca = self.site.dir().join("api-ca.pem");
        fs::write(&ca, self.site.ca()).unwrap();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-i", "--max-time", "60", "--cacert"]).arg(ca).args(arguments);
        let output = curl.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Told { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn ask(&self, who: &str, path: &str, kind: &str, body: &str) -> Told {
        let bearer = format!("Authorization: Bearer {}", self.secret(who));
        let (kind, url) = (format!("Content-Type: {kind}"), self.url(path));
        let sent = self.site.dir().join("body");
        fs::write(&sent, body).unwrap();
        let from = format!("@{}", sent.display());
        let told =
            self.curl(&["-H", &bearer, "-H", &kind, "-H", "Expect:", "--data-binary", &from, &url]);
        assert!(told.head.contains("cache-control: no-store"), "{told:?}");
        told
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.api)
    }

    fn introspect(&self, who: &str, token: &str) -> String {
        let told = self.ask(who, INTROSPECT, FORM, &format!("token={token}"));
        assert_eq!(told.status, 200, "{told:?}");
        assert!(told.head.contains("content-type: application/json\r\n"), "{told:?}");
        told.body
    }

    /// sam asks for a token and gets it.
    fn token(&self) -> Token {
        self.runtime.block_on(async {
            let (wire, sam) = (Wire::to(&self.site, &self.daemon).await, Person::named("sam"));
            let ask = asking("sam", "tokens", 3600, &sam);
            let asked = wire.say(Act::Request(Ask { kinds: vec![Kind::Jwt], key: None, ..ask }));
            wire.submit(signed(&sam, &asked)).await.expect("asked");
            self.collect(asked.digest()).await
        })
    }

    async fn collect(&self, request: Digest) -> Token {
        let (wire, sam) = (Wire::to(&self.site, &self.daemon).await, Person::named("sam"));
        let collect = wire.say(Act::Collect(Collect { request, kind: Kind::Jwt }));
        let answer = wire.submit(signed(&sam, &collect)).await.expect("collected");
        Token { request, text: answer.credential }
    }

    fn drop_grant(&self, token: &Token) {
        let (request, sam) = (token.request, Person::named("sam"));
        self.runtime.block_on(async {
            let wire = Wire::to(&self.site, &self.daemon).await;
            let by = sam.name.parse().unwrap();
            let drop = wire.say(Act::Drop(About { request, by, comment: None }));
            wire.submit(signed(&sam, &drop)).await.expect("dropped");
        });
    }

    fn entries(&self) -> Vec<Entry> {
        let rows = rows(&self.site.ledger());
        rows.iter().map(|bytes| Entry::parse(bytes).unwrap()).collect()
    }

    fn revoked(&self) -> Vec<Revoked> {
        let all = self.entries().into_iter();
        all.filter_map(|entry| if let Body::Revoked(one) = entry.body { Some(one) } else { None })
            .collect()
    }

    /// The list of denied tokens, once it is the one that `wanted` is on; verified with the stock tool.
    fn denied(&self, wanted: &str) -> Vec<String> {
        let web = format!("http://{}/v1/jwt/denied.json", self.daemon.web);
        let json = until("it is on the list", SOON, || {
            let json = self.curl(&[&web]).body;
            json.contains(wanted).then_some(json)
        });
        let list = deny::read(&json).unwrap();
        let path = self.site.dir().join("denied.sig");
        let signature = self.curl(&[&format!("{web}.sig?version={}", list.version)]);
        fs::write(&path, signature.body).unwrap();
        let mut verify = Command::new("ssh-keygen");
        verify.args(["-Y", "verify", "-I", "breakglass", "-n", "deny.v1@breakglass", "-f"]);
        verify.arg(self.site.state().join("lists.allowed")).arg("-s").arg(path);
        let given = self.site.dir().join("denied.json");
        fs::write(&given, &json).unwrap();
        verify.stdin(Stdio::from(fs::File::open(given).unwrap()));
        let output = verify.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        list.denied
    }
}

/// R13, R21: what a token says is said of a token that counts, and to those it is for.
#[test]
fn a_token_is_active_for_those_it_is_for_and_for_nobody_else() {
    let place = Place::new();
    let token = place.token();
    let claims = token.claims();
    let expected = format!("{{\"active\":true,\"scope\":\"tokens\",{}", &claims[1..]);
    assert_eq!(place.introspect("gateway", &token.text), expected);
    assert_eq!(place.introspect("narrow", &token.text), INACTIVE);
    let pair = BASE64.encode(format!("gateway:{}", place.secret("gateway")).as_bytes());
    let (basic, url) = (format!("Authorization: Basic {pair}"), place.url(INTROSPECT));
    let told = place.curl(&["-H", &basic, "-d", &token.form(), &url]);
    assert_eq!((told.status, told.body), (200, expected));

    // Everything that is not this token, byte by byte, is no token: `alg` none, another signature of
    // the same claims, more, less, and other spellings of the same.
    let (signed, signature) = token.text.rsplit_once('.').unwrap();
    let middle = signed.split_once('.').unwrap().1;
    let none = BASE64URL_NOPAD.encode(b"{\"alg\":\"none\",\"typ\":\"JWT\"}");
    let mut flipped = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    flipped[10] ^= 1;
    for other in [
        format!("{none}.{middle}."),
        format!("{none}.{middle}.{signature}"),
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&flipped)),
        format!("{signed}."),
        signed.to_owned(),
        format!("{}=", token.text),
        format!("{}.", token.text),
        format!("%20{}", token.text),
        token.text.to_uppercase(),
        "a".repeat(8000),
    ] {
        assert_eq!(place.introspect("gateway", &other), INACTIVE, "{other}");
    }
}

#[test]
fn a_cluster_hears_whom_a_token_stands_for_until_it_is_revoked() {
    let place = Place::new();
    let token = place.token();
    let (jti, sub) = (token.claim("jti"), token.claim("sub"));
    let request = jti.split_once('.').unwrap().0;
    for version in ["v1", "v1beta1"] {
        let told = place.ask("cluster", REVIEW, "application/json", &token.review(version));
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(
            told.body,
            format!(
                "{{\"apiVersion\":\"authentication.k8s.io/{version}\",\"kind\":\"TokenReview\",\
                 \"status\":{{\"authenticated\":true,\"user\":{{\"username\":\"{sub}\",\
                 \"uid\":\"{request}\",\"groups\":[\"dba\"],\"extra\":{{\
                 \"breakglass/jti\":[\"{jti}\"],\"breakglass/request\":[\"{request}\"],\
                 \"breakglass/scope\":[\"tokens\"]}}}},\"audiences\":[\"payments-api\"]}}}}"
            )
        );
    }
    place.drop_grant(&token);
    let told = place.ask("cluster", REVIEW, "application/json", &token.review("v1"));
    assert_eq!(
        told.body,
        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\
         \"status\":{\"authenticated\":false}}"
    );
}

/// R32, R33: when the answer is there, the token counts nowhere, the entry is durable and names who did
/// it, and the judge is content; also after a restart, and however often it is asked.
#[test]
fn a_token_that_a_service_revokes_is_over_with_the_answer() {
    let place = Place::new();
    let (token, other) = (place.token(), place.token());
    let told = place.ask("narrow", REVOKE, FORM, &token.form());
    assert_eq!(told.status, 400, "{told:?}");
    assert!(told.body.starts_with("{\"error\":\"unauthorized_client\","), "{told:?}");
    assert!(place.introspect("gateway", &token.text).starts_with("{\"active\":true"));
    let told = place.ask("gateway", REVOKE, FORM, &token.form());
    assert_eq!((told.status, told.body.as_str()), (200, ""));
    assert_eq!(place.introspect("gateway", &token.text), INACTIVE, "in the same second");
    let revoked = place.revoked();
    let [one] = revoked.as_slice() else { panic!("{revoked:?}") };
    assert_eq!((one.cause.number(), one.cause.name()), (7, "token-revoked"));
    assert_eq!(one.decision.rules, ["caller:gateway"]);
    assert_eq!(format!("{}.{}", one.link.grant, one.serial), token.claim("jti"));
    assert_eq!(place.denied(&token.claim("jti")), [token.claim("jti")]);

    // Again, an unknown one, and none at all: nothing is written down, and nobody is told more.
    let size = place.entries().len();
    for form in [token.form(), "token=a.b.c&token_type_hint=refresh_token".to_owned()] {
        let told = place.ask("gateway", REVOKE, FORM, &form);
        assert_eq!((told.status, told.body.as_str()), (200, ""), "{form}");
    }
    assert_eq!(place.entries().len(), size);
    let place = place.restart();
    assert_eq!(place.introspect("gateway", &token.text), INACTIVE);
    assert!(place.introspect("gateway", &other.text).starts_with("{\"active\":true"));
    assert_eq!(place.denied(&token.claim("jti")), [token.claim("jti")]);
    let checked = {
        let Place { site, daemon, .. } = place;
        daemon.stop();
        site.check()
    };
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// A lost answer means the old one is revoked and a new one minted in the same grant.
#[test]
fn a_token_in_whose_place_another_was_given_counts_no_more() {
    let place = Place::new();
    let first = place.token();
    let second = place.runtime.block_on(place.collect(first.request));
    assert_eq!(place.introspect("gateway", &first.text), INACTIVE);
    assert!(place.introspect("gateway", &second.text).starts_with("{\"active\":true"));
    assert_eq!(place.denied(&first.claim("jti")), [first.claim("jti")]);
    // R10: who holds what counts no more ends nothing with it.
    assert_eq!(place.ask("gateway", REVOKE, FORM, &first.form()).status, 200);
    assert!(place.revoked().is_empty());
    assert!(place.introspect("gateway", &second.text).starts_with("{\"active\":true"));
}

/// RFC 7009, section 2.2.1: not a word of "revoked" before it is durable; and while nothing can be
/// revoked, nothing is vouched for.
#[test]
fn while_the_database_is_lost_nothing_is_said_to_be_revoked_and_soon_nothing_to_count() {
    let place = Place::new();
    let token = place.token();
    let database = Connection::open(place.site.ledger().join("ledger.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = place.ask("gateway", REVOKE, FORM, &token.form());
    assert_eq!(told.status, 503, "{told:?}");
    assert!(told.head.contains("retry-after: 1"), "{told:?}");
    until("nothing is vouched for", SOON, || {
        let told = place.ask("gateway", INTROSPECT, FORM, &token.form());
        (told.status == 503).then_some(())
    });
    let told = place.ask("cluster", REVIEW, "application/json", &token.review("v1"));
    assert!(told.body.contains("\"authenticated\":false,\"error\":"), "{told:?}");
    database.execute_batch("ROLLBACK").unwrap();
    until("it is revoked", SOON, || {
        let told = place.ask("gateway", REVOKE, FORM, &token.form());
        (told.status == 200).then_some(())
    });
    assert!(!place.revoked().is_empty());
    until("who asks is answered again", SOON, || {
        let told = place.ask("gateway", INTROSPECT, FORM, &token.form());
        (told.status == 200).then(|| assert_eq!(told.body, INACTIVE))
    });
}

#[test]
fn who_is_not_known_or_asks_in_another_form_gets_no_answer_about_a_token() {
    let place = Place::new();
    let token = place.token();
    let (url, form) = (place.url(INTROSPECT), token.form());
    let told = place.curl(&["-d", &form, &url]);
    assert_eq!(told.status, 401);
    assert!(told.head.contains("www-authenticate: bearer realm=\"breakglass\"\r\n"), "{told:?}");
    let wrong = format!("Authorization: Bearer bgcaller_{}", "A".repeat(43));
    assert_eq!(place.curl(&["-H", &wrong, "-d", &form, &url]).status, 401);
    let mine = format!("Authorization: Bearer {}", place.secret("gateway"));
    assert_eq!(place.curl(&["-H", &mine, "-G", "-d", &form, &url]).status, 405);
    let large = format!("token={}", "a".repeat(70_000));
    assert_eq!(place.ask("gateway", INTROSPECT, FORM, &large).status, 413);
    assert_eq!(place.ask("gateway", INTROSPECT, "text/plain", &form).status, 415);
    let twice = format!("{form}&{form}");
    assert_eq!(place.ask("gateway", INTROSPECT, FORM, &twice).status, 400);
    assert_eq!(place.ask("gateway", REVIEW, "application/json", &token.review("v1")).status, 403);
    assert_eq!(place.ask("cluster", INTROSPECT, FORM, &form).status, 403);
    // Plain text is not spoken here, and no older TLS.
    let plain = Command::new("curl").args(["-sS", &url.replace("https", "http")]).output().unwrap();
    assert!(!plain.status.success());
    let old = Command::new("curl").args(["-sSk", "--tls-max", "1.2", &url]).output().unwrap();
    assert!(!old.status.success());
    // R19: neither the secret nor the token is in the daemon's log or the database.
    let ledger: PathBuf = place.site.ledger();
    let secrets = [token.text.as_str(), place.secret("gateway"), place.secret("cluster")];
    let log = place.daemon.log();
    for name in ["ledger.db", "ledger.db-wal"] {
        let bytes = fs::read(ledger.join(name)).unwrap_or_default();
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name}");
            assert!(!log.contains(secret));
        }
    }
}

#[test]
fn a_configuration_with_a_fault_is_refused_by_its_field() {
    let site = Site::sample();
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let good = format!(
        "[api]\nlisten = \"127.0.0.1:0\"\n[[api.caller]]\nid = \"gateway\"\n\
         token-sha256 = \"{digest}\"\nmay = [\"introspect\"]\n"
    );
    for (bad, field) in [
        (good.replace(digest, "hunter2"), "token-sha256"),
        (good.replace("\"introspect\"", "\"review\""), "audiences"),
        (good.replace("may = [\"introspect\"]", "may = []"), "may"),
        ("[api]\nlisten = \"127.0.0.1:0\"\n".to_owned(), "caller"),
    ] {
        let ended = site.serve_with(&bad, &[]).map(|_| ()).expect_err("it does not start");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(field), "{bad}\n{ended:?}");
    }
}
