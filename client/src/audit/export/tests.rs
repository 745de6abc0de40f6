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
    let mut export = Export::begin(out, Extent::Whole)?;
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
        None,
    )
    .unwrap();
    assert_eq!(report, house.verify());
    let (table, rows) = crate::audit::table(&mut bundle.entries().unwrap(), None).unwrap();
    assert_eq!(rows.len(), house.entries.len());
    assert!(table.render(None).contains("approved"), "{}", table.render(None));
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
    let mut export = Export::begin(&dir.path().join("bundle"), Extent::Whole).unwrap();
    for part in then {
        export.take(part).unwrap();
    }
    let failure = export.finish(&trust(&house), Some(&kept)).unwrap_err();
    assert_eq!(failure.exit(), Exit::Tampered);
}

/// The parts in which a broker sends the case of the first grant of `house`.
fn case_parts(house: &House) -> Vec<Part> {
    use breakglass_ledger::bundle::Proof;
    let case = house.first_case();
    let (entries, proofs) = case.lines();
    let mut parts: Vec<Part> = entries
        .into_iter()
        .zip(&proofs)
        .map(|(entry, line)| {
            let proof = Proof::parse(line).unwrap();
            let inclusion = proof.hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
            Part::Entries(v1::Entries { first_seq: proof.seq, entries: vec![entry], inclusion })
        })
        .collect();
    let is_entry = |part: &Part| matches!(part, Part::Entries(_));
    let texts = case.files.openings;
    let others = self::parts(house).into_iter().filter(|part| !is_entry(part));
    parts.extend(others.filter(|part| match part {
        Part::Opening(opening) => {
            let digest = HEXLOWER.encode(&opening.digest);
            String::from_utf8_lossy(&texts).contains(&digest)
        }
        Part::Entries(_) | Part::Blob(_) | Part::Checkpoint(_) => true,
    }));
    parts
}

fn write_case(house: &House, parts: Vec<Part>, out: &Path) -> Result<Counts, Failure> {
    let mut export = Export::begin(out, Extent::Case)?;
    for part in parts {
        export.take(part)?;
    }
    export.finish(&trust(house), None).map(|(_, counts)| counts)
}

#[test]
fn one_request_is_exported_with_its_proofs_and_verified_offline() {
    let (house, dir) = (House::eventful(), tempfile::tempdir().unwrap());
    let out = dir.path().join("case");
    write_case(&house, case_parts(&house), &out).unwrap();
    let bundle = BundleDir::open(&out).unwrap();
    assert!(bundle.is_case());
    let case = breakglass_ledger::bundle::CaseBundle {
        entries: &mut bundle.entries().unwrap(),
        proofs: &mut bundle.proofs().unwrap(),
        checkpoint: &bundle.checkpoint().unwrap(),
        openings: &mut bundle.openings().unwrap(),
        blobs: &|digest| bundle.blob(digest),
    };
    let report = breakglass_ledger::audit::verify_case(case, &house.trust(), None, None).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report, house.first_case().verify(&house.trust(), None));
}

/// Here at the latest: what a broker cannot prove does not become an export.
#[test]
fn a_case_without_its_proofs_is_not_kept() {
    let (house, dir) = (House::eventful(), tempfile::tempdir().unwrap());
    let out = dir.path().join("case");
    let spoilt = |spoil: &dyn Fn(&mut Vec<Part>)| {
        let mut parts = case_parts(&house);
        spoil(&mut parts);
        write_case(&house, parts, &out).unwrap_err().exit()
    };
    let entries = |part: &mut Part, spoil: &dyn Fn(&mut v1::Entries)| {
        let Part::Entries(entries) = part else { panic!() };
        spoil(entries);
    };
    let harms: [&dyn Fn(&mut v1::Entries); 5] = [
        &|part| drop(part.inclusion.pop()),
        &|part| part.inclusion[0][0] ^= 1,
        &|part| part.inclusion[0].truncate(31),
        &|part| part.inclusion = vec![vec![0; 32]; 65],
        &|part| part.entries.push(part.entries[0].clone()),
    ];
    for harm in harms {
        assert_eq!(spoilt(&|parts| entries(&mut parts[2], harm)), Exit::Malformed);
    }
    assert_eq!(spoilt(&|parts| parts.swap(2, 3)), Exit::Malformed);
    assert_eq!(spoilt(&|parts| parts[0] = parts[1].clone()), Exit::Malformed);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}
