//! `breakglassd`: arguments → configuration → parts → doors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use breakglass_broker::config::Config;
use breakglass_broker::{check, dev, erase, init, report, serve};

/// The break-glass broker: takes emergency requests, enforces the approval chain, mints
/// short-lived credentials, revokes them, and writes all of it down.
#[derive(Parser)]
#[command(name = "breakglassd", version, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
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
enum Verb {
    /// Make keys, the ledger's first entries and the first policy; print the trust file and the
    /// clients' configuration
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// Where keys, ledger and lists will live; made if missing
        #[arg(long)]
        state: PathBuf,
        /// Name of this deployment: 1 to 64 of a-z 0-9 . _ -
        #[arg(long)]
        name: String,
        /// Directory with authority.toml, people.toml, rules.cedar, scopes.toml
        #[arg(long)]
        policy: PathBuf,
        /// Address for clients to connect to; repeat for several
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7443")]
        advertise: Vec<String>,
    },
    /// Run the broker
    Serve(ServeArgs),
    /// Run a throw-away broker with a sample policy and sample people, until interrupted
    #[command(after_help = DEV_EXAMPLES)]
    Dev {
        /// Where to put everything; a new temporary directory if not given
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Derive every table again from the ledger's entries and compare (the daemon must be stopped)
    Check {
        /// The state directory
        #[arg(long)]
        state: PathBuf,
    },
    /// Erase one free text, for example a pasted password; the ledger says that it was erased (the
    /// daemon must be stopped)
    Erase {
        /// The state directory
        #[arg(long)]
        state: PathBuf,
        /// The text's commitment as statements show it: sha256:<64 hex digits>
        commitment: String,
    },
}

const INIT_EXAMPLES: &str = "\
The first policy must be signed by the quorum of its own authority. So `init` is run twice: the first
run makes the keys, writes the manifest into the policy directory, and says who has to sign it; the
second run, once they have, makes the ledger.

      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy
      breakglass policy sign ./policy --key ~/.ssh/id_ed25519
      breakglassd init --state /var/lib/breakglass --name payments --policy ./policy";

const DEV_EXAMPLES: &str = "\
Prints one line of JSON when it is ready. Then, in another terminal:
      breakglass --config DIR/config/sam.toml request root-on-host --reason 'disk full' --incident INC-1";

#[derive(Args)]
struct ServeArgs {
    /// The configuration file; or give --state and use the defaults
    #[arg(long, required_unless_present = "state")]
    config: Option<PathBuf>,
    /// The state directory made by `init`
    #[arg(long)]
    state: Option<PathBuf>,
    /// Where gRPC listens (default 0.0.0.0:7443)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where the read-only HTTP side listens (default 127.0.0.1:7480)
    #[arg(long, value_name = "ADDRESS:PORT")]
    web: Option<SocketAddr>,
    /// Start although the guard file is missing or unreadable: only after checking the ledger
    /// against a checkpoint that somebody else kept
    #[arg(long)]
    accept_guard_loss: bool,
    /// Start although the clock is far ahead of the newest entry: only after checking the clock
    #[arg(long)]
    accept_clock: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    report::start_logging();
    match run(cli.verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("breakglassd: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Init { state, name, policy, advertise } => {
            Ok(init::run(&init::Wanted { state, name, policy, advertise })?)
        }
        Verb::Serve(args) => {
            let options = serve::Options {
                accept_guard_loss: args.accept_guard_loss,
                accept_clock: args.accept_clock,
            };
            serve::run(&configured(args)?, &options)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Dev { dir } => {
            dev::run(dir)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Check { state } => {
            println!("{}", check::run(&state)?);
            Ok(ExitCode::SUCCESS)
        }
        Verb::Erase { state, commitment } => {
            println!("{}", erase::run(&state, &commitment)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The file if one is named, the defaults otherwise; arguments win over both.
fn configured(args: ServeArgs) -> anyhow::Result<Config> {
    let mut config = match (args.config, &args.state) {
        (Some(path), _) => Config::read(&path)?,
        (None, Some(state)) => Config::for_state(state.clone()),
        (None, None) => anyhow::bail!("name a configuration with --config, or --state"),
    };
    if let Some(state) = args.state {
        config.state = state;
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(web) = args.web {
        config.web = web;
    }
    Ok(config)
}
