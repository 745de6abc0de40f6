//! What `breakglassd` understands, and how it explains itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use breakglass_ledger::principal::CallerId;
use clap::{Args, Parser, Subcommand};

use super::rotate_args::{ROTATE_EXAMPLES, RotateVerb};
use super::unlock::Unlock;

/// The break-glass broker: takes emergency requests, enforces the approval chain, mints
/// short-lived credentials, revokes them, and writes all of it down.
#[derive(Parser)]
#[command(name = "breakglassd", version, about, after_help = EXAMPLES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  Try it, with nothing to set up (a throw-away broker with a sample policy):
      breakglassd dev

  Set one up for real, then start it:
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy
      breakglassd serve --state /var/lib/breakglass

Exit codes: 0 done, 1 failed, 2 usage, 3 a signature is still missing, 5 the policy is refused.";

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Begin a deployment: keys, ledger, first policy; print the trust file and the clients'
    /// configuration
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// Directory for keys, ledger and revocation lists; made if missing
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// Name of this deployment, for ever: 1 to 64 of a-z 0-9 . _ -
        #[arg(long)]
        name: String,
        /// Directory with authority.toml, people.toml, rules.cedar, scopes.toml
        #[arg(long, value_name = "DIR")]
        policy: PathBuf,
        /// Address for clients to connect to; repeat for several
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7443")]
        advertise: Vec<String>,
        /// Encrypt the private keys; without a passphrase it fails
        #[arg(long)]
        encrypt: bool,
        /// The daemon's configuration, for its `[keys.…]`: those are made in their tokens, or taken over
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        unlock: Unlock,
    },
    /// Run the broker until SIGTERM or SIGINT
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Run a throw-away broker with a sample policy and sample people, until interrupted
    #[command(after_help = DEV_EXAMPLES)]
    Dev {
        /// Empty directory to put everything in, and to keep; without it a temporary one, removed at
        /// the end
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Make the secret of a service that asks about tokens: the secret on stdout, once, and the lines
    /// for the configuration on stderr
    #[command(after_help = CALLER_EXAMPLES)]
    Caller {
        /// Name of the service: 1 to 64 of a-z 0-9 . _ -
        id: CallerId,
    },
    /// Encrypt the private keys of a state directory, change the passphrase, or decrypt them
    #[command(after_help = KEYS_EXAMPLES)]
    Keys {
        #[command(subcommand)]
        verb: KeysVerb,
    },
    /// Tell people: try a channel of the configuration
    #[command(after_help = NOTIFY_EXAMPLES)]
    Notify {
        #[command(subcommand)]
        verb: NotifyVerb,
    },
    /// Derive every table again from the ledger's entries and compare (stop the daemon first)
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The state directory, made by `init`
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        #[command(flatten)]
        unlock: Unlock,
    },
    /// Replace one of the broker's keys, both trusted meanwhile (stop the daemon first)
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate {
        #[command(subcommand)]
        verb: RotateVerb,
    },
    /// Erase one free text, such as a pasted password; the ledger will say that it was erased (stop
    /// the daemon first)
    #[command(after_help = ERASE_EXAMPLES)]
    Erase {
        /// The state directory, made by `init`
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// The text's commitment as statements show it: sha256:<64 hex digits>
        commitment: String,
        #[command(flatten)]
        unlock: Unlock,
    },
}

#[derive(Subcommand)]
pub(super) enum KeysVerb {
    /// Encrypt them under the passphrase given
    #[command(after_help = KEYS_EXAMPLES)]
    Encrypt(KeysArgs),
    /// Encrypt them under another passphrase
    #[command(after_help = KEYS_EXAMPLES)]
    Rewrap {
        #[command(flatten)]
        keys: KeysArgs,
        /// Read the new passphrase from this open file descriptor; without it the systemd credential
        /// `breakglass-keys-new` is read
        #[arg(long, value_name = "N")]
        new_passphrase_fd: Option<u16>,
    },
    /// Write them without encryption
    #[command(after_help = KEYS_EXAMPLES)]
    Decrypt(KeysArgs),
}

#[derive(Args)]
pub(super) struct KeysArgs {
    /// The state directory, made by `init`
    #[arg(long, value_name = "DIR")]
    pub(super) state: PathBuf,
    #[command(flatten)]
    pub(super) unlock: Unlock,
}

const KEYS_EXAMPLES: &str = "\
All keys change in one step: after a crash they are all as before or all as wanted, and the same
command may be run again. A running daemon goes on; it needs the passphrase at its next start.

