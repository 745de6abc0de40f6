//! The published vectors: every file with its content.

use std::path::PathBuf;

use super::{
    CaseExport, Export, House, harmed_cases, harmed_files, harmed_rules, harmed_rulings,
    harmed_surroundings,
};
use crate::bundle::{BLOBS, CHECKPOINT, ENTRIES, OPENINGS, PROOFS};
use crate::bytes::{Digest, Salt};
use crate::entry::{
    Anchor, Applied, Approved, Body, Cause, Closed, Config, ConfigChange, Context, Decision,
    Denied, Drill, Entry, Escalated, Evidence, Genesis, Issued, KeyRole, Keys, Lapsed, Link,
    Locked, Notified, Numbered, OutageBegan, OutageEnded, OutageState, Outcome, Overdue, PickedUp,
    Policy, Reconciled, Refused, Requested, Reviewed, Revoked, Signed, Unlocked, Used, WatchState,
    Watched, Withdrawn,
};
use crate::id::RequestId;
use crate::principal::{PrincipalKind, StageId};
use crate::statement::{ActKind, Kind, Lane};
use crate::time::Timestamp;

/// Every file below `vectors/` that belongs to entries and bundles, with its content.
#[must_use]
pub fn vectors() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in examples() {
        let name = format!("entries/{}.json", entry.body.type_name());
        files.push((name.into(), entry.to_bytes().expect("an example")));
    }
    for (name, what) in config_examples() {
        let entry = example(Config { what }.into());
        let name = format!("entries/config-{name}.json");
        files.push((name.into(), entry.to_bytes().expect("an example")));
    }
    let house = House::eventful();
    let honest = house.export();
    let trust = house.trust().to_toml().expect("a trust file");
    files.push(("bundle/trust.toml".into(), trust.into_bytes()));
    for (digest, content) in &honest.blobs {
        files.push((format!("bundle/{BLOBS}/{digest}").into(), content.clone()));
    }
    put(&mut files, "bundle", &honest);
    for (code, export) in harmed_files().iter().chain(&harmed_rules()) {
        put(&mut files, &format!("tampered/{code}"), export);
        for (digest, content) in &export.blobs {
            if !honest.blobs.contains_key(digest) {
                let path = format!("tampered/{code}/{BLOBS}/{digest}");
                files.push((path.into(), content.clone()));
            }
        }
    }
    let special = House::special().export();
    put_whole(&mut files, "lanes", &special);
    for (code, export) in harmed_surroundings() {
        put(&mut files, &format!("tampered/{code}"), &export);
    }
    let mut ruled = House::ruled();
    ruled.request("sam", "metered", 60);
    put_whole(&mut files, "ruled", &ruled.export());
    for (code, export) in harmed_rulings() {
        put_whole(&mut files, &format!("ruled-tampered/{code}"), &export);
    }
    put_case(&mut files, "case", &house.first_case());
    for (digest, content) in &honest.blobs {
        files.push((format!("case/{BLOBS}/{digest}").into(), content.clone()));
    }
    for (code, case) in harmed_cases() {
        put_case(&mut files, &format!("case-tampered/{code}"), &case);
    }
    files
}

fn put_whole(files: &mut Vec<(PathBuf, Vec<u8>)>, directory: &str, export: &Export) {
    put(files, directory, export);
    for (digest, content) in &export.blobs {
        files.push((format!("{directory}/{BLOBS}/{digest}").into(), content.clone()));
    }
}

fn put_case(files: &mut Vec<(PathBuf, Vec<u8>)>, directory: &str, case: &CaseExport) {
    put(files, directory, &case.files);
    files.push((format!("{directory}/{PROOFS}").into(), case.proofs.clone()));
}

fn put(files: &mut Vec<(PathBuf, Vec<u8>)>, directory: &str, export: &Export) {
    files.push((format!("{directory}/{ENTRIES}").into(), export.entries.clone()));
    files.push((format!("{directory}/{CHECKPOINT}").into(), export.checkpoint.clone().into()));
    files.push((format!("{directory}/{OPENINGS}").into(), export.openings.clone()));
}

/// One entry of every type, optional parts present.
#[must_use]
pub fn examples() -> Vec<Entry> {
    bodies().into_iter().map(example).collect()
}

fn example(body: Body) -> Entry {
    Entry {
        seq: 9,
        time: "2026-11-22T10:00:00.123Z".parse().expect("a time"),
        prev: Digest::of(b"prev"),
        salt: Salt::from_bytes([5; 16]),
        log: "payments/3f9a1c0e5b7d2a44".parse().expect("an origin"),
        body,
    }
}

fn link() -> Link {
    Link {
        grant: RequestId::new(1_700_000_000_000, [7; 10]),
        gseq: 3,
        gprev: Digest::of(b"before"),
    }
}

fn signed() -> Signed {
    Signed {
        statement: "breakglass-test/v1\nsay: \"a \\ b\"\n".to_owned(),
        signature: "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n".to_owned(),
    }
}

