//! The configuration file, read strictly: what is unknown is an error that names key and line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::{Exit, Failure};

/// The file's keys, all optional; see [`super::Config`] for what each must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// Addresses, `host:port`.
    pub brokers: Option<Vec<String>>,
    /// PEM text, or a path relative to the file.
    pub tls_ca: Option<String>,
    /// PEM text of the X.509 authority, or a path relative to the file.
    pub x509_ca: Option<String>,
    /// Origin of the ledger.
    pub log: Option<String>,
    /// Its verifier key.
    pub log_key: Option<String>,
    /// Principal id of the user.
    pub by: Option<String>,
    /// What the user signs with.
    pub key: Option<String>,
    /// Where state is kept; relative to the file.
    pub state_dir: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file at `path`; relative paths in it count from its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, and the key and line where one is at fault.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: Self = read_toml(path)?;
        Ok(file.below(path.parent().unwrap_or(Path::new(""))))
    }

    /// The same, its relative paths counted from `base`.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        let certificate = |ca: String| {
            let is_inline = ca.contains("-----BEGIN");
            if is_inline { ca } else { base.join(ca).to_string_lossy().into_owned() }
        };
        Self {
            state_dir: self.state_dir.map(|dir| base.join(dir)),
            tls_ca: self.tls_ca.map(certificate),
            x509_ca: self.x509_ca.map(certificate),
            key: self.key.map(|key| super::key::below(base, &key)),
            ..self
        }
    }
}

/// Reads the TOML file at `path`.
///
/// # Errors
///
/// [`ConfigError`] naming the file, and the key and line where one is at fault.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read_bounded(path, FILE_MAX)?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        ConfigError::Line {
            path: path.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            rule: error.message().to_owned(),
        }
    })
}

/// The text of the file at `path`, if it is at most `limit` bytes.
///
/// # Errors
///
/// [`ConfigError::Unreadable`].
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<String, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    let mut bounded = file.take(limit.saturating_add(1));
    bounded.read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if bounded.limit() == 0 {
        return Err(unreadable(format!("more than {limit} bytes")));
    }
    Ok(text)
}

/// What is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A line of the file is wrong.
    #[error("{}, line {line}: {rule}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong there; names the key.
        rule: String,
    },
    /// Something is needed that nobody said.
    #[error("`{key}` is not configured")]
    Missing {
        /// The key in the file.
        key: &'static str,
        /// The flag.
        flag: &'static str,
        /// The variable.
        variable: &'static str,
    },
    /// A value is not what it must be.
    #[error("`{key}`: {rule}")]
    Value {
        /// The key in the file.
        key: &'static str,
        /// What is wrong.
        rule: String,
    },
    /// There is no place to keep state.
    #[error("neither --state-dir nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let remedy = match &error {
            ConfigError::Unreadable { .. } => "check the path and its permissions".to_owned(),
            ConfigError::Line { .. } => {
                "correct that line; known keys: brokers, tls-ca, x509-ca, log, log-key, by, key, \
                 state-dir"
                    .to_owned()
            }
            ConfigError::Missing { key, flag, variable } => format!(
                "put `{key} = …` into ~/.config/breakglass/config.toml, or give {flag} or {variable}"
            ),
            ConfigError::Value { key, .. } => {
                format!("correct `{key}` in the file, its flag or its variable")
            }
            ConfigError::NoHome => "give --state-dir DIR".to_owned(),
        };
        Self::new(Exit::Usage, error.to_string(), "nothing was sent", remedy)
    }
}

/// A dozen lines and an inline certificate.
const FILE_MAX: u64 = 256 * 1024;
