//! A host's `sshd`: the settings in force, asked of `sshd` itself, for each account.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Finding, program, said};

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The program; by itself it is searched for.
    pub program: Option<PathBuf>,
    /// The configuration; `sshd` knows its own.
    pub file: Option<PathBuf>,
    /// Accounts that people log in to: `Match` may decide otherwise for each.
    pub accounts: Vec<String>,
}

/// Looks at `sshd` as it would decide now.
#[must_use]
pub fn look(look: &Look) -> Vec<Finding> {
    let Some(sshd) = program(look.program.as_deref(), "sshd") else {
        return vec![Finding::fault("sshd", "there is no program sshd here", "name it: --program")];
    };
    let root = ["root".to_owned()];
    let accounts = if look.accounts.is_empty() { &root[..] } else { &look.accounts };
    let mut findings = Vec::new();
    for account in accounts {
        let about = |setting: &str| format!("{account}: {setting}");
        match settings(&sshd, look.file.as_deref(), account) {
            Ok(settings) => findings.extend(judge(&settings, account, &about)),
            Err(why) => findings.push(Finding::fault(
                about("sshd -T"),
                format!("sshd does not tell its settings: {why}"),
                "run this as root; mend what `sshd -t` complains of",
            )),
        }
    }
    findings
}

type Settings = BTreeMap<String, String>;

