//! A real `sshd` on loopback, with a real `ssh` to log in: everything of its own, nothing left over.
//!
//! It runs as whoever runs the tests and lets in that same user, by certificate only. As root it
//! needs the directory `/run/sshd`, which distributions make when their service starts.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::wait::{SOON, until};

/// Whom a host lets in.
#[derive(Clone, Debug, Default)]
pub struct Lets {
    /// Lines of `TrustedUserCAKeys`.
    pub authorities: Vec<String>,
    /// The file of `RevokedKeys`, if the host has one.
    pub revoked: Option<PathBuf>,
    /// Lines of `AuthorizedPrincipalsFile`: roles that may log in.
    pub principals: Vec<String>,
}

/// A running sshd. Ended when dropped.
pub struct Sshd {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    user: String,
}

/// How a log-in went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The host let the user in, and this is what the command printed.
    In(String),
    /// The host refused to; this is what `ssh` said.
    Refused(String),
}

impl Login {
    /// Whether the host let the user in.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        matches!(self, Self::In(_))
    }
}

impl Sshd {
    /// Starts one that lets in whom `lets` says, and waits until it listens.
    ///
    /// # Panics
    ///
    /// Panics if there is no usable sshd: these tests are nothing without one.
    #[must_use]
    pub fn start(lets: &Lets) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let user = said(Command::new("id").arg("-un"));
        write(dir.path(), "authorities", &lines(&lets.authorities));
        write(dir.path(), "principals", &lines(&lets.principals));
        let key = dir.path().join("host_key");
        said(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
        let (child, port) = listening(dir.path(), |port| configure(dir.path(), lets, port));
        let public = fs::read_to_string(dir.path().join("host_key.pub")).expect("a key");
        write(dir.path(), "known_hosts", &format!("[127.0.0.1]:{port} {public}"));
        Self { dir, child, port, user }
    }

    /// Logs in with the key in `key` and the certificate beside it, and runs `command`.
    ///
    /// # Panics
    ///
    /// Panics if the host neither let the user in nor refused: then nothing is known.
    #[must_use]
    pub fn log_in(&self, key: &Path, command: &str) -> Login {
        self.log_in_with(key, &[], command)
    }

