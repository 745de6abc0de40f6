//! The armor around the blob: what `ssh-keygen -Y sign` writes and nothing else.

use data_encoding::BASE64;

use super::{ARMORED_MAX, SshSigError};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";

/// Characters of base64 in a line, as OpenSSH's `sshbuf_dtob64` wraps.
const LINE: usize = 70;

/// The blob inside `armored`.
pub(super) fn read(armored: &str) -> Result<Vec<u8>, SshSigError> {
    if armored.len() > ARMORED_MAX {
        return Err(SshSigError::Malformed { rule: "over 8 KiB" });
    }
    let inner = armored.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or(SshSigError::Malformed {
        rule: "not between the lines BEGIN and END SSH SIGNATURE, each with its line feed",
    })?;
    let joined = inner.replace('\n', "");
    let blob = BASE64
        .decode(joined.as_bytes())
        .map_err(|_| SshSigError::Malformed { rule: "not canonical padded base64" })?;
    if write(&blob) == armored {
        Ok(blob)
    } else {
        Err(SshSigError::Malformed { rule: "not in lines of 70 characters" })
    }
}

/// The one armored text of `blob`.
pub(super) fn write(blob: &[u8]) -> String {
    let encoded = BASE64.encode(blob);
    let mut armored = String::from(BEGIN);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        armored.push_str(line);
        armored.push('\n');
        rest = after;
    }
    armored.push_str(END);
    armored
}
