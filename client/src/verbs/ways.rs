//! Ways in: a program is run with the credential of a live grant.
//!
//! None of them asks for anything: a program in a loop must not open requests. Where there is no
//! grant to reuse, the command to ask for one is printed.

mod aws;
mod beside;
mod kube;
mod live;
mod tls;
mod token;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::Kind;

use crate::cli::ways::{ExecArgs, SshArgs};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use beside::beside;
use live::Wanted;

pub(super) use aws::aws;
pub(super) use kube::kube;
pub(super) use tls::{curl, pg};
pub(super) use token::token;

/// Logs in.
pub(super) fn ssh(client: &mut Client<'_>, args: &SshArgs) -> Result<Exit, Failure> {
    let (id, words) = split(&args.words);
    if words.is_empty() {
        return Err(Failure::usage("no host is named", "breakglass ssh ID USER@HOST"));
    }
    let wanted = Wanted { id, scope: args.scope.as_ref(), kind: Some(Kind::Ssh) };
    let live = live::pick(client, &wanted)?;
    let mut command = Command::new("ssh");
    command.args(with_key(&live.holding.key_path())).args(words);
    let ended = beside(client, &live, command, args.afterwards)?;
    if ended == Exit::Child(SSH_FAILED) {
        live::say_if_over(client, &live);
    }
    Ok(ended)
}

/// Runs any program, with the grant in its environment.
pub(super) fn exec(client: &mut Client<'_>, args: &ExecArgs) -> Result<Exit, Failure> {
    let wanted = Wanted { id: args.id, scope: args.scope.as_ref(), kind: None };
    let live = live::pick(client, &wanted)?;
    let (program, arguments) = args.command.split_first().ok_or_else(nothing_to_run)?;
    let mut command = Command::new(program);
    command.args(arguments).envs(live.environment());
    beside(client, &live, command, args.afterwards)
}

fn nothing_to_run() -> Failure {
    Failure::usage("nothing to run is named", "breakglass exec -- COMMAND")
}

/// The request's id, if the first word is one, and what is left for ssh.
fn split(words: &[OsString]) -> (Option<RequestId>, &[OsString]) {
    let Some((first, rest)) = words.split_first() else { return (None, words) };
    match first.to_str().and_then(|word| word.parse().ok()) {
        Some(id) => (Some(id), rest),
        None => (None, words),
    }
}

/// ssh's options for a key file with its certificate beside it.
///
/// Nothing else is offered, no agent is asked (it may hang), and no connection is shared: one that
/// somebody else opened has another identity, and one of ours would outlive the grant.
fn with_key(key: &Path) -> [OsString; 10] {
    // ssh_config(5), TOKENS: `%` begins a token in the name of an identity.
    let key = key.as_os_str().to_string_lossy().replace('%', "%%");
    let options = [
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
        "-o",
        "ControlMaster=no",
        "-o",
        "ControlPath=none",
        "-i",
        &key,
    ];
    options.map(OsString::from)
}

/// ssh(1): "or with 255 if an error occurred".
const SSH_FAILED: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_an_id_only_if_it_is_one() {
        let id = "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d";
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            split(&words(&[id, "db1", "ls"])),
            (Some(id.parse().unwrap()), &words(&["db1", "ls"])[..])
        );
        assert_eq!(split(&words(&["req-1", "x"])), (None, &words(&["req-1", "x"])[..]));
        assert_eq!(split(&words(&["db1", id])), (None, &words(&["db1", id])[..]));
    }

    #[test]
    fn a_percent_sign_in_the_keys_path_is_no_token_to_ssh() {
        assert_eq!(with_key(Path::new("/a %h/id"))[9], "/a %%h/id");
    }
}
