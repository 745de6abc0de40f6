//! Faults below the desk: each ends in no credential, no half entry and no silence, and when it is
//! over the house goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use breakglass_broker::desk::{DeskError, Receipt};
use breakglass_broker::store::StoreError;
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::dice::Dice;
use breakglass_integration_tests::evidence::Evidence;
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::Verdict;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{Act, Collect, Kind};

/// A request for `root-on-host` with all its approvals.
fn approved(house: &mut House) -> (Digest, Person) {
    let subject = Person::named("subject");
    let statement =
        house.statement(Act::Request(ask("sam", "root-on-host", 900, 1, subject.key())));
    let request = statement.digest();
    house.submit(&Person::named("sam"), statement).unwrap();
    house.approve("ada", "app-owner", request).unwrap();
    house.approve("bob", "security", request).unwrap();
    (request, subject)
}

fn collect(house: &mut House, (request, subject): &(Digest, Person)) -> Result<Receipt, DeskError> {
    house.act(subject, Act::Collect(Collect { request: *request, kind: Kind::Ssh }))
}

/// All is well: the ledger verifies, and the tables say what it says.
fn is_sound(house: &mut House) {
    let report = house.audit();
    assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
    house.restart();
    house.desk().reader().unwrap().rebuild_and_compare().unwrap();
}

fn intruder(house: &House) -> rusqlite::Connection {
    rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap()
}

/// R15: whichever throw of the dice is the last, there is a credential with its entry, or neither.
#[test]
fn without_randomness_there_is_no_credential_and_no_entry() {
    let mut house = House::sample();
    let asked = approved(&mut house);
    let before = house.entries();
    let mut failures = 0;
    for throws in 0.. {
        house.dice.run_out_after(throws);
        let told = collect(&mut house, &asked);
        house.dice.run_out_after(u64::MAX);
        let Err(error) = told else { break };
        assert!(matches!(error, DeskError::Mint(_) | DeskError::Entropy(_)), "{error:?}");
        assert_eq!(house.entries(), before, "after {throws} throws");
        failures += 1;
    }
    // One for the mint and one for the entry at least, or nothing was put to the test.
    assert!(failures >= 2, "only {failures} places draw randomness");
    assert_eq!(house.entries().len(), before.len() + 1);
    is_sound(&mut house);
}

/// R15, R26: whichever table refuses to be written, there is no credential and no entry; when it
/// takes writes again the same request is collected.
#[test]
fn a_fault_at_any_write_leaves_no_credential_and_no_half_entry() {
    let tables: Vec<String> = {
        let house = House::sample();
        let intruder = intruder(&house);
        let mut names =
            intruder.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let rows = names.query_map((), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).filter(|name: &String| !name.starts_with("sqlite")).collect()
    };
    let mut written = Vec::new();
    for table in tables {
        for write in ["INSERT", "UPDATE", "DELETE"] {
            let mut house = House::sample();
            let asked = approved(&mut house);
            let before = house.entries();
            let plant = format!(
                "CREATE TRIGGER planted BEFORE {write} ON {table}
                 BEGIN SELECT RAISE(ABORT, 'planted'); END"
            );
            intruder(&house).execute_batch(&plant).unwrap();
            let told = collect(&mut house, &asked);
            intruder(&house).execute_batch("DROP TRIGGER planted").unwrap();
            if let Err(error) = told {
                assert!(matches!(error, DeskError::Store(_)), "{write} on {table}: {error:?}");
                assert_eq!(house.entries(), before, "{write} on {table}");
                written.push(format!("{write} {table}"));
                collect(&mut house, &asked).unwrap();
            }
            is_sound(&mut house);
        }
    }
    for needed in ["INSERT entry", "INSERT grant_entry", "UPDATE request", "UPDATE head"] {
        assert!(written.iter().any(|one| one == needed), "{needed} was not tried: {written:?}");
    }
}

