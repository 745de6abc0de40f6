use std::os::unix::fs::symlink;

use super::*;

fn bundle() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in [ENTRIES, CHECKPOINT, OPENINGS] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    fs::create_dir(dir.path().join(BLOBS)).unwrap();
    fs::write(dir.path().join(BLOBS).join(Digest::of(b"x").to_string()), "x").unwrap();
    dir
}

fn refused(dir: &Path) -> &'static str {
    match BundleDir::open(dir) {
        Err(BundleError::Shape { rule, .. }) => rule,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn an_export_is_read_up_to_its_limits() {
    let dir = bundle();
    let read = BundleDir::open(dir.path()).unwrap();
    assert_eq!(read.checkpoint().unwrap(), CHECKPOINT);
    assert_eq!(read.blob(Digest::of(b"x")).unwrap(), b"x");
    assert_eq!(read.blob(Digest::of(b"y")), None);
    fs::write(dir.path().join(CHECKPOINT), vec![b'x'; NOTE_MAX + 2]).unwrap();
    assert!(read.checkpoint().is_err());
}

/// A bundle may be built to be read by somebody else's eyes: archive tricks are refused.
#[test]
fn links_strangers_and_bent_names_are_refused() {
    let dir = bundle();
    symlink("/etc/passwd", dir.path().join(BLOBS).join(Digest::of(b"y").to_string())).unwrap();
    assert_eq!(refused(dir.path()), "it is no plain file");
    let dir = bundle();
    fs::remove_file(dir.path().join(ENTRIES)).unwrap();
    symlink("/etc/passwd", dir.path().join(ENTRIES)).unwrap();
    assert_eq!(refused(dir.path()), "it is no plain file");
    let dir = bundle();
    fs::write(dir.path().join("trust.toml"), "").unwrap();
    assert_eq!(refused(dir.path()), "it does not belong into an export");
    let dir = bundle();
    fs::write(dir.path().join(BLOBS).join("scopes.toml"), "").unwrap();
    assert_eq!(refused(dir.path()), "its name is no SHA-256 digest");
    let dir = bundle();
    fs::remove_file(dir.path().join(CHECKPOINT)).unwrap();
    fs::create_dir(dir.path().join(CHECKPOINT)).unwrap();
    assert_eq!(refused(dir.path()), "it is no plain file");
}

#[test]
fn a_link_to_a_whole_export_is_refused() {
    let (dir, elsewhere) = (bundle(), tempfile::tempdir().unwrap());
    let link = elsewhere.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert_eq!(refused(&link), "it is no directory");
}

#[test]
fn a_missing_file_is_malformed_not_a_fault() {
    let dir = bundle();
    fs::remove_file(dir.path().join(OPENINGS)).unwrap();
    let Err(error) = BundleDir::open(dir.path()).unwrap().openings() else { panic!("read") };
    assert_eq!(Failure::from(error).exit(), Exit::Malformed);
}

/// Reading would wait for a writer that never comes.
#[test]
fn a_pipe_is_refused_and_never_waited_for() {
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    for name in [ENTRIES, CHECKPOINT, OPENINGS, PROOFS] {
        let dir = bundle();
        let path = dir.path().join(name);
        let _ = fs::remove_file(&path);
        pipe(&path);
        assert_eq!(refused(dir.path()), "it is no plain file", "{name}");
    }
    let dir = bundle();
    pipe(&dir.path().join(BLOBS).join(Digest::of(b"y").to_string()));
    assert_eq!(refused(dir.path()), "it is no plain file");
}

#[test]
fn a_device_and_a_directory_of_links_are_refused() {
    let dir = bundle();
    fs::remove_file(dir.path().join(OPENINGS)).unwrap();
    symlink("/dev/zero", dir.path().join(OPENINGS)).unwrap();
    assert_eq!(refused(dir.path()), "it is no plain file");
    let (dir, elsewhere) = (bundle(), tempfile::tempdir().unwrap());
    fs::remove_dir_all(dir.path().join(BLOBS)).unwrap();
    symlink(elsewhere.path(), dir.path().join(BLOBS)).unwrap();
    assert_eq!(refused(dir.path()), "it does not belong into an export");
    assert_eq!(refused(Path::new("/dev/null")), "it is no directory");
}

/// Swapped between looking and opening: the opening itself refuses links.
#[test]
fn a_file_that_became_a_link_after_looking_is_not_followed() {
    let dir = bundle();
    let read = BundleDir::open(dir.path()).unwrap();
    let blob = dir.path().join(BLOBS).join(Digest::of(b"x").to_string());
    for path in [dir.path().join(ENTRIES), blob.clone()] {
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
    }
    assert!(read.entries().is_err());
    assert_eq!(read.blob(Digest::of(b"x")), None);
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, vec![0; usize::try_from(BLOB_MAX).unwrap() + 1]).unwrap();
    assert_eq!(read.blob(Digest::of(b"x")), None, "too large to be a policy file");
}

#[test]
fn names_that_climb_or_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = bundle();
    fs::create_dir(dir.path().join("sub")).unwrap();
    assert_eq!(refused(dir.path()), "it does not belong into an export");
    for name in [&b"..\\..\\x"[..], b"...", b"entries.jsonl ", b"\xff\xfe"] {
        let dir = bundle();
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        assert!(BundleDir::open(dir.path()).is_err(), "{name:?}");
    }
}

/// Holes on disk: terabytes that cost nothing to send. Given up at the first line's limit.
#[test]
fn a_bundle_of_holes_is_given_up_at_once() {
    use breakglass_ledger::audit::{Code, verify};
    use breakglass_ledger::bundle::Bundle;
    let dir = bundle();
    for name in [ENTRIES, OPENINGS, CHECKPOINT] {
        let file = OpenOptions::new().write(true).open(dir.path().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();
    }
    let read = BundleDir::open(dir.path()).unwrap();
    assert!(matches!(read.checkpoint(), Err(BundleError::Shape { rule: "it is too large", .. })));
    let parts = Bundle {
        entries: &mut read.entries().unwrap(),
        checkpoint: "",
        openings: &mut read.openings().unwrap(),
        blobs: &|digest| read.blob(digest),
    };
    let trust = breakglass_ledger::testing::House::new().trust();
    let report = verify(parts, &trust, None, None).unwrap();
    assert!(report.findings.iter().any(|finding| finding.code == Code::EntryTooLarge));
    let shown = crate::audit::table(&mut read.entries().unwrap(), None);
    let Err(shown) = shown else { panic!("shown") };
    assert_eq!(shown.exit(), Exit::Malformed);
}
