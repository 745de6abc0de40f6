//! `demo`: one whole emergency on this machine, with throw-away keys and the real programs.
//!
//! Each step runs this very program as a person would, prints the command, and holds or ends the
//! demo. What cannot be shown here (no sshd, no ssh-keygen) is said to be left out, never pretended.

mod daemon;
mod doors;
mod fetch;
mod ssh_host;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::cli::DemoArgs;
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::state::private_dir;

use daemon::Daemon;
use ssh_host::SshHost;
use stage::Stage;

/// Plays the whole story. Done only if every step held.
///
/// # Errors
///
/// [`Failure`] naming the step that did not hold.
pub fn run(args: &DemoArgs, out: &mut Output) -> Result<Exit, Failure> {
    let base = Base::make(args)?;
    out.say("Starting a throw-away broker: its own keys, its own ledger, on loopback only.");
    let mut daemon = Daemon::start(&base.dir.join("broker"), &base.dir.join("breakglassd.log"))?;
    out.say(&format!("  rpc {}, web {}, files in {}", daemon.rpc, daemon.web, base.dir.display()));
    let played = play(&mut Stage::new(out, &daemon, &base.dir)?);
    let played = match played {
        Ok(story) => story,
        Err(failure) => {
            out.say(&format!("the daemon's last words:\n{}", daemon.last_words()));
            return Err(failure);
        }
    };
    out.say_good("\nEvery step held.");
    if args.keep {
        stage::tell_how_to_go_on(out, &daemon, &base.dir, &played);
        daemon.keep();
        base.keep();
    } else {
        daemon.stop();
        out.say("The broker is stopped and its files are gone; `demo --keep` leaves both.");
        if args.dir.is_some() {
            base.keep();
        }
    }
    out.result(
        &played.id,
        &serde_json::json!({"id": played.id, "held": true, "login": played.login}),
    )?;
    Ok(Exit::Done)
}

/// What the story left behind.
struct Story {
    id: String,
    login: bool,
}

fn play(stage: &mut Stage<'_>) -> Result<Story, Failure> {
    stage.title("Sam is on call and needs root on a host. The identity provider is down.");
    let asked = stage.plays(
        "sam",
        &[
            "request",
            "root-on-host",
            "--incident",
            "INC-4711",
            "--reason",
            "payments are stuck, SSO is down",
            "--ttl",
            "30m",
        ],
    )?;
    let id = asked.stdout.trim().to_owned();
    stage.title("Ada owns the application. She looks, then says yes with her own key.");
    stage.plays("ada", &["pending"])?;
    stage.plays("ada", &["approve", &id, "--yes"])?;
    stage.title("One yes is not enough: Sam cannot collect yet.");
    stage.fails("sam", &["collect", &id, "--out", "credential"], Exit::Pending)?;
    stage.title("Bob is on call for security. Now it is enough.");
    stage.plays("bob", &["approve", &id, "--yes"])?;
    stage.title("Sam collects: a certificate for a key that never left Sam's machine.");
    stage.plays("sam", &["collect", &id, "--out", "credential"])?;
    stage.shows_certificate(&id)?;
    let mut host = use_it(stage, &id)?;
    give_back(stage, &id, host.as_mut())?;
    let login = host.is_some();
    drop(host);
    doors::certificate(stage)?;
    doors::token(stage)?;
    prove(stage)?;
    Ok(Story { id, login })
}

/// A real log-in on a real sshd, if there is one.
fn use_it(stage: &mut Stage<'_>, id: &str) -> Result<Option<SshHost>, Failure> {
    let list = stage.fetches_list()?;
    stage.list_says(&list, false)?;
    stage.title("A host that trusts the broker's CA lets Sam in.");
    let ca = stage.fetch("/v1/ssh/ca.pub")?;
    let host = match SshHost::start(&stage.dir().join("host"), &ca, &list) {
        Ok(host) => host,
        Err(ssh_host::LeftOut(why)) => {
            stage.say(&format!("  LEFT OUT: no log-in was tried, because {why}."));
            return Ok(None);
        }
    };
    if let Some(made) = host.made() {
        stage.say(&format!("  (made {} for sshd, removed at the end)", made.display()));
    }
    stage.logs_in(&host, id)?;
    Ok(Some(host))
}

fn give_back(stage: &mut Stage<'_>, id: &str, host: Option<&mut SshHost>) -> Result<(), Failure> {
    stage.title("Somebody copies Sam's key and certificate. Sam is done and gives them back.");
    stage.steals_a_copy()?;
    stage.plays("ada", &["grants"])?;
    stage.plays("sam", &["drop", id, "--reason", "payments flow again"])?;
    stage.title("The certificate is on the revocation list that hosts fetch.");
    let list = stage.fetches_list()?;
    stage.list_says(&list, true)?;
    if let Some(host) = host {
        stage.title("The host has the new list; the stolen copy opens nothing.");
        host.replace_list(&list)?;
        stage.is_refused(host)?;
    }
    Ok(())
}

fn prove(stage: &mut Stage<'_>) -> Result<(), Failure> {
    stage.title("Anybody can take the record away and check it without the broker.");
    stage.plays("ada", &["audit", "export", "--out", "bundle"])?;
    stage.plays("ada", &["audit", "show", "bundle"])?;
    let verdict =
        stage.plays("ada", &["audit", "verify", "bundle", "--trust", "broker/trust.toml"])?;
    if verdict.stdout.trim() == "verified" {
        Ok(())
    } else {
        Err(stage::not_held("the export was not verified", &verdict.stdout))
    }
}

/// The demo's own directory; gone at the end unless kept.
struct Base {
    dir: PathBuf,
    is_kept: std::cell::Cell<bool>,
}

impl Base {
    fn make(args: &DemoArgs) -> Result<Self, Failure> {
        let random: [u8; 6] = entropy::bytes()?;
        let name = format!("breakglass-demo-{}", HEXLOWER.encode(&random));
        let dir = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(name));
        if fs::symlink_metadata(&dir).is_ok() {
            return Err(Failure::usage(
                format!("{} exists already", dir.display()),
                "name a new directory",
            ));
        }
        private_dir(&dir)?;
        let dir = absolute(&dir)?;
        Ok(Self { dir, is_kept: std::cell::Cell::new(false) })
    }

    fn keep(&self) {
        self.is_kept.set(true);
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    dir.canonicalize().map_err(|error| {
        Failure::new(Exit::Internal, format!("{}: {error}", dir.display()), "", "")
    })
}
