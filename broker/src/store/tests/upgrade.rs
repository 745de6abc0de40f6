//! Ledgers that older versions wrote, opened by this one.

use super::*;
use crate::store::read::Read;
use crate::store::upgrade::{DERIVED_SCHEMA, RECORD_SCHEMA, SCHEMA_VERSION, Upgrade};

/// What versions before this one laid out, all under the number 1.
const OLDER: [(&str, &str); 2] = [
    ("first", include_str!("older/first.sql")),
    ("before hosts reported", include_str!("older/before-hosts.sql")),
];

/// What there was before tokens: all but their table.
fn before_tokens() -> String {
    let (before, rest) = DERIVED_SCHEMA.split_once("-- Tokens:").unwrap();
    let (_, after) = rest.split_once("-- How many").unwrap();
    format!("{RECORD_SCHEMA}{before}-- {after}")
}

/// A closed house with a grant that lives and one that is over, laid out as `schema` has it.
fn older(schema: &str) -> House {
    let (mut house, mut store) = House::founded();
    let [live, over] = [1, 2].map(|number| Grant { number, at: house.now() });
    house.write(&mut store, [over.requested(), over.approved()]).unwrap();
    house.write(&mut store, [over.issued(), over.revoked()]).unwrap();
    house.write(&mut store, [live.requested(), live.approved(), live.issued()]).unwrap();
    house.write(&mut store, (0..300).map(software)).unwrap();
    house.pass(1);
    drop(store);
    lay_out(&house.intruder(), schema);
    house
}

/// Lays the file out as `schema` has it, with every row of now that has a place there.
fn lay_out(file: &rusqlite::Connection, schema: &str) {
    let named = |kind: &str| {
        let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL";
        let mut select = file.prepare(sql).unwrap();
        let names = select.query_map([kind], |row| row.get::<_, String>(0)).unwrap();
        names.map(Result::unwrap).collect::<Vec<_>>()
    };
    for index in named("index") {
        file.execute_batch(&format!("DROP INDEX {index}")).unwrap();
    }
    let now = named("table");
    for table in &now {
        file.execute_batch(&format!("ALTER TABLE \"{table}\" RENAME TO \"now_{table}\"")).unwrap();
    }
    file.execute_batch(schema).unwrap();
    for table in now {
        let mut select = file.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns = select.query_map([&table], |row| row.get::<_, String>(0)).unwrap();
        let columns = columns.map(Result::unwrap).collect::<Vec<_>>().join(", ");
        if !columns.is_empty() {
            let copy = format!("INSERT INTO {table}({columns}) SELECT {columns} FROM now_{table}");
            file.execute_batch(&copy).unwrap();
        }
        file.execute_batch(&format!("DROP TABLE now_{table}")).unwrap();
    }
    file.pragma_update(None, "user_version", 1).unwrap();
}

/// Version, tables and indices of a file.
fn layout(house: &House) -> (i64, Vec<(String, String)>) {
    let file = house.intruder();
    let version = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let mut select = file
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let rows = select.query_map((), |row| Ok((row.get(0)?, bare(&row.get::<_, String>(1)?))));
    (version, rows.unwrap().map(Result::unwrap).collect())
}

