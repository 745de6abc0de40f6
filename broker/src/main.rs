//! `breakglassd`: arguments → configuration → parts → doors.

#[path = "main/args.rs"]
mod args;
#[path = "main/rotate.rs"]
mod rotate_args;
#[path = "main/unlock.rs"]
mod unlock;

use std::process::ExitCode;

use clap::Parser;

use breakglass_broker::clock::SystemClock;
use breakglass_broker::config::Config;
use breakglass_broker::custody::{self, CustodyError, Wrap};
use breakglass_broker::entropy::SystemEntropy;
use breakglass_broker::mint::Passphrase;
use breakglass_broker::rotate::Step;
use breakglass_broker::{api, check, dev, erase, init, notify, report, rotate, serve};

use args::{Cli, KeysVerb, NotifyVerb, ServeArgs, Verb};
use rotate_args::{Output, RotateVerb};
use unlock::credentials;

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
        Verb::Init { state, name, policy, advertise, encrypt, config, unlock } => {
            let keys = config.map(|path| Config::read(&path)).transpose()?;
            let keys = keys.map(|config| config.keys).unwrap_or_default();
            let passphrase = unlock.passphrase(Passphrase::new)?;
            if encrypt && passphrase.is_none() {
                return Err(custody::MISSING.into());
            }
            let wanted = init::Wanted { state, name, policy, advertise };
            Ok(init::run(&wanted, &keys.custody(passphrase, credentials().as_deref())?)?)
        }
        Verb::Serve(args) => {
            let options = serve::Options {
                accept_guard_loss: args.accept_guard_loss,
                accept_clock: args.accept_clock,
            };
            let unlock = args.unlock.clone();
            let config = configured(args)?;
            serve::run(&config, &options, &unlock.custody_of(&config.keys)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Dev { dir } => {
            dev::run(dir)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Caller { id } => {
            let (secret, lines) = api::invite(&id, &SystemEntropy::new())?;
            eprint!("{lines}");
            println!("{}", secret.as_str());
            Ok(ExitCode::SUCCESS)
        }
        Verb::Notify { verb: NotifyVerb::Test { config, channel } } => {
            let config = Config::read(&config)?;
            let (clock, entropy) = (SystemClock, SystemEntropy::new());
            let trial = notify::trial(&config.notify, &channel, &clock, &entropy);
            serve::runtime()?.block_on(trial)?;
            println!("delivered");
            Ok(ExitCode::SUCCESS)
        }
        Verb::Keys { verb } => {
            println!("{}", keys(verb)?);
            Ok(ExitCode::SUCCESS)
        }
        Verb::Check { state, unlock } => {
            println!("{}", check::run(&state, &unlock.custody()?)?);
            Ok(ExitCode::SUCCESS)
        }
        Verb::Rotate { verb } => {
            println!("{}", rotate(verb)?);
            Ok(ExitCode::SUCCESS)
        }
        Verb::Erase { state, commitment, unlock } => {
            println!("{}", erase::run(&state, &unlock.custody()?, &commitment)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn rotate(verb: RotateVerb) -> anyhow::Result<String> {
    let (args, step) = match verb {
        RotateVerb::Prepare { args, file } => (args, Step::Prepare { in_file: file }),
        RotateVerb::Switch { args, now } => (args, Step::Switch { now }),
        RotateVerb::Retire { args, force } => (args, Step::Retire { forced: force }),
        RotateVerb::Abandon(args) => (args, Step::Abandon),
        RotateVerb::Status { place, output } => {
            let (state, custody) = place.found()?;
            return Ok(rotate::status(&state, &custody, output == Output::Json)?);
        }
    };
    let (state, custody) = args.place.found()?;
    Ok(rotate::run(&state, &custody, args.role.named(), &step)?)
}

fn keys(verb: KeysVerb) -> Result<String, CustodyError> {
    let (wrap, keys, new_fd) = match verb {
        KeysVerb::Encrypt(keys) => (Wrap::Encrypt, keys, None),
        KeysVerb::Rewrap { keys, new_passphrase_fd } => (Wrap::Rewrap, keys, new_passphrase_fd),
        KeysVerb::Decrypt(keys) => (Wrap::Decrypt, keys, None),
    };
    let fd = keys.unlock.passphrase_fd;
    custody::rewrap(&keys.state, wrap, credentials().as_deref(), fd, new_fd)
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
