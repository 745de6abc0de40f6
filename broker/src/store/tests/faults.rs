//! Bad storage gets a clear error and loses nothing.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::FileExt;

use super::*;

#[test]
fn a_missing_ledger_says_how_to_make_one() {
    let house = House::new();
    let answer = house.open();
    assert!(matches!(&answer, Err(StoreError::Missing(path)) if *path == house.database()));
    assert!(answer.unwrap_err().to_string().contains("breakglassd init"));
    assert!(!house.path().exists(), "looking must not leave anything behind");
}

#[test]
fn a_ledger_is_never_overwritten() {
    let (house, store) = House::founded();
    drop(store);
    let answer = Store::create(&house.path(), &house.key);
    assert!(matches!(answer, Err(StoreError::Exists(_))));
    assert_eq!(house.open().unwrap().head().size, 1);
}

#[test]
fn a_second_daemon_is_refused_while_the_first_runs() {
    let (house, store) = House::founded();
    assert!(matches!(house.open(), Err(StoreError::Locked(_))));
    drop(store);
    assert!(house.open().is_ok());
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_alone() {
    let house = House::new();
    fs::create_dir(house.path()).unwrap();
    fs::write(house.database(), "dear diary, ".repeat(1000)).unwrap();
    assert!(matches!(house.open(), Err(StoreError::Foreign(_))));
    assert_eq!(fs::read(house.database()).unwrap(), "dear diary, ".repeat(1000).as_bytes());

    fs::remove_file(house.database()).unwrap();
    house.intruder().execute_batch("CREATE TABLE other(x)").unwrap();
    assert!(matches!(house.open(), Err(StoreError::Foreign(_))));

    // What a crash in the middle of `create` leaves.
    fs::write(house.database(), "").unwrap();
    assert!(matches!(house.open(), Err(StoreError::Foreign(_))));
}

#[test]
fn a_ledger_of_a_newer_version_is_refused() {
    let (house, store) = House::founded();
    drop(store);
    house.intruder().pragma_update(None, "user_version", 3).unwrap();
    let error = house.open().unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 3, known: 2 }), "{error}");
    assert!(error.to_string().contains("run the newer version that wrote it"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let house = House::new();
    // Refused to everybody, root included, so that the test means the same for both.
    let sealed = Path::new("/sys/breakglass-store-test");
    assert!(matches!(
        Store::create(sealed, &house.key),
        Err(StoreError::ReadOnly(path)) if path == sealed
    ));
    for kind in [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem] {
        let error = StoreError::file(&house.path(), kind.into());
        assert!(error.to_string().contains("must not grant"), "{error}");
    }
}

#[test]
fn a_truncated_database_is_refused() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..500).map(software)).unwrap();
    drop(store);
    let length = fs::metadata(house.database()).unwrap().len();
    for cut in [length - 1, length - 8192, length / 2, 8192, 100] {
        let copy = House::new();
        fs::create_dir(copy.path()).unwrap();
        let bytes = fs::read(house.database()).unwrap();
        fs::write(copy.database(), &bytes[..usize::try_from(cut).unwrap()]).unwrap();
        fs::copy(house.path().join("guard"), copy.path().join("guard")).unwrap();
        let answer = copy.open();
        assert!(
            matches!(answer, Err(StoreError::Damaged { .. } | StoreError::Foreign(_))),
            "{cut} of {length}: {answer:?}"
        );
    }
}

#[test]
fn an_edited_entry_is_never_read_as_good() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    house
        .intruder()
        .execute(
            "UPDATE entry SET bytes = CAST(replace(bytes, '\"seq\":7,', '\"seq\":8,') AS BLOB) WHERE seq = 7",
            (),
        )
        .unwrap();
    let reader = store.reader().unwrap();
    assert!(matches!(reader.entry(7), Err(StoreError::Corrupt { seq: 7, .. })));
    assert!(matches!(reader.entries(5, 10), Err(StoreError::Corrupt { seq: 7, .. })));
    assert!(matches!(reader.rebuild_and_compare(), Err(StoreError::Corrupt { seq: 7, .. })));
    assert!(reader.entry(8).unwrap().is_some());
}

/// The leaf hash is made to match as well, so only the tree can tell.
#[test]
fn an_edited_newest_entry_is_noticed_at_the_start() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    let mut record = store.reader().unwrap().entry(20).unwrap().unwrap();
    drop(store);
    *record.bytes.last_mut().unwrap() ^= 1;
    let leaf = breakglass_ledger::tree::leaf_hash(&record.bytes);
    let edit = |leaf: Digest, bytes: &[u8]| {
        let edit = "UPDATE entry SET leaf = ?1, bytes = ?2 WHERE seq = 20";
        house.intruder().execute(edit, (leaf.as_bytes(), bytes)).unwrap();
    };
    edit(record.leaf, &record.bytes);
    assert!(matches!(house.open(), Err(StoreError::Corrupt { seq: 20, .. })));
    edit(leaf, &record.bytes);
    assert!(matches!(house.open(), Err(StoreError::Corrupt { seq: 20, .. })));
    let hash = Digest::of(&record.bytes);
    house.intruder().execute("UPDATE head SET hash = ?1", [hash.as_bytes()]).unwrap();
    assert!(house.open().is_err());
}

