//! Arguments of `breakglassd rotate`.

use std::path::PathBuf;

use anyhow::Context as _;
use breakglass_broker::config::Config;
use breakglass_broker::mint::Custody;
use breakglass_ledger::entry::KeyRole;
use clap::{Args, Subcommand, ValueEnum};

use super::unlock::Unlock;

#[derive(Subcommand)]
pub(super) enum RotateVerb {
    /// Make the next key: published from the next start on, and signing nothing
    #[command(after_help = ROTATE_EXAMPLES)]
    Prepare {
        #[command(flatten)]
        args: RotateArgs,
        /// In a file, though the configuration says that keys of this role are in a token
        #[arg(long)]
        file: bool,
    },
    /// Sign by the next key from here on; what the one of before signed goes on being trusted
    #[command(after_help = ROTATE_EXAMPLES)]
    Switch {
        #[command(flatten)]
        args: RotateArgs,
        /// Do not wait until the next key was published for a day: the current one is known to others
        #[arg(long)]
        now: bool,
    },
    /// Trust old keys no longer
    #[command(after_help = ROTATE_EXAMPLES)]
    Retire {
        #[command(flatten)]
        args: RotateArgs,
        /// Although something that they signed still counts, for this reason
        #[arg(long, value_name = "REASON")]
        force: Option<String>,
    },
    /// Remove a next key, which never signed anything
    #[command(after_help = ROTATE_EXAMPLES)]
    Abandon(RotateArgs),
    /// Show every key, where it stands, and what may be done with it
    #[command(after_help = ROTATE_EXAMPLES)]
    Status {
        #[command(flatten)]
        place: Place,
        /// How to print it
        #[arg(long, short, default_value = "table")]
        output: Output,
    },
}

#[derive(Args)]
pub(super) struct RotateArgs {
    /// Which key
    pub(super) role: Role,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Where the keys are, and what opens them.
#[derive(Args)]
pub(super) struct Place {
    /// The daemon's configuration, for its `state` and its `[keys.…]`; or give --state, if no key is in a
    /// token
    #[arg(long, value_name = "FILE", required_unless_present = "state")]
    config: Option<PathBuf>,
    /// The state directory, made by `init`
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    unlock: Unlock,
}

impl Place {
    /// The state directory, and how its keys are kept.
    pub(super) fn found(self) -> anyhow::Result<(PathBuf, Custody)> {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let (keys, configured) = config.map(|config| (config.keys, config.state)).unzip();
        let state = self.state.or(configured).context("name a configuration, or --state")?;
        let custody = self.unlock.custody_of(&keys.unwrap_or_default())?;
        Ok((state, custody.while_rotating()))
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Signs SSH certificates
    SshCa,
    /// Signs revocation lists for hosts
    Lists,
    /// Signs the daemon's TLS certificates, which clients pin
    TlsCa,
    /// Signs X.509 client certificates and their list
    X509Ca,
    /// Signs tokens
    JwtKey,
}

impl Role {
    pub(super) const fn named(self) -> KeyRole {
        match self {
            Self::SshCa => KeyRole::SshCa,
            Self::Lists => KeyRole::Lists,
            Self::TlsCa => KeyRole::TlsCa,
            Self::X509Ca => KeyRole::X509Ca,
            Self::JwtKey => KeyRole::JwtKey,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

pub(super) const ROTATE_EXAMPLES: &str = "\
The log's key is the ledger's identity and is never replaced. A state directory that is older than
x509-ca or jwt-key gets its first by the same steps, without a day between them.

A key in a PKCS#11 token is replaced by one at the last place that its table names, and so is a key in a
file that is to go into a token. Name the configuration, so that the token is found:
      [keys.x509-ca]
      pkcs11 = [ { module = \"…\", token = \"hsm\", key = \"x509-ca\", pin = \"pin\" },
                 { module = \"…\", token = \"hsm\", key = \"x509-ca-2\", pin = \"pin\" } ]

Examples:
      breakglassd rotate prepare x509-ca --config /etc/breakglass/breakglassd.toml
      breakglassd rotate prepare ssh-ca --state /var/lib/breakglass
      breakglassd rotate switch  ssh-ca --state /var/lib/breakglass      # a day later
      breakglassd rotate retire  ssh-ca --state /var/lib/breakglass      # when nothing of it counts
      breakglassd rotate status --state /var/lib/breakglass -o json";
