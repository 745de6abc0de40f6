//! The list of tokens that count no more although their time is not over, for who verifies tokens
//! without asking us: one object of JSON.
//!
//! Holds no key: the signature over a list is made by `mint`, the files are written by `publish`.

use breakglass_ledger::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most tokens in one list, of about 60 bytes each: whoever reads it holds 30 MiB in memory.
pub const ENTRIES_MAX: usize = 500_000;

/// Largest list, in bytes.
pub const LIST_MAX: usize = 64 * ENTRIES_MAX + 4096;

/// An entry stays this long after its token's end, for verifiers whose clocks are behind or forgiving.
pub const KEPT_SECONDS: u64 = 300;

/// Namespace of the signature over a list.
pub const NAMESPACE: &str = "deny.v1@breakglass";

/// A list, and who vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDeny {
    /// The list: one object without blanks, keys sorted.
    pub json: String,
    /// Armored SSHSIG over `json`, namespace [`NAMESPACE`].
    pub signature: String,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// Each token's `jti`, those first whose time is over first.
    pub denied: Vec<String>,
    /// Origin of the ledger.
    pub log: String,
    /// When it was made.
    pub time: Timestamp,
    /// Number of this list; a later one has a higher number. The same as that of the lists beside it.
    pub version: u64,
}

/// A list cannot be made, or is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenyError {
    /// More than [`ENTRIES_MAX`] entries.
    #[error("the list of denied tokens is longer than {ENTRIES_MAX}")]
    TooMany,
    /// Not one object in the one form there is.
    #[error("not a list of denied tokens")]
    Malformed,
}

/// The list's bytes.
///
/// # Errors
///
/// [`DenyError`].
pub fn write(deny: &Deny) -> Result<String, DenyError> {
    if deny.denied.len() > ENTRIES_MAX {
        return Err(DenyError::TooMany);
    }
    serde_json::to_string(deny).map_err(|_| DenyError::Malformed)
}

/// Reads a list strictly: in any other form it is none.
///
/// # Errors
///
/// [`DenyError`].
pub fn read(json: &str) -> Result<Deny, DenyError> {
    let deny: Deny = serde_json::from_str(json).map_err(|_| DenyError::Malformed)?;
    if write(&deny)? != json {
        return Err(DenyError::Malformed);
    }
    Ok(deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_object_in_one_form() {
        let time = Timestamp::from_unix_seconds(1_795_348_800);
        let denied = vec!["req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d.41".to_owned()];
        let log = "payments/3f9a".to_owned();
        let list = Deny { denied, log, time, version: 42 };
        let json = write(&list).unwrap();
        assert_eq!(
            json,
            "{\"denied\":[\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d.41\"],\
             \"log\":\"payments/3f9a\",\"time\":\"2026-11-22T12:00:00Z\",\"version\":42}"
        );
        assert_eq!(read(&json), Ok(list));
        for other in [
            json.replace("\"version\":42", "\"version\": 42"),
            json.replace("\"version\":42", "\"version\":42,\"version\":42"),
            json.replace("\"version\":42", "\"version\":42,\"more\":1"),
            json.replace("\"denied\":[", "\"denied\":[1,"),
            format!("{json}\n"),
            json.replace("\"log\"", "\"loh\""),
        ] {
            assert_ne!(other, json);
            assert_eq!(read(&other), Err(DenyError::Malformed), "{other}");
        }
    }
}