/// R37: the head row can be made to match a rewritten leaf, its signature cannot.
#[test]
fn a_rewritten_tree_is_noticed_at_the_start() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    let head = store.head();
    drop(store);
    let intruder = house.intruder();
    intruder.execute("UPDATE entry SET leaf = ?1 WHERE seq = 17", [[1_u8; 32]]).unwrap();
    assert!(matches!(house.open(), Err(StoreError::Root { size: 21 })));

    let mut read = Read::new(intruder);
    let root = breakglass_ledger::tree::root_at(&read, 21).unwrap();
    let intruder = read.take();
    let intruder = intruder.connection().unwrap();
    intruder.execute("UPDATE head SET root = ?1", [root.as_bytes()]).unwrap();
    assert!(matches!(house.open(), Err(StoreError::Root { size: 21 })));

    let forged = house.note(Head { root, ..head }).replace("\u{2014} test", "\u{2014} best");
    intruder.execute("UPDATE head SET note = ?1", [forged]).unwrap();
    assert!(matches!(house.open(), Err(StoreError::CheckpointSignature { .. })));
}

#[test]
fn deleted_and_added_tail_rows_are_noticed_at_the_start() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    drop(store);
    house
        .intruder()
        .execute(
            "INSERT INTO entry(seq, leaf, bytes) SELECT 21, leaf, bytes FROM entry WHERE seq = 20",
            (),
        )
        .unwrap();
    assert!(matches!(house.open(), Err(StoreError::Corrupt { seq: 21, .. })));
    house.intruder().execute("DELETE FROM entry WHERE seq > 18", ()).unwrap();
    assert!(matches!(house.open(), Err(StoreError::Corrupt { seq: 20, .. })));
}

#[test]
fn a_deleted_middle_row_is_noticed_when_it_is_read() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    house.intruder().execute("DELETE FROM entry WHERE seq = 9", ()).unwrap();
    let reader = store.reader().unwrap();
    assert!(matches!(reader.entries(5, 10), Err(StoreError::Corrupt { seq: 9, .. })));
    assert!(matches!(reader.rebuild_and_compare(), Err(StoreError::Corrupt { seq: 9, .. })));
}

#[test]
fn another_log_key_is_refused() {
    let (house, store) = House::founded();
    drop(store);
    let mut other = House::new();
    other.pair = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let public = other.pair.public_key().as_ref().try_into().unwrap();
    let key = VerifierKey::of_log(&Origin::new("test", &public).unwrap(), &public).unwrap();
    let answer = Store::open(&house.path(), &key, GuardPolicy::Require);
    assert!(matches!(answer, Err(StoreError::CheckpointSignature { .. })));
}

/// R37: an older copy of the whole database is genuine in itself; only the guard has seen more.
#[test]
fn an_older_copy_of_the_database_is_refused() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    drop(store);
    let older = fs::read(house.database()).unwrap();
    let mut store = house.open().unwrap();
    house.write(&mut store, [software(20)]).unwrap();
    drop(store);
    fs::write(house.database(), older).unwrap();
    for policy in [GuardPolicy::Require, GuardPolicy::Recreate] {
        let answer = Store::open(&house.path(), &house.key, policy);
        assert!(matches!(answer, Err(StoreError::Rollback { size: 21, guard_size: 22, .. })));
        assert!(answer.unwrap_err().to_string().starts_with("E_ROLLBACK: "));
    }
}

/// R37: a fork of the same key, longer than what the guard has seen.
#[test]
fn another_history_of_the_same_log_is_refused() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..20).map(software)).unwrap();
    drop(store);
    let (other, mut store) = House::founded();
    other.write(&mut store, (100..150).map(software)).unwrap();
    drop(store);
    fs::copy(other.database(), house.database()).unwrap();
    assert!(matches!(house.open(), Err(StoreError::Rollback { size: 51, guard_size: 21, .. })));
}

#[test]
fn a_lost_or_unreadable_guard_needs_the_operators_word() {
    for spoil in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, "").unwrap(),
        |path: &Path| fs::write(path, [7; 1024]).unwrap(),
    ] {
        let (house, store) = House::founded();
        drop(store);
        spoil(&house.path().join("guard"));
        assert!(matches!(house.open(), Err(StoreError::GuardLost(_))));
        let accepted = Store::open(&house.path(), &house.key, GuardPolicy::Recreate);
        assert_eq!(accepted.unwrap().head().size, 1);
        assert!(house.open().is_ok(), "written anew");
    }
}

