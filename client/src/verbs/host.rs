//! The agent of a host: run, installed, asked.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::{Cli, HostVerb, InstallArgs, PrincipalsArgs};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::host::{
    self, HostConfig, Server, drop_in, etcd, nginx, postgresql, principals, states, unit,
};
use crate::output::Output;

/// Does what `verb` says.
pub(super) fn run(cli: &Cli, verb: &HostVerb, out: &mut Output) -> Result<Exit, Failure> {
    let path = cli.given.config.as_deref().unwrap_or(Path::new(CONFIG));
    let config = HostConfig::read(path)?;
    match verb {
        HostVerb::Run => host::run(config, out),
        HostVerb::Install(arguments) => install(&config, path, arguments, out),
        HostVerb::Status => status(&config, out),
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

/// One line for each server, and 13 if something is in the way at any.
fn status(config: &HostConfig, out: &mut Output) -> Result<Exit, Failure> {
    let all = states(config);
    let mut text = String::new();
    for one in &all {
        let canary = one.canary.as_deref().map(|canary| format!(", canary {canary}"));
        let why = one.untried.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        let until = one.until.as_deref().map(|until| format!(", counts until {until}"));
        let trouble = one.trouble.as_deref().unwrap_or("nothing in the way");
        text.push_str(&format!(
            "{}: list {} in place{}{}{why}: {trouble}\n",
            one.target,
            one.version,
            until.unwrap_or_default(),
            canary.unwrap_or_default()
        ));
    }
    out.result(&text, &serde_json::json!({ "targets": all }))?;
    let is_well = all.iter().all(|one| one.trouble.is_none());
    Ok(if is_well { Exit::Done } else { Exit::Suspect })
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
    let mut files = Vec::new();
    if config.has_sshd {
        files.push((DROP_IN.into(), drop_in(config, &program, &file, arguments.static_principals)));
        files.push((config.dir.join("ca.pub"), format!("{}\n", config.ssh_ca.to_openssh())));
    }
    files.insert(files.len().min(1), (UNIT.into(), unit(config, &program, &file)));
    files.extend(for_tls(config, &file));
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

/// What servers of TLS have to be told, beside the agent's configuration: whose certificates they take,
/// and lines for their own configuration.
fn for_tls(config: &HostConfig, file: &Path) -> Vec<(PathBuf, String)> {
    let beside = file.parent().unwrap_or(Path::new("/"));
    let ca = beside.join("client-ca.pem");
    let mut files: Vec<(PathBuf, String)> = config
        .tls
        .iter()
        .map(|target| match &target.server {
            Server::PostgreSql(server) => {
                (beside.join(format!("{}.conf", target.name)), postgresql(server, &ca))
            }
            Server::Nginx(server) => {
                (beside.join(format!("{}.conf", target.name)), nginx(server, &ca))
            }
            Server::Etcd(server) => {
                (beside.join(format!("{}.env", target.name)), etcd(server, &ca))
            }
        })
        .collect();
    if !files.is_empty() {
        let all = config.x509.iter().map(host::Authority::pem);
        files.push((ca, all.collect()));
    }
    files
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
