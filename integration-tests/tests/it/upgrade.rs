//! A state directory that an older version made: opened, gone on with, and given what is new.

use std::fs;
use std::path::Path;

use breakglass_broker::clock::SystemClock;

use breakglass_broker::desk::{PolicyBundle, found};
use breakglass_broker::entropy::SystemEntropy;
use breakglass_broker::house::existing_keys;
use breakglass_broker::mint::Custody;
use breakglass_broker::store::Store;
use breakglass_integration_tests::daemon::{breakglassd, run};
use breakglass_integration_tests::grant::{files_with, scope};
use breakglass_integration_tests::holder::Holder;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::{Exported, rows};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wire::{Wire, refusal, signed};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Files;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Collect, Kind, Statement};
use rusqlite::Connection;

/// The tables of the last version before hosts reported and other kinds than SSH were minted.
const OLDER: &str = include_str!("../../../broker/src/store/tests/older/before-hosts.sql");

/// What the configuration needs for tokens.
const ISSUER: &str = "[jwt]\nissuer = \"https://bg.example.com\"\n";

/// A deployment with the keys and the first entries of a version that knew SSH alone.
fn older() -> Site {
    let site = Site::planned(&["pia", "sam", "ada", "bob", "eve"]);
    assert_eq!(site.init().code, Some(3));
    for key in ["x509-ca.pem", "x509-ca.crt", "jwt-key.pem"] {
        fs::remove_file(site.state().join("keys").join(key)).unwrap();
    }
    site.sign();
    let mint = existing_keys(&site.state(), &Custody::default()).unwrap();
    let manifest = fs::read(site.policy().join("manifest")).unwrap();
    let manifest = Statement::parse(&manifest).unwrap();
    let signature = fs::read_to_string(site.policy().join("signatures/pia.sig")).unwrap();
    let signatures = vec![SshSig::parse(&signature).unwrap()];
    let bundle = PolicyBundle { signatures, files: site.files.clone() };
    let mut store = Store::create(&site.ledger(), &mint.public().log).unwrap();
    found(&mut store, &mint, &SystemClock, &SystemEntropy::new(), &manifest, &bundle).unwrap();
    drop(store);
    assert_eq!(site.init().code, Some(0), "the papers");
    site
}

/// Lays the database in `ledger` out as it was then, with the rows that have a place there.
fn lay_out(ledger: &Path) {
    let (now, then) = (ledger.join("ledger.db"), ledger.join("then.db"));
    let file = Connection::open(&then).unwrap();
    file.pragma_update(None, "page_size", 8192).unwrap();
    file.execute_batch(&format!("{OLDER} PRAGMA application_id = 0x62676c73;")).unwrap();
    file.execute("ATTACH ?1 AS now", [now.to_str().unwrap()]).unwrap();
    let mut select = file
        .prepare(
            "SELECT old.name, (SELECT group_concat(name, ', ') FROM pragma_table_info(old.name))
             FROM main.sqlite_schema AS old WHERE old.type = 'table'",
        )
        .unwrap();
    let tables = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (table, columns) in tables.map(Result::<(String, String), _>::unwrap) {
        let copy = format!("INSERT INTO {table}({columns}) SELECT {columns} FROM now.{table}");
        file.execute_batch(&copy).unwrap();
    }
    drop(select);
    file.pragma_update(None, "user_version", 1).unwrap();
    file.close().unwrap();
    fs::rename(then, now).unwrap();
}

fn version(site: &Site) -> i64 {
    let file = Connection::open(site.ledger().join("ledger.db")).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// The policy of then, and a scope that has certificates and tokens.
fn of_every_kind() -> Files {
    let of = scope("database", "principals = [\"bg-root\"]");
    files_with(&format!(
        "{of}\n[scope.x509]\norganizations = [\"dba\"]\n[scope.jwt]\naudience = \"payments-api\"\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_of_an_older_version_is_served_and_given_what_is_new() {
    let site = older();
    let (sam, subject) = (Person::named("sam"), Person::named("subject"));
    let daemon = site.serve();
    let wire = Wire::to(&site, &daemon).await;
    let asking = wire.ask(&sam, "solo", 600, &subject);
    let request = Digest::of(&asking.statement);
    wire.submit(asking.clone()).await.unwrap();
    let collecting = wire.collect(&subject, request);
    let first = wire.submit(collecting.clone()).await.unwrap();
    assert_eq!(daemon.stop().code, Some(0));
    lay_out(&site.ledger());
    let before = rows(&site.ledger());

    // Keys, configuration and ledger of then: what lives goes on living.
    let daemon = site.serve();
    assert_eq!((version(&site), &rows(&site.ledger())), (2, &before));
    let wire = Wire::to(&site, &daemon).await;
    for act in [asking, collecting] {
        assert!(wire.submit(act).await.unwrap().repeated, "statements of then are remembered");
    }
    // The policy may name the new kinds before there are keys for them; nobody approves for nothing.
    let policy = wire.policy().await.unwrap();
    wire.submit(wire.push(&of_every_kind(), 2, policy)).await.unwrap();
    for kind in [Kind::X509, Kind::Jwt] {
        let asked = Holder::fresh().asks(&wire, "database", &[kind]);
        let status = wire.submit(signed(&sam, &asked)).await.unwrap_err();
        assert_eq!(refusal(&status).unwrap().name, "kind-not-minted", "{status}");
        assert!(status.message().contains("breakglassd rotate"), "{status}");
    }
    assert_eq!(daemon.stop().code, Some(0));

    for role in ["x509-ca", "jwt-key"] {
        for step in [&["prepare", role][..], &["switch", role]] {
            let rotated =
                run(breakglassd().arg("rotate").args(step).arg("--state").arg(site.state()));
            assert_eq!(rotated.code, Some(0), "{rotated:?}");
        }
    }
    let daemon = site.serve_with(&format!("{ROOMY}{ISSUER}"), &[]).unwrap();
    let wire = Wire::to(&site, &daemon).await;
    for kind in [Kind::X509, Kind::Jwt] {
        let holder = Holder::fresh();
        let request = holder.asked(&wire, "database", &[kind]).await.digest();
        let collect = wire.say(Act::Collect(Collect { request, kind }));
        assert!(!wire.submit(holder.submits(&collect)).await.unwrap().credential.is_empty());
        wire.submit(wire.about(&sam, Act::Drop, request)).await.unwrap();
    }
    wire.submit(wire.about(&sam, Act::Drop, request)).await.unwrap();
    Exported::over(&wire, &Person::named("bob")).await.assert_sound(&site.trust());
    assert_eq!(daemon.stop().code, Some(0));
    assert_eq!(site.check().code, Some(0));
    let after = Exported::at_rest(&site);
    after.assert_sound(&site.trust());
    assert_eq!(after.entries[..before.len()], before[..]);
    assert!(first.seq < u64::try_from(before.len()).unwrap());
}

/// Who goes back to the program of before, or comes from nowhere, reads what to do.
#[test]
fn a_ledger_of_a_newer_or_an_unknown_version_is_not_served() {
    let site = Site::sample();
    for (version, words) in [
        (3, "the ledger has schema 3, this program knows 2: run the newer version that wrote it"),
        (0, "the ledger has schema 0, which no version of this program wrote"),
    ] {
        let file = Connection::open(site.ledger().join("ledger.db")).unwrap();
        file.pragma_update(None, "user_version", version).unwrap();
        drop(file);
        let ended = site.serve_with(ROOMY, &[]).err().expect("it does not start");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(words), "{}", ended.err);
    }
}
