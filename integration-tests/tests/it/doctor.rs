//! `breakglass doctor`: what it says of a machine and of real servers' settings is so.

use std::fs;
use std::path::Path;
use std::process::Command;

use breakglass_integration_tests::daemon::{program, run};
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::sshd::{make_privilege_separation_directory, said};
use serde_json::Value;
use tempfile::TempDir;

/// How the findings of `-o json` about what ends in `about` stand.
fn standings(report: &Value, about: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let of = findings.filter(|finding| finding["of"].as_str().unwrap().ends_with(about));
    of.map(|finding| finding["standing"].as_str().unwrap().to_owned()).collect()
}

/// The report and the exit code of `breakglass doctor` with these words.
fn doctor(words: &[&str]) -> (Value, i32) {
    let mut command = Command::new(program("breakglass"));
    let ended = run(command.args(["-o", "json", "doctor"]).args(words));
    let report = serde_json::from_str(&ended.out);
    (report.unwrap_or_else(|_| panic!("{words:?}: {ended:?}")), ended.code.unwrap())
}

#[test]
fn a_machine_that_reaches_its_broker_is_told_so_and_a_broker_that_is_gone_is_a_fault() {
    let mut dev = Dev::start();
    let report = dev.json("sam", &["doctor"]);
    let broker = |report: &Value| {
        let all = report["findings"].as_array().unwrap();
        let of = |finding: &&Value| finding["of"].as_str().unwrap().starts_with("broker ");
        all.iter().find(of).unwrap()["standing"].as_str().unwrap().to_owned()
    };
    assert_eq!(broker(&report), "good", "{report}");
    assert_eq!(standings(&report, "signing key"), ["good"]);
    assert_eq!(standings(&report, "DNS"), ["good"]);
    let clocks = report["findings"].as_array().unwrap().iter();
    let clock = clocks.filter(|f| f["of"].as_str().unwrap().starts_with("clock ")).count();
    assert_eq!(clock, 1, "{report}");
    dev.while_killed(|dev| {
        let said = dev.says("sam", &["-o", "json", "--timeout", "2s", "doctor"]);
        assert_eq!(said.code, 13, "{said:?}");
        let report: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(broker(&report), "fault");
        assert_eq!(standings(&report, "signing key"), ["good"]);
    });
}

/// An `sshd` as `host install` leaves it; `change` may spoil it.
fn sshd(change: impl FnOnce(&Path, String) -> String) -> (Value, i32) {
    make_privilege_separation_directory();
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for name in ["host", "ca", "other"] {
        said(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(name)]));
    }
    fs::write(path("spec"), "serial: 7\n").unwrap();
    for name in ["ca", "other"] {
        let (krl, ca) = (path(&format!("{name}.krl")), path(&format!("{name}.pub")));
        said(Command::new("ssh-keygen").args(["-k", "-f", &krl, "-s", &ca, &path("spec")]));
    }
    fs::write(path("roles"), "bg-root\n").unwrap();
    let (host, ca, krl, roles) = (path("host"), path("ca.pub"), path("ca.krl"), path("roles"));
    let good = format!(
        "HostKey {host}\nTrustedUserCAKeys {ca}\nRevokedKeys {krl}\n\
         AuthorizedPrincipalsFile {roles}\nExposeAuthInfo yes\n"
    );
    fs::write(path("sshd_config"), change(dir.path(), good)).unwrap();
    doctor(&["--target", "sshd", "--file", &path("sshd_config"), "--account", "root"])
}

#[test]
fn settings_of_sshd_under_which_revocation_is_void_are_found() {
    let (report, code) = sshd(|_, good| good);
    assert_eq!(code, 0, "{report}");
    assert_eq!(standings(&report, "RevokedKeys"), ["good"]);
    let spoilt: [(&str, &str); 4] = [
        ("RevokedKeys", "RevokedKeys"),
        ("ExposeAuthInfo yes", "ExposeAuthInfo"),
        ("TrustedUserCAKeys", "TrustedUserCAKeys"),
        ("AuthorizedPrincipalsFile", "AuthorizedPrincipalsFile"),
    ];
    for (line, about) in spoilt {
        let without = |_: &Path, good: String| {
            let kept = good.lines().filter(|kept| !kept.starts_with(line));
            kept.map(|kept| format!("{kept}\n")).collect()
        };
        let (report, code) = sshd(without);
        assert_eq!(standings(&report, about), ["fault"], "{report}");
        assert_eq!(code, 13);
    }
}