/// `sshd -T -C …` (sshd(8)): one setting a line, its name in small letters.
fn settings(sshd: &Path, file: Option<&Path>, account: &str) -> Result<Settings, String> {
    let mut command = Command::new(sshd);
    command.arg("-T");
    if let Some(file) = file {
        command.arg("-f").arg(file);
    }
    let who = format!("user={account},host=localhost,addr=127.0.0.1");
    let text = said(command.arg("-C").arg(who))?;
    let pair = |line: &str| line.split_once(' ').map(|(k, v)| (k.to_owned(), v.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

fn judge(settings: &Settings, account: &str, about: &dyn Fn(&str) -> String) -> Vec<Finding> {
    let get = |name: &str| settings.get(name).map_or("none", String::as_str);
    let mut findings = vec![
        public_keys(get("pubkeyauthentication"), about("PubkeyAuthentication")),
        authority(get("trustedusercakeys"), about("TrustedUserCAKeys")),
        principals(get, account, about),
        expose(get("exposeauthinfo"), about("ExposeAuthInfo")),
    ];
    let trusted = fingerprints(get("trustedusercakeys"));
    findings.extend(
        get("revokedkeys").split(' ').map(|file| revoked(file, &trusted, about("RevokedKeys"))),
    );
    findings.extend(penalties(settings, about("PerSourcePenalties")));
    findings
}

fn public_keys(value: &str, about: String) -> Finding {
    if value == "yes" {
        return Finding::good(about, "certificates are taken");
    }
    Finding::fault(about, "off: no certificate is taken", "PubkeyAuthentication yes")
}

fn authority(file: &str, about: String) -> Finding {
    if file == "none" {
        let said = "none: no certificate lets anybody in";
        return Finding::fault(about, said, "TrustedUserCAKeys with the broker's /v1/ssh/ca.pub");
    }
    match std::fs::read_to_string(file) {
        Ok(text) if text.lines().any(is_key) => Finding::good(about, format!("read from {file}")),
        Ok(_) => Finding::fault(about, format!("{file} holds no key"), "fetch /v1/ssh/ca.pub"),
        Err(error) => Finding::fault(about, format!("{file}: {error}"), "fetch /v1/ssh/ca.pub"),
    }
}

/// A certificate's principal is a role; without a mapping it would have to be the account's own name.
fn principals<'a>(
    get: impl Fn(&str) -> &'a str,
    account: &str,
    about: &dyn Fn(&str) -> String,
) -> Finding {
    let (file, command) = (get("authorizedprincipalsfile"), get("authorizedprincipalscommand"));
    if command != "none" {
        let about = about("AuthorizedPrincipalsCommand");
        let path = command.split(' ').next().unwrap_or_default();
        if !Path::new(path).is_file() {
            let said = format!("{path} is not there: nobody is let in by it");
            return Finding::fault(about, said, "breakglass host install --write");
        }
        if get("authorizedprincipalscommanduser") == "none" {
            let remedy = "AuthorizedPrincipalsCommandUser with an account for the agent";
            return Finding::fault(about, "no user is set: sshd does not run it", remedy);
        }
        return Finding::good(about, command.to_owned());
    }
    let about = about("AuthorizedPrincipalsFile");
    if file == "none" {
        let said = "none: a role is taken for the account's own name, and nobody gets in";
        return Finding::fault(about, said, "breakglass host install --write");
    }
    let path = file.replace("%u", account).replace("%%", "%");
    // Relative to the account's home, which is not ours to look into.
    if path.contains('%') || !path.starts_with('/') {
        return Finding::not_tried(about, format!("{file} depends on the account's home"));
    }
    match std::fs::read_to_string(&path) {
        Ok(text) if text.split_whitespace().next().is_some() => Finding::good(about, path),
        Ok(_) => Finding::fault(about, format!("{path} names no role: nobody gets in"), "name one"),
        Err(error) => {
            Finding::fault(about, format!("{path}: {error}: nobody gets in"), "name a role in it")
        }
    }
}

fn expose(value: &str, about: String) -> Finding {
    if value == "yes" {
        return Finding::good(about, "sessions can be told apart by their certificate");
    }
    Finding::fault(
        about,
        "off: sessions of ended grants cannot be found, and stay open",
        "ExposeAuthInfo yes",
    )
}

fn revoked(file: &str, trusted: &[String], about: String) -> Finding {
    let fetch = "run `breakglass host run` on this host; it puts the list in place";
    if file == "none" {
        return Finding::fault(about, "none: revocation is void on this host", "RevokedKeys FILE");
    }
    match std::fs::metadata(file) {
        Err(error) => {
            let said = format!("{file}: {error}: every log-in by public key is refused");
            return Finding::fault(about, said, fetch);
        }
        Ok(metadata) if metadata.len() == 0 => {
            let said = format!("{file} is empty: nobody is revoked");
            return Finding::fault(about, said, fetch);
        }
        Ok(_) => {}
    }
    let listed = said(Command::new("ssh-keygen").args(["-Q", "-l", "-f", file]));
    let listed = match listed {
        Ok(listed) => listed,
        Err(why) => {
            let said = format!("{file} cannot be read ({why}): every log-in is refused");
            return Finding::fault(about, said, fetch);
        }
    };
    let authorities: Vec<&str> =
        listed.lines().filter_map(|line| line.strip_prefix("# CA key ")).collect();
    let is_trusted = |line: &&str| trusted.iter().any(|trusted| line.contains(trusted.as_str()));
    if !authorities.is_empty() && !authorities.iter().any(is_trusted) {
        let said = format!("{file} revokes under another CA than those trusted: it revokes nobody");
        return Finding::fault(about, said, "fetch the list of the broker whose CA is trusted");
    }
    let serials = listed.lines().filter(|line| line.starts_with("serial")).count();
    Finding::good(about, format!("{file}, {serials} lines of serials"))
}

/// From 9.8 on a few refused certificates shut out everybody behind the same address.
fn penalties(settings: &Settings, about: String) -> Option<Finding> {
    let value = settings.get("persourcepenalties")?;
    let exempt = settings.get("persourcepenaltyexemptlist").map_or("none", String::as_str);
    if value == "no" || exempt != "none" {
        return Some(Finding::good(about, format!("exempt: {exempt}")));
    }
    Some(Finding::warning(
        about,
        "on for every address: a stale certificate behind a bastion shuts everybody out for a while",
        "PerSourcePenaltyExemptList with the bastions' addresses",
    ))
}

fn is_key(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// `SHA256:…` of every key in the file.
fn fingerprints(file: &str) -> Vec<String> {
    let listed = said(Command::new("ssh-keygen").args(["-l", "-f", file])).unwrap_or_default();
    let second = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    listed.lines().filter_map(second).collect()
}

#[cfg(test)]
mod tests;
