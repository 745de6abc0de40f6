//! `breakglass kube` as the exec plugin of a real kubectl, at an API server that asks the broker's own
//! webhook about every bearer.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use breakglass_integration_tests::daemon::{Daemon, breakglassd, program, run};
use breakglass_integration_tests::dev::{Dev, Running, Said};
use breakglass_integration_tests::site::ROOMY;
use breakglass_integration_tests::tls_site::TlsSite;
use breakglass_integration_tests::wait::{SOON, until};
use serde_json::Value;

/// Where Debian's package has it, and others too.
const KUBECTL: &str = "/usr/bin/kubectl";
const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// A broker whose webhook a cluster may ask, and the cluster.
struct Cluster {
    dev: Dev,
    site: TlsSite,
    server: Child,
    port: String,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Cluster {
    fn new() -> Self {
        let mut dev = Dev::start();
        let (api, secret) = with_webhook(&mut dev);
        let site = TlsSite::new("", "");
        fs::write(site.path("cluster.py"), include_str!("cluster.py")).unwrap();
        let mut server = Command::new("/usr/bin/python3")
            .args([site.path("cluster.py"), site.path("server.crt"), site.path("server.key")])
            .arg(format!("https://{api}/v1/kubernetes/tokenreview"))
            .arg(dev.path("broker/state/keys/tls-ca.crt"))
            .env("REVIEW_SECRET", secret)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(site.path("errors")).unwrap())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(server.stdout.take().unwrap());
        let mut port = String::new();
        told.read_line(&mut port).unwrap();
        let mut seen = fs::File::create(site.path("seen")).unwrap();
        std::thread::spawn(move || std::io::copy(&mut told, &mut seen));
        Self { dev, site, server, port: port.trim().to_owned() }
    }

    /// How to reach the cluster, and whom kubectl asks for a credential in `version`.
    fn kubeconfig(&self, version: &str) -> PathBuf {
        let (file, sam) = (self.site.path("kubeconfig"), self.dev.path("broker/config/sam.toml"));
        let server = format!("https://127.0.0.1:{}", self.port);
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "orders",
            "clusters": [{ "name": "orders", "cluster": {
                "server": server, "certificate-authority": self.site.server_ca() } }],
            "contexts": [{ "name": "orders", "context": { "cluster": "orders", "user": "me" } }],
            "users": [{ "name": "me", "user": { "exec": {
                "apiVersion": version, "command": program("breakglass"), "interactiveMode": "Never",
                "args": ["--config", sam, "kube", "--scope", "cluster", "--server", server],
                "provideClusterInfo": true } } }],
        });
        fs::write(&file, text.to_string()).unwrap();
        file
    }

    fn kubectl(&self, version: &str, arguments: &[&str]) -> Said {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut kubectl = Command::new(KUBECTL);
        kubectl.env_clear().env("HOME", self.dev.path("home")).env("PATH", path);
        kubectl.arg("--kubeconfig").arg(self.kubeconfig(version)).args(arguments);
        Running::of(kubectl).end()
    }

    /// Who came, by the API server's own word: one line for each request.
    fn seen(&self) -> Vec<String> {
        let seen = fs::read_to_string(self.site.path("seen")).unwrap();
        seen.lines().map(str::to_owned).collect()
    }

    fn pending(&self) -> usize {
        self.dev.json("ada", &["pending"])["requests"].as_array().unwrap().len()
    }

    /// sam's approved request for tokens of the cluster.
    fn granted(&self) -> String {
        let why = ["--kind", "jwt", "--incident", "INC-1", "--reason", "drain", "--ttl", "15m"];
        let id = self.dev.done("sam", &[&["request", "cluster"][..], &why].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        id
    }
}

