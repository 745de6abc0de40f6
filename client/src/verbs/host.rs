//! The agent of a host: run, installed, asked.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::{Cli, HostVerb, InstallArgs, PrincipalsArgs};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::host::{Agent, HostConfig, drop_in, principals, unit};
use crate::output::Output;

/// Does what `verb` says.
pub(super) fn run(cli: &Cli, verb: &HostVerb, out: &mut Output) -> Result<Exit, Failure> {
    let path = cli.given.config.as_deref().unwrap_or(Path::new(CONFIG));
    let config = HostConfig::read(path)?;
    match verb {
        HostVerb::Run => Agent::open(config)?.run(out),
        HostVerb::Install(arguments) => install(&config, path, arguments, out),
        HostVerb::Principals(arguments) => answer(&config, arguments, out),
    }
}

/// Prints the roles, one a line, whatever output is configured: `sshd` reads them. It lets nobody in
/// for whom nothing is printed.
fn answer(
    config: &HostConfig,
    arguments: &PrincipalsArgs,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let PrincipalsArgs { account, key_id, serial } = arguments;
    let roles = principals(config, account, key_id, serial, clock::now());
    let text: String = roles.iter().map(|role| format!("{role}\n")).collect();
    out.result(&text, &serde_json::json!({ "principals": roles }))?;
    Ok(Exit::Done)
}

fn install(
    config: &HostConfig,
    path: &Path,
    arguments: &InstallArgs,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let program =
        std::env::current_exe().map_err(|error| cannot(Path::new("this program"), &error))?;
    let file = std::path::absolute(path).map_err(|error| cannot(path, &error))?;
    let mut files = vec![
        (DROP_IN.into(), drop_in(config, &program, &file, arguments.static_principals)),
        (UNIT.into(), unit(config, &program, &file)),
        (config.dir.join("ca.pub"), format!("{}\n", config.ssh_ca.to_openssh())),
    ];
    if arguments.static_principals {
        files.extend(config.principals.iter().map(|(account, roles)| {
            let text: String = roles.iter().map(|role| format!("{role}\n")).collect();
            (config.dir.join("principals").join(account), text)
        }));
    }
    let mut text = String::new();
    for (path, content) in &files {
        text.push_str(&format!("# {}\n{content}\n", path.display()));
        if arguments.write {
            write(&below(&arguments.root, path), content)?;
        }
    }
    let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    let json = serde_json::json!({ "files": names, "written": arguments.write });
    out.result(&text, &json)?;
    if arguments.write {
        out.say("check with `sshd -t`, start the agent, and reload sshd once a list is in place");
    }
    Ok(Exit::Done)
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let failed = |error| cannot(path, &error);
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(failed)?;
    }
    fs::write(path, content).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(failed)
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("cannot write {}: {error}", path.display());
    Failure::new(Exit::Usage, what, "not all files were written", "run it as root, or give --root")
}

/// The agent's configuration unless another is named.
const CONFIG: &str = "/etc/breakglass/host.toml";

/// Where Debian's and Fedora's `sshd_config` include from.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/60-breakglass.conf";

const UNIT: &str = "/etc/systemd/system/breakglass-host.service";