/// A write that a power cut tore leaves the slot before it.
#[test]
fn a_torn_guard_slot_leaves_the_other() {
    let (house, mut store) = House::founded();
    house.write(&mut store, (0..3).map(software)).unwrap();
    house.write(&mut store, (3..6).map(software)).unwrap();
    drop(store);
    let guard = fs::OpenOptions::new().write(true).open(house.path().join("guard")).unwrap();
    let whole = fs::read(house.path().join("guard")).unwrap();
    for slot in [0, 512] {
        guard.write_all_at(&[0xff; 100], slot + 200).unwrap();
        let (_, seen) = Guard::open(&house.path().join("guard"), &house.key).unwrap();
        assert!([4, 7].contains(&seen.unwrap().size));
        guard.write_all_at(&whole, 0).unwrap();
    }
    assert_eq!(house.open().unwrap().head().size, 7);
}

/// A guard of another deployment is no guard of this one.
#[test]
fn a_guard_that_another_key_signed_is_unreadable() {
    let (house, store) = House::founded();
    drop(store);
    let mut stranger = House::new();
    stranger.pair = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let path = house.path().join("guard");
    fs::remove_file(&path).unwrap();
    let (mut guard, _) = Guard::open(&path, &house.key).unwrap();
    let root = Digest::ZERO;
    let time = Moment::from_unix_millis(0);
    guard.write(&stranger.note(Head { size: 1, root, hash: root, time })).unwrap();
    assert!(matches!(house.open(), Err(StoreError::GuardLost(_))));
}

/// R15, R26: on a full disk nothing is half written, and the daemon goes on when there is room.
#[test]
fn a_full_disk_loses_nothing_and_heals() {
    let (house, mut store) = House::founded();
    let before = store.head();
    let limit = |store: &Store, pages: i64| {
        let connection = store.read.connection().unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&store, 1);
    let answer = house.write(&mut store, (0..2000).map(software));
    assert!(matches!(answer, Err(StoreError::Full)), "{answer:?}");
    assert!(answer.unwrap_err().to_string().contains("nothing was recorded"));
    assert_eq!(store.head(), before);
    assert_eq!(store.reader().unwrap().head(), before);
    assert_eq!(store.reader().unwrap().entry(1).unwrap(), None);
    limit(&store, 1_000_000);
    house.write(&mut store, (0..2000).map(software)).unwrap();
    store.reader().unwrap().rebuild_and_compare().unwrap();
    drop(store);
    assert_eq!(house.open().unwrap().head().size, 2001);
}

