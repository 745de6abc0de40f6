//! What to sign with, as a person writes it.

use std::path::{Path, PathBuf};

use super::ConfigError;

/// What the user signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// The key in ssh-agent with this fingerprint, `SHA256:…`.
    Agent(String),
    /// The only key in ssh-agent.
    OnlyOneInAgent,
    /// An OpenSSH private key file, read in this process if it is not encrypted.
    File(PathBuf),
    /// A key that `ssh-keygen -Y sign -f PATH` can sign with.
    SshKeygen(PathBuf),
}

impl KeyChoice {
    /// `SHA256:…` is a key in the agent, `ssh-keygen:PATH` is left to ssh-keygen, all else is the
    /// path of a private key file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the text is empty or no fingerprint after `SHA256:`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |rule: &str| ConfigError::Value { key: "key", rule: rule.to_owned() };
        if let Some(hash) = text.strip_prefix("SHA256:") {
            let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
            if hash.len() != FINGERPRINT_LENGTH || !hash.bytes().all(is_base64) {
                return Err(wrong(
                    "not a fingerprint (SHA256: and 43 characters, see `ssh-add -l`)",
                ));
            }
            return Ok(Self::Agent(text.to_owned()));
        }
        if let Some(path) = text.strip_prefix(SSH_KEYGEN) {
            return Ok(Self::SshKeygen(PathBuf::from(path)));
        }
        if text.is_empty() {
            return Err(wrong("empty; give SHA256:…, a path, or ssh-keygen:PATH"));
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

/// `text` with its path, if it has one, counted from `base`.
pub(super) fn below(base: &Path, text: &str) -> String {
    if text.starts_with("SHA256:") || text.is_empty() {
        return text.to_owned();
    }
    let (prefix, path) =
        text.strip_prefix(SSH_KEYGEN).map_or(("", text), |path| (SSH_KEYGEN, path));
    let path = path.strip_prefix("~/").map_or_else(|| base.join(path), at_home);
    format!("{prefix}{}", path.display())
}

fn at_home(path: &str) -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(path)
}

const SSH_KEYGEN: &str = "ssh-keygen:";

/// 32 bytes in base64 without padding.
const FINGERPRINT_LENGTH: usize = 43;
