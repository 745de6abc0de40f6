//! Entries, texts, policy files, and what readers see of them.

use std::os::unix::fs::PermissionsExt;

use breakglass_ledger::entry::Policy;
use breakglass_ledger::statement::commitment;
use breakglass_ledger::tree::{
    consistency, inclusion, leaf_hash, verify_consistency, verify_inclusion,
};

use super::*;

#[test]
fn a_ledger_is_reopened_where_it_ended() {
    let (house, mut store) = House::founded();
    for version in 1..700 {
        house.write(&mut store, [software(version)]).unwrap();
    }
    let head = store.head();
    drop(store);
    let store = house.open().unwrap();
    assert_eq!((store.head(), head.size), (head, 700));
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn an_empty_ledger_is_reopened_empty() {
    let house = House::new();
    drop(Store::create(&house.path(), &house.key).unwrap());
    let store = house.open().unwrap();
    assert_eq!((store.head().size, store.head().hash), (0, Digest::ZERO));
}

#[test]
fn only_the_owner_may_read_the_files() {
    let (house, _store) = House::founded();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&house.path()), 0o700);
    for file in std::fs::read_dir(house.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn entries_are_read_as_they_were_written() {
    let (house, mut store) = House::founded();
    let appended = store
        .write(|write| {
            let appended = write.append(&house.entry(write.head(), software(1)))?;
            write.put_checkpoint(&house.note(write.head()))?;
            Ok::<_, StoreError>(appended)
        })
        .unwrap();
    let reader = store.reader().unwrap();
    let record = reader.entry(1).unwrap().unwrap();
    assert_eq!(record.bytes, appended.bytes);
    assert_eq!((record.leaf, appended.hash), (leaf_hash(&record.bytes), reader.head().hash));
    assert_eq!(record.parse().unwrap().body, software(1));
    assert_eq!(reader.entry(2).unwrap(), None);
}

#[test]
fn a_page_of_entries_is_bounded() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..2000).map(software)).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.entries(0, usize::MAX).unwrap().len(), PAGE_ROWS_MAX);
    assert_eq!(reader.entries(1990, 5).unwrap().first().unwrap().seq, 1990);
    assert_eq!(reader.entries(1990, usize::MAX).unwrap().len(), 11);
    assert_eq!(reader.entries(2001, usize::MAX).unwrap(), []);
}

#[test]
fn a_page_of_large_entries_is_bounded_by_bytes() {
    let (house, mut store) = House::founded();
    let large =
        || Body::from(Config { what: ConfigChange::Software { version: "x".repeat(60_000) } });
    house.write(&mut store, (0..40).map(|_| large())).unwrap();
    let page = store.reader().unwrap().entries(1, usize::MAX).unwrap();
    assert_eq!(page.len(), PAGE_BYTES_MAX.div_ceil(60_000));
}

#[test]
fn a_reader_sees_its_snapshot_and_never_waits_for_the_writer() {
    let (house, mut store) = House::founded();
    let readers = store.readers().clone();
    let before = readers.reader().unwrap();
    store
        .write(|write| {
            house.append(write, [software(1)])?;
            // The writer is in the middle of its transaction.
            assert_eq!(readers.reader()?.head().size, 1);
            assert_eq!(readers.reader()?.entry(1)?, None);
            write.put_checkpoint(&house.note(write.head()))
        })
        .unwrap();
    assert_eq!((before.head().size, before.entry(1).unwrap()), (1, None));
    let after = readers.reader().unwrap();
    assert_eq!(after.head(), store.head());
    assert_eq!(after.newest_checkpoint(), Some(house.note(store.head()).as_str()));
}

#[test]
fn snapshots_are_limited_and_given_back() {
    let (_house, store) = House::founded();
    let held: Vec<_> = (0..64).map(|_| store.reader().unwrap()).collect();
    assert!(matches!(store.reader(), Err(StoreError::Busy)));
    drop(held);
    assert!(store.reader().is_ok());
}

