//! Secrets of the channels: one each, in files that nobody else can read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::channel::NotifyError;

/// Longest secret in bytes: URLs of webhooks have a few hundred.
const SECRET_MAX: u64 = 4096;

/// A secret. It neither prints nor compares; its memory is wiped.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    /// Reads the one line in `path`.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] if the file is anything but a plain file of mode 0600 (or 0400) that holds one
    /// line of printable ASCII.
    pub(super) fn read(path: &Path) -> Result<Self, NotifyError> {
        let failed = |source| NotifyError::File { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        // Of the file that was opened, not of whatever stands there by now.
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if !metadata.is_file() || mode & !0o600 != 0 {
            return Err(NotifyError::Mode { path: path.into(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(SECRET_MAX.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let fits = u64::try_from(text.len()).is_ok_and(|bytes| bytes <= SECRET_MAX);
        if !fits || line.is_empty() || !line.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(NotifyError::Content {
                path: path.into(),
                rule: "it holds one line of printable ASCII without blanks, at most 4096 bytes",
            });
        }
        Ok(Self(Zeroizing::new(line.to_owned())))
    }

    /// The secret itself, for the one call that needs it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn read(content: &str, mode: u32) -> Result<String, NotifyError> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secret");
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        Secret::read(&path).map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        assert_eq!(read("s3cret\n", 0o600).expect("fine"), "s3cret");
        assert_eq!(read("s3cret", 0o400).expect("fine"), "s3cret");
        for mode in [0o644, 0o640, 0o660, 0o604, 0o700, 0o4600] {
            let error = read("s3cret\n", mode).expect_err("too open");
            assert!(matches!(error, NotifyError::Mode { mode: found, .. } if found == mode));
            assert!(!crate::report::chain(&error).contains("s3cret"));
        }
    }

    #[test]
    fn a_secret_is_one_short_line() {
        for bad in ["", "\n", "two\nlines\n", "a b\n", "caf\u{e9}\n", &"x".repeat(4097)] {
            let error = read(bad, 0o600).expect_err("not a line");
            assert!(matches!(error, NotifyError::Content { .. }), "{bad:?}");
        }
        let missing = Secret::read(Path::new("/nowhere/at/all")).map(|_| ()).expect_err("missing");
        assert!(matches!(missing, NotifyError::File { .. }));
    }
}