    /// Logs in as [`Sshd::log_in`] does, with more `options`, as `-o` takes them.
    ///
    /// # Panics
    ///
    /// As [`Sshd::log_in`].
    #[must_use]
    pub fn log_in_with(&self, key: &Path, options: &[&str], command: &str) -> Login {
        let mut ssh = self.ssh();
        ssh.args(options.iter().flat_map(|option| ["-o", option]));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]).arg("-i").arg(key);
        self.judge(&ssh.arg(self.target()).arg(command).output().expect("ssh runs"))
    }

    /// Logs in with what the agent at `socket` holds, and runs `command`.
    ///
    /// # Panics
    ///
    /// As [`Sshd::log_in`].
    #[must_use]
    pub fn log_in_by_agent(&self, socket: &Path, command: &str) -> Login {
        let mut ssh = self.ssh();
        ssh.arg("-o").arg(format!("IdentityAgent={}", socket.display()));
        ssh.args(["-o", "IdentityFile=none"]);
        self.judge(&ssh.arg(self.target()).arg(command).output().expect("ssh runs"))
    }

    /// `ssh` to this host with the key in `key`, not started; `options` as `-o` takes them.
    #[must_use]
    pub fn ssh_with(&self, key: &Path, options: &[String], command: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        // The first value of an option counts.
        for option in options {
            ssh.args(["-o", option]);
        }
        let ours = self.ssh();
        ssh.args(ours.get_args()).env_remove("SSH_AUTH_SOCK");
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]).arg("-i").arg(key);
        ssh.arg(self.target()).args(command).stdin(Stdio::null());
        ssh
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The first line of the log, after byte `from`, that holds all of `words`, once it is there.
    pub fn logged(&self, from: usize, words: &[&str]) -> String {
        until(&format!("a line of the log with {words:?}"), SOON, || {
            let log = self.log();
            let mut new = log.get(from..).unwrap_or_default().lines();
            new.find(|line| words.iter().all(|word| line.contains(word))).map(ToOwned::to_owned)
        })
    }

    /// What `ssh` takes after the host, so that it knows this one and nothing else of this machine.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.dir.path().join("known_hosts").display());
        let mut words = vec!["-F".to_owned(), "none".to_owned()];
        words.extend(["-p".to_owned(), self.port.to_string()]);
        for option in [known.as_str()].into_iter().chain(CLIENT_OPTIONS) {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        words
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whom and where to log in.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}@127.0.0.1", self.user)
    }

    /// `ssh` that knows this host and nothing else of this machine.
    fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(self.arguments());
        ssh.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        ssh
    }

    fn judge(&self, output: &Output) -> Login {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(SSH_FAILED) {
            return Login::In(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        // What ssh says of a session that it had: somebody let it in, and ended it before the command was.
        if stderr.contains("Connection to 127.0.0.1 closed by remote host.") {
            return Login::In(String::new());
        }
        let (is_refusal, log) = (stderr.contains("Permission denied"), self.log());
        assert!(is_refusal, "neither let in nor refused: {stderr}\n{log}");
        // That would be a refusal of everybody, which proves nothing.
        assert!(
            !log.contains("account is locked"),
            "unlock the account first: usermod -p '*' USER"
        );
        Login::Refused(stderr)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Its children end with their connections, each of which this process has waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end and returns what it printed.
///
/// # Panics
///
/// Panics if it fails, with what it said.
pub fn said(command: &mut Command) -> String {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().expect("the program is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Writes a file that only its owner may read, as `ssh` demands of keys.
///
/// # Panics
///
/// Panics if it cannot.
pub fn write(dir: &Path, name: &str, content: &str) {
    let path = dir.join(name);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut file.expect("a file"), content.as_bytes()).expect("written");
}

fn lines(of: &[String]) -> String {
    of.iter().map(|line| format!("{line}\n")).collect()
}

fn configure(dir: &Path, lets: &Lets, port: u16) {
    let at = dir.display();
    let mut config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host_key\nPidFile none\nUsePAM no\n\
         StrictModes no\nPermitRootLogin prohibit-password\nAuthorizedKeysFile none\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n\
         MaxStartups 500\nExposeAuthInfo yes\nTrustedUserCAKeys {at}/authorities\n\
         AuthorizedPrincipalsFile {at}/principals\n"
    );
    if let Some(revoked) = &lets.revoked {
        config.push_str(&format!("RevokedKeys {}\n", revoked.display()));
    }
    write(dir, "sshd_config", &config);
    // OpenSSH 9.8 and later drop whoever was refused a few times in a row, good key or not, and
    // being refused is what these tests do. Earlier ones do not know the word.
    let penalties = Command::new(program())
        .arg("-tf")
        .arg(dir.join("sshd_config"))
        .args(["-o", "PerSourcePenalties=no"])
        .stdin(Stdio::null())
        .output()
        .expect("sshd runs");
    if penalties.status.success() {
        config.push_str("PerSourcePenalties no\n");
        write(dir, "sshd_config", &config);
    }
}

/// An sshd that listens, and on which port; `configure` writes `sshd_config` in `dir` for a port, and
/// what it logs is in `log` there.
///
/// # Panics
///
/// Panics if it listens on none of many ports.
pub fn listening(dir: &Path, configure: impl Fn(u16)) -> (Child, u16) {
    make_privilege_separation_directory();
    // A port that was free a moment ago may be taken by now; then the next one is tried.
    let started = (0..PORTS_TRIED).find_map(|_| {
        let port = free_port();
        configure(port);
        listens(dir, port).map(|child| (child, port))
    });
    if started.is_none() {
        eprintln!("{}", fs::read_to_string(dir.join("log")).unwrap_or_default());
    }
    started.expect("sshd listens (what it logged is printed above)")
}

/// An sshd that listens on `port`; `None` if it ended instead.
fn listens(dir: &Path, port: u16) -> Option<Child> {
    let log = dir.join("log");
    let mut child = Command::new(program())
        .arg("-D")
        .arg("-f")
        .arg(dir.join("sshd_config"))
        .arg("-E")
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd runs");
    // Its own word, not a connection: on that port somebody else may answer.
    let ready = format!("Server listening on 127.0.0.1 port {port}");
    let is_listening = until("sshd listens or ends", SOON, || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let has_ended = !matches!(child.try_wait(), Ok(None));
        if log.contains(&ready) { Some(true) } else { has_ended.then_some(false) }
    });
    is_listening.then_some(child)
}

/// Where distributions put it; it is seldom in `PATH`, and wants to be called by its full name,
/// because it runs itself again for each connection.
fn program() -> &'static Path {
    let known = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];
    let found = known.into_iter().map(Path::new).find(|path| path.is_file());
    found.expect("sshd is installed (Debian: openssh-server)")
}

/// Makes the directory without which `sshd` does nothing for root, not even judge a configuration.
///
/// # Panics
///
/// Panics if it cannot.
pub fn make_privilege_separation_directory() {
    let dir = Path::new("/run/sshd");
    if said(Command::new("id").arg("-un")) == "root" && !dir.exists() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(dir);
        made.expect("/run/sshd, which sshd needs when root runs it");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("an address").port()
}

const CLIENT_OPTIONS: [&str; 8] = [
    "BatchMode=yes",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=60",
    "ServerAliveInterval=20",
    "ControlPath=none",
];

/// ssh(1): "or with 255 if an error occurred".
const SSH_FAILED: i32 = 255;

/// Ports tried before giving up.
const PORTS_TRIED: usize = 20;
