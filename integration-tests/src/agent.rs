//! The agent of a host as a process of its own, with everything it needs in one directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use breakglass_ledger::entry::{Body, Entry, Genesis};

use crate::daemon::{Daemon, program};
use crate::people::Person;
use crate::record::rows;
use crate::site::Site;

/// What an agent has to be told, and where it keeps things.
pub struct Told {
    /// Where its configuration and its directories are.
    pub dir: tempfile::TempDir,
    /// Its name, which is also that of its target.
    pub name: String,
}

/// A running agent. Killed when dropped.
pub struct HostAgent(Child);

/// Whom an agent believes.
#[derive(Clone, Debug)]
pub struct Pins {
    /// Where gRPC is.
    pub rpc: SocketAddr,
    /// Where the public side is.
    pub web: SocketAddr,
    /// The ledger's origin.
    pub log: String,
    /// Its verifier key.
    pub log_key: String,
    /// The brokers' CA, a PEM file.
    pub tls_ca: PathBuf,
    /// The SSH CA.
    pub ssh_ca: String,
    /// The key that signs lists.
    pub lists_key: String,
}

impl Pins {
    /// What an agent of `site`, served by `daemon`, is told.
    ///
    /// # Panics
    ///
    /// Panics if there is no genesis.
    #[must_use]
    pub fn of(site: &Site, daemon: &Daemon) -> Self {
        let first = rows(&site.ledger()).into_iter().next().expect("an entry");
        let Body::Genesis(genesis) = Entry::parse(&first).expect("an entry").body else {
            unreachable!("a ledger begins with its genesis")
        };
        let Genesis { log_key, ssh_ca, lists_key, .. } = genesis;
        let tls_ca = site.state().join("keys").join("tls-ca.crt");
        let log = site.origin().to_string();
        Self { rpc: daemon.rpc, web: daemon.web, log, log_key, tls_ca, ssh_ca, lists_key }
    }
}

impl Told {
    /// A directory for the agent `name`, and its configuration.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be written.
    #[must_use]
    pub fn new(name: &str, pins: &Pins) -> Self {
        let told = Self { dir: tempfile::tempdir().expect("a directory"), name: name.to_owned() };
        Person::named(name).write(&told.path("key"), "");
        told.write(pins, "");
        told
    }

    /// Writes the configuration again, with `more` before its tables.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be written.
    pub fn write(&self, pins: &Pins, more: &str) {
        let text = format!(
            "brokers = [\"{}\"]\nweb = [\"{}\"]\ntls-ca = \"{}\"\nlog = \"{}\"\nlog-key = \"{}\"\n\
             by = \"{}\"\nkey = \"key/id\"\nssh-ca = \"{}\"\nlists-key = \"{}\"\n\
             dir = \"lists\"\nstate-dir = \"state\"\nevery = 50\n{more}\n\
             [principals]\nroot = [\"bg-root\"]\n",
            pins.rpc,
            pins.web,
            pins.tls_ca.display(),
            pins.log,
            pins.log_key,
            self.name,
            pins.ssh_ca,
            pins.lists_key
        );
        std::fs::write(self.config(), text).expect("written");
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path("host.toml")
    }

    /// The list that `sshd` reads.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        self.path("lists/krl")
    }

    /// What the agent says of itself: its version in place, and what is in the way.
    #[must_use]
    pub fn state(&self) -> String {
        std::fs::read_to_string(self.path("state/state.json")).unwrap_or_default()
    }

    /// What it has said.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A file below its directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the agent.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn run(&self) -> HostAgent {
        self.run_through(&[])
    }

    /// Starts the agent, with `before` (a program and its arguments) to start it.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn run_through(&self, before: &[&str]) -> HostAgent {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log"));
        let child = verb_through(before, self.dir.path(), &["run", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        HostAgent(child.expect("the agent starts"))
    }
}

impl HostAgent {
    /// Whether it still runs.
    ///
    /// # Panics
    ///
    /// Panics if the system does not say.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a child").is_none()
    }
}

impl Drop for HostAgent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `breakglass host` with these words, at home in `home`.
#[must_use]
pub fn verb(home: &Path, words: &[&str]) -> Command {
    verb_through(&[], home, words)
}

fn verb_through(before: &[&str], home: &Path, words: &[&str]) -> Command {
    let program = program("breakglass");
    let mut command = match before.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.env_clear().env("HOME", home).env("TZ", "UTC").env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.arg("host").args(words);
    command
}