#[test]
fn proofs_hold_at_every_size_around_the_kept_levels() {
    let (house, mut store) = House::founded();
    let mut heads = vec![store.head()];
    for version in 0..600 {
        house.write(&mut store, [software(version)]).unwrap();
        heads.push(store.head());
    }
    let reader = store.reader().unwrap();
    let head = reader.head();
    for old in heads.iter().filter(|old| old.size % 255 < 3 || old.size % 97 == 0) {
        let proof = consistency(&reader, old.size, head.size).unwrap();
        assert!(verify_consistency(old.size, head.size, &old.root, &head.root, &proof));
        let leaf = reader.entry(old.size - 1).unwrap().unwrap().leaf;
        let proof = inclusion(&reader, old.size - 1, head.size).unwrap();
        assert!(verify_inclusion(old.size - 1, head.size, &leaf, &proof, &head.root));
    }
}

#[test]
fn policies_are_found_by_version_and_their_files_by_content() {
    let (house, mut store) = House::founded();
    let policy = |version: u64| {
        let digest = Digest::of(&version.to_be_bytes());
        Body::from(Policy { version, digest, statement: "s".into(), signatures: vec![] })
    };
    assert_eq!(store.reader().unwrap().newest_policy().unwrap(), None);
    house.write(&mut store, [policy(1), policy(2)]).unwrap();
    let digest = store.write(|write| write.put_blob(b"scopes")).unwrap();
    assert_eq!(store.write(|write| write.put_blob(b"scopes")).unwrap(), digest);
    let reader = store.reader().unwrap();
    let newest = reader.newest_policy().unwrap().unwrap();
    assert_eq!((newest.version, newest.seq), (2, 2));
    assert_eq!(reader.policies(0).unwrap().len(), 2);
    assert_eq!(reader.blob(digest).unwrap().as_deref(), Some(&b"scopes"[..]));
    assert_eq!(reader.blobs(None).unwrap(), [digest]);
    assert_eq!(reader.blobs(Some(digest)).unwrap(), []);
    assert!(matches!(house.write(&mut store, [policy(2)]), Err(StoreError::Repeated { seq: 3 })));
}

/// R19: what was erased is in no file any more, neither the database nor its log.
#[test]
fn an_erased_text_is_gone_from_the_disk() {
    let (house, mut store) = House::founded();
    let canary = "hunter2-canary-that-was-pasted-by-mistake";
    let (salt, kept) = ([3; 32], "the database is down");
    let (bad, good) = (commitment(&salt, canary), commitment(&salt, kept));
    store
        .write(|write| {
            write.put_text(bad, &salt, canary)?;
            write.put_text(good, &salt, kept)?;
            write.put_text(good, &salt, kept)
        })
        .unwrap();
    assert!(on_disk(&house, canary));
    assert_eq!(store.reader().unwrap().text(bad).unwrap().unwrap().text, canary);
    let erased = Body::from(Config { what: ConfigChange::Erased { text: bad } });
    house.write(&mut store, [erased]).unwrap();
    assert!(!on_disk(&house, canary));
    let reader = store.reader().unwrap();
    let left = reader.texts_for(&[bad, good]).unwrap();
    assert_eq!(left, reader.texts(0, 10).unwrap());
    assert_eq!(reader.newest_text().unwrap(), left.last().unwrap().number);
    assert_eq!(left.iter().map(|opening| opening.text.as_str()).collect::<Vec<_>>(), [kept]);
}

/// A reader's snapshot may need the log for longer; then the next commit empties it.
#[test]
fn an_erased_text_is_gone_once_no_reader_needs_the_old_snapshot() {
    let (house, mut store) = House::founded();
    let (salt, canary) = ([3; 32], "hunter2-canary-that-was-pasted-by-mistake");
    let digest = commitment(&salt, canary);
    store.write(|write| write.put_text(digest, &salt, canary)).unwrap();
    let reader = store.reader().unwrap();
    let erased = Body::from(Config { what: ConfigChange::Erased { text: digest } });
    house.write(&mut store, [erased]).unwrap();
    assert!(reader.text(digest).unwrap().is_some());
    drop(reader);
    house.write(&mut store, [software(1)]).unwrap();
    assert!(!on_disk(&house, canary));
}

#[test]
fn a_text_that_does_not_open_its_commitment_is_refused() {
    let (_house, mut store) = House::founded();
    let put = store.write(|write| write.put_text(Digest::of(b"other"), &[3; 32], "text"));
    assert!(matches!(put, Err(StoreError::Damaged { what: "an opening" })));
    assert_eq!(store.reader().unwrap().texts(0, 10).unwrap(), []);
}

fn on_disk(house: &House, text: &str) -> bool {
    std::fs::read_dir(house.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
