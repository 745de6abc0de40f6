//! A key of the broker gives way to the next: what the one of before signed is taken as long as it counts,
//! then only what the new one signs. Daemon, client, sshd, openssl, PyJWT and joserfc are real.

mod token;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use breakglass_integration_tests::agent::{Pins, Told};
use breakglass_integration_tests::daemon::{Ended, breakglassd, run};
use breakglass_integration_tests::dev::{Dev, ISSUER};
use breakglass_integration_tests::sshd::{Lets, Sshd, said};
use breakglass_integration_tests::tls_site::{Shown, heard};
use breakglass_integration_tests::wait::{SOON, until};

use crate::jwt::judged_by;

const AUDIENCE: &str = "https://kubernetes.example.com";

/// A broker whose keys change.
struct Stage {
    dev: Dev,
}

impl Stage {
    fn new() -> Self {
        Self { dev: Dev::start() }
    }

    /// One step of `breakglassd rotate`, whoever has the state directory.
    fn rotate(dev: &Dev, words: &[&str]) -> Ended {
        run(&mut rotating(dev, words))
    }

    /// The same with the daemon stopped before and started after; it has to be done.
    fn steps(&mut self, words: &[&str]) -> String {
        let ended = self.dev.while_stopped(|dev| Self::rotate(dev, words));
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
        ended.out
    }