Examples:
      breakglassd keys encrypt --state /var/lib/breakglass --passphrase-fd 3 3< passphrase
      systemd-ask-password | breakglassd keys encrypt --state /var/lib/breakglass --passphrase-fd 0
      breakglassd keys rewrap --state /var/lib/breakglass --passphrase-fd 3 --new-passphrase-fd 4 \
          3< old 4< new
      breakglassd keys decrypt --state /var/lib/breakglass --passphrase-fd 3 3< passphrase";

#[derive(Subcommand)]
pub(super) enum NotifyVerb {
    /// Send one test notice, marked as such, and say whether the other side took it
    #[command(after_help = NOTIFY_EXAMPLES)]
    Test {
        /// The configuration file of the daemon
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// NAME of a channel, or an address as in people.toml, NAME:ADDRESS
        channel: String,
    },
}

const NOTIFY_EXAMPLES: &str = "\
It needs no running daemon and writes nothing into the ledger.

Examples:
      breakglassd notify test --config /etc/breakglass/breakglassd.toml slack
      breakglassd notify test --config /etc/breakglass/breakglassd.toml mailto:sam@example.com";

const CALLER_EXAMPLES: &str = "\
Nothing is kept: the configuration has the secret's digest, the service has the secret.

Examples:
      breakglassd caller gateway > /run/credentials/gateway
      breakglassd caller cluster-a 2>> /etc/breakglass/breakglassd.toml > cluster-a.secret";

const INIT_EXAMPLES: &str = "\
The first policy must be signed by the quorum of its own authority, so `init` is run
twice. The first run makes the keys, writes the manifest into the policy directory, and
says who has to sign it (exit code 3). The second run, once they have, begins the ledger.

Examples:
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy
      breakglass policy sign ./policy --key ~/.ssh/id_ed25519
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy

With private keys encrypted at rest:
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy \
          --encrypt --passphrase-fd 3 3< passphrase

With keys in a PKCS#11 token, as `[keys.ssh-ca]` and so on of the configuration say:
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy \
          --config /etc/breakglass/breakglassd.toml";

const SERVE_EXAMPLES: &str = "\
It logs to stderr. An argument beats the configuration file, the file beats the default.

Examples:
      breakglassd serve --config /etc/breakglass/breakglassd.toml
      breakglassd serve --state /var/lib/breakglass --listen 10.0.0.5:7443
      breakglassd serve --state /var/lib/breakglass --passphrase-fd 3 3< passphrase

The configuration file:
      state  = \"/var/lib/breakglass\"       # made by `breakglassd init`
      listen = \"0.0.0.0:7443\"              # gRPC over TLS 1.3, for clients
      web    = \"127.0.0.1:7480\"            # read-only HTTP: KRL, CA key, checkpoint
      names  = [\"breakglass.example.com\"]  # further names in the server's certificate
      [keys.ssh-ca]                         # likewise x509-ca, jwt-key: a key in a PKCS#11 token
      pkcs11 = { module = \"/usr/lib/softhsm/libsofthsm2.so\", token = \"breakglass\", key = \"ssh-ca\",
                 pin = \"token-pin\" }       # systemd credential, or absolute path of a file, 0600";

const CHECK_EXAMPLES: &str = "\
Examples:
      breakglassd check --state /var/lib/breakglass";

const ERASE_EXAMPLES: &str = "\
What was signed and written down stays: statements carry the text's commitment, not the text.

Examples:
      breakglassd erase --state /var/lib/breakglass sha256:3f9a…";

const DEV_EXAMPLES: &str = "\
Prints one line of JSON when it is ready. Then, in another terminal:
      export BREAKGLASS_CONFIG=DIR/config/sam.toml
      breakglass request root-on-host --reason 'disk full' --incident INC-1

Examples:
      breakglassd dev
      breakglassd dev --dir ./dev";

#[derive(Args)]
pub(super) struct ServeArgs {
    /// The configuration file; or give --state and use the defaults
    #[arg(long, value_name = "FILE", required_unless_present = "state")]
    pub(super) config: Option<PathBuf>,
    /// The state directory, made by `init`
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Where gRPC listens (default 0.0.0.0:7443)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Where the read-only HTTP side listens (default 127.0.0.1:7480)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) web: Option<SocketAddr>,
    /// Start although the guard file is missing or unreadable: only after checking the ledger
    /// against a checkpoint that somebody else kept
    #[arg(long)]
    pub(super) accept_guard_loss: bool,
    /// Start although the clock is far ahead of the newest entry: only after checking the clock
    #[arg(long)]
    pub(super) accept_clock: bool,
    #[command(flatten)]
    pub(super) unlock: Unlock,
}
