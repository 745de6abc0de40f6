//! What travels by hand while the network path to the broker is broken: a request to be approved,
//! and the approval of it.
//!
//! Both are one strict JSON object, bounded in size, and complete: whoever holds one needs nothing
//! else to judge it. Nothing in them is believed: statements, signatures, texts and the policy are
//! verified again whenever a file is used, and the broker judges what arrives like any other act.

mod approval;
mod case;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};
use crate::output::json_text;
use crate::state::{StateError, read_bounded, write_new};

pub use approval::Approval;
pub use case::Case;

/// A text and the salt of its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// 64 hex digits.
    salt: String,
    text: String,
}

impl Text {
    fn new(salt: &[u8], text: &str) -> Self {
        Self { salt: data_encoding::HEXLOWER.encode(salt), text: text.to_owned() }
    }

    fn salt(&self) -> Result<[u8; 32], FileError> {
        let salt = data_encoding::HEXLOWER.decode(self.salt.as_bytes()).ok();
        let salt = salt.and_then(|salt| salt.try_into().ok());
        salt.ok_or_else(|| FileError::Form("a salt is not 64 hex digits".to_owned()))
    }
}

/// Writes `value` to the new file `path`, mode 0600: it may hold texts that are not for everybody.
fn save(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))?;
    let mut text = json_text(&text);
    text.push('\n');
    match write_new(path, text.as_bytes()) {
        Err(StateError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::AlreadyExists =>
        {
            Err(Failure::usage(
                format!("{} is there already", path.display()),
                "name a file that does not exist yet",
            ))
        }
        written => Ok(written?),
    }
}

/// Reads one object of at most `most` bytes: no unknown key, no key twice, nothing after it.
fn load<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T, Failure> {
    let bytes = match read_bounded(path, most) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let what = format!("there is no file {}", path.display());
            return Err(Failure::usage(what, "check the name"));
        }
        Err(StateError::Damaged(_)) => return Err(FileError::TooLong(most).into()),
        Err(error) => {
            return Err(Failure::usage(error.to_string(), "name a file that can be read"));
        }
    };
    Ok(serde_json::from_slice(&bytes).map_err(|error| FileError::Form(error.to_string()))?)
}

/// Refuses what another verb, or another version, wrote.
fn is_format(found: &str, expected: &'static str) -> Result<(), FileError> {
    if found == expected {
        return Ok(());
    }
    Err(FileError::Format { found: found.to_owned(), expected })
}

/// Why a file that was carried is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Longer than any that this program writes.
    #[error("the file has more than {0} bytes, which no file of this kind has")]
    TooLong(u64),
    /// Not in form.
    #[error("the file is not in form: {0}")]
    Form(String),
    /// Something else than was expected.
    #[error("the file says that it is `{found}`, and `{expected}` is needed")]
    Format {
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// For another ledger.
    #[error("the file is for the ledger {found}, and this machine is set up for {expected}")]
    OtherLog {
        /// The ledger named in it.
        found: String,
        /// The one configured here.
        expected: String,
    },
    /// A signature or a commitment does not hold.
    #[error("the file was changed after signing: {0}")]
    Edited(String),
    /// The statement in it is over.
    #[error("the approval expired at {0}; it was not sent, and no broker would take it")]
    Expired(breakglass_ledger::time::Timestamp),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let (exit, meaning, remedy) = match error {
            FileError::TooLong(_) | FileError::Form(_) | FileError::Format { .. } => (
                Exit::Malformed,
                "it is not used for anything",
                "have it sent again; `show ID --save` and `approve FILE --offline` write such files",
            ),
            FileError::OtherLog { .. } => (
                Exit::Usage,
                "it is worthless here; nothing was signed and nothing was sent",
                "use the configuration of the deployment that it is for",
            ),
            FileError::Edited(_) => (
                Exit::Tampered,
                "what it says is not what was signed; nothing was signed and nothing was sent",
                "ask whoever made it, by another way, and have it sent again",
            ),
            FileError::Expired(_) => (
                Exit::Lapsed,
                "a late approval revives nothing",
                "if the request still waits, have it approved again",
            ),
        };
        Self::new(exit, error.to_string(), meaning, remedy)
    }
}

#[cfg(test)]
mod tests;
