//! A real sshd on loopback for the length of the demo: trusts the broker's CA, reads its list.

use std::fs::{self, DirBuilder};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::daemon::nap;
use crate::failure::Failure;
use crate::state::write_private;

/// A running sshd. Ended when dropped.
pub(super) struct SshHost {
    child: Child,
    dir: PathBuf,
    port: u16,
    login: String,
    made: Option<PathBuf>,
}

/// Why no sshd could be run here.
pub(super) struct LeftOut(pub(super) String);

impl SshHost {
    /// Starts one with its files in `dir`.
    pub(super) fn start(dir: &Path, ca: &[u8], list: &[u8]) -> Result<Self, LeftOut> {
        let sshd = PROGRAMS.iter().map(Path::new).find(|path| path.is_file());
        let sshd = sshd.ok_or_else(|| LeftOut("there is no sshd on this machine".to_owned()))?;
        let login = words(Command::new("id").arg("-un")).map_err(LeftOut)?;
        let port = free_port().map_err(LeftOut)?;
        prepare(dir, ca, list, port).map_err(LeftOut)?;
        let mut host =
            Self { child: spawn(sshd, dir)?, dir: dir.to_owned(), port, login, made: None };
        if host.wait_until_it_listens().is_err() && host.makes_what_is_missing() {
            host.child = spawn(sshd, dir)?;
        }
        host.wait_until_it_listens()?;
        Ok(host)
    }

    /// As root, sshd wants an empty directory that the system makes when it starts its own sshd.
    /// Where that has never run, it is made for the demo and removed with it.
    fn makes_what_is_missing(&mut self) -> bool {
        let log = self.log();
        let named = log.lines().find_map(|line| line.strip_prefix(MISSING));
        let Some(path) = named.map(|path| PathBuf::from(path.trim())) else { return false };
        let is_made = DirBuilder::new().mode(0o755).create(&path).is_ok();
        self.made = is_made.then_some(path);
        is_made
    }

    /// What was made outside of the demo's own directory.
    pub(super) fn made(&self) -> Option<&Path> {
        self.made.as_deref()
    }

    fn wait_until_it_listens(&mut self) -> Result<(), LeftOut> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            nap();
        }
        Err(LeftOut(format!("sshd did not start here ({})", self.log().trim())))
    }

    /// The command that logs in with the credential in `dir`, and what it runs there.
    pub(super) fn command(&self, credential: &Path) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.dir.join("known_hosts").display());
        let key = credential.join("id").display().to_string();
        let (port, target) = (self.port.to_string(), format!("{}@127.0.0.1", self.login));
        let words = [
            "ssh",
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-o",
            &known,
            "-p",
            &port,
            "-i",
            &key,
            &target,
            "echo logged in",
        ];
        words.map(ToOwned::to_owned).to_vec()
    }

    /// Runs that command.
    pub(super) fn log_in(&self, credential: &Path) -> Result<Output, String> {
        let command = self.command(credential);
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        ran.map_err(|error| error.to_string())
    }

    /// Its log so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Puts a newer revocation list in place: whole, by rename, so that no log-in ever meets a
    /// missing or half one (lesson R40).
    pub(super) fn replace_list(&mut self, list: &[u8]) -> Result<(), Failure> {
        Ok(write_private(&self.dir.join("krl"), list)?)
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(made) = &self.made {
            // Removes it only if it is empty, as it was made.
            let _ = fs::remove_dir(made);
        }
    }
}

/// sshd re-executes itself and therefore wants an absolute path (sshd(8)).
fn spawn(sshd: &Path, dir: &Path) -> Result<Child, LeftOut> {
    Command::new(sshd)
        .arg("-D")
        .arg("-f")
        .arg(dir.join("sshd_config"))
        .arg("-E")
        .arg(dir.join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| LeftOut(error.to_string()))
}

fn prepare(dir: &Path, ca: &[u8], list: &[u8], port: u16) -> Result<(), String> {
    let write = |name: &str, bytes: &[u8]| {
        write_private(&dir.join(name), bytes).map_err(|error| error.to_string())
    };
    crate::state::private_dir(dir).map_err(|error| error.to_string())?;
    let key = dir.join("host_key");
    words(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key))?;
    let public = fs::read_to_string(key.with_extension("pub")).map_err(|e| e.to_string())?;
    write("known_hosts", format!("[127.0.0.1]:{port} {public}").as_bytes())?;
    write("ca.pub", ca)?;
    write("krl", list)?;
    write("principals", b"bg-root\n")?;
    let dir = dir.display();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host_key\nPidFile none\nUsePAM no\n\
         StrictModes no\nAuthorizedKeysFile none\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nTrustedUserCAKeys {dir}/ca.pub\n\
         AuthorizedPrincipalsFile {dir}/principals\nRevokedKeys {dir}/krl\nLogLevel VERBOSE\n"
    );
    write("sshd_config", config.as_bytes())
}

/// What `command` printed, trimmed, if it succeeded.
pub(super) fn words(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// How sshd says it (OpenSSH 9.2 and 10, `sshd.c`).
const MISSING: &str = "Missing privilege separation directory: ";

/// Where distributions put it; it is seldom in `PATH`.
const PROGRAMS: [&str; 3] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];
