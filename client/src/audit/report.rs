//! What a verification came to, in words and as JSON.

use breakglass_ledger::audit::{CaseReport, Code, Finding, Report, Verdict};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Tells the verdict over a whole ledger.
///
/// # Errors
///
/// [`Failure`] if nobody listens.
pub fn tell(report: &Report, out: &mut Output) -> Result<Exit, Failure> {
    let verdict = word(report.verdict);
    out.result(
        verdict,
        &json!({
            "verdict": verdict, "extent": "ledger", "entries": report.entries,
            "root": report.root.to_string(), "grants": report.grants, "issued": report.issued,
            "texts": report.texts, "redacted": report.redacted,
            "findings": findings(&report.findings),
        }),
    )?;
    out.say(&format!(
        "entries {}, grants {}, credentials {}, texts {} (redacted {}), root {}",
        report.entries, report.grants, report.issued, report.texts, report.redacted, report.root,
    ));
    say_findings(&report.findings, out);
    Ok(exit_of(report.verdict))
}

/// Tells the verdict over one grant, and what a case cannot show. The first line names the grant, so
/// that no script takes it for a verdict over the ledger.
///
/// # Errors
///
/// [`Failure`] if nobody listens.
pub fn tell_case(report: &CaseReport, out: &mut Output) -> Result<Exit, Failure> {
    let verdict = word(report.verdict);
    let request = report.request.map_or_else(|| "no request".to_owned(), |id| id.to_string());
    let unknown = report.unknown.iter();
    let unknown = unknown
        .map(|one| json!({ "name": one.name(), "what": one.to_string() }))
        .collect::<Vec<_>>();
    let checkpoint = report.checkpoint.as_ref();
    out.result(
        &format!("{verdict} {request}"),
        &json!({
            "verdict": verdict, "extent": "request",
            "request": report.request.map(|id| id.to_string()), "entries": report.entries,
            "size": checkpoint.map(|one| one.size),
            "root": checkpoint.map(|one| one.root.to_string()), "issued": report.issued,
            "texts": report.texts, "redacted": report.redacted,
            "findings": findings(&report.findings), "unknown": unknown,
        }),
    )?;
    out.say(&format!(
        "this one request only: entries {}, credentials {}, texts {} (redacted {})",
        report.entries, report.issued, report.texts, report.redacted,
    ));
    say_findings(&report.findings, out);
    out.say("a case cannot show, and this verdict does not say:");
    for one in &report.unknown {
        out.say(&format!("  {one}"));
    }
    Ok(exit_of(report.verdict))
}

/// Tells that nothing is proven, because nothing from outside the export says whose it is.
///
/// # Errors
///
/// [`Failure`] if nobody listens.
pub fn tell_untrusted(is_case: bool, out: &mut Output) -> Result<Exit, Failure> {
    let verdict = word(Verdict::Unproven);
    let detail = "there is no trust file: name one with --trust".to_owned();
    let found = [Finding { code: Code::OriginUntrusted, entry: None, detail }];
    let extent = if is_case { "request" } else { "ledger" };
    out.result(
        verdict,
        &json!({ "verdict": verdict, "extent": extent, "findings": findings(&found) }),
    )?;
    out.say("nothing was judged: an export that vouches for itself proves nothing");
    say_findings(&found, out);
    Ok(exit_of(Verdict::Unproven))
}

fn findings(findings: &[Finding]) -> Vec<Value> {
    let told = |finding: &Finding| {
        json!({
            "code": finding.code.name(), "meaning": finding.code.text(), "entry": finding.entry,
            "detail": finding.detail,
        })
    };
    findings.iter().map(told).collect()
}

fn say_findings(findings: &[Finding], out: &mut Output) {
    for finding in findings {
        let told = clean(&finding.to_string());
        out.say(&format!("  {told}\n    meaning: {}", finding.code.text()));
    }
}

/// The verdict in a word.
#[must_use]
pub const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::Tampered => "tampered",
        Verdict::Malformed => "malformed",
        Verdict::Unproven => "unproven",
        Verdict::Suspect => "suspect",
    }
}

/// The exit code that goes with a verdict.
#[must_use]
pub const fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Verified => Exit::Done,
        Verdict::Tampered => Exit::Tampered,
        Verdict::Malformed => Exit::Malformed,
        Verdict::Unproven => Exit::Unproven,
        Verdict::Suspect => Exit::Suspect,
    }
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