fn decision() -> Decision {
    Decision {
        policy: Digest::of(b"policy"),
        rules: vec!["scope.requesters".to_owned()],
        context: Context {
            lane: Some(Lane::Normal),
            outage: OutageState::None,
            outage_since: None,
            stage: None,
            live: None,
            budget: None,
            drill_age: None,
            time: Timestamp::from_unix_seconds(1_700_000_000),
            kind: Some(PrincipalKind::Human),
            delegation: vec!["sam".parse().expect("good")],
        },
        outcome: "granted".to_owned(),
    }
}

fn evidence() -> Evidence {
    Evidence {
        probe: "discovery".parse().expect("good"),
        rounds: 3,
        saw: "timeout".parse().expect("good"),
        since: Timestamp::from_unix_seconds(1_700_000_000),
    }
}

/// The changes that `config` can tell of, besides the one in [`examples`].
#[must_use]
pub fn config_examples() -> Vec<(&'static str, ConfigChange)> {
    let watched = Watched {
        dependency: "okta".parse().expect("good"),
        evidence: vec![evidence()],
        state: WatchState::Flapping,
    };
    let notified = Notified {
        attempts: 2,
        channel: "slack".parse().expect("good"),
        delivered: true,
        entry: 7,
        notice: Salt::from_bytes([3; 16]),
    };
    let overdue = Overdue { entry: 7, target: "db1".parse().expect("good"), version: 5 };
    vec![
        ("software", ConfigChange::Software { version: "breakglassd 1.0.0".to_owned() }),
        ("watched", ConfigChange::Watched(watched)),
        ("notified", ConfigChange::Notified(notified)),
        ("overdue", ConfigChange::Overdue(overdue)),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list of all types, nothing else")]
fn bodies() -> Vec<Body> {
    let (digest, text) = (Digest::of(b"x"), || "text".to_owned());
    let at = Timestamp::from_unix_seconds(1_700_001_800);
    let stage: StageId = "app-owner".parse().expect("good");
    vec![
        Genesis {
            deployment: text(),
            log_key: text(),
            ssh_ca: text(),
            lists_key: text(),
            tls_ca: digest,
            x509_ca: None,
            jwt_key: None,
            software: text(),
        }
        .into(),
        Policy { version: 1, digest, statement: text(), signatures: vec![text(), text()] }.into(),
        Requested { link: link(), signed: signed(), decision: decision(), lapses: at }.into(),
        Approved {
            link: link(),
            signed: signed(),
            decision: decision(),
            stage: stage.clone(),
            missing: 0,
        }
        .into(),
        Denied { link: link(), signed: signed(), decision: decision() }.into(),
        Withdrawn { link: link(), signed: signed(), decision: decision() }.into(),
        Escalated { link: link(), signed: Some(signed()), decision: decision(), stage }.into(),
        Lapsed { link: link(), decision: decision() }.into(),
        Issued {
            link: link(),
            signed: signed(),
            decision: decision(),
            kind: Kind::Ssh,
            certificate: Some(text()),
            claims: None,
            token: None,
            replaces: None,
            ends: None,
            serial: 9,
            subject: digest,
            valid_after: at,
            valid_before: at,
            principals: vec![text()],
            approvals: vec![4, 5],
        }
        .into(),
        PickedUp { link: link(), signed: signed() }.into(),
        Used { link: link(), signed: signed() }.into(),
        Revoked {
            link: link(),
            signed: Some(signed()),
            decision: decision(),
            cause: Cause::Dropped,
            serial: 9,
            also: None,
            valid_before: at,
        }
        .into(),
        Applied { signed: signed() }.into(),
        Closed { link: link(), outcome: Outcome::Revoked }.into(),
        Refused {
            signed: signed(),
            decision: decision(),
            by: Some("eve".parse().expect("good")),
            act: ActKind::Approve,
            refusal: Numbered { name: text(), number: 7 },
            request: Some(digest),
        }
        .into(),
        Locked { signed: signed(), decision: decision() }.into(),
        Unlocked { signed: Some(signed()), decision: decision(), lock: digest }.into(),
        OutageBegan {
            signed: Some(signed()),
            decision: decision(),
            dependency: "okta".parse().expect("good"),
            evidence: Some(vec![evidence(), evidence()]),
        }
        .into(),
        OutageEnded {
            signed: Some(signed()),
            decision: decision(),
            dependency: "okta".parse().expect("good"),
            evidence: Some(vec![evidence()]),
        }
        .into(),
        Reviewed { signed: signed(), decision: decision(), request: link().grant }.into(),
        Drill { request: link().grant, scope: "prod-db".parse().expect("good"), passed: true }
            .into(),
        Anchor { checkpoint: "o/0\n1\nr=\n".to_owned(), cosignatures: vec![text()] }.into(),
        Keys { role: KeyRole::SshCa, key: text() }.into(),
        Reconciled {
            signed: Some(signed()),
            target: "db1".parse().expect("good"),
            matched: 0,
            unlogged: vec![77],
        }
        .into(),
        Config { what: ConfigChange::Erased { text: digest } }.into(),
    ]
}