/// The broker again, with the door of services that are shown tokens: where it is, and the secret of
/// the one that may ask.
fn with_webhook(dev: &mut Dev) -> (String, String) {
    const SAYS: &str = "services that ask about tokens";
    let made = run(breakglassd().args(["caller", "cluster"]));
    let caller = made.err.replace(
        "may = [\"introspect\"]\n",
        "may = [\"review\"]\naudiences = [\"https://kubernetes.example.com\"]\n",
    );
    assert_ne!(caller, made.err, "{made:?}");
    let daemon = dev.daemon.take().unwrap();
    let (rpc, web) = (daemon.rpc, daemon.web);
    let _ended = daemon.stop();
    let config = format!(
        "names = [\"127.0.0.1\"]\nstate = \"{}\"\nlisten = \"{rpc}\"\nweb = \"{web}\"\n{ROOMY}\n\
         [jwt]\nissuer = \"https://breakglass-dev.invalid\"\n\
         [api]\nlisten = \"127.0.0.1:0\"\n{caller}",
        dev.path("broker/state").display()
    );
    let file = dev.path("breakglassd.toml");
    fs::write(&file, config).unwrap();
    let daemon = Daemon::start(breakglassd().arg("serve").arg("--config").arg(file)).unwrap();
    let api = until("it says where", SOON, || {
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains(SAYS))?;
        let from = line.get(line.find("127.0.0.1:")?..)?;
        let end = from.find(|c: char| !c.is_ascii_digit() && !".:".contains(c));
        Some(from[..end.unwrap_or(from.len())].to_owned())
    });
    dev.daemon = Some(daemon);
    (api, made.out.trim().to_owned())
}

/// What this kubectl can speak: v1 is known since 1.22.
fn versions() -> Vec<&'static str> {
    let mut command = Command::new(KUBECTL);
    let output = command.args(["version", "--client", "-o", "json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let minor = said["clientVersion"]["minor"].as_str().unwrap();
    let minor: u32 = minor.trim_end_matches('+').parse().unwrap();
    if minor < 22 { vec![V1BETA1] } else { vec![V1BETA1, V1] }
}

#[test]
fn kubectl_is_let_in_by_the_grant_that_is_there_and_by_none_after_its_end() {
    let cluster = Cluster::new();
    let speaks = versions();
    for version in &speaks {
        let refused = cluster.kubectl(version, &["get", "--raw", "/whoami"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(refused.err.contains("you hold no live grant"), "{refused:?}");
    }
    assert!(cluster.seen().iter().all(|line| line.ends_with(" -")), "nobody was anybody");
    assert_eq!(cluster.pending(), 0, "a plugin asks for nothing");

    let id = cluster.granted();
    let name = format!("breakglass:{id}:sam");
    for version in &speaks {
        let answer = cluster.kubectl(version, &["get", "--raw", "/whoami"]);
        assert_eq!(answer.code, 0, "{version}: {answer:?}");
        let user: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(user["username"], name, "{user}");
        assert_eq!(user["groups"], serde_json::json!(["breakglass:cluster-admin"]), "{user}");
        let pods = cluster.kubectl(version, &["get", "pods", "-o", "name"]);
        assert_eq!((pods.code, pods.out.as_str()), (0, "pod/orders-1"), "{pods:?}");
    }
    let listed = format!("/api/v1/namespaces/default/pods {name}");
    assert!(cluster.seen().contains(&listed), "{:?}", cluster.seen());

    // Somebody else ends it: what is still on this machine opens nothing any more.
    cluster.dev.done("ada", &["cancel", &id, "--reason", "laptop stolen", "--yes"]);
    for version in &speaks {
        let before = cluster.seen().len();
        let refused = cluster.kubectl(version, &["get", "--raw", "/whoami"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(!refused.out.contains(&name), "{refused:?}");
        let after = cluster.seen();
        assert!(after.len() > before, "it was tried, and refused there: {refused:?}");
        assert!(after[before..].iter().all(|line| line.ends_with(" -")), "{after:?}");
    }
    assert_eq!(cluster.pending(), 0);
}
