//! Ways in by X.509 certificate: programs that show it in TLS.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use breakglass_ledger::statement::Kind;
use serde_json::json;

use super::beside::beside;
use super::live::{self, Live, Wanted};
use crate::cli::ways::{ExecArgs, PgArgs};
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// Runs a PostgreSQL client, or prints what it needs.
pub(in crate::verbs) fn pg(client: &mut Client<'_>, args: &PgArgs) -> Result<Exit, Failure> {
    let server_ca = args.server_ca.as_deref().map(std::path::absolute).transpose();
    let server_ca = server_ca.map_err(|e| Failure::usage(e.to_string(), "check --server-ca"))?;
    if let Some(missing) = server_ca.as_ref().filter(|path| !path.is_file()) {
        let what = format!("there is no file {}", missing.display());
        return Err(Failure::usage(what, "check --server-ca"));
    }
    let wanted = Wanted { id: args.id, scope: args.scope.as_ref(), kind: Some(Kind::X509) };
    let live = live::pick(client, &wanted)?;
    let variables = libpq(&live, server_ca.as_deref());
    let Some((program, arguments)) = args.command.split_first() else {
        let lines = variables
            .iter()
            .map(|(name, value)| format!("export {name}={}", quoted(&value.to_string_lossy())));
        let object: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| (*name, value.to_string_lossy())).collect();
        client.out.result(&lines.collect::<Vec<_>>().join("\n"), &json!(object))?;
        return Ok(Exit::Done);
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(live.environment()).envs(variables);
    beside(client, &live, command, args.afterwards)
}

/// Runs curl.
pub(in crate::verbs) fn curl(client: &mut Client<'_>, args: &ExecArgs) -> Result<Exit, Failure> {
    let wanted = Wanted { id: args.id, scope: args.scope.as_ref(), kind: Some(Kind::X509) };
    let live = live::pick(client, &wanted)?;
    let mut command = Command::new("curl");
    let certificate = live.holding.credential_path(Kind::X509);
    command.arg("--cert").arg(for_curl(&certificate.to_string_lossy()));
    command.arg("--key").arg(live.holding.key_pem_path()).args(&args.command);
    beside(client, &live, command, args.afterwards)
}

/// PostgreSQL, "libpq Environment Variables". The authority over our certificate says nothing about
/// the server's, so that one is named apart.
fn libpq(live: &Live, server_ca: Option<&Path>) -> BTreeMap<&'static str, OsString> {
    let mut variables: BTreeMap<&'static str, OsString> = BTreeMap::from([
        ("PGSSLCERT", live.holding.credential_path(Kind::X509).into()),
        ("PGSSLKEY", live.holding.key_pem_path().into()),
        ("PGSSLMODE", "verify-full".into()),
    ]);
    if let Some(server_ca) = server_ca {
        variables.insert("PGSSLROOTCERT", server_ca.into());
    }
    variables
}

/// curl(1), --cert: a colon begins a passphrase, unless a backslash is before it.
fn for_curl(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:")
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_a_path_is_no_passphrase_to_curl() {
        assert_eq!(for_curl("/a:b/c\\d.pem"), "/a\\:b/c\\\\d.pem");
    }

    #[test]
    fn what_is_printed_for_a_shell_means_itself_there() {
        for word in ["/a b", "/it's", "$HOME `x` \"y\""] {
            let mut shell = Command::new("sh");
            let output = shell.args(["-c", &format!("printf %s {}", quoted(word))]).output();
            assert_eq!(output.unwrap().stdout, word.as_bytes());
        }
    }
}
