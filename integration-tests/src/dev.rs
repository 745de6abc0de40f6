//! `breakglassd dev` with its sample people, each of them at a client of their own.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{Daemon, breakglassd, program};
use crate::idp::keep_port;
use crate::sshd::{Lets, Sshd};
use crate::wait::until;

/// Longest that one client may take, `demo` included, on a machine that is busy otherwise.
pub const LONG: Duration = Duration::from_secs(180);

/// Who signs the tokens of a throw-away broker.
pub const ISSUER: &str = "https://breakglass-dev.invalid";

/// A throw-away broker and the directory that it keeps everything in.
pub struct Dev {
    /// The broker; `None` while it is down.
    pub daemon: Option<Daemon>,
    /// Further lines of its configuration, from its next start on.
    pub more: String,
    /// What its next start finds in its environment besides.
    pub environment: Vec<(&'static str, PathBuf)>,
    dir: tempfile::TempDir,
}

/// What a client said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its stdout, trimmed.
    pub out: String,
    /// Its stderr.
    pub err: String,
}

/// A client that runs by itself for a while. Ended when dropped.
pub struct Running(Option<Child>);

impl Dev {
    /// Starts the broker.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let daemon = Daemon::dev(&dir.path().join("broker")).expect("the daemon starts");
        Self { daemon: Some(daemon), more: String::new(), environment: Vec::new(), dir }
    }

    /// The broker stops as it is asked to, `meanwhile` is done, and it is back at the same addresses.
    ///
    /// # Panics
    ///
    /// Panics if it does not run, or does not come back.
    pub fn while_stopped<T>(&mut self, meanwhile: impl FnOnce(&Self) -> T) -> T {
        self.while_gone(|daemon| drop(daemon.stop()), meanwhile)
    }

    /// The same after `SIGKILL`.
    ///
    /// # Panics
    ///
    /// Panics if it does not run, or does not come back.
    pub fn while_killed<T>(&mut self, meanwhile: impl FnOnce(&Self) -> T) -> T {
        self.while_gone(|daemon| drop(daemon.kill()), meanwhile)
    }

    fn while_gone<T>(&mut self, end: impl FnOnce(Daemon), meanwhile: impl FnOnce(&Self) -> T) -> T {
        let daemon = self.daemon.take().expect("the broker runs");
        let (rpc, web) = (daemon.rpc, daemon.web);
        end(daemon);
        // Until it is back, nobody else is given its ports.
        let _kept = [rpc, web].map(keep_port);
        // As `dev` serves: without an issuer it would mint no tokens.
        let state = self.path("broker/state");
        let text = format!(
            "state = \"{}\"\nlisten = \"{rpc}\"\nweb = \"{web}\"\n[jwt]\nissuer = \"{ISSUER}\"\n{}",
            state.display(),
            self.more
        );
        std::fs::write(self.config(), text).expect("written");
        let done = meanwhile(self);
        let mut serve = breakglassd();
        serve.arg("serve").arg("--config").arg(self.config()).envs(self.environment.clone());
        self.daemon = Some(Daemon::start(&mut serve).expect("the broker is back"));
        done
    }

    /// The broker's configuration, once it was stopped.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path("breakglassd.toml")
    }

    /// A path that belongs to this test.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `breakglass` as `person` runs it, with nothing of this machine's own user about it.
    #[must_use]
    pub fn client(&self, person: &str, arguments: &[&str]) -> Command {
        let mut command = breakglass(&self.path("home"));
        let config = self.path("broker/config").join(format!("{person}.toml"));
        command.arg("--config").arg(config).args(arguments).current_dir(self.dir.path());
        command
    }

    /// What comes of `arguments` when `person` gives them.
    #[must_use]
    pub fn says(&self, person: &str, arguments: &[&str]) -> Said {
        Running::of(self.client(person, arguments)).end()
    }

    /// Stdout of a command that must be done.
    ///
    /// # Panics
    ///
    /// Panics if it ends otherwise.
    pub fn done(&self, person: &str, arguments: &[&str]) -> String {
        let said = self.says(person, arguments);
        assert_eq!(said.code, 0, "{person}: {arguments:?}: {said:?}");
        said.out
    }

    /// The same with `-o json`: the one object on stdout.
    #[must_use]
    pub fn json(&self, person: &str, arguments: &[&str]) -> Value {
        let out = self.done(person, &[&["-o", "json"], arguments].concat());
        serde_json::from_str(&out).expect("one JSON object")
    }

    /// The id of the first request that waits for `person`, once there is one.
    #[must_use]
    pub fn first_pending(&self, person: &str) -> String {
        until("a request is pending", LONG, || {
            let pending = self.json(person, &["pending"]);
            Some(pending.pointer("/requests/0/id")?.as_str()?.to_owned())
        })
    }

    /// The body of a page of the broker's read-only HTTP side.
    ///
    /// # Panics
    ///
    /// Panics if there is no such page.
    #[must_use]
    pub fn page(&self, path: &str) -> Vec<u8> {
        let web = self.daemon.as_ref().expect("the broker runs").web;
        let mut stream = TcpStream::connect(web).expect("the page's door");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n")
            .expect("asked");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        answer.split_off(end + 4)
    }

    /// The list of revoked certificates, where the broker puts it for hosts on its own machine.
    #[must_use]
    pub fn revoked(&self) -> PathBuf {
        self.path("broker/state/lists/current/krl")
    }

    /// A host that trusts the broker, reads its list, and lets `principals` in.
    #[must_use]
    pub fn host(&self, principals: &[&str]) -> Sshd {
        let authority = String::from_utf8(self.page("/v1/ssh/ca.pub")).expect("text");
        Sshd::start(&Lets {
            authorities: vec![authority.trim().to_owned()],
            revoked: Some(self.revoked()),
            principals: principals.iter().map(|name| (*name).to_owned()).collect(),
        })
    }
}

/// `breakglass` of this build, in an environment of its own.
#[must_use]
pub fn breakglass(home: &Path) -> Command {
    let mut command = Command::new(program("breakglass"));
    command.env_clear().env("HOME", home).env("TZ", "UTC").env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

impl Running {
    /// Starts `command`.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the program starts")))
    }

    /// Whether it still runs.
    ///
    /// # Panics
    ///
    /// Panics if the system does not say.
    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| child.try_wait().expect("a child").is_none())
    }

    /// Waits for its end, and listens meanwhile: completions are more than a pipe holds.
    ///
    /// # Panics
    ///
    /// Panics if it takes longer than [`LONG`].
    #[must_use]
    pub fn end(mut self) -> Said {
        let child = self.0.as_mut().expect("once");
        let out = listen(child.stdout.take().expect("piped"));
        let err = listen(child.stderr.take().expect("piped"));
        until("the client ends", LONG, || (!self.is_running()).then_some(()));
        let status = self.0.take().expect("once").wait().expect("ended");
        let text = |ear: JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&ear.join().expect("listening does not fail")).into_owned()
        };
        Said { code: status.code().unwrap_or(-1), out: text(out).trim().to_owned(), err: text(err) }
    }
}

/// Everything that `stream` says until it closes.
fn listen(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        // What was heard before the stream broke is what there is.
        let _ = stream.read_to_end(&mut said);
        said
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
