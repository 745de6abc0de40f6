//! `collect`: proof of possession in, certificate out, checked, and put where ssh finds it.

use std::path::{Path, PathBuf};

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{Act, Ask, Collect, Kind, Pickup, Statement};
use breakglass_ledger::time::Timestamp;
use serde_json::{Value, json};

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
use crate::state::{Holding, KEY_PEM, KINDS, SubjectKey, credential_name};

/// The verb: waits first, if that was asked for.
pub(super) fn collect_verb(client: &mut Client<'_>, args: &CollectArgs) -> Result<Exit, Failure> {
    tidy(client)?;
    if args.wait {
        let waited = wait::for_approval(client, args.id, args.deadline)?;
        if waited != Exit::Done {
            return Ok(waited);
        }
    }
    collect(client, args.id, &args.kind, &args.place)
}

/// What was fetched, and how to use it.
pub(super) struct Fetched {
    /// The credential.
    pub(super) credential: Credential,
    /// What a script wants: the ssh command without the host, or the certificate's path.
    how: String,
    /// The same for programs.
    json: Value,
}

/// Fetches the credential of `kind` of `id`, checks it, puts it in its place, and confirms the
/// pickup.
pub(super) fn fetch(
    client: &mut Client<'_>,
    id: RequestId,
    kind: Kind,
    place: &Place,
) -> Result<Fetched, Failure> {
    let held = Held::of(client, id)?;
    let act = Act::Collect(Collect { request: held.statement.digest(), kind });
    let receipt = client.act_with(&held.signer, act, None)?;
    let Signer::Subject(key) = &held.signer else { return Err(not_here(id)) };
    let authority = client.config().x509_ca()?;
    let authority = authority.as_deref();
    let credential = Credential::check(&receipt, &held.ask, key, kind, authority)?;
    let holding = client.state().holding(id);
    holding.keep(kind, &credential.text, receipt.hash)?;
    holding.keep_end(credential.ends)?;
    let (how, json) = put(client, id, &credential, key, place)?;
    confirm(client, &held, &receipt);
    Ok(Fetched { credential, how, json })
}

/// Fetches the credentials of `id` of these `kinds`, or of all that were asked for, and says how to
/// use them.
pub(super) fn collect(
    client: &mut Client<'_>,
    id: RequestId,
    kinds: &[Kind],
    place: &Place,
) -> Result<Exit, Failure> {
    let asked = Held::of(client, id)?.ask.kinds;
    let kinds = if kinds.is_empty() { asked } else { kinds.to_vec() };
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for kind in kinds {
        let fetched = fetch(client, id, kind, place)?;
        tell(client, id, &fetched);
        lines.push(fetched.how);
        objects.push(fetched.json);
    }
    client.out.say(&format!("give it back with: breakglass drop {id}"));
    let object = match <[Value; 1]>::try_from(objects) {
        Ok([object]) => object,
        Err(several) => {
            json!({ "id": id.to_string(), "state": "live", "credentials": several })
        }
    };
    client.out.result(&lines.join("\n"), &object)?;
    Ok(Exit::Done)
}

