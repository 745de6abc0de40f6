//! `audit export`, `audit verify`, `audit show`.

use std::path::Path;

use breakglass_ledger::audit::{TRUST_MAX, TrustFile, verify, verify_case};
use breakglass_ledger::bundle::{Bundle, CaseBundle};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_rules::eligibility::CedarJudge;
use serde_json::json;

use super::client;
use crate::audit::{
    BundleDir, BundleError, Export, Extent, table, tell, tell_case, tell_untrusted,
};
use crate::cli::{Audit, Cli};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::state::read_bounded;

/// Does what `verb` says; only `export` needs a broker.
pub(super) fn run(cli: &Cli, verb: &Audit, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        Audit::Export { out: dir, request } => export(&mut client(cli, out)?, dir, *request),
        Audit::Verify { dir, trust: Some(trust) } => check(dir, trust, out),
        Audit::Verify { dir, trust: None } => tell_untrusted(BundleDir::open(dir)?.is_case(), out),
        Audit::Show { dir, request } => show(dir, *request, out),
    }
}

fn export(
    client: &mut Client<'_>,
    dir: &Path,
    request: Option<RequestId>,
) -> Result<Exit, Failure> {
    let extent = if request.is_some() { Extent::Case } else { Extent::Whole };
    let mut export = Export::begin(dir, extent)?;
    let session = client.session()?;
    client.broker()?.export(&session, request, |part| export.take(part))?;
    let kept = client.state().checkpoint(client.trust())?;
    let (checkpoint, counts) = export.finish(client.trust(), kept.as_ref())?;
    client.out.result(
        &dir.display().to_string(),
        &json!({
            "dir": dir.display().to_string(), "entries": counts.entries, "texts": counts.openings,
            "policy_files": counts.blobs, "root": checkpoint.root.to_string(),
            "size": checkpoint.size, "request": request.map(|id| id.to_string()),
        }),
    )?;
    client.out.say(&format!(
        "{} entries, {} texts, {} policy files; verify with: breakglass audit verify {} --trust \
         TRUST.toml",
        counts.entries,
        counts.openings,
        counts.blobs,
        dir.display(),
    ));
    Ok(Exit::Done)
}

/// Verifies offline. The trust file is the reviewer's own, so it may not lie inside the export.
fn check(dir: &Path, trust: &Path, out: &mut Output) -> Result<Exit, Failure> {
    if is_inside(trust, dir) {
        return Err(Failure::usage(
            "the trust file lies inside the export",
            "an export must not bring its own trust; get the file from the operator",
        ));
    }
    let trust = read_trust(trust)?;
    let bundle = BundleDir::open(dir)?;
    let (mut entries, mut openings) = (bundle.entries()?, bundle.openings()?);
    let checkpoint = bundle.checkpoint()?;
    let blobs = |digest: Digest| bundle.blob(digest);
    let failed = |source| BundleError::Io { path: dir.to_owned(), source };
    let now = Some(clock::now());
    let rules = CedarJudge::default();
    if bundle.is_case() {
        let parts = CaseBundle {
            entries: &mut entries,
            proofs: &mut bundle.proofs()?,
            checkpoint: &checkpoint,
            openings: &mut openings,
            blobs: &blobs,
        };
        return tell_case(&verify_case(parts, &trust, now, Some(&rules)).map_err(failed)?, out);
    }
    let parts = Bundle {
        entries: &mut entries,
        checkpoint: &checkpoint,
        openings: &mut openings,
        blobs: &blobs,
    };
    tell(&verify(parts, &trust, now, Some(&rules)).map_err(failed)?, out)
}

fn read_trust(path: &Path) -> Result<TrustFile, Failure> {
    let wrong = |rule: String| {
        let remedy = "get it from the operator or the policy's authority; never from the export";
        Failure::usage(format!("{}: {rule}", path.display()), remedy)
    };
    let bytes = read_bounded(path, u64::try_from(TRUST_MAX).unwrap_or(u64::MAX))?;
    let bytes = bytes.ok_or_else(|| wrong("there is no such file".to_owned()))?;
    let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    TrustFile::parse(&text).map_err(|error| wrong(error.to_string()))
}

fn is_inside(file: &Path, dir: &Path) -> bool {
    match (file.canonicalize(), dir.canonicalize()) {
        (Ok(file), Ok(dir)) => file.starts_with(dir),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn show(dir: &Path, request: Option<RequestId>, out: &mut Output) -> Result<Exit, Failure> {
    let bundle = BundleDir::open(dir)?;
    let (table, rows) = table(&mut bundle.entries()?, request)?;
    out.result(&table.render(out.result_columns()), &json!({ "entries": rows }))?;
    out.say("shown as it is, not verified: breakglass audit verify does that");
    Ok(Exit::Done)
}
