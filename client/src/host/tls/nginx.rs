//! nginx told of a new list: it reads the file when it is reloaded, and its workers of before go on
//! answering by the old one until they are gone.

mod log;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use breakglass_ledger::bytes::Digest;
use rustix::process::{Pid, Signal, kill_process};

pub(super) use log::Log;

use crate::host::process::{self, Process};
use crate::host::program;
use crate::host::targets::Nginx;
use crate::state::read_bounded;

/// For its test of the configuration and for what reloads it.
const WITHIN: Duration = Duration::from_secs(15);

/// Between two attempts after one failed.
const REST: Duration = Duration::from_secs(2);

/// Workers of before that are there for longer are worth a word.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// How far the newest file has come.
#[derive(Debug, Default)]
pub(super) struct Reload {
    /// The file that is in force.
    in_force: Option<Digest>,
    /// The file it was reloaded for, when, and the workers of then.
    waiting: Option<(Digest, Instant, BTreeSet<Process>)>,
    failed: Option<(Instant, String)>,
}

impl Reload {
    /// Whether workers of before are still to go, and soon.
    pub(super) fn is_waiting(&self) -> bool {
        let since = self.waiting.as_ref().map(|(_, since, _)| since.elapsed());
        since.is_some_and(|since| since < GONE_WITHIN)
    }

    /// Whether the file of this digest is what every worker goes by. Reloads if need be.
    ///
    /// # Errors
    ///
    /// A sentence on what is in the way; it is tried again.
    pub(super) fn bring(&mut self, server: &Nginx, file: Digest) -> Result<bool, String> {
        if self.in_force == Some(file) {
            return Ok(true);
        }
        if let Some((of, since, before)) = &self.waiting
            && *of == file
        {
            // Those of before first: to find who is there now, every process is read.
            let are_gone = !before.iter().any(|one| process::is_alive(*one));
            if are_gone && !workers(server)?.is_empty() {
                (self.in_force, self.waiting) = (Some(file), None);
                return Ok(true);
            }
            return if since.elapsed() < GONE_WITHIN {
                Ok(false)
            } else {
                Err("nginx: workers of before the reload still serve by the old list: \
                     set worker_shutdown_timeout, and see its error log"
                    .to_owned())
            };
        }
        if let Some((at, why)) = &self.failed
            && at.elapsed() < REST
        {
            return Err(why.clone());
        }
        match reload(server) {
            Ok(before) => {
                (self.waiting, self.failed) = (Some((file, Instant::now(), before)), None);
                Ok(false)
            }
            Err(why) => {
                self.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }
}

/// Has it read its files again, if its own test takes them; answers the workers of before.
fn reload(server: &Nginx) -> Result<BTreeSet<Process>, String> {
    run(&server.test)?;
    let before = workers(server)?;
    if server.reload.is_empty() {
        let master = master(server)?;
        let pid = Pid::from_raw(master.pid).ok_or("nginx: its pid file holds no process")?;
        kill_process(pid, Signal::HUP).map_err(|error| format!("nginx: no reload: {error}"))?;
    } else {
        run(&server.reload)?;
    }
    Ok(before)
}

fn run(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    program::answer(command, WITHIN)
}

fn workers(server: &Nginx) -> Result<BTreeSet<Process>, String> {
    let master = master(server)?.pid;
    Ok(process::all().filter(|one| one.parent == master).map(|one| one.process).collect())
}

/// The process whose number is in the pid file, if it is one of nginx.
fn master(server: &Nginx) -> Result<Process, String> {
    let path = server.pid_file.display();
    let bytes = read_bounded(&server.pid_file, 32).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("nginx does not run: there is no {path}"))?;
    let pid = String::from_utf8_lossy(&bytes).trim().parse().ok();
    let seen = pid.and_then(process::look).filter(|seen| seen.name.starts_with("nginx"));
    seen.map(|seen| seen.process).ok_or_else(|| format!("nginx does not run as {path} says"))
}
