//! The throw-away broker: `breakglassd dev`, started from beside this program.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::failure::{Exit, Failure};

/// A running broker. Ended when dropped, unless kept.
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
    is_kept: bool,
    /// Address of its gRPC side.
    pub(super) rpc: String,
    /// Address of its HTTP side.
    pub(super) web: String,
}

/// The one line that it prints when it serves.
#[derive(Deserialize)]
struct Ready {
    ready: bool,
    rpc: String,
    web: String,
}

impl Daemon {
    /// Starts it with its files in `dir`, which it makes, and waits until it serves.
    pub(super) fn start(dir: &Path, log: &Path) -> Result<Self, Failure> {
        let program = beside_us()?;
        let stderr = File::create(log).map_err(|error| failed(log, &error.to_string()))?;
        let mut child = Command::new(&program)
            .arg("dev")
            .arg("--dir")
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| failed(&program, &error.to_string()))?;
        let ready = first_line(&mut child);
        let mut daemon = Self {
            child,
            log: log.to_owned(),
            is_kept: false,
            rpc: String::new(),
            web: String::new(),
        };
        let line = ready.ok_or_else(|| {
            failed(&program, &format!("it did not become ready:\n{}", daemon.last_words()))
        })?;
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|error| failed(&program, &format!("it printed `{line}`: {error}")))?;
        if !ready.ready {
            return Err(failed(&program, "it says that it is not ready"));
        }
        (daemon.rpc, daemon.web) = (ready.rpc, ready.web);
        Ok(daemon)
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// Its process id.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lets it run on after this program.
    pub(super) const fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Asks it to stop, and ends it if it does not.
    pub(super) fn stop(&mut self) {
        let id = self.child.id().to_string();
        // The standard library can only kill; a daemon is asked to finish its batch first.
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let begun = Instant::now();
        while begun.elapsed() < STOP_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            nap();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.is_kept && matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// The daemon belongs to the same build as this program, or the demo would show something else.
fn beside_us() -> Result<PathBuf, Failure> {
    let us = std::env::current_exe();
    let us = us.map_err(|error| failed(Path::new("this program"), &error.to_string()))?;
    let program = us.with_file_name("breakglassd");
    if program.is_file() { Ok(program) } else { Err(failed(&program, "there is no such program")) }
}

/// The first line of its stdout, if it comes in time. A thread reads, so that a silent daemon does
/// not hang the demo; it goes on reading, so that a talking one never blocks.
fn first_line(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            let _ = sender.send(line);
        }
    });
    receiver.recv_timeout(READY_WITHIN).ok()
}

fn failed(what: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("{}: {why}", what.display()),
        "the demo needs breakglassd from the same build beside breakglass",
        "cargo build --release, then target/release/breakglass demo",
    )
}

/// Waits a moment for another program.
pub(super) fn nap() {
    #[expect(clippy::disallowed_methods, reason = "another program needs time, not our clock")]
    std::thread::sleep(Duration::from_millis(50));
}

/// Keys are made and a ledger begun: well under a second on any machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A graceful stop finishes one batch.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Enough of the log to see why it ended.
const LINES_SHOWN: usize = 20;
