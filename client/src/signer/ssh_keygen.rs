//! `ssh-keygen -Y sign`: for keys that are encrypted, on a token, or anything else this program
//! leaves to OpenSSH.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::SshSig;

use super::SignError;
use crate::state::read_bounded;

/// A key that `ssh-keygen` signs with.
pub struct SshKeygen {
    path: PathBuf,
    public: PublicKey,
}

impl SshKeygen {
    /// The key at `path`, known by `path.pub`, or else by what `ssh-keygen -y` says.
    ///
    /// # Errors
    ///
    /// [`SignError`] if its public part cannot be found out.
    pub fn open(path: &Path) -> Result<Self, SignError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".pub");
        let wrong = |why: String| SignError::File { path: path.display().to_string(), why };
        let bytes = read_bounded(Path::new(&beside), LINE_MAX);
        let line = match bytes.map_err(|error| wrong(error.to_string()))? {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(path), b"")?,
        };
        let first = line.lines().next().unwrap_or_default();
        Ok(Self { path: path.to_owned(), public: PublicKey::from_openssh(first)? })
    }

    /// Its public part.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` in `namespace`. `ssh-keygen` asks for a passphrase or a touch by itself.
    ///
    /// # Errors
    ///
    /// [`SignError::SshKeygen`] with what it said, [`SignError::Signature`] if its output is not
    /// an accepted signature.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<SshSig, SignError> {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(&self.path);
        Ok(SshSig::parse(&run(&mut command, message)?)?)
    }
}

/// What `command` printed, given `input`. Its prompts go to the terminal, not through here.
fn run(command: &mut Command, input: &[u8]) -> Result<String, SignError> {
    let failed = |error: std::io::Error| SignError::SshKeygen(error.to_string());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A broken pipe means that it gave up; what it said is in its stderr.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SignError::SshKeygen(said));
    }
    String::from_utf8(output.stdout).map_err(|error| SignError::SshKeygen(error.to_string()))
}

/// One public key with a long comment.
const LINE_MAX: u64 = 16_384;
