//! The stage: people run commands on it, the audience sees each command and what came of it, and a
//! step that does not hold ends the play.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use breakglass_ledger::statement::Kind;

use super::daemon::{Daemon, nap};
use super::ssh_host::{SshHost, words};
use super::{Story, fetch};
use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::state::private_dir;

/// Where the play happens.
pub(super) struct Stage<'o> {
    out: &'o mut Output,
    us: PathBuf,
    dir: PathBuf,
    web: String,
    act: u32,
}

/// What a command said.
pub(super) struct Said {
    pub(super) stdout: String,
    stderr: String,
}

impl<'o> Stage<'o> {
    pub(super) fn new(out: &'o mut Output, daemon: &Daemon, dir: &Path) -> Result<Self, Failure> {
        let us =
            std::env::current_exe().map_err(|error| not_held("no program", &error.to_string()))?;
        Ok(Self { out, us, dir: dir.to_owned(), web: daemon.web.clone(), act: 0 })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn say(&mut self, text: &str) {
        self.out.say(text);
    }

    /// A numbered line on what happens next.
    pub(super) fn title(&mut self, text: &str) {
        self.act = self.act.saturating_add(1);
        self.out.say_strong(&format!("\n{}. {text}", self.act));
    }

    /// `person` runs `breakglass` with `arguments`, and it has to work.
    pub(super) fn plays(&mut self, person: &str, arguments: &[&str]) -> Result<Said, Failure> {
        self.runs(person, arguments, Exit::Done)
    }

    /// `person` runs `breakglass` with `arguments`, and it has to end with `exit`.
    pub(super) fn fails(
        &mut self,
        person: &str,
        arguments: &[&str],
        exit: Exit,
    ) -> Result<Said, Failure> {
        self.runs(person, arguments, exit)
    }

    fn runs(&mut self, person: &str, arguments: &[&str], exit: Exit) -> Result<Said, Failure> {
        let config = format!("broker/config/{person}.toml");
        let shown: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        self.shell(&format!("breakglass --config {config} {}", shown.join(" ")));
        let mut command = Command::new(&self.us);
        command.current_dir(&self.dir).arg("--config").arg(&config).args(arguments);
        for (name, _) in std::env::vars_os() {
            // The audience's own configuration and agent have no part in this.
            if name.to_string_lossy().starts_with("BREAKGLASS_") {
                command.env_remove(name);
            }
        }
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        let output = command.output().map_err(|error| not_held("not run", &error.to_string()))?;
        let said = Said {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.quote(&said.stderr);
        self.quote(&said.stdout);
        if output.status.code() == Some(i32::from(exit.code())) {
            return Ok(said);
        }
        let what = format!("{person}'s command ended with {}, not {}", output.status, exit.code());
        Err(not_held(&what, &said.stderr))
    }

    /// The certificate as OpenSSH reads it; as we read it where there is no OpenSSH.
    pub(super) fn shows_certificate(&mut self, id: &str) -> Result<(), Failure> {
        let path = self.dir.join("credential/id-cert.pub");
        self.shell("ssh-keygen -L -f credential/id-cert.pub");
        let key_id = format!("bg:{id}:sam");
        match words(Command::new("ssh-keygen").arg("-L").arg("-f").arg(&path)) {
            Ok(shown) => {
                self.quote(&shown);
                held(shown.contains(&key_id), "ssh-keygen shows another key id", &shown)
            }
            Err(why) => {
                self.say(&format!("  LEFT OUT: {why}; this is our own reading:"));
                let line = std::fs::read_to_string(&path).unwrap_or_default();
                let read = Credential::read(Kind::Ssh, &line)?;
                self.quote(&format!(
                    "key id {}, serial {}, principals {}, valid to {}",
                    read.name,
                    read.serial,
                    read.principals.join(","),
                    read.expires_at,
                ));
                held(read.name == key_id, "another key id", &read.name)
            }
        }
    }

    /// Something from the broker's public side.
    pub(super) fn fetch(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        fetch::get(&self.web, path).map_err(|why| not_held("nothing was fetched", &why))
    }

    /// The revocation list, as a host fetches it.
    pub(super) fn fetches_list(&mut self) -> Result<Vec<u8>, Failure> {
        self.shell(&format!("curl -so krl http://{}/v1/ssh/krl", self.web));
        self.fetch("/v1/ssh/krl")
    }

    /// Whether `list` has to name the certificate, by the word of stock `ssh-keygen`.
    pub(super) fn list_says(&mut self, list: &[u8], is_revoked: bool) -> Result<(), Failure> {
        let certificate = self.certificate();
        let mut list = list.to_vec();
        let begun = Instant::now();
        loop {
            std::fs::write(self.dir.join("krl"), &list)
                .map_err(|error| not_held("the list was not kept", &error.to_string()))?;
            let mut command = Command::new("ssh-keygen");
            let command = command.arg("-Qf").arg("krl").arg(&certificate).current_dir(&self.dir);
            let Ok(asked) = command.stdin(Stdio::null()).output() else {
                self.say("  LEFT OUT: there is no ssh-keygen to ask about the list.");
                return Ok(());
            };
            let said = String::from_utf8_lossy(&asked.stdout).into_owned();
            // ssh-keygen(1): status 1 if any key is revoked, and it says so by name.
            let is_named = !asked.status.success() && said.contains("REVOKED");
            let is_clear = asked.status.success();
            if (is_revoked && is_named) || (!is_revoked && is_clear) {
                self.shell(&format!("ssh-keygen -Qf krl {certificate}"));
                self.quote(&said);
                return Ok(());
            }
            if begun.elapsed() > LIST_WITHIN {
                return Err(not_held("the revocation list says otherwise", &said));
            }
            nap();
            list = self.fetch("/v1/ssh/krl")?;
        }
    }

    /// Sam logs in, and the host's own log names the grant.
    pub(super) fn logs_in(&mut self, host: &SshHost, id: &str) -> Result<(), Failure> {
        let credential = self.dir.join("credential");
        self.shell(&host.command(&credential).join(" "));
        let ran = host.log_in(&credential).map_err(|why| not_held("ssh did not run", &why))?;
        self.quote(&String::from_utf8_lossy(&ran.stdout));
        let log = host.log();
        let accepted = log.lines().find(|line| line.starts_with("Accepted publickey"));
        self.quote(&format!("sshd: {}", accepted.unwrap_or("nothing accepted")));
        let is_in = ran.status.success() && accepted.is_some_and(|line| line.contains(id));
        held(is_in, "the host did not let Sam in", &log)
    }

    /// The stolen copy is refused.
    pub(super) fn is_refused(&mut self, host: &SshHost) -> Result<(), Failure> {
        let stolen = self.dir.join("stolen");
        self.shell(&host.command(&stolen).join(" "));
        let ran = host.log_in(&stolen).map_err(|why| not_held("ssh did not run", &why))?;
        self.quote(&String::from_utf8_lossy(&ran.stderr));
        let log = host.log();
        let revoked = log.lines().rev().find(|line| line.contains("revoked"));
        self.quote(&format!("sshd: {}", revoked.unwrap_or("no word of revocation")));
        // ssh(1): 255 if an error occurred, here: no way to authenticate was left.
        held(
            ran.status.code() == Some(255) && revoked.is_some(),
            "the copy still opens the host",
            &log,
        )
    }

    /// A copy of Sam's files, made while they are there.
    pub(super) fn steals_a_copy(&mut self) -> Result<(), Failure> {
        let (from, to) = (self.dir.join("credential"), self.dir.join("stolen"));
        private_dir(&to)?;
        self.shell("cp -p credential/id credential/id-cert.pub stolen/");
        for name in ["id", "id-cert.pub"] {
            let copied = std::fs::copy(from.join(name), to.join(name));
            copied.map_err(|error| not_held("no copy was made", &error.to_string()))?;
        }
        Ok(())
    }

    /// Where the certificate can be read: Sam's, or the copy once Sam's is gone.
    fn certificate(&self) -> String {
        let own = "credential/id-cert.pub";
        let is_there = self.dir.join(own).exists();
        if is_there { own.to_owned() } else { "stolen/id-cert.pub".to_owned() }
    }

    /// Where the broker's public side is.
    pub(super) fn web(&self) -> &str {
        &self.web
    }

    /// A command, as a person would type it.
    pub(super) fn shell(&mut self, command: &str) {
        self.out.say_strong(&format!("  $ {command}"));
    }

    /// What came of it.
    pub(super) fn quote(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            self.out.say(&format!("    {line}"));
        }
    }
}

/// The commands to play on by hand.
pub(super) fn tell_how_to_go_on(out: &mut Output, daemon: &Daemon, dir: &Path, story: &Story) {
    out.say(&format!(
        "The broker goes on running. To play on by hand:\n  cd {}\n  breakglass --config \
         broker/config/sam.toml request root-on-host --incident INC-1 --reason 'try it' --wait\n  \
         breakglass --config broker/config/ada.toml pending\n  breakglass --config \
         broker/config/ada.toml approve ID\n  breakglass --config broker/config/eve.toml approve ID\n  \
         breakglass --config broker/config/sam.toml status {}\nTo end it:\n  kill {}; rm -r {}",
        dir.display(),
        story.id,
        daemon.process(),
        dir.display(),
    ));
}

/// A step that did not hold.
pub(super) fn not_held(what: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("the demo ended: {what}"),
        why.trim(),
        "this is a fault of the build or of this machine; nothing real was touched",
    )
}

/// Whether a step held.
pub(super) fn held(is_so: bool, what: &str, why: &str) -> Result<(), Failure> {
    if is_so { Ok(()) } else { Err(not_held(what, why)) }
}

/// A word as a shell wants it.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    if word.bytes().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}

/// A revocation is on the list with its entry; publishing may take a moment.
pub(super) const LIST_WITHIN: Duration = Duration::from_secs(5);
