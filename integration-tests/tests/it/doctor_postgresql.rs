//! `breakglass doctor --target postgresql` at a real server: what it says of each setting is so.

use std::fs;

use breakglass_integration_tests::daemon::{program, run};
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::postgres::Postgres;
use breakglass_integration_tests::wait::{SOON, until};
use serde_json::Value;

/// The role that certificates open.
const ROLE: &str = "breakglass_admin";

/// A server that trusts a broker and has its list.
fn server() -> Postgres {
    let dev = Dev::start();
    let page = |path: &str| String::from_utf8(dev.page(path)).unwrap();
    Postgres::start(&page("/v1/x509/ca.pem"), &page("/v1/x509/crl.pem"))
}

/// What is not good, as `name: standing`, and the exit code.
fn findings(server: &Postgres) -> (Vec<String>, i32) {
    let mut command = std::process::Command::new(program("breakglass"));
    command.args(["-o", "json", "doctor", "--target", "postgresql", "--account", ROLE]);
    let ended = run(command.args(["--connect", &server.administrator()]));
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let all = report["findings"].as_array().unwrap().iter();
    let bad = all.filter(|finding| word(finding, "standing") != "good");
    let named = bad.map(|bad| format!("{}: {}", word(bad, "of"), word(bad, "standing")));
    (named.collect(), ended.code.unwrap())
}

/// The settings as they stand after a reload; `''` is the default.
fn set(server: &Postgres, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        assert_eq!(server.admin(&format!("alter system set {name} = '{value}'")), "ALTER SYSTEM");
    }
    assert_eq!(server.admin("select pg_reload_conf()"), "t");
    for (name, value) in settings {
        let shown = || (server.admin(&format!("show {name}")) == *value).then_some(());
        until(&format!("{name} is {value:?}"), SOON, shown);
    }
}

fn expect(server: &Postgres, wanted: &[&str], code: i32) {
    let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
    assert_eq!(findings(server), (wanted, code));
}

#[test]
fn settings_of_postgresql_under_which_revocation_is_void_are_found() {
    let server = server();
    expect(&server, &[], 0);
    let (list, lists) = (server.site.path("crl.pem"), server.site.path("crls"));
    let (list, lists) = (list.to_str().unwrap(), lists.to_str().unwrap());
    set(&server, &[("ssl_crl_dir", ""), ("ssl_crl_file", list)]);
    expect(&server, &["ssl_crl_file: warning"], 0);
    set(&server, &[("ssl_crl_file", "")]);
    expect(&server, &["ssl_crl_dir: fault"], 13);
    let none = server.site.path("none");
    set(&server, &[("ssl_crl_dir", none.to_str().unwrap())]);
    expect(&server, &["ssl_crl_dir: fault"], 13);
    fs::create_dir(&none).unwrap();
    expect(&server, &["ssl_crl_dir: fault"], 13);
    set(&server, &[("ssl_crl_dir", lists)]);
    expect(&server, &[], 0);
    set(&server, &[("ssl", "off")]);
    // Then it does not take the line with `hostssl` either.
    expect(&server, &["ssl: fault", "pg_hba.conf: fault"], 13);
}

#[test]
fn ways_past_the_certificate_into_postgresql_are_found() {
    let server = server();
    let (hba, ident) =
        (server.site.path("data/pg_hba.conf"), server.site.path("data/pg_ident.conf"));
    let (rules, names) = (fs::read_to_string(&hba).unwrap(), fs::read_to_string(&ident).unwrap());
    let demanding = " cert map=bg";
    assert!(rules.contains(demanding));
    for (spoilt, wanted) in [
        (" scram-sha-256", &["pg_hba.conf: fault", "pg_hba.conf: warning"][..]),
        (" scram-sha-256 clientcert=verify-ca", &["pg_hba.conf: fault", "pg_hba.conf: warning"]),
        (" cert nonsense=1", &["pg_hba.conf: fault", "pg_hba.conf: fault"]),
    ] {
        fs::write(&hba, rules.replace(demanding, spoilt)).unwrap();
        expect(&server, wanted, 13);
    }
    fs::write(&hba, rules.replace(demanding, " scram-sha-256 clientcert=verify-full")).unwrap();
    expect(&server, &[], 0);
    fs::write(&hba, format!("{rules}host all {ROLE} 127.0.0.1/32 trust\n")).unwrap();
    expect(&server, &["pg_hba.conf: warning"], 0);
    fs::write(&hba, &rules).unwrap();
    fs::write(&ident, names.replace('$', "")).unwrap();
    expect(&server, &["pg_ident.conf: fault"], 13);
}
