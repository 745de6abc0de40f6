//! `policy sign` and `policy push`: from files to a policy in force.

use std::fs;
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::policy::{File, Files};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::{ARMORED_MAX, SshSig};
use breakglass_ledger::statement::{Act, ActKind, Manifest, Statement};
use breakglass_proto::v1;
use serde_json::json;

use crate::cli::Cli;
use crate::client::Client;
use crate::config::{Config, ConfigError};
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::output::Output;
use crate::policy::folder::{self, MANIFEST, SIGNATURES, unreadable};
use crate::signer::Signer;
use crate::state::{private_dir, read_bounded, write_private};

pub(super) fn sign(
    cli: &Cli,
    dir: &Path,
    place: Option<(u64, Digest)>,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let files = folder::files(dir)?;
    let faults = folder::faults(&files);
    if !faults.is_empty() {
        return Err(folder::faulty(&faults, dir));
    }
    let config = Config::load(&cli.given)?;
    let log = log_of(&config, dir)?;
    let manifest = match fitting_manifest(dir, &files, &log, place)? {
        Some(manifest) => manifest,
        None => {
            let place = match place {
                Some(place) => place,
                None => after_the_one_in_force(&mut super::client(cli, out)?)?,
            };
            make_manifest(dir, &files, &log, place)?
        }
    };
    out.say(manifest.text());
    let signer = Signer::open(&config.key()?)?;
    if signer.needs_touch() {
        out.say(&signer.call_for_touch("to sign: policy"));
    }
    let signature = signer.sign(&ActKind::Policy.namespace(), manifest.text().as_bytes())?;
    let path = signature_path(dir, signer.public_key().fingerprint());
    private_dir(&dir.join(SIGNATURES))?;
    write_private(&path, signature.armored().as_bytes())?;
    out.result(
        &path.display().to_string(),
        &json!({"signature": path.display().to_string(), "digest": manifest.digest().to_string()}),
    )?;
    Ok(Exit::Done)
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

/// The manifest in `dir`, if it is for exactly these files and this place. One that is not is
/// replaced, and with it go the signatures that were under it.
fn fitting_manifest(
    dir: &Path,
    files: &Files,
    log: &Origin,
    place: Option<(u64, Digest)>,
) -> Result<Option<Statement>, Failure> {
    let Some(manifest) = folder::manifest(dir)? else { return Ok(None) };
    let Act::Policy(listed) = manifest.act() else { return Ok(None) };
    let (version, previous) = place.unwrap_or((listed.version, listed.previous));
    let fits = *listed == files.manifest(version, previous) && manifest.log() == log;
    Ok(fits.then_some(manifest))
}

fn make_manifest(
    dir: &Path,
    files: &Files,
    log: &Origin,
    (version, previous): (u64, Digest),
) -> Result<Statement, Failure> {
    let act = Act::Policy(files.manifest(version, previous));
    let manifest = Statement::compose(log, None, act, None, Salt::from_bytes(entropy::bytes()?));
    let manifest = manifest.map_err(|error| Failure::usage(error.to_string(), ""))?;
    match fs::remove_dir_all(dir.join(SIGNATURES)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unreadable(&dir.join(SIGNATURES), &error.to_string()));
        }
        Ok(()) | Err(_) => {}
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

pub(super) fn push(client: &mut Client<'_>, dir: &Path) -> Result<Exit, Failure> {
    let files = folder::files(dir)?;
    let unsigned = || Failure::usage("there is no manifest", "run `breakglass policy sign` first");
    let manifest = folder::manifest(dir)?.ok_or_else(unsigned)?;
    let Act::Policy(listed) = manifest.act() else { return Err(unsigned()) };
    let Manifest { version, previous, .. } = listed;
    if *listed != files.manifest(*version, *previous) {
        return Err(Failure::usage(
            "the files have changed since the manifest was made",
            "run `breakglass policy sign` again, by everybody",
        ));
    }
    let mut signatures = read_signatures(dir, &manifest)?.into_iter();
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

/// Every signature over `manifest`, each verified before it is sent.
fn read_signatures(dir: &Path, manifest: &Statement) -> Result<Vec<String>, Failure> {
    let dir = dir.join(SIGNATURES);
    let listed = fs::read_dir(&dir).map_err(|error| unreadable(&dir, &error.to_string()))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in listed {
        let path = entry.map_err(|error| unreadable(&dir, &error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "sig") {
            paths.push(path);
        }
    }
    paths.sort();
    let namespace = ActKind::Policy.namespace();
    let mut signatures = Vec::new();
    for path in paths {
        let limit = u64::try_from(ARMORED_MAX).unwrap_or(u64::MAX);
        let text = read_bounded(&path, limit)?.unwrap_or_default();
        let text = String::from_utf8(text).map_err(|e| unreadable(&path, &e.to_string()))?;
        let verified = SshSig::parse(&text)
            .and_then(|signature| signature.verify(&namespace, manifest.text().as_bytes()));
        verified.map_err(|error| unreadable(&path, &error.to_string()))?;
        signatures.push(text);
    }
    Ok(signatures)
}

fn signature_path(dir: &Path, fingerprint: Fingerprint) -> PathBuf {
    let name = fingerprint.to_string().replace(Fingerprint::PREFIX, "").replace('/', "_");
    dir.join(SIGNATURES).join(format!("{name}.sig"))
}
