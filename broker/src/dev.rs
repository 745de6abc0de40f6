//! `breakglassd dev`: a throw-away broker with a sample policy and sample people, in one command.
//!
//! Everything is as in a real deployment – keys, signed policy, ledger, TLS – except that the
//! people's private keys lie beside it, so nothing here is worth protecting.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::statement::{Act, ActKind, Statement};
use data_encoding::HEXLOWER;

use crate::config::{Config, Jwt, Layout};
use crate::desk::PolicyBundle;
use crate::entropy::{Entropy, SystemEntropy};
use crate::house::{self, HouseError};
use crate::init::{self, InitError, MANIFEST, SIGNATURES};
use crate::jwt::Issuer;
use crate::mint::{Custody, Mint, MintError, SamplePerson};
use crate::rpc::Limits;
use crate::serve::{self, Options, Running, ServeError};

/// The sample people; the first signs the policy.
const PEOPLE: [&str; 5] = ["pia", "sam", "ada", "bob", "eve"];

/// The throw-away broker could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The directory is not empty.
    #[error("{} is not empty; name a new directory, or none", .0.display())]
    NotEmpty(PathBuf),
    /// The directory cannot be used.
    #[error("the directory cannot be used")]
    House(#[from] HouseError),
    /// Keys could not be made.
    #[error("keys could not be made")]
    Mint(#[from] MintError),
    /// The ledger could not be begun.
    #[error("the ledger could not be begun")]
    Init(#[from] InitError),
    /// The sample policy could not be written down.
    #[error("the sample policy could not be written: {0}")]
    Policy(String),
    /// The broker could not start.
    #[error("the broker could not start")]
    Serve(#[from] ServeError),
}

/// Sets up everything below `dir` (a new temporary directory if `None`, removed at the end) and
/// serves until SIGTERM or SIGINT. Prints one line of JSON when ready.
///
/// # Errors
///
/// [`DevError`].
pub fn run(dir: Option<PathBuf>) -> Result<(), DevError> {
    let throw_away = dir.is_none();
    let dir = match dir {
        Some(dir) => dir,
        None => temporary()?,
    };
    house::make(&dir)?;
    let mut listing = std::fs::read_dir(&dir).map_err(|source| file(&dir, source))?;
    if listing.next().is_some() {
        return Err(DevError::NotEmpty(dir));
    }
    let dir = dir.canonicalize().map_err(|source| file(&dir, source))?;
    let outcome = serve(&dir);
    if throw_away && let Err(error) = std::fs::remove_dir_all(&dir) {
        crate::report::fault("removing the throw-away directory", &error);
    }
    outcome
}

fn serve(dir: &Path) -> Result<(), DevError> {
    let mint = set_up(dir)?;
    let mut config = Config::for_state(dir.join("state"));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.web = SocketAddr::from(([127, 0, 0, 1], 0));
    // Nobody else's name (RFC 2606): whoever verifies a token here fetches the keys by address.
    config.jwt = Issuer::new("https://breakglass-dev.invalid").ok().map(|issuer| Jwt { issuer });
    // One machine plays everybody, so the limits for one address are those for a whole team.
    config.limits = Limits::roomy();
    serve::runtime()?.block_on(async {
        let running = serve::start(&config, &Options::default(), &Custody::default()).await?;
        write_configs(dir, &mint, running.rpc)?;
        println!("{}", ready(dir, &running));
        eprint!("{}", hint(dir));
        Ok(running.until_stopped().await?)
    })
}

/// People's keys, a signed policy, and a ledger that begins with it.
pub(crate) fn set_up(dir: &Path) -> Result<Mint, DevError> {
    let entropy = SystemEntropy::new();
    for folder in ["keys", "config", "policy", "state"] {
        house::make(&dir.join(folder))?;
    }
    house::make(&dir.join("policy").join(SIGNATURES))?;
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push((name, SamplePerson::create(&dir.join("keys").join(name), name, &entropy)?));
    }
    let listed: Vec<_> = people.iter().map(|(name, person)| (*name, person.public())).collect();
    let mut files = sample(&listed);
    files.scopes.extend_from_slice(cluster().as_bytes());
    files.scopes.extend_from_slice(orders().as_bytes());
    let mint = house::keys(&dir.join("state"), "dev", &Custody::default())?;
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce).map_err(MintError::from)?;
    let manifest = Statement::compose(
        &mint.public().origin,
        None,
        Act::Policy(files.manifest(1, Digest::ZERO)),
        None,
        Salt::from_bytes(nonce),
    )
    .map_err(|error| DevError::Policy(error.to_string()))?;
    let (_, authority) = people.first().ok_or_else(|| DevError::Policy("nobody signs".into()))?;
    let namespace = ActKind::Policy.namespace();
    let signature = authority.sign(&namespace, manifest.text().as_bytes())?;
    let policy = dir.join("policy");
    for name in Files::NAMES {
        house::write_new(&policy.join(name), files.get(name).unwrap_or_default(), 0o644)?;
    }
    house::write_new(&policy.join(MANIFEST), manifest.text().as_bytes(), 0o644)?;
    let sig = policy.join(SIGNATURES).join("pia.sig");
    house::write_new(&sig, signature.armored().as_bytes(), 0o644)?;
    let layout = Layout::of(&dir.join("state"));
    let bundle = PolicyBundle { signatures: vec![signature], files };
    init::begin(&layout, &mint, &manifest, &bundle)?;
    Ok(mint)
}

/// One configuration per person, now that the port is known, and the reviewer's trust file.
fn write_configs(dir: &Path, mint: &Mint, rpc: SocketAddr) -> Result<(), DevError> {
    let layout = Layout::of(&dir.join("state"));
    let policy = |name: &str| std::fs::read(dir.join("policy").join(name)).ok();
    let files = Files::gather(policy).map_err(|name| DevError::Policy(name.to_owned()))?;
    init::write_papers(&layout, mint, &files, &[rpc.to_string()])?;
    let trust = std::fs::read(layout.trust()).map_err(|source| file(&layout.trust(), source))?;
    house::write_new(&dir.join("trust.toml"), &trust, 0o644)?;
    let common = init::client_config(mint.public(), &[rpc.to_string()]);
    for name in PEOPLE {
        let own = format!(
            "by = \"{name}\"\nkey = \"../keys/{name}\"\nstate-dir = \"../client/{name}\"\n{common}"
        );
        let path = dir.join("config").join(format!("{name}.toml"));
        house::write_new(&path, own.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// One line for scripts: that it is ready, and where.
fn ready(dir: &Path, running: &Running) -> String {
    // A path may hold quotes and backslashes; nothing else here needs an escape.
    let dir = dir.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "{{\"ready\":true,\"rpc\":\"{}\",\"web\":\"{}\",\"dir\":\"{dir}\"}}",
        running.rpc, running.web
    )
}

fn hint(dir: &Path) -> String {
    let config = dir.join("config");
    let config = config.display();
    format!(
        "A throw-away broker is running, with sample people sam, ada, bob and eve (and pia, who \
         signs the policy). In another terminal:\n  \
         breakglass --config {config}/sam.toml request root-on-host --reason 'disk full' --incident INC-1 --ttl 30m\n  \
         breakglass --config {config}/ada.toml pending\n\
         Stop it with Ctrl-C; everything it made is then removed unless you gave --dir.\n"
    )
}

/// A fresh directory for one run.
fn temporary() -> Result<PathBuf, DevError> {
    let mut random = [0; 8];
    SystemEntropy::new().fill(&mut random).map_err(MintError::from)?;
    Ok(std::env::temp_dir().join(format!("breakglass-dev-{}", HEXLOWER.encode(&random))))
}

fn file(path: &Path, source: std::io::Error) -> DevError {
    DevError::House(HouseError::File { path: path.into(), source })
}

/// A scope beside those of the sample: two people, half an hour, and what it opens as `tables` say.
fn scope(id: &str, title: &str, purpose: &str, tables: &str) -> String {
    format!(
        r#"
[[scope]]
id = "{id}"
title = "{title}"
purpose = "{purpose}"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "30m"
pending-max = "10m"
live-max = 10
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]

[[scope.stage]]
name = "second-person"
approvers = ["group:leads", "group:security"]
quorum = 1

{tables}"#
    )
}

/// One whose credential is a token.
fn cluster() -> String {
    scope(
        "cluster",
        "Administer the Kubernetes cluster",
        "Repair the cluster when the identity provider is down",
        r#"[scope.jwt]
audience = "https://kubernetes.example.com"
groups = ["breakglass:cluster-admin"]
"#,
    )
}

/// One that opens a database by certificate, and its host.
fn orders() -> String {
    scope(
        "orders-db",
        "Administer the orders database, and its host",
        "Repair the database when the identity provider is down",
        r#"[scope.ssh]
principals = ["bg-orders"]
extensions = ["permit-pty"]

[scope.x509]
organizations = ["breakglass:orders"]
"#,
    )
}
