//! The verbs: each reads like what a person does, and reports what is recorded.

mod acts;
mod approve;
mod audit;
mod collect;
mod doctor;
mod host;
mod locks;
mod look;
mod offline;
mod outage;
mod policy;
mod request;
mod wait;
mod watch;
mod ways;

use breakglass_ledger::time::Timestamp;
use clap::CommandFactory;
use jiff::tz::TimeZone;

use crate::cli::{Cli, Pending, Verb};
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::{Output, when};

/// Does what `cli` says and answers how it ended.
///
/// # Errors
///
/// [`Failure`]: not done, and why.
pub fn run(cli: &Cli, out: &mut Output) -> Result<Exit, Failure> {
    match &cli.verb {
        Verb::Completions { shell } => completions(*shell, out),
        Verb::Man { verb } => manual(verb, out),
        Verb::Doctor(arguments) => doctor::run(cli, arguments, out),
        Verb::Demo(arguments) => crate::demo::run(arguments, out),
        Verb::Audit(verb) => audit::run(cli, verb, out),
        Verb::Policy(verb) => policy::run(cli, verb, out),
        Verb::Request(arguments) => request::request(&mut client(cli, out)?, arguments),
        Verb::Status(id) => look::status(&mut client(cli, out)?, id.id),
        Verb::Collect(arguments) => collect::collect_verb(&mut client(cli, out)?, arguments),
        Verb::Pending(Pending { watch: true }) => watch::lines(&mut client(cli, out)?),
        Verb::Pending(Pending { watch: false }) => look::pending(&mut client(cli, out)?),
        Verb::Watch => watch::watch(&mut client(cli, out)?),
        Verb::Show(arguments) => look::show(&mut client(cli, out)?, arguments),
        Verb::Submit { file } => offline::submit(&mut client(cli, out)?, file),
        Verb::Lock(arguments) => locks::lock(&mut client(cli, out)?, arguments),
        Verb::Unlock(arguments) => locks::unlock(&mut client(cli, out)?, arguments),
        Verb::Host(verb) => host::run(cli, verb, out),
        Verb::Locks => locks::locks(&mut client(cli, out)?),
        Verb::Outage(verb) => outage::run(&mut client(cli, out)?, verb),
        Verb::Grants(arguments) => look::grants(&mut client(cli, out)?, arguments),
        Verb::Approve(arguments) => approve::approve(&mut client(cli, out)?, arguments),
        Verb::Ssh(arguments) => ways::ssh(&mut client(cli, out)?, arguments),
        Verb::Exec(arguments) => ways::exec(&mut client(cli, out)?, arguments),
        Verb::Pg(arguments) => ways::pg(&mut client(cli, out)?, arguments),
        Verb::Curl(arguments) => ways::curl(&mut client(cli, out)?, arguments),
        Verb::Aws(arguments) => ways::aws(&mut client(cli, out)?, arguments, cli.common.timeout),
        Verb::Token(arguments) => ways::token(&mut client(cli, out)?, arguments),
        Verb::Kube(arguments) => ways::kube(&mut client(cli, out)?, arguments),
        Verb::Drop(about) => acts::give_back(&mut client(cli, out)?, about),
        Verb::Withdraw(about) => acts::withdraw(&mut client(cli, out)?, about),
        Verb::Deny(about) => acts::deny(&mut client(cli, out)?, about),
        Verb::Escalate(about) => acts::escalate(&mut client(cli, out)?, about),
        Verb::Review(arguments) => acts::review(&mut client(cli, out)?, arguments),
        Verb::Cancel(about) => acts::cancel(&mut client(cli, out)?, about),
    }
}

/// The client of one command.
fn client<'o>(cli: &Cli, out: &'o mut Output) -> Result<Client<'o>, Failure> {
    let config = Config::load(&cli.given)?;
    Client::open(config, cli.common.timeout, cli.common.yes, out)
}

/// An instant in words, in the user's own zone with UTC beside it.
fn told(at: Timestamp, now: Timestamp) -> String {
    when(at, now, &TimeZone::system())
}

fn completions(shell: clap_complete::Shell, out: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "breakglass", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    out.result(&script, &serde_json::json!({ "script": script }))?;
    Ok(Exit::Done)
}

/// The page of the whole command, or of one verb with its own examples.
fn manual(verb: &[String], out: &mut Output) -> Result<Exit, Failure> {
    let mut whole = Cli::command();
    // Makes every verb know the flags of all.
    whole.build();
    let mut command = &whole;
    for name in verb {
        let unknown = || Failure::usage(format!("there is no verb `{name}`"), "breakglass --help");
        command = command.find_subcommand(name).ok_or_else(unknown)?;
    }
    let name = ["breakglass"].into_iter().chain(verb.iter().map(String::as_str));
    let name = name.collect::<Vec<_>>().join("-");
    // What only `-h` leaves out, the generator would show without its description.
    let command = command.clone().mut_args(|argument| argument.hide_short_help(false));
    let man = clap_mangen::Man::new(command).title(name).source(SOURCE);
    let mut page = Vec::new();
    man.render(&mut page)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))?;
    // roff is ASCII: what is not, depends on the reader's locale.
    let page = String::from_utf8_lossy(&page).replace('…', "...");
    out.result(&page, &serde_json::json!({ "man": page }))?;
    Ok(Exit::Done)
}

/// What a manual page says at its foot.
const SOURCE: &str = concat!("breakglass ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