    /// sam asks for `kind` of `scope`, ada agrees, sam collects; a copy stays when it is given back. The
    /// authorities are those of now, as a client's configuration has them that was brought up to date.
    fn grant(&self, scope: &str, kind: &str, name: &str) -> (String, PathBuf) {
        let words = ["request", scope, "--kind", kind, "--incident", "INC-1", "--ttl", "15m"];
        let id = self.dev.done("sam", &[&words[..], &["--reason", "locks"]].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        let authorities = self.page("/v1/x509/ca.pem", "authorities.pem");
        let authorities = authorities.to_str().unwrap();
        self.dev.done("sam", &["collect", &id, "--out", name, "--x509-ca", authorities]);
        let kept = self.dev.path(&format!("copy of {name}"));
        said(Command::new("cp").arg("-r").arg(self.dev.path(name)).arg(&kept));
        (id, kept)
    }

    /// A page of the public side, in a file of this name.
    fn page(&self, path: &str, name: &str) -> PathBuf {
        let file = self.dev.path(name);
        std::fs::write(&file, self.dev.page(path)).unwrap();
        file
    }

    /// A host that was given the authorities of now.
    fn host(&self) -> Sshd {
        let authorities = String::from_utf8(self.dev.page("/v1/ssh/ca.pub")).unwrap();
        Sshd::start(&Lets {
            authorities: authorities.lines().map(ToOwned::to_owned).collect(),
            revoked: Some(self.dev.revoked()),
            principals: vec!["bg-orders".to_owned()],
        })
    }

    /// The record, taken away and verified.
    fn is_verified(&self, name: &str) {
        self.dev.done("ada", &["audit", "export", "--out", name]);
        let words = ["audit", "verify", name, "--trust", "broker/trust.toml"];
        assert_eq!(self.dev.done("ada", &words), "verified");
    }
}

/// Which CA signed the SSH certificate in `dir`, as the stock tool reads it.
fn signer(dir: &Path) -> String {
    let told = heard(Command::new("ssh-keygen").arg("-Lf").arg(dir.join("id-cert.pub")));
    let line = told.lines().find(|line| line.contains("Signing CA")).map(str::trim);
    line.unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn two_ssh_authorities_are_trusted_until_nothing_of_the_old_one_counts_and_then_one() {
    let mut stage = Stage::new();
    let (_, kept) = stage.grant("orders-db", "ssh", "kept");
    let (back, given_back) = stage.grant("orders-db", "ssh", "given back");
    stage.is_verified("before");
    let refused = Stage::rotate(&stage.dev, &["prepare", "ssh-ca"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("the daemon is running; stop it"), "{refused:?}");
    stage.steps(&["prepare", "ssh-ca"]);
    let host = stage.host();
    let early = stage.dev.while_stopped(|dev| Stage::rotate(dev, &["switch", "ssh-ca"]));
    assert_eq!(early.code, Some(1), "who keeps keys for a day does not know it: {early:?}");
    assert!(early.err.contains("--now"), "{early:?}");
    let (_, prepared) = stage.grant("orders-db", "ssh", "prepared");
    assert_eq!(signer(&prepared), signer(&kept), "a key that is only prepared signs nothing");
    stage.steps(&["switch", "ssh-ca", "--now"]);
    let (new, newer) = stage.grant("orders-db", "ssh", "newer");
    assert_ne!(signer(&newer), signer(&kept));
    for dir in [&kept, &given_back, &newer] {
        assert!(host.log_in(&dir.join("id"), "true").is_in(), "{}", dir.display());
    }
    for (id, dir) in [(&back, &given_back), (&new, &newer)] {
        stage.dev.done("sam", &["drop", id]);
        until("whoever signed it, it is refused", SOON, || {
            (!host.log_in(&dir.join("id"), "true").is_in()).then_some(())
        });
    }
    assert!(host.log_in(&kept.join("id"), "true").is_in(), "the others are not");
    stage.is_verified("meanwhile");
    let (_, last) = stage.grant("orders-db", "ssh", "last");
    for step in
        [&["prepare", "jwt-key"][..], &["switch", "jwt-key", "--now"], &["retire", "jwt-key"]]
    {
        // Certificates that still count are no tokens.
        stage.steps(step);
    }
    let still = stage.dev.while_stopped(|dev| Stage::rotate(dev, &["retire", "ssh-ca"]));
    assert_eq!(still.code, Some(1), "{still:?}");
    assert!(still.err.contains("counts until"), "{still:?}");
    stage.steps(&["retire", "ssh-ca", "--force", "a drill"]);
    let host = stage.host();
    assert!(host.log_in(&last.join("id"), "true").is_in(), "what the new key signed");
    assert!(!host.log_in(&kept.join("id"), "true").is_in(), "and nothing else");
    stage.is_verified("after");
}

#[test]
fn two_x509_authorities_are_trusted_each_with_its_list_and_then_one() {
    let mut stage = Stage::new();
    let (_, kept) = stage.grant("orders-db", "x509", "kept");
    let (back, given_back) = stage.grant("orders-db", "x509", "given back");
    let before = stage.page("/v1/x509/ca.pem", "before.pem");
    stage.steps(&["prepare", "x509-ca"]);
    stage.steps(&["switch", "x509-ca", "--now"]);
    let (_, newer) = stage.grant("orders-db", "x509", "newer");
    let [kept, given_back, newer] = [kept, given_back, newer].map(|dir| Shown::collected(&dir));
    let (authorities, list) =
        (stage.page("/v1/x509/ca.pem", "both.pem"), stage.page("/v1/x509/crl.pem", "lists.pem"));
    for shown in [&kept, &given_back, &newer] {
        assert_eq!(
            shown.verdict(&authorities, Some(&list), &[]),
            0,
            "{}",
            shown.certificate.display()
        );
    }
    stage.dev.done("sam", &["drop", &back]);
    let list = stage.page("/v1/x509/crl.pem", "lists.pem");
    let verdict = |shown: &Shown| shown.verdict(&authorities, Some(&list), &[]);
    // X509_V_ERR_CERT_REVOKED.
    assert_eq!([&kept, &given_back, &newer].map(verdict), [0, 23, 0]);
    let current = stage.page("/v1/x509/ca.pem", "current.pem");
    let asked = |shown: &Shown, authority: &Path| {
        let web = stage.dev.daemon.as_ref().unwrap().web;
        let mut openssl = Command::new("openssl");
        openssl.args(["ocsp", "-url", &format!("http://{web}/v1/x509/ocsp"), "-issuer"]);
        openssl.arg(authority).arg("-CAfile").arg(authority);
        // By its number alone, as if this authority had given it.
        openssl.args(["-serial", &format!("0x{}", shown.serial())]);
        heard(openssl.env("no_proxy", "*"))
    };
    // The bundle's first is the one of now; the tool reads the first of a file.
    for (shown, authority, standing) in [
        (&kept, &before, ": good"),
        (&given_back, &before, ": revoked"),
        (&newer, &current, ": good"),
        (&kept, &current, ": unknown"),
        (&newer, &before, ": unknown"),
    ] {
        let told = asked(shown, authority);
        let is_told = told.contains("Response verify OK") && told.contains(standing);
        assert!(is_told, "{standing}: {told}");
    }
    stage.steps(&["retire", "x509-ca", "--force", "a drill"]);
    let (authorities, list) =
        (stage.page("/v1/x509/ca.pem", "one.pem"), stage.page("/v1/x509/crl.pem", "list.pem"));
    assert_eq!(newer.verdict(&authorities, Some(&list), &[]), 0);
    // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY.
    assert_eq!(kept.verdict(&authorities, Some(&list), &[]), 20);
    stage.is_verified("after");
}

#[test]
fn two_keys_of_tokens_are_published_until_the_old_ones_tokens_are_over_and_then_one() {
    let mut stage = Stage::new();
    let (id, _) = stage.grant("cluster", "jwt", "kept");
    let old = stage.dev.done("sam", &["token", &id]);
    stage.steps(&["prepare", "jwt-key"]);
    stage.steps(&["switch", "jwt-key", "--now"]);
    let (id, _) = stage.grant("cluster", "jwt", "newer");
    let new = stage.dev.done("sam", &["token", &id]);
    let judged = |stage: &Stage, name: &str| {
        let keys = stage.page("/.well-known/jwks.json", name);
        judged_by(&keys, ISSUER, AUDIENCE, &[old.clone(), new.clone()])
    };
    for said in judged(&stage, "both.json") {
        assert!(said.iter().all(|word| word == "ok"), "{said:?}");
    }
    stage.steps(&["retire", "jwt-key", "--force", "a drill"]);
    let said = judged(&stage, "one.json");
    assert!(said[0].iter().all(|word| word != "ok"), "{said:?}");
    assert!(said[1].iter().all(|word| word == "ok"), "{said:?}");
    stage.is_verified("after");
}

/// Every step, killed at growing delays and repeated until it is done: no start and no step after it
/// is stopped by what the killed one left, and the files for hosts say what the keys are.
#[test]
fn a_step_that_is_killed_at_any_moment_is_repeated_or_finished() {
    let mut dev = Dev::start();
    dev.while_stopped(|dev| {
        for role in ["ssh-ca", "lists", "x509-ca"] {
            for (verb, more, count) in
                [("prepare", None, "2"), ("switch", Some("--now"), "2"), ("retire", None, "1")]
            {
                let words: Vec<&str> = [verb, role].into_iter().chain(more).collect();
                is_done_in_spite_of_kills(dev, &words);
                let status = Stage::rotate(dev, &["status"]);
                assert_eq!(status.code, Some(0), "{words:?}: {status:?}");
                let rows = status.out.lines().filter(|line| line.starts_with(role)).count();
                assert_eq!(rows.to_string(), count, "{words:?}: {}", status.out);
            }
        }
    });
    let given = std::fs::read(dev.path("broker/state/ssh-ca.pub")).unwrap();
    assert_eq!(keys_in(&given), keys_in(&dev.page("/v1/ssh/ca.pub")));
    assert_eq!(keys_in(&given).len(), 1);
    dev.done("ada", &["audit", "export", "--out", "after"]);
    let words = ["audit", "verify", "after", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &words), "verified");
}

/// Kills the step later and later, and lets it end at last.
#[expect(clippy::disallowed_methods, reason = "when the kill comes is what is tried")]
fn is_done_in_spite_of_kills(dev: &Dev, words: &[&str]) {
    let mut delay = Duration::ZERO;
    loop {
        let mut child =
            rotating(dev, words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        let has_ended = child.try_wait().unwrap().is_some();
        // What has ended meanwhile cannot be killed, and is not to be.
        let _ = child.kill();
        child.wait().unwrap();
        let status = Stage::rotate(dev, &["status"]);
        assert_eq!(status.code, Some(0), "{words:?} killed after {delay:?}: {status:?}");
        if has_ended {
            return;
        }
        delay += STEP;
    }
}

/// How much later the next kill comes.
const STEP: Duration = Duration::from_millis(3);

fn rotating(dev: &Dev, words: &[&str]) -> Command {
    let mut rotate = breakglassd();
    rotate.arg("rotate").args(words);
    if dev.more.is_empty() {
        rotate.arg("--state").arg(dev.path("broker/state"));
    } else {
        rotate.arg("--config").arg(dev.config()).envs(dev.environment.clone());
    }
    rotate
}

/// The keys alone: comments differ.
fn keys_in(lines: &[u8]) -> Vec<String> {
    let text = String::from_utf8(lines.to_vec()).unwrap();
    let key = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(key).collect()
}

/// Killed after the keys and before the files: the next start writes them.
#[test]
fn files_that_name_a_retired_key_are_mended_by_the_next_start() {
    let mut stage = Stage::new();
    let file = stage.dev.path("broker/state/ssh-ca.pub");
    stage.steps(&["prepare", "ssh-ca"]);
    stage.steps(&["switch", "ssh-ca", "--now"]);
    let both = std::fs::read(&file).unwrap();
    assert_eq!(keys_in(&both).len(), 2);
    stage.steps(&["retire", "ssh-ca"]);
    stage.dev.while_stopped(|_| std::fs::write(&file, &both).unwrap());
    let given = std::fs::read(&file).unwrap();
    assert_eq!(keys_in(&given), keys_in(&stage.dev.page("/v1/ssh/ca.pub")));
    assert_eq!(keys_in(&given).len(), 1);
}

/// An unfinished key was taken for one, and then neither the daemon nor any step started.
#[test]
fn a_next_key_that_found_no_room_on_the_disk_is_none() {
    let mut dev = Dev::start();
    let told = dev.while_stopped(|dev| {
        let script = r#"
            mkdir -m 700 "$1/keys/next" && mount -t tmpfs -o size=4k,mode=700 none "$1/keys/next"
            "$2" rotate prepare ssh-ca --state "$1"; echo "without room: $?"
            "$2" rotate status --state "$1" && echo "it opens"
            mount -o remount,size=1m "$1/keys/next"
            "$2" rotate prepare ssh-ca --state "$1" && "$2" rotate abandon ssh-ca --state "$1"
            echo "with room: $?""#;
        let mut shell = Command::new("unshare");
        shell.args(["--map-root-user", "--mount", "--", "sh", "-c", script, "sh"]);
        run(shell.arg(dev.path("broker/state")).arg(breakglassd().get_program()))
    });
    // Never skipped: a machine that allows no mount namespace fails here and says so.
    for line in ["without room: 1", "it opens", "with room: 0"] {
        assert!(told.out.lines().any(|told| told == line), "{line}: {told:?}");
    }
    assert!(told.err.contains("No space left"), "{told:?}");
}

/// The agent of a host that believes `keys` about lists, in lines; it follows the broker of `stage`.
fn agent(stage: &Stage, keys: &str) -> Told {
    let made = std::fs::read_to_string(stage.dev.path("broker/state/client.toml")).unwrap();
    let made: toml::Table = made.parse().unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    let daemon = stage.dev.daemon.as_ref().unwrap();
    let given = std::fs::read(stage.dev.path("broker/state/ssh-ca.pub")).unwrap();
    let tls_ca = stage.dev.path("tls-ca.pem");
    std::fs::write(&tls_ca, text("tls-ca")).unwrap();
    let pins = Pins {
        rpc: daemon.rpc,
        web: daemon.web,
        log: text("log"),
        log_key: text("log-key"),
        tls_ca,
        ssh_ca: keys_in(&given).join("\\n"),
        lists_key: keys.replace('\n', "\\n"),
    };
    Told::new("db-1", &pins)
}

/// What the state directory has for hosts about lists, as their agents are told it.
fn allowed(stage: &Stage) -> String {
    let given = std::fs::read_to_string(stage.dev.path("broker/state/lists.allowed")).unwrap();
    let key = |line: &str| line.split(' ').skip(2).collect::<Vec<_>>().join(" ");
    given.lines().map(key).collect::<Vec<_>>().join("\n")
}

/// Whether the list of this host revokes the certificate in `dir`, as the stock tool reads it.
fn revokes(host: &Told, dir: &Path) -> bool {
    let mut asked = Command::new("ssh-keygen");
    asked.args(["-Q", "-f"]).arg(host.list()).arg(dir.join("id-cert.pub"));
    let told = asked.output().unwrap();
    String::from_utf8_lossy(&told.stdout).contains(": REVOKED")
}

#[test]
fn hosts_take_lists_by_two_keys_and_then_by_one_and_sshd_goes_by_them() {
    let mut stage = Stage::new();
    let first = allowed(&stage);
    let mut before = agent(&stage, &first);
    let mut running = before.run();
    stage.steps(&["prepare", "lists"]);
    let both = allowed(&stage);
    assert_eq!(both.lines().count(), 2);
    let overlap = agent(&stage, &both);
    let _other = overlap.run();
    let (id, old) = stage.grant("orders-db", "ssh", "old");
    let host = Sshd::start(&Lets {
        authorities: keys_in(&std::fs::read(stage.dev.path("broker/state/ssh-ca.pub")).unwrap()),
        revoked: Some(until("a list is in place", SOON, || {
            overlap.list().exists().then(|| overlap.list())
        })),
        principals: vec!["bg-orders".to_owned()],
    });
    assert!(host.log_in(&old.join("id"), "true").is_in());
    stage.dev.done("sam", &["drop", &id]);
    for told in [&before, &overlap] {
        until("by the current key", SOON, || revokes(told, &old).then_some(()));
    }
    assert!(!host.log_in(&old.join("id"), "true").is_in());
    stage.steps(&["switch", "lists", "--now"]);
    let (id, new) = stage.grant("orders-db", "ssh", "new");
    assert!(host.log_in(&new.join("id"), "true").is_in());
    stage.dev.done("sam", &["drop", &id]);
    until("by the key that was next", SOON, || revokes(&overlap, &new).then_some(()));
    assert!(!host.log_in(&new.join("id"), "true").is_in());
    until("who was not told says so", SOON, || before.log().contains("signed").then_some(()));
    assert!(!revokes(&before, &new), "it keeps the list it has");
    assert!(revokes(&before, &old) && running.is_running());
    stage.steps(&["retire", "lists"]);
    let last = allowed(&stage);
    assert!(both.lines().nth(1) == Some(&*last), "only the new key is left: {last}");
    drop(running);
    before = agent(&stage, &last);
    let _again = before.run();
    until("told the new key, it takes it", SOON, || revokes(&before, &new).then_some(()));
    stage.is_verified("after");
}

#[test]
fn clients_that_were_given_both_authorities_reach_the_broker_before_and_after() {
    let mut stage = Stage::new();
    let give = |stage: &Stage, who: &str| {
        let path = stage.dev.path(&format!("broker/config/{who}.toml"));
        let own = std::fs::read_to_string(&path).unwrap();
        let own: Vec<&str> = own.lines().take(3).collect();
        let made = std::fs::read_to_string(stage.dev.path("broker/state/client.toml")).unwrap();
        std::fs::write(&path, format!("{}\n{made}", own.join("\n"))).unwrap();
    };
    let reaches = |stage: &Stage, who: &str| stage.dev.says(who, &["grants"]);
    stage.steps(&["prepare", "tls-ca"]);
    give(&stage, "sam");
    for who in ["sam", "ada"] {
        let told = reaches(&stage, who);
        assert_eq!(told.code, 0, "{who} before: {told:?}");
    }
    stage.steps(&["switch", "tls-ca", "--now"]);
    assert_eq!(reaches(&stage, "sam").code, 0, "who has both");
    let told = reaches(&stage, "ada");
    assert_eq!(told.code, 8, "{told:?}");
    assert!(
        told.err.contains("its certificate is not from the CA in your configuration"),
        "{told:?}"
    );
    stage.steps(&["retire", "tls-ca"]);
    give(&stage, "ada");
    for who in ["sam", "ada"] {
        assert_eq!(reaches(&stage, who).code, 0, "{who} after");
    }
    let made = std::fs::read_to_string(stage.dev.path("broker/state/client.toml")).unwrap();
    let made: toml::Table = made.parse().unwrap();
    assert_eq!(made["tls-ca"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 1);
}