/// R11, R26: whichever table cannot be looked into, whoever needs it is told no and nothing is
/// written; an error is never taken for "there is none".
#[test]
fn a_fault_at_any_look_up_denies() {
    let mut denied = Vec::new();
    for table in ["entry", "request", "grant_entry", "scope", "statement", "policy", "blob"] {
        let mut house = House::sample();
        let asked = approved(&mut house);
        // So that nothing is remembered.
        house.restart();
        let before = house.entries();
        let rename = format!("ALTER TABLE {table} RENAME TO gone");
        intruder(&house).execute_batch(&rename).unwrap();
        let told = collect(&mut house, &asked);
        let mend = format!("ALTER TABLE gone RENAME TO {table}");
        intruder(&house).execute_batch(&mend).unwrap();
        if let Err(error) = told {
            assert!(matches!(error, DeskError::Store(_)), "{table}: {error:?}");
            assert_eq!(house.entries(), before, "{table}");
            denied.push(table);
            collect(&mut house, &asked).unwrap();
        }
        is_sound(&mut house);
    }
    for needed in ["entry", "request", "grant_entry", "scope", "statement"] {
        assert!(denied.contains(&needed), "{needed} was never looked into: {denied:?}");
    }
}

/// R11, R26: what cannot be read is not granted; when it can be read again it is.
#[test]
fn a_request_that_does_not_read_back_issues_nothing() {
    let mut house = House::sample();
    let asked = approved(&mut house);
    let before = house.entries();
    // So that the entries are read from the disk again.
    house.restart();
    let tear = "UPDATE entry SET bytes = CAST(replace(bytes, 'app-owner', 'app-0wner') AS BLOB)
                WHERE seq = 3";
    assert_eq!(intruder(&house).execute(tear, ()).unwrap(), 1);
    let told = collect(&mut house, &asked);
    assert!(matches!(told, Err(DeskError::Store(StoreError::Corrupt { seq: 3, .. }))), "{told:?}");
    let size = house.desk().reader().unwrap().head().size;
    assert_eq!(usize::try_from(size).unwrap(), before.len());
    // Others are not kept from theirs.
    let other = Person::named("other subject");
    let ask = Act::Request(ask("sam", "solo", 60, 2, other.key()));
    house.act(&Person::named("sam"), ask).unwrap();
    let mend = "UPDATE entry SET bytes = ?1 WHERE seq = 3";
    assert_eq!(intruder(&house).execute(mend, [&before[3]]).unwrap(), 1);
    collect(&mut house, &asked).unwrap();
    is_sound(&mut house);
}

/// Holds the directory of the small disk, in the process that has it mounted.
const DISK: &str = "BREAKGLASS_TEST_DISK";

/// R26: a full disk records nothing, says so, and is over when there is room.
///
/// The disk is a tmpfs of 4 MiB in a mount namespace of its own, in which this test runs itself
/// again; nothing is left behind.
#[test]
fn a_full_disk_grants_nothing_and_heals() {
    if let Some(disk) = std::env::var_os(DISK) {
        return on_a_small_disk(Path::new(&disk));
    }
    let disk = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=4m none "$1" && exec "$2" --exact "$3""#;
    let mut again = Command::new("unshare");
    again.args(["--map-root-user", "--mount", "--", "sh", "-c", mount, "sh"]).arg(disk.path());
    again.arg(std::env::current_exe().unwrap());
    again.arg("broken_parts::a_full_disk_grants_nothing_and_heals").env(DISK, disk.path());
    let told = again.output().expect("`unshare` of util-linux is needed for a small disk");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    // Never skipped: a machine that allows no mount namespace fails here and says so.
    assert!(told.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

fn on_a_small_disk(disk: &Path) {
    let dir = tempfile::tempdir_in(disk).unwrap();
    let mut house = House::at(dir, sample_files(), House::begin(), Dice::default());
    let asked = approved(&mut house);
    let ballast = disk.join("ballast");
    fill(&ballast);
    let before = house.entries();
    // The log file may still have room inside itself for some entries.
    let mut acts = 0;
    let full = loop {
        let told = house.act(
            &Person::named("eve"),
            Act::Collect(Collect { request: asked.0, kind: Kind::Ssh }),
        );
        match told {
            Err(DeskError::Refused { .. }) if acts < 5000 => acts += 1,
            Err(error) => break error,
            Ok(receipt) => panic!("{receipt:?}"),
        }
    };
    assert!(matches!(full, DeskError::Store(StoreError::Full)), "{full:?}");
    let told = collect(&mut house, &asked);
    assert!(matches!(told, Err(DeskError::Store(StoreError::Full))), "{told:?}");
    let evidence = Evidence::of(&house);
    assert_eq!(evidence.entries.len(), before.len() + acts, "neither more nor less than was told");
    fs::remove_file(ballast).unwrap();
    assert!(collect(&mut house, &asked).unwrap().credential.is_some());
    is_sound(&mut house);
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [65_536, 4096, 512, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}
