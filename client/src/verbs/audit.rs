//! `audit export`, `audit verify`, `audit show`.

use std::path::Path;

use breakglass_ledger::audit::{Report, TRUST_MAX, TrustFile, Verdict, verify};
use breakglass_ledger::bundle::Bundle;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use serde_json::json;

use super::client;
use crate::audit::{BundleDir, BundleError, Export, table};
use crate::cli::{Audit, Cli};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::state::read_bounded;

/// Does what `verb` says; only `export` needs a broker.
pub(super) fn run(cli: &Cli, verb: &Audit, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        Audit::Export { out: dir } => export(&mut client(cli, out)?, dir),
        Audit::Verify { dir, trust } => check(dir, trust, out),
        Audit::Show { dir, request } => show(dir, *request, out),
    }
}

fn export(client: &mut Client<'_>, dir: &Path) -> Result<Exit, Failure> {
    let mut export = Export::begin(dir)?;
    let session = client.session()?;
    client.broker()?.export(&session, None, |part| export.take(part))?;
    let kept = client.state().checkpoint(client.trust())?;
    let (checkpoint, counts) = export.finish(client.trust(), kept.as_ref())?;
    client.out.result(
        &dir.display().to_string(),
        &json!({
            "dir": dir.display().to_string(), "entries": counts.entries, "texts": counts.openings,
            "policy_files": counts.blobs, "root": checkpoint.root.to_string(),
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
    let parts = Bundle {
        entries: &mut entries,
        checkpoint: &checkpoint,
        openings: &mut openings,
        blobs: &blobs,
    };
    let report = verify(parts, &trust, Some(clock::now()))
        .map_err(|source| BundleError::Io { path: dir.to_owned(), source })?;
    tell(&report, out)
}

fn tell(report: &Report, out: &mut Output) -> Result<Exit, Failure> {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "code": finding.code.name(), "meaning": finding.code.text(), "entry": finding.entry,
            "detail": finding.detail,
        })
    });
    let verdict = word(report.verdict);
    out.result(
        verdict,
        &json!({
            "verdict": verdict, "entries": report.entries, "root": report.root.to_string(),
            "grants": report.grants, "issued": report.issued, "texts": report.texts,
            "redacted": report.redacted, "findings": findings.collect::<Vec<_>>(),
        }),
    )?;
    out.say(&format!(
        "entries {}, grants {}, credentials {}, texts {} (redacted {}), root {}",
        report.entries, report.grants, report.issued, report.texts, report.redacted, report.root,
    ));
    for finding in &report.findings {
        let told = crate::output::clean(&finding.to_string());
        out.say(&format!("  {told}\n    meaning: {}", finding.code.text()));
    }
    Ok(exit_of(report.verdict))
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::Tampered => "tampered",
        Verdict::Malformed => "malformed",
        Verdict::Unproven => "unproven",
        Verdict::Suspect => "suspect",
    }
}

const fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Verified => Exit::Done,
        Verdict::Tampered => Exit::Tampered,
        Verdict::Malformed => Exit::Malformed,
        Verdict::Unproven => Exit::Unproven,
        Verdict::Suspect => Exit::Suspect,
    }
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
    out.result(&table.render(), &json!({ "entries": rows }))?;
    out.say("shown as it is, not verified: breakglass audit verify does that");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_own_exit_code() {
        let verdicts = [
            (Verdict::Verified, 0),
            (Verdict::Tampered, 10),
            (Verdict::Malformed, 11),
            (Verdict::Unproven, 12),
            (Verdict::Suspect, 13),
        ];
        for (verdict, code) in verdicts {
            assert_eq!(exit_of(verdict).code(), code, "{}", word(verdict));
        }
    }
}