/// SQL without its comments and line ends.
fn bare(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// What the record of `house` holds: it is never touched.
fn record(house: &House) -> Vec<Vec<u8>> {
    let file = house.intruder();
    let mut select = file.prepare("SELECT bytes FROM entry ORDER BY seq").unwrap();
    select.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A copy of the files as they lie on the disk now, as a process that is killed now leaves them.
fn killed(house: &House) -> House {
    let copy = House { millis: house.millis, ..House::new() };
    std::fs::create_dir(copy.path()).unwrap();
    for file in ["ledger.db", "ledger.db-wal", "guard"] {
        let _absent = std::fs::copy(house.path().join(file), copy.path().join(file));
    }
    copy
}

#[test]
fn a_ledger_of_an_older_version_is_brought_forward() {
    let (fresh, _) = House::founded();
    let newest = before_tokens();
    for (name, schema) in OLDER.into_iter().chain([("before tokens", newest.as_str())]) {
        let house = older(schema);
        let before = record(&house);
        let mut store = house.open().unwrap_or_else(|error| panic!("{name}: {error}"));
        store.reader().unwrap().rebuild_and_compare().unwrap();
        assert!(layout(&house) == layout(&fresh), "{name}");
        assert_eq!(record(&house), before, "{name}");
        let live = store.reader().unwrap().live_grants(None, 10).unwrap();
        assert_eq!(live.len(), 1, "{name}");
        // It goes on, and the next start finds nothing left to do.
        let next = Grant { number: 3, at: house.now() };
        house.write(&mut store, [next.requested(), next.approved(), next.issued()]).unwrap();
        drop(store);
        let store = house.open().unwrap();
        store.reader().unwrap().rebuild_and_compare().unwrap();
    }
}

#[test]
fn a_statement_is_refused_as_repeated_across_an_upgrade() {
    let house = older(OLDER[1].1);
    let mut store = house.open().unwrap();
    let again = Grant { number: 1, at: house.now().minus(1) };
    let answer = house.write(&mut store, [again.requested()]);
    assert!(matches!(answer, Err(StoreError::Repeated { .. })), "{answer:?}");
}

/// Everything is one transaction: at no moment does the disk hold a half of it.
#[test]
fn an_upgrade_that_is_killed_leaves_the_older_file_or_the_newer() {
    let house = older(OLDER[1].1);
    let old = layout(&house);
    let read = Read::new(connection::open_writer(&house.database()).unwrap());
    // Little memory, so that what is not committed is on the disk already.
    read.connection().unwrap().pragma_update(None, "cache_size", 2).unwrap();
    let upgrade = Upgrade::begin(&read).unwrap();
    let during = killed(&house);
    let log = std::fs::metadata(during.path().join("ledger.db-wal")).unwrap();
    assert!(log.len() > 100_000, "a part of it is on the disk: {}", log.len());
    assert_eq!(layout(&during), old);
    during.open().unwrap().reader().unwrap().rebuild_and_compare().unwrap();

    upgrade.commit().unwrap();
    let after = killed(&house);
    assert_eq!(layout(&after).0, SCHEMA_VERSION);
    after.open().unwrap().reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn an_older_ledger_that_is_not_sound_is_refused_and_left_as_it_was() {
    let edited = older(OLDER[1].1);
    let edit = "UPDATE entry SET bytes = CAST(replace(bytes, 'sam', 'eve') AS BLOB) WHERE seq = 1";
    edited.intruder().execute(edit, ()).unwrap();
    let cut = older(OLDER[1].1);
    cut.intruder().execute("DELETE FROM entry WHERE seq = 200", ()).unwrap();
    let foreign = older(OLDER[1].1);
    let resigned =
        House { pair: Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(), ..House::new() };
    let head =
        Head { size: 0, root: Digest::ZERO, hash: Digest::ZERO, time: Moment::from_unix_millis(0) };
    foreign.intruder().execute("UPDATE head SET note = ?1", [resigned.note(head)]).unwrap();
    for (what, house) in [("edited", edited), ("cut", cut), ("foreign", foreign)] {
        let before = layout(&house);
        let answer = house.open();
        assert!(
            matches!(
                answer,
                Err(StoreError::Corrupt { .. }
                    | StoreError::Root { .. }
                    | StoreError::CheckpointSignature { .. })
            ),
            "{what}: {answer:?}"
        );
        drop(answer);
        assert_eq!(layout(&house), before, "{what}");
    }
}

/// An older copy of the database is refused, whatever version wrote it.
#[test]
fn an_older_ledger_behind_its_guard_is_refused() {
    let house = older(OLDER[1].1);
    let copy = killed(&house);
    let mut store = house.open().unwrap();
    house.write(&mut store, [software(1000)]).unwrap();
    drop(store);
    std::fs::copy(house.path().join("guard"), copy.path().join("guard")).unwrap();
    let before = layout(&copy);
    assert!(matches!(copy.open(), Err(StoreError::Rollback { .. })));
    assert_eq!(layout(&copy), before);
}

#[test]
fn a_version_that_nobody_wrote_is_refused_and_left_as_it_was() {
    for version in [0, -1, i64::from(i32::MIN)] {
        let (house, store) = House::founded();
        drop(store);
        house.intruder().pragma_update(None, "user_version", version).unwrap();
        let before = layout(&house);
        let error = house.open().unwrap_err();
        assert!(matches!(error, StoreError::UnknownSchema { found, .. } if found == version));
        assert!(error.to_string().contains("which no version of this program wrote"), "{error}");
        assert_eq!(layout(&house), before);
    }
    // The number of an older version, without what every version had.
    let house = older(OLDER[0].1);
    house.intruder().execute_batch("ALTER TABLE blob RENAME TO pages").unwrap();
    let before = layout(&house);
    assert!(matches!(house.open(), Err(StoreError::UnknownSchema { found: 1, .. })));
    assert_eq!(layout(&house), before);
}

#[test]
fn changes_of_the_record_are_made_in_their_order() {
    let house = older(OLDER[0].1);
    let read = Read::new(connection::open_writer(&house.database()).unwrap());
    let changes =
        ["ALTER TABLE text ADD COLUMN kept INTEGER", "ALTER TABLE text RENAME kept TO held"];
    Upgrade::through(&read, &changes).unwrap().commit().unwrap();
    let (version, tables) = layout(&house);
    assert_eq!(version, SCHEMA_VERSION);
    let text = tables.iter().find(|(name, _)| name == "text").unwrap();
    assert!(text.1.contains("held INTEGER"), "{}", text.1);
    // They are made once.
    Upgrade::through(&read, &changes).unwrap().commit().unwrap();
}
