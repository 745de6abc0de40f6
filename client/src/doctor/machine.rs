//! This machine: what a person would miss at three in the morning, without identity provider or DNS.

use std::net::IpAddr;
use std::time::Duration;

use super::{Finding, program};
use crate::agent::Agent;
use crate::broker::{Pinned, Visit, visit};
use crate::clock;
use crate::config::{Config, ConfigError, Given};
use crate::failure::Failure;
use crate::signer::Signer;
use crate::state::State;
use crate::trust::Trust;

/// Looks at configuration, key, memory, agent, programs, and every broker by itself.
#[must_use]
pub fn look(given: &Given, answer_within: Duration) -> Vec<Finding> {
    let config = match Config::load(given) {
        Ok(config) => config,
        Err(error) => return vec![failed("configuration", error)],
    };
    let mut findings = vec![configuration(&config), key(&config), agent()];
    findings.extend(brokers(&config, answer_within));
    findings.extend(PROGRAMS.iter().map(|(name, for_what)| match program(None, name) {
        Some(path) => Finding::good(*name, path.display().to_string()),
        None => Finding::not_tried(*name, format!("not here; {for_what} needs it")),
    }));
    findings
}

fn configuration(config: &Config) -> Finding {
    let from = config
        .source()
        .map_or_else(|| "flags and variables".to_owned(), |source| source.display().to_string());
    match (config.by(), config.x509_ca()) {
        (Err(error), _) | (_, Err(error)) => failed("configuration", error),
        (Ok(by), Ok(None)) => Finding::warning(
            "configuration",
            format!("{from}: you are {by}; who signs X.509 certificates is not known here"),
            "x509-ca with the broker's /v1/x509/ca.pem",
        ),
        (Ok(by), Ok(Some(_))) => Finding::good("configuration", format!("{from}: you are {by}")),
    }
}

fn key(config: &Config) -> Finding {
    let about = "signing key";
    let choice = match config.key() {
        Ok(choice) => choice,
        Err(error) => return failed(about, error),
    };
    match Signer::open(&choice) {
        Ok(signer) => {
            let touch = if signer.needs_touch() { ", which wants to be touched" } else { "" };
            Finding::good(about, format!("{}{touch}", signer.public_key().fingerprint()))
        }
        Err(error) => failed(about, error),
    }
}

fn agent() -> Finding {
    let about = "ssh-agent";
    let remedy = "start one, or collect into files with --out";
    match Agent::connect().and_then(|mut agent| agent.identities()) {
        Ok(identities) => Finding::good(about, format!("holds {} keys", identities.len())),
        Err(error) => Finding::warning(about, error.to_string(), remedy),
    }
}

fn brokers(config: &Config, answer_within: Duration) -> Vec<Finding> {
    let about = "brokers";
    let parts = || -> Result<_, ConfigError> {
        Ok((config.brokers()?, config.tls_ca()?, Trust::of(config)?, config.state_dir()?))
    };
    let (addresses, ca, trust, dir) = match parts() {
        Ok(parts) => parts,
        Err(error) => return vec![failed(about, error)],
    };
    let state = match State::open(&dir, trust.log()) {
        Ok(state) => state,
        Err(error) => return vec![failed("memory", error)],
    };
    let kept = match state.checkpoint(&trust) {
        Ok(kept) => kept,
        Err(failure) => return vec![failed("memory", failure)],
    };
    let kept_size = kept.as_ref().map_or(0, |kept| kept.size);
    let mut findings = vec![Finding::good("memory", state.dir().display().to_string())];
    for address in &addresses {
        let pinned =
            Pinned { addresses: vec![address.clone()], ca: ca.clone(), kept_size, answer_within };
        let about = format!("broker {address}");
        match visit(&pinned, address) {
            Ok(visit) => {
                let believed =
                    trust.extend(kept.as_ref(), &visit.offered.note, &visit.offered.proof);
                findings.push(match believed {
                    Ok(newest) => Finding::good(&about, format!("{} entries", newest.size)),
                    Err(error) => Finding::fault(
                        &about,
                        format!("shows a history that is not the one seen here: {error}"),
                        "stop: keep this machine's memory and tell the operator",
                    ),
                });
                findings.push(clocks(&about, &visit));
            }
            Err(error) => findings.push(failed(&about, error)),
        }
    }
    findings.push(names(&addresses));
    findings
}

/// `sshd` allows no difference at all; certificates begin a minute before they are made.
fn clocks(about: &str, visit: &Visit) -> Finding {
    let about = format!("clock beside {about}");
    let Some(theirs) = visit.clock else {
        return Finding::not_tried(about, "the broker did not tell its time");
    };
    let ours = clock::now();
    let apart = ours.since(theirs).max(theirs.since(ours));
    if apart <= APART_SECONDS {
        return Finding::good(about, format!("{apart} s apart"));
    }
    let said = format!("{apart} s apart; credentials may count too late or end too early here");
    Finding::warning(about, said, "set this machine's clock")
}

/// Whether a broker is found while names are not.
fn names(addresses: &[String]) -> Finding {
    let is_number = |address: &&String| {
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    };
    let numbers = addresses.iter().filter(is_number).count();
    if numbers > 0 {
        let said = format!("{numbers} of {} brokers are found without it", addresses.len());
        return Finding::good("DNS", said);
    }
    let said = "every broker is given by name: while names do not resolve, none is reached";
    Finding::warning("DNS", said, "add a broker's IP address to `brokers`")
}

fn failed(about: &str, error: impl Into<Failure>) -> Finding {
    let failure = error.into();
    Finding::fault(about, failure.what(), failure.remedy())
}

/// Farther apart than this, people notice (OpenSSH allows nothing, most others a minute).
const APART_SECONDS: u64 = 30;

/// Programs that verbs run.
const PROGRAMS: [(&str, &str); 6] = [
    ("ssh", "`breakglass ssh`"),
    ("ssh-keygen", "signing with an encrypted key file"),
    ("psql", "`breakglass pg -- psql`"),
    ("curl", "`breakglass curl`"),
    ("kubectl", "`breakglass kube`"),
    ("openssl", "checking exports and lists with other hands"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Standing;

    #[test]
    fn a_broker_by_number_is_found_without_names() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
            names(&addresses).standing
        };
        assert_eq!(of(&["broker.example.com:7443"]), Standing::Warning);
        assert_eq!(of(&["broker.example.com:7443", "10.0.0.5:7443"]), Standing::Good);
        assert_eq!(of(&["[2001:db8::1]:7443"]), Standing::Good);
    }

    #[test]
    fn nothing_configured_is_a_fault_that_names_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, "").unwrap();
        let given = Given { config: Some(file), ..Given::default() };
        let findings = look(&given, Duration::from_secs(1));
        let faults: Vec<&Finding> =
            findings.iter().filter(|finding| finding.standing == Standing::Fault).collect();
        assert!(faults.iter().any(|fault| fault.remedy.contains("BREAKGLASS_BY")), "{faults:?}");
        assert!(
            faults.iter().any(|fault| fault.remedy.contains("BREAKGLASS_BROKERS")),
            "{faults:?}"
        );
    }
}