fn tell(client: &mut Client<'_>, id: RequestId, fetched: &Fetched) {
    let Credential { kind, serial, principals, expires_at, .. } = &fetched.credential;
    let ends = told(*expires_at, clock::now());
    let use_it = match kind {
        Kind::Ssh => format!("log in with: breakglass ssh {id} LOGIN@HOST, or {} …", fetched.how),
        Kind::X509 => format!("use it with: breakglass exec {id} -- PROGRAM"),
        Kind::Jwt => format!("print it, or the next one, with: breakglass token {id}"),
    };
    let opens = if *kind == Kind::Ssh { "opens" } else { "is for" };
    let principals = principals.join(", ");
    client.out.say(&format!("serial {serial}, {opens} {principals}, ends {ends}\n{use_it}"));
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

/// Into the agent if one runs, else into files; answers how to use it, for scripts and programs.
fn put(
    client: &mut Client<'_>,
    id: RequestId,
    credential: &Credential,
    key: &SubjectKey,
    place: &Place,
) -> Result<(String, Value), Failure> {
    let holding = client.state().holding(id);
    let mut object = json!({
        "id": id.to_string(), "state": "live", "kind": credential.kind.name(),
        "serial": credential.serial, "principals": credential.principals,
        "expires_at": credential.expires_at.unix_seconds(),
    });
    let mut set = |key: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    };
    let how = match credential.kind {
        Kind::Ssh => {
            let ssh = put_ssh(client, id, credential, key, place)?;
            set("key_id", json!(credential.name));
            set("ssh", json!(ssh));
            ssh.join(" ")
        }
        Kind::X509 => {
            let dir = put_pem(client, &holding, credential, key, place)?;
            let (certificate, key) = (dir.join(credential_name(Kind::X509)), dir.join(KEY_PEM));
            set("certificate", json!(certificate));
            set("key", json!(key));
            certificate.display().to_string()
        }
        Kind::Jwt => {
            let token = put_token(&holding, credential, key, place)?;
            set("grant_ends_at", json!(credential.ends.unix_seconds()));
            set("token_file", json!(token));
            token.display().to_string()
        }
    };
    Ok((how, object))
}

/// Beside the key, and where the user wants it; answers where.
fn put_pem(
    client: &Client<'_>,
    holding: &Holding,
    credential: &Credential,
    key: &SubjectKey,
    place: &Place,
) -> Result<PathBuf, Failure> {
    let authority = client.config().x509_ca()?;
    if let Some(authority) = &authority {
        holding.keep_ca(authority)?;
    }
    let Some(dir) = &place.out else { return Ok(holding.dir().to_owned()) };
    credential.write(key, authority.as_deref(), dir)?;
    Ok(holding.keep_place(credential.kind, dir)?)
}

/// Beside the key, and where the user wants it; answers where.
fn put_token(
    holding: &Holding,
    credential: &Credential,
    key: &SubjectKey,
    place: &Place,
) -> Result<PathBuf, Failure> {
    let Some(dir) = &place.out else { return Ok(holding.credential_path(Kind::Jwt)) };
    credential.write(key, None, dir)?;
    Ok(holding.keep_place(Kind::Jwt, dir)?.join(credential_name(Kind::Jwt)))
}

/// Answers the ssh command without the host.
fn put_ssh(
    client: &mut Client<'_>,
    id: RequestId,
    credential: &Credential,
    key: &SubjectKey,
    place: &Place,
) -> Result<Vec<String>, Failure> {
    let holding = client.state().holding(id);
    if let Some(dir) = &place.out {
        credential.write(key, None, dir)?;
        return Ok(with_files(&holding.keep_place(Kind::Ssh, dir)?));
    }
    if place.agent || Agent::is_announced() {
        match credential.lend(key, clock::now()) {
            Ok(()) => {
                client.out.say("ssh-agent holds it for the rest of its life");
                return Ok(with_agent(&holding.credential_path(Kind::Ssh)));
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
        let is_over = match end_of(&holding)? {
            Some(end) => end <= now,
            None => now.since(made_at(id)) > DAY_SECONDS,
        };
        if is_over {
            holding.forget()?;
        }
    }
    Ok(())
}

/// When the last of its credentials that are here is over; `None` if there are none.
pub(super) fn end_of(holding: &Holding) -> Result<Option<Timestamp>, Failure> {
    let mut last = None;
    for kind in KINDS {
        let text = holding.credential(kind)?;
        let credential = text.and_then(|text| Credential::read(kind, &text).ok());
        last = last.max(credential.map(|credential| credential.expires_at));
    }
    // A grant outlives its tokens: the key that fetches others is still needed.
    Ok(last.max(holding.end()?.filter(|_| last.is_some())))
}

/// Longer than any request may wait.
const DAY_SECONDS: u64 = 86_400;