/// R26: the commit itself fails.
#[test]
fn a_failed_commit_leaves_the_head_where_it_was() {
    let (house, mut store) = House::founded();
    let before = store.head();
    let connection = store.read.connection().unwrap();
    // A deferred constraint is judged by COMMIT, which then fails.
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE parent(x INTEGER PRIMARY KEY);
             CREATE TABLE child(x REFERENCES parent(x) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER fail AFTER UPDATE ON head BEGIN INSERT INTO child VALUES (1); END;",
        )
        .unwrap();
    let answer = house.write(&mut store, [software(1)]);
    assert!(matches!(answer, Err(StoreError::Commit(_))), "{answer:?}");
    assert_eq!((store.head(), store.reader().unwrap().head()), (before, before));
    store.read.connection().unwrap().execute_batch("DROP TRIGGER fail").unwrap();
    house.write(&mut store, [software(1)]).unwrap();
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

/// R26: an error is reported, and yet the batch became durable: what is durable counts.
#[test]
fn after_an_unknown_outcome_the_head_is_what_is_durable() {
    let (house, mut store) = House::founded();
    let answer = store.write(|write| {
        house.append(write, (0..300).map(software))?;
        let head = write.head();
        let connection = write.connection()?;
        Stored::write(connection, &head, &house.note(head))?;
        connection.execute_batch("COMMIT")?;
        Err::<(), _>(StoreError::Abandoned)
    });
    assert!(matches!(answer, Err(StoreError::Abandoned)));
    assert_eq!(store.head().size, 301);
    assert_eq!(store.head(), store.reader().unwrap().head());
    house.write(&mut store, (0..300).map(software)).unwrap();
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

/// R15: whoever ignores an error and goes on still cannot commit half of a batch.
#[test]
fn an_ignored_error_cannot_be_committed() {
    let (house, mut store) = House::founded();
    let before = store.head();
    let answer = store.write(|write| {
        house.append(write, [software(1)])?;
        let mut wrong = house.entry(write.head(), software(2));
        wrong.seq = 7;
        assert!(matches!(write.append(&wrong), Err(StoreError::Discontinuous { seq: 7, .. })));
        let _ignored = write.put_checkpoint(&house.note(write.head()));
        Ok::<_, StoreError>(())
    });
    assert!(matches!(answer, Err(StoreError::Abandoned)));
    assert_eq!((store.head(), store.reader().unwrap().head()), (before, before));
}

#[test]
fn an_entry_that_does_not_continue_the_ledger_is_refused() {
    let (house, mut store) = House::founded();
    let good = house.entry(store.head(), software(1));
    let mut wrong = vec![good.clone(); 4];
    wrong[0].seq = 2;
    wrong[1].prev = Digest::ZERO;
    wrong[2].time = Moment::from_unix_millis(house.millis - 1);
    wrong[3].log = "other/0123456789abcdef".parse().unwrap();
    for entry in wrong {
        let answer = store.write(|write| write.append(&entry));
        assert!(matches!(answer, Err(StoreError::Discontinuous { .. })), "{entry:?}");
    }
    assert_eq!(store.head().size, 1);
}

/// Nothing is durable without the signed checkpoint of exactly it.
#[test]
fn a_batch_without_its_checkpoint_is_refused() {
    let (house, mut store) = House::founded();
    let before = house.note(store.head());
    let none = store.write(|write| house.append(write, [software(1)]));
    assert!(matches!(none, Err(StoreError::Unsigned { size: 2 })));
    let stale = store.write(|write| {
        house.append(write, [software(1)])?;
        write.put_checkpoint(&before)
    });
    assert!(matches!(stale, Err(StoreError::Unsigned { size: 2 })));
    let early = store.write(|write| {
        house.append(write, [software(1)])?;
        write.put_checkpoint(&house.note(write.head()))?;
        house.append(write, [software(2)])
    });
    assert!(matches!(early, Err(StoreError::Unsigned { size: 3 })));
    assert_eq!(store.head().size, 1);
}

#[test]
fn a_panic_in_a_batch_rolls_it_back() {
    let (house, mut store) = House::founded();
    let before = store.head();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.write(|write| {
            house.append(write, [software(1)])?;
            assert!(write.head().size == 0, "a fault in the caller");
            Ok::<_, StoreError>(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(store.head(), before);
    house.write(&mut store, [software(1)]).unwrap();
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

/// The commit before is durable and its answers have left; what comes after must wait.
#[test]
fn a_guard_that_cannot_be_written_stops_the_next_write_only() {
    let (house, mut store) = House::founded();
    let path = house.path().join("guard");
    let (good, _) = Guard::open(&path, &house.key).unwrap();
    let deaf = std::os::unix::net::UnixStream::pair().unwrap().0;
    store.guard.replace_file(fs::File::from(std::os::fd::OwnedFd::from(deaf)));
    house.write(&mut store, [software(1)]).unwrap();
    assert_eq!(store.head().size, 2);
    let answer = house.write(&mut store, [software(2)]);
    assert!(matches!(&answer, Err(StoreError::Guard(_))));
    assert!(answer.unwrap_err().source().is_some());
    assert_eq!(store.reader().unwrap().head().size, 2);
    store.guard = good;
    house.write(&mut store, [software(2)]).unwrap();
    drop(store);
    assert_eq!(house.open().unwrap().head().size, 3);
}

#[test]
fn an_edited_derived_table_is_found() {
    for (edit, expected) in [
        ("UPDATE request SET due = due + 1", "request"),
        ("UPDATE request SET by = 'eve'", "request"),
        ("DELETE FROM grant_entry WHERE gseq = 1", "grant_entry"),
        ("UPDATE scope SET live = 0", "scope"),
        ("UPDATE node SET hash = zeroblob(32)", "node"),
        ("DELETE FROM statement", "statement"),
        ("UPDATE statement SET seq = 0", "statement"),
        ("UPDATE head SET time = time + 1", "head"),
    ] {
        let (house, mut store) = House::founded();
        let one = Grant { number: 1, at: house.now() };
        let two = Grant { number: 2, at: house.now().plus(5) };
        house.write(&mut store, [one.requested(), one.approved(), one.issued()]).unwrap();
        house.write(&mut store, [two.requested()]).unwrap();
        house.write(&mut store, (0..300).map(software)).unwrap();
        store.reader().unwrap().rebuild_and_compare().unwrap();
        assert!(house.intruder().execute(edit, ()).unwrap() > 0, "{edit}");
        let answer = store.reader().unwrap().rebuild_and_compare();
        assert!(
            matches!(&answer, Err(StoreError::Drift { table }) if *table == expected),
            "{edit}: {answer:?}"
        );
    }
}
