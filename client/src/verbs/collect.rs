//! `collect`: proof of possession in, certificate out, checked, and put where ssh finds it.

use std::path::Path;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{Act, Ask, Collect, Kind, Pickup, Statement};
use serde_json::json;

use super::{told, wait};
use crate::agent::Agent;
use crate::asked::made_at;
use crate::cli::{CollectArgs, Place};
use crate::client::Client;
use crate::clock;
use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::receipt::Receipt;
use crate::signer::Signer;
use crate::state::SubjectKey;

/// The verb: waits first, if that was asked for.
pub(super) fn collect_verb(client: &mut Client<'_>, args: &CollectArgs) -> Result<Exit, Failure> {
    tidy(client)?;
    if args.wait {
        let waited = wait::for_approval(client, args.id, args.deadline)?;
        if waited != Exit::Done {
            return Ok(waited);
        }
    }
    collect(client, args.id, &args.place)
}

/// What was fetched, and how to use it.
pub(super) struct Fetched {
    /// The credential.
    pub(super) credential: Credential,
    /// The ssh command without the host.
    ssh: Vec<String>,
}

/// Fetches the credential of `id`, checks it, puts it in its place, and confirms the pickup.
pub(super) fn fetch(
    client: &mut Client<'_>,
    id: RequestId,
    place: &Place,
) -> Result<Fetched, Failure> {
    let held = Held::of(client, id)?;
    let act = Act::Collect(Collect { request: held.statement.digest(), kind: Kind::Ssh });
    let receipt = client.act_with(&held.signer, act, None)?;
    let Signer::Subject(key) = &held.signer else { return Err(not_here(id)) };
    let credential = Credential::check(&receipt, &held.ask, key)?;
    client.state().holding(id).keep_certificate(&credential.line, receipt.hash)?;
    let ssh = put(client, id, &credential, key, place)?;
    confirm(client, &held, &receipt);
    Ok(Fetched { credential, ssh })
}

/// Fetches the credential of `id` and says how to use it.
pub(super) fn collect(
    client: &mut Client<'_>,
    id: RequestId,
    place: &Place,
) -> Result<Exit, Failure> {
    let Fetched { credential, ssh } = fetch(client, id, place)?;
    let now = clock::now();
    client.out.say(&format!(
        "serial {}, opens {}, ends {}\nlog in with: {} LOGIN@HOST\ngive it back with: breakglass \
         drop {id}",
        credential.serial,
        credential.principals.join(", "),
        told(credential.expires_at, now),
        ssh.join(" "),
    ));
    client.out.result(
        &ssh.join(" "),
        &json!({
            "id": id.to_string(), "state": "live", "serial": credential.serial,
            "key_id": credential.key_id, "principals": credential.principals,
            "expires_at": credential.expires_at.unix_seconds(), "ssh": ssh,
        }),
    )?;
    Ok(Exit::Done)
}

/// What this machine holds of a request it made.
struct Held {
    statement: Statement,
    ask: Ask,
    signer: Signer,
}

impl Held {
    fn of(client: &Client<'_>, id: RequestId) -> Result<Self, Failure> {
        let holding = client.state().holding(id);
        let (Some(bytes), Some(key)) = (holding.statement()?, holding.key()?) else {
            return Err(not_here(id));
        };
        let statement = Statement::parse(&bytes).map_err(|_| not_here(id))?;
        let Act::Request(ask) = statement.act().clone() else { return Err(not_here(id)) };
        Ok(Self { statement, ask, signer: Signer::Subject(key) })
    }
}

fn not_here(id: RequestId) -> Failure {
    Failure::usage(
        format!("the key of {id} is not on this machine (or was given back)"),
        "collect on the machine that asked, with the same --state-dir; else ask again",
    )
}

/// Into the agent if one runs, else into files; answers the ssh command without the host.
fn put(
    client: &mut Client<'_>,
    id: RequestId,
    credential: &Credential,
    key: &SubjectKey,
    place: &Place,
) -> Result<Vec<String>, Failure> {
    let holding = client.state().holding(id);
    if let Some(dir) = &place.out {
        credential.write(key, dir)?;
        return Ok(with_files(&holding.keep_place(dir)?));
    }
    if place.agent || Agent::is_announced() {
        match credential.lend(key, clock::now()) {
            Ok(()) => {
                client.out.say("ssh-agent holds it for the rest of its life");
                return Ok(with_agent(&holding.certificate_path()));
            }
            Err(error) if place.agent => return Err(error.into()),
            Err(error) => client.out.say(&format!("{error}; using files instead")),
        }
    }
    Ok(with_files(holding.dir()))
}

/// `-i` with a certificate makes ssh look in the agent for its key.
fn with_agent(certificate: &Path) -> Vec<String> {
    let certificate = certificate.display().to_string();
    ["ssh", "-o", "IdentitiesOnly=yes", "-i", &certificate].map(ToOwned::to_owned).to_vec()
}

/// ssh finds `id-cert.pub` beside `id` by itself.
fn with_files(dir: &Path) -> Vec<String> {
    let key = dir.join("id").display().to_string();
    let words = ["ssh", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", &key];
    words.map(ToOwned::to_owned).to_vec()
}

/// Confirms that the credential arrived. That this fails changes nothing about the credential.
fn confirm(client: &mut Client<'_>, held: &Held, receipt: &Receipt) {
    let act = Act::Pickup(Pickup { request: held.statement.digest(), issued: receipt.hash });
    if let Err(failure) = client.act_with(&held.signer, act, None) {
        client.out.say(&format!("the pickup could not be recorded: {failure}"));
    }
}

/// Deletes what is kept of requests whose credential has expired, or that nobody collected within
/// a day: keys that open nothing any more.
pub(super) fn tidy(client: &mut Client<'_>) -> Result<(), Failure> {
    let now = clock::now();
    for (id, holding) in client.state().holdings()? {
        let credential = holding.certificate()?.and_then(|line| Credential::read(&line).ok());
        let is_over = match credential {
            Some(credential) => credential.expires_at <= now,
            None => now.since(made_at(id)) > DAY_SECONDS,
        };
        if is_over {
            holding.forget()?;
        }
    }
    Ok(())
}

/// Longer than any request may wait.
const DAY_SECONDS: u64 = 86_400;
