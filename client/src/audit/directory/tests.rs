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
