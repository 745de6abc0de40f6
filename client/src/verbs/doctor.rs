//! What works, and what only seems to.

use crate::cli::{Cli, DoctorArgs, TargetKind};
use crate::doctor::{self, Finding, machine, nginx, postgresql, sshd};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Looks, and prints what was found.
pub(super) fn run(cli: &Cli, arguments: &DoctorArgs, out: &mut Output) -> Result<Exit, Failure> {
    let findings = match arguments.target {
        None => machine::look(&cli.given, cli.common.timeout),
        Some(kind) => look(kind, arguments)?,
    };
    let text = doctor::text(&findings, out.result_columns());
    out.result(&text, &doctor::json(&findings))?;
    Ok(doctor::exit(&findings))
}

/// Refuses what the kind of server has no use for: a flag without effect would be taken for a check.
fn look(kind: TargetKind, arguments: &DoctorArgs) -> Result<Vec<Finding>, Failure> {
    let useless = |flag: &str| {
        let what = format!("--{flag} says nothing about this kind of server");
        Err(Failure::usage(what, "see `breakglass doctor --help`"))
    };
    let DoctorArgs { program, file, accounts, connect, target: _ } = arguments.clone();
    match kind {
        TargetKind::Sshd | TargetKind::Nginx if connect.is_some() => useless("connect"),
        TargetKind::Nginx if !accounts.is_empty() => useless("account"),
        TargetKind::Postgresql if file.is_some() => useless("file"),
        TargetKind::Sshd => Ok(sshd::look(&sshd::Look { program, file, accounts })),
        TargetKind::Nginx => Ok(nginx::look(&nginx::Look { program, file })),
        TargetKind::Postgresql => {
            Ok(postgresql::look(&postgresql::Look { program, connect, roles: accounts }))
        }
    }
}
