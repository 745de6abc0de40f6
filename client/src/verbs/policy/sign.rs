//! `policy sign` and `policy push`: from files to a policy in force.

use std::fs;
use std::path::Path;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::policy::{Authority, File, Files};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, ActKind, Manifest, Statement};
use breakglass_proto::v1;
use serde_json::{Value, json};

use crate::cli::{Cli, SignArgs};
use crate::client::Client;
use crate::config::{Config, ConfigError};
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::output::Output;
use crate::policy::folder::{self, MANIFEST, SIGNATURES, unreadable};
use crate::policy::signing::{self, Tally};
use crate::signer::Signer;
use crate::state::{State, write_private};

pub(super) fn sign(cli: &Cli, arguments: &SignArgs, out: &mut Output) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    let files = folder::files(dir)?;
    let config = Config::load(&cli.given)?;
    if arguments.list || !arguments.add.is_empty() {
        return collect(&config, arguments, &files, out);
    }
    let faults = folder::faults(&files);
    if !faults.is_empty() {
        return Err(folder::faulty(&faults, dir));
    }
    let place = arguments.number.zip(arguments.previous);
    let log = log_of(&config, dir)?;
    let manifest = match fitting_manifest(&config, dir, &files, &log, place)? {
        Some(manifest) => manifest,
        None => {
            let place = match place {
                Some(place) => place,
                None => after_the_one_in_force(&mut super::client(cli, out)?)?,
            };
            make_manifest(dir, &files, &log, place, out)?
        }
    };
    out.say(manifest.text());
    let signer = Signer::open(&config.key()?)?;
    if signer.needs_touch() {
        out.say(&signer.call_for_touch("to sign: policy"));
    }
    let signature = signer.sign(&ActKind::Policy.namespace(), manifest.text().as_bytes())?;
    let path = signing::keep(dir, &signature)?.display().to_string();
    let tally = tally(&config, dir, &files, &manifest)?;
    let digest = manifest.digest().to_string();
    let mut object = to_json(&tally, &digest);
    if let Some(object) = object.as_object_mut() {
        object.insert("signature".to_owned(), json!(path));
    }
    out.result(&path, &object)?;
    out.say(&tally.words());
    Ok(Exit::Done)
}

/// Takes in signatures that others made, and says who has signed and what the quorum lacks.
fn collect(
    config: &Config,
    arguments: &SignArgs,
    files: &Files,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    let manifest = folder::manifest(dir)?.ok_or_else(unsigned)?;
    let _ = still_listed(&manifest, files)?;
    for path in &arguments.add {
        signing::take_in(dir, &manifest, path)?;
    }
    let tally = tally(config, dir, files, &manifest)?;
    out.result(&tally.words(), &to_json(&tally, &manifest.digest().to_string()))?;
    Ok(if tally.is_enough() { Exit::Done } else { Exit::Pending })
}

fn tally(
    config: &Config,
    dir: &Path,
    files: &Files,
    manifest: &Statement,
) -> Result<Tally, Failure> {
    let authority = authority_of(config, files, manifest);
    Ok(Tally::of(&signing::read(dir, manifest)?, authority.as_ref()))
}

fn to_json(tally: &Tally, digest: &str) -> Value {
    let signed = tally.signed.iter();
    let signed = signed.map(|(key, who)| json!({ "key": key.to_string(), "signer": who }));
    let quorum = tally.quorum.as_ref();
    json!({
        "digest": digest, "signed": signed.collect::<Vec<_>>(), "enough": tally.is_enough(),
        "quorum": quorum.map(|quorum| quorum.needed), "lacks": quorum.map(|quorum| quorum.lacks),
        "open": quorum.map(|quorum| &quorum.open),
    })
}

/// Who has to sign: the authority of the policy before, if this machine has seen it; of the first
/// policy, its own.
fn authority_of(config: &Config, files: &Files, manifest: &Statement) -> Option<Authority> {
    let Act::Policy(listed) = manifest.act() else { return None };
    if listed.version == 1 {
        return folder::supposed(files, 1).ok().map(|policy| policy.authority);
    }
    let state = State::open(&config.state_dir().ok()?, manifest.log()).ok()?;
    let before = in_force::kept(&state, manifest.log(), listed.previous).ok()??;
    Some(before.authority)
}

/// Which ledger the policy is for. The signers of the first policy have no configuration yet, which
/// `init` prints only once they have signed: for them it is the ledger that the manifest names, and
/// they are shown it before they sign.
fn log_of(config: &Config, dir: &Path) -> Result<Origin, Failure> {
    match (config.log(), folder::manifest(dir)?) {
        (Ok(log), _) => Ok(log),
        (Err(ConfigError::Missing { .. }), Some(manifest)) => Ok(manifest.log().clone()),
        (Err(error), _) => Err(error.into()),
    }
}

