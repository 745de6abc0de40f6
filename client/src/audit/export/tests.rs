use breakglass_ledger::bundle::Bundle;
use breakglass_ledger::testing::House;
use breakglass_proto::v1::export_part::Part;

use super::*;
use crate::audit::BundleDir;
use crate::testing::trust;

/// The parts in which a broker sends `house`.
fn parts(house: &House) -> Vec<Part> {
    let mut parts: Vec<Part> = vec![Part::Entries(v1::Entries {
        first_seq: 0,
        entries: house.entries.clone(),
        inclusion: Vec::new(),
    })];
    for opening in &house.openings {
        let line: serde_json::Value = serde_json::from_slice(&opening.to_line().unwrap()).unwrap();
        let hex = |key: &str| HEXLOWER.decode(line[key].as_str().unwrap().as_bytes()).unwrap();
        parts.push(Part::Opening(v1::Opening {
            digest: hex("digest"),
            salt: hex("salt"),
            text: opening.text().to_owned(),
        }));
    }
    for (digest, content) in &house.blobs {
        let (name, content) = (digest.to_string(), content.clone());
        parts.push(Part::Blob(v1::Blob { name, content }));
    }
    parts.push(Part::Checkpoint(house.checkpoint()));
    parts
}

fn write(house: &House, parts: Vec<Part>, out: &Path) -> Result<Counts, Failure> {
    let mut export = Export::begin(out)?;
    for part in parts {
        export.take(part)?;
    }
    export.finish(&trust(house), None).map(|(_, counts)| counts)
}

fn house() -> House {
    let mut house = House::new();
    house.emergency();
    house
}

#[test]
fn what_was_exported_is_verified_offline() {
    let (house, dir) = (house(), tempfile::tempdir().unwrap());
    let out = dir.path().join("bundle");
    let counts = write(&house, parts(&house), &out).unwrap();
    assert_eq!(counts.entries, house.size());
    let bundle = BundleDir::open(&out).unwrap();
    let report = breakglass_ledger::audit::verify(
        Bundle {
            entries: &mut bundle.entries().unwrap(),
            checkpoint: &bundle.checkpoint().unwrap(),
            openings: &mut bundle.openings().unwrap(),
            blobs: &|digest| bundle.blob(digest),
        },
        &house.trust(),
        None,
    )
    .unwrap();
    assert_eq!(report, house.verify());
    let (table, rows) = crate::audit::table(&mut bundle.entries().unwrap(), None).unwrap();
    assert_eq!(rows.len(), house.entries.len());
    assert!(table.render().contains("approved"), "{}", table.render());
}

#[test]
fn an_export_appears_whole_or_not_at_all() {
    let (house, dir) = (house(), tempfile::tempdir().unwrap());
    let out = dir.path().join("bundle");
    let all = parts(&house);
    let without_end = all[..all.len() - 1].to_vec();
    let failure = write(&house, without_end, &out).unwrap_err();
    assert_eq!(failure.exit(), Exit::Malformed);
    let mut without_entry = all.clone();
    let Part::Entries(entries) = &mut without_entry[0] else { panic!() };
    entries.entries.remove(2);
    assert!(write(&house, without_entry, &out).is_err());
    let mut renamed = all.clone();
    let blob = renamed.iter_mut().find_map(|part| {
        let Part::Blob(blob) = part else { return None };
        Some(blob)
    });
    blob.unwrap().name = "../../escape".to_owned();
    assert!(write(&house, renamed, &out).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn an_export_is_never_written_over_something() {
    let (house, dir) = (house(), tempfile::tempdir().unwrap());
    let failure = write(&house, parts(&house), dir.path()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
}

/// R37: the tail is cut and an older genuine checkpoint fits what is left.
#[test]
fn an_export_behind_what_was_seen_is_refused() {
    let (mut house, dir) = (house(), tempfile::tempdir().unwrap());
    let then = parts(&house);
    house.request("ann", "root-on-host", 60);
    let kept = trust(&house).open(&house.checkpoint()).unwrap();
    let mut export = Export::begin(&dir.path().join("bundle")).unwrap();
    for part in then {
        export.take(part).unwrap();
    }
    let failure = export.finish(&trust(&house), Some(&kept)).unwrap_err();
    assert_eq!(failure.exit(), Exit::Tampered);
}
