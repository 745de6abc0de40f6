//! The real daemon as a process of its own: started, asked to stop, killed, and heard out.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::wait::{SOON, nap, until};

/// A daemon with its doors open. Killed when dropped.
pub struct Daemon {
    child: Child,
    heard: Heard,
    /// Where gRPC listens.
    pub rpc: SocketAddr,
    /// Where the read-only HTTP side listens.
    pub web: SocketAddr,
}

/// A process that has ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

/// The program of this name from the build that this test belongs to.
///
/// # Panics
///
/// Panics if it was not built: `cargo build --workspace --bins` does.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let us = std::env::current_exe().expect("this test has a path");
    let build = us.ancestors().find(|dir| dir.join(name).is_file());
    build.expect("run `cargo build --workspace --bins` first").join(name)
}

/// `breakglassd` with nothing said yet.
#[must_use]
pub fn breakglassd() -> Command {
    Command::new(program("breakglassd"))
}

/// What to start a program through so that it may not write everywhere: root may, unless it gives that
/// right away.
///
/// # Panics
///
/// Panics if `id` does not run.
#[must_use]
pub fn powerless() -> Vec<&'static str> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout != b"0\n" {
        return Vec::new();
    }
    vec!["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"]
}

/// `breakglassd`, with `before` (a program and its arguments) to start it.
#[must_use]
pub fn breakglassd_through(before: &[&str]) -> Command {
    let Some((first, rest)) = before.split_first() else { return breakglassd() };
    let mut command = Command::new(first);
    command.args(rest).arg(program("breakglassd"));
    command
}

/// Runs `command` to its end.
///
/// # Panics
///
/// Panics if it does not start, or has not ended after a minute.
pub fn run(command: &mut Command) -> Ended {
    let (mut child, heard, _) = spawn(command);
    let ended = || child.try_wait().expect("a child");
    let status = until("the program ends", SOON, ended);
    heard.all(status)
}

impl Daemon {
    /// Starts `command` and waits until the daemon says where it listens.
    ///
    /// # Errors
    ///
    /// [`Ended`] if it ends instead.
    ///
    /// # Panics
    ///
    /// Panics if it does neither within a minute.
    pub fn start(command: &mut Command) -> Result<Self, Ended> {
        let (mut child, heard, lines) = spawn(command);
        let begun = Instant::now();
        loop {
            match lines.recv_timeout(SOON.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    if let Some((rpc, web)) = doors(&line) {
                        return Ok(Self { child, heard, rpc, web });
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(heard.all(child.wait().expect("a child")));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let said = heard.all(child.wait().expect("a child"));
                    unreachable!("the daemon neither serves nor ends: {said:?}");
                }
            }
        }
    }

    /// `breakglassd dev` with everything in `dir`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn dev(dir: &std::path::Path) -> Result<Self, Ended> {
        Self::start(breakglassd().arg("dev").arg("--dir").arg(dir))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr so far: its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.heard.err()
    }

    /// Waits until its log has this.
    ///
    /// # Panics
    ///
    /// Panics with the log if it never has.
    pub fn logs(&self, words: &str) {
        let begun = Instant::now();
        while !self.log().contains(words) {
            assert!(begun.elapsed() < SOON, "no {words:?} in {}", self.log());
            nap();
        }
    }

    /// `SIGKILL`, at once.
    pub fn kill(mut self) -> Ended {
        self.end()
    }

    /// `SIGTERM`, and waits until it has finished what was under way.
    ///
    /// # Panics
    ///
    /// Panics if it has not ended after a minute.
    pub fn stop(mut self) -> Ended {
        let id = self.child.id().to_string();
        // The standard library can only kill.
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(told.success(), "the daemon is gone already: {}", self.log());
        let status = until("the daemon stops", SOON, || self.child.try_wait().expect("a child"));
        self.heard.all(status)
    }

    fn end(&mut self) -> Ended {
        let _ = self.child.kill();
        let status = self.child.wait().expect("a child");
        self.heard.all(status)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Starts `command`; threads listen to both of its streams, so that it never waits for us.
fn spawn(command: &mut Command) -> (Child, Heard, Receiver<String>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (sender, lines) = channel();
    let out = listen(child.stdout.take().expect("piped"), sender.clone());
    let err = listen(child.stderr.take().expect("piped"), sender);
    (child, Heard { out, err }, lines)
}

struct Heard {
    out: Ear,
    err: Ear,
}

struct Ear {
    text: Arc<Mutex<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Heard {
    fn err(&self) -> String {
        self.err.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything, once the process has ended.
    fn all(&self, status: ExitStatus) -> Ended {
        Ended { code: status.code(), out: self.out.all(), err: self.err.all() }
    }
}

impl Ear {
    fn all(&self) -> String {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().expect("listening does not fail");
        }
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn listen(stream: impl Read + Send + 'static, lines: Sender<String>) -> Ear {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&text);
    let thread = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_str(&line);
            kept.push('\n');
            // Nobody listens any more once the daemon serves.
            let _ = lines.send(line);
        }
    });
    Ear { text, thread: Mutex::new(Some(thread)) }
}

/// Where the daemon listens, if this line says so: JSON of `dev`, a log line of `serve`.
fn doors(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    if line.starts_with("{\"ready\":true") {
        let ready: serde_json::Value = serde_json::from_str(line).ok()?;
        let at = |door: &str| ready.get(door)?.as_str()?.parse().ok();
        return Some((at("rpc")?, at("web")?));
    }
    let (_, said) = line.split_once(" serving ")?;
    let at = |door: &str| said.split(' ').find_map(|word| word.strip_prefix(door)?.parse().ok());
    Some((at("rpc=")?, at("web=")?))
}