/// The manifest in `dir`, if it is for exactly these files and this place, which is not taken by
/// another policy that this machine has seen. One that is not is replaced, and with it go the
/// signatures that were under it.
fn fitting_manifest(
    config: &Config,
    dir: &Path,
    files: &Files,
    log: &Origin,
    place: Option<(u64, Digest)>,
) -> Result<Option<Statement>, Failure> {
    let Some(manifest) = folder::manifest(dir)? else { return Ok(None) };
    let Act::Policy(listed) = manifest.act() else { return Ok(None) };
    let (version, previous) = place.unwrap_or((listed.version, listed.previous));
    let fits = *listed == files.manifest(version, previous) && manifest.log() == log;
    let is_taken = place.is_none() && {
        let state = config.state_dir().ok().and_then(|dir| State::open(&dir, log).ok());
        let newest = state.and_then(|state| in_force::newest(&state).ok()).flatten();
        newest.is_some_and(|(newest, digest)| newest >= version && digest != manifest.digest())
    };
    Ok((fits && !is_taken).then_some(manifest))
}

fn make_manifest(
    dir: &Path,
    files: &Files,
    log: &Origin,
    (version, previous): (u64, Digest),
    out: &mut Output,
) -> Result<Statement, Failure> {
    let act = Act::Policy(files.manifest(version, previous));
    let manifest = Statement::compose(log, None, act, None, Salt::from_bytes(entropy::bytes()?));
    let manifest = manifest.map_err(|error| Failure::usage(error.to_string(), ""))?;
    match fs::remove_dir_all(dir.join(SIGNATURES)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unreadable(&dir.join(SIGNATURES), &error.to_string()));
        }
        Ok(()) => out.say("this is another manifest: signatures under the one before are gone"),
        Err(_) => {}
    }
    write_private(&dir.join(MANIFEST), manifest.text().as_bytes())?;
    Ok(manifest)
}

fn after_the_one_in_force(client: &mut Client<'_>) -> Result<(u64, Digest), Failure> {
    let session = client.session()?;
    let answer = client.broker()?.policy(&session)?;
    let policy = in_force::accept(client.state(), client.trust().log(), &answer)?;
    Ok((policy.version.saturating_add(1), policy.digest))
}

fn unsigned() -> Failure {
    Failure::usage("there is no manifest", "run `breakglass policy sign` first")
}

/// What `manifest` lists, if the files are still those that were signed.
fn still_listed<'m>(manifest: &'m Statement, files: &Files) -> Result<&'m Manifest, Failure> {
    let Act::Policy(listed) = manifest.act() else { return Err(unsigned()) };
    if *listed != files.manifest(listed.version, listed.previous) {
        return Err(Failure::usage(
            "the files have changed since the manifest was made",
            "run `breakglass policy sign` again, by everybody",
        ));
    }
    Ok(listed)
}

pub(super) fn push(client: &mut Client<'_>, dir: &Path) -> Result<Exit, Failure> {
    let files = folder::files(dir)?;
    let manifest = folder::manifest(dir)?.ok_or_else(unsigned)?;
    let Manifest { version, .. } = still_listed(&manifest, &files)?;
    let signatures = signing::read(dir, &manifest)?;
    let tally = tally(client.config(), dir, &files, &manifest)?;
    if !tally.is_enough() {
        return Err(Failure::new(
            Exit::Pending,
            tally.words(),
            "the broker would refuse it; nothing was sent",
            "collect what is missing: breakglass policy sign DIR --add FILE",
        ));
    }
    let mut signatures = signatures.iter().map(|signature| signature.armored().to_owned());
    let signature = signatures.next().ok_or_else(unsigned)?;
    let blobs = File::ALL.map(|file| v1::Blob {
        name: file.name().to_owned(),
        content: files.content(file).to_vec(),
    });
    let receipt = client.send(v1::SubmitRequest {
        statement: manifest.text().as_bytes().to_vec(),
        signature,
        text: None,
        more_signatures: signatures.collect(),
        blobs: blobs.to_vec(),
    })?;
    client.out.result(
        &manifest.digest().to_string(),
        &json!({
            "version": version, "digest": manifest.digest().to_string(), "seq": receipt.entry.seq,
        }),
    )?;
    client.out.say(&format!("policy version {version} is in force"));
    Ok(Exit::Done)
}
