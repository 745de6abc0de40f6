//! Security keys without hardware: stock `ssh-keygen`, `ssh-agent` and `ssh-sk-helper` do with the
//! middleware of `tools/security-key.c` all that they do with a token.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use breakglass_client::agent::Agent;
use breakglass_ledger::key::PublicKey;

use crate::wait::{SOON, until};

/// The middleware, and the key files made with it; removed when dropped.
pub struct SecurityKeys {
    dir: tempfile::TempDir,
}

/// A running agent. Ended when dropped.
pub struct KeyAgent {
    child: Child,
    socket: PathBuf,
    middleware: PathBuf,
}

impl SecurityKeys {
    /// Compiles the middleware.
    ///
    /// # Panics
    ///
    /// Panics if there is no C compiler or no libcrypto to compile against.
    #[must_use]
    pub fn new() -> Self {
        let keys = Self { dir: tempfile::tempdir().expect("a directory") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/security-key.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        done(compiler.arg(keys.middleware()).arg(source).arg("-lcrypto"));
        keys
    }

    /// Makes a key of type `kind` (`ed25519-sk` or `ecdsa-sk`) with more arguments for `ssh-keygen`.
    ///
    /// # Panics
    ///
    /// Panics if `ssh-keygen` does not.
    #[must_use]
    pub fn make(&self, name: &str, kind: &str, more: &[&str]) -> PublicKey {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-C", name, "-t", kind]).args(more);
        done(keygen.arg("-w").arg(self.middleware()).arg("-f").arg(self.path(name)));
        let line = std::fs::read_to_string(self.path(name).with_extension("pub"));
        PublicKey::from_openssh(line.expect("a public key").trim()).expect("an accepted key")
    }

    /// An agent that holds the keys `names`.
    #[must_use]
    pub fn agent(&self, names: &[&str]) -> KeyAgent {
        self.agent_with(names, &[])
    }

    /// An agent that holds the keys `names`, all of which nobody ever touches.
    #[must_use]
    pub fn untouched_agent(&self, names: &[&str]) -> KeyAgent {
        self.agent_with(names, &[("SECURITY_KEY_UNTOUCHED", "1")])
    }

    fn agent_with(&self, names: &[&str], variables: &[(&str, &str)]) -> KeyAgent {
        let agent = KeyAgent::start(&self.path("agent"), &self.middleware(), variables);
        for name in names {
            agent.load(&self.path(name));
        }
        agent
    }

    fn middleware(&self) -> PathBuf {
        self.path("security-key.so")
    }

    /// The agent resolves links before it asks whether it may load a middleware; so do we.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("the directory").join(name)
    }
}

impl Default for SecurityKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyAgent {
    fn start(socket: &Path, middleware: &Path, variables: &[(&str, &str)]) -> Self {
        // One that was killed leaves its socket behind.
        let _ = std::fs::remove_file(socket);
        let mut agent = Command::new("ssh-agent");
        agent.arg("-D").arg("-a").arg(socket).arg("-P").arg(middleware);
        agent.envs(variables.iter().copied()).stdin(Stdio::null());
        let child = agent.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ssh-agent");
        let (socket, middleware) = (socket.to_owned(), middleware.to_owned());
        let started = Self { child, socket, middleware };
        until("the agent listens", SOON, || Agent::at(started.socket()).ok());
        started
    }

    fn load(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-S").arg(&self.middleware).arg(key).env("SSH_AUTH_SOCK", &self.socket);
        done(&mut add);
    }

    /// For `SSH_AUTH_SOCK`.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