#[test]
fn a_list_that_revokes_nobody_and_a_match_that_takes_it_away_are_found() {
    let (report, _) = sshd(|_, good| good.replace("ca.krl", "other.krl"));
    assert_eq!(standings(&report, "RevokedKeys"), ["fault"], "{report}");
    let (report, _) = sshd(|dir, good| {
        fs::write(dir.join("ca.krl"), "").unwrap();
        good
    });
    assert_eq!(standings(&report, "RevokedKeys"), ["fault"], "{report}");
    let (report, _) = sshd(|_, good| format!("{good}Match User root\nRevokedKeys none\n"));
    assert_eq!(standings(&report, "RevokedKeys"), ["fault"], "{report}");
    let (report, _) = sshd(|_, good| format!("{good}Nonsense yes\n"));
    assert_eq!(standings(&report, "sshd -T"), ["fault"], "{report}");
}

/// An nginx with an authority and a list of it that counts for `life`; `change` may spoil its settings.
fn nginx(life: &[&str], change: impl FnOnce(String) -> String) -> (Value, i32) {
    let dir = TempDir::new().unwrap();
    let openssl = |words: &[&str]| {
        let mut command = Command::new("openssl");
        said(command.args(words).current_dir(dir.path()))
    };
    for name in ["server", "ca"] {
        let subject = format!("/CN={name}");
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let files = ["-nodes", "-subj", &subject, "-keyout", &key, "-out", &crt];
        openssl(&[&made[..], &files[..]].concat());
    }
    fs::write(dir.path().join("index"), "").unwrap();
    fs::write(dir.path().join("number"), "01\n").unwrap();
    let ca = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n";
    fs::write(dir.path().join("ca.cnf"), ca).unwrap();
    let list = ["ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.crt"];
    openssl(&[&list[..], life, &["-out", "crl.pem"]].concat());
    let at = dir.path().display();
    let good = format!(
        "pid {at}/pid;\nerror_log {at}/error.log;\nworker_shutdown_timeout 10s;\nevents {{}}\n\
         http {{\n  access_log off;\n  log_format bg '$ssl_client_serial';\n  include servers/*;\n}}\n"
    );
    fs::write(dir.path().join("nginx.conf"), good).unwrap();
    // A socket with a name: no port is taken from anybody.
    let server = format!("server {{\n  listen unix:{at}/socket ssl;\n  server_name a;\n");
    let server = server
        + "ssl_certificate server.crt;\n  ssl_certificate_key server.key;\n\
                  ssl_client_certificate ca.crt;\n  ssl_verify_client on;\n  ssl_crl crl.pem;\n\
                  ssl_session_cache none;\n  ssl_session_tickets off;\n}\n";
    fs::create_dir(dir.path().join("servers")).unwrap();
    fs::write(dir.path().join("servers/a.conf"), change(server)).unwrap();
    let file = dir.path().join("nginx.conf").display().to_string();
    doctor(&["--target", "nginx", "--file", &file])
}

/// Of a list with a month left.
const MONTH: &[&str] = &["-crldays", "30"];

/// Of one with an hour left.
const HOUR: &[&str] = &["-crlhours", "1"];

/// Of one that has run out.
const OVER: &[&str] = &["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"];

#[test]
fn settings_of_nginx_under_which_revocation_is_void_are_found() {
    let (report, code) = nginx(MONTH, |good| good);
    assert_eq!((code, report["standing"].as_str()), (0, Some("good")), "{report}");
    let spoilt = [
        ("ssl_session_cache none", "ssl_session_cache shared:x:1m", "ssl_session_cache"),
        ("ssl_crl crl.pem;", "", "ssl_crl"),
        ("ssl_verify_client on", "ssl_verify_client optional_no_ca", "ssl_verify_client"),
    ];
    for (line, instead, about) in spoilt {
        let (report, code) = nginx(MONTH, |good| good.replace(line, instead));
        assert_eq!(standings(&report, about), ["fault"], "{report}");
        assert_eq!(code, 13);
    }
    let (report, _) = nginx(MONTH, |good| good.replace("crl.pem", "none.pem"));
    assert_eq!(standings(&report, "nginx -T"), ["fault"], "{report}");
}

#[test]
fn a_list_that_ends_soon_is_a_warning_and_one_that_has_ended_or_is_another_authoritys_a_fault() {
    let (report, code) = nginx(HOUR, |good| good);
    assert_eq!((standings(&report, "ssl_crl"), code), (vec!["warning".to_owned()], 0), "{report}");
    let (report, _) = nginx(OVER, |good| good);
    assert_eq!(standings(&report, "ssl_crl"), ["fault"], "{report}");
    let of = |good: String| good.replace("certificate ca.crt", "certificate server.crt");
    let (report, _) = nginx(MONTH, of);
    assert_eq!(standings(&report, "ssl_crl"), ["fault"], "{report}");
}

#[test]
fn a_flag_that_would_check_nothing_is_refused() {
    let mut command = Command::new(program("breakglass"));
    let ended = run(command.args(["doctor", "--target", "nginx", "--account", "root"]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("--account says nothing"), "{ended:?}");
}
