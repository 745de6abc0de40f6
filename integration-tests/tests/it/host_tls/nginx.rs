//! nginx: it goes by a list when its workers of before are gone, is shown to refuse, and says who came.

use std::fs;
use std::path::Path;
use std::process::Command;

use breakglass_integration_tests::nginx::Nginx;
use breakglass_integration_tests::sshd::said;
use breakglass_integration_tests::tls_site::Shown as Certified;
use breakglass_integration_tests::wait::{SOON, until};

use super::stage::Stage;
use super::{followed, nobody_was_given, past_the_broker};

/// Must be shown, 3: nginx goes by the list when it is reloaded, and the workers of before are gone
/// when that is said.
#[test]
fn nginx_is_reloaded_and_a_configuration_that_is_none_is_told_and_left_alone() {
    let stage = Stage::new();
    let list = stage.ca.list(&[3], 9);
    stage.show(&list);
    let nginx = Nginx::start(&stage.ca.0.pem(), &list);
    let held = stage.ca.certify(41, stage.told.dir.path());
    let dir = nginx.site.path("");
    stage.looks_after(&of_nginx(&dir));
    let _agent = stage.told.run();
    let in_force = |version: u64| {
        let said = format!("list {version} in force after");
        until(&said, SOON, || stage.told.log().contains(&said).then_some(()));
    };
    in_force(9);
    assert!(nginx.ask(&held).contains("CN=bg-req-"), "{}", nginx.ask(&held));
    stage.show(&stage.ca.list(&[3, 41], 10));
    in_force(10);
    assert!(nginx.ask(&held).contains("400 Bad Request"), "{}", nginx.ask(&held));
    let conf = fs::read_to_string(nginx.site.path("nginx.conf")).unwrap();
    nginx.site.replace("nginx.conf", "nonsense");
    stage.show(&stage.ca.list(&[3, 41, 42], 11));
    stage.until_state("db-1.nginx", "failed");
    assert!(nginx.ask(&held).contains("400 Bad Request"), "it serves on");
    nginx.site.replace("nginx.conf", &conf);
    in_force(11);
    stage.until_state("db-1.nginx", "\"trouble\":null");
    // Its log says `certificate revoked` of this one by now; anybody can have it say so.
    assert!(
        fs::read_to_string(nginx.site.path("access.log"))
            .unwrap()
            .contains("FAILED:certificate revoked")
    );
    assert!(stage.state("db-1.nginx").contains("\"canary\":\"untried\""));
}

/// A session that nginx keeps outlives the list; its own log gives that away, and it is an alarm.
#[test]
fn a_session_by_which_a_revoked_certificate_still_gets_into_nginx_is_an_alarm() {
    let stage = Stage::new();
    let list = stage.ca.list(&[3], 9);
    stage.show(&list);
    let shared = "ssl_session_cache shared:kept:1m; ssl_session_tickets off;";
    let nginx = Nginx::keeping(&stage.ca.0.pem(), &list, shared);
    let held = stage.ca.certify(41, stage.told.dir.path());
    stage.looks_after(&of_nginx(&nginx.site.path("")));
    let _agent = stage.told.run();
    stage.until_state("db-1.nginx", "\"version\":9");
    assert!(nginx.ask_and_keep(&held).contains("200 OK"));
    stage.show(&stage.ca.list(&[3, 41], 10));
    until("the list is in force", SOON, || {
        stage.told.log().contains("list 10 in force after").then_some(())
    });
    assert!(nginx.ask(&held).contains("400 Bad Request"));
    until("it is an alarm", SOON, || {
        assert!(nginx.come_back(&held).contains("200 OK"), "the trap is not there any more");
        stage.state("db-1.nginx").contains("ALARM: the server does not refuse").then_some(())
    });
    assert!(stage.told.log().contains("canary accepted"), "{}", stage.told.log());
}

/// The agent shows nginx a chain in the authority's name, and takes nginx's own word for what it made of it.
#[test]
fn nginx_is_shown_to_refuse_what_only_the_newest_list_names() {
    let stage = Stage::new();
    let nginx = tried(&stage, &stage.ca.list(&[3, 42], 9));
    // Where nothing is kept back, and where its log is late.
    let _agent = stage.told.run();
    stage.until_log("list 9 in force after", "canary refused");
    nginx.change("access.log breakglass;", "access.log breakglass buffer=64k flush=1s;");
    stage.show(&stage.ca.list(&[3, 41, 42], 10));
    stage.until_log("list 10 in force after", "canary refused");
    stage.until_state("db-1.nginx", "\"trouble\":null");
    let log = fs::read_to_string(nginx.site.path("access.log")).unwrap();
    assert_eq!(log.matches("FAILED:certificate revoked").count(), 2, "tried once: {log}");
    let held = stage.ca.certify(43, stage.told.dir.path());
    assert!(nginx.ask(&held).contains("CN=bg-req-"), "it serves on");
}

/// An nginx that reads another file, and one that reads none, are told apart from one that refuses: also if
/// somebody has them write that they refuse.
#[test]
fn an_nginx_that_goes_by_an_older_list_or_by_none_is_an_alarm_whatever_others_show_it() {
    let stage = Stage::new();
    let older = stage.ca.list(&[3, 42], 9);
    let nginx = tried(&stage, &older);
    nginx.site.replace("older.pem", &older);
    nginx.change("ssl_crl crl.pem;", "ssl_crl older.pem;");
    let forged = forged(&stage, 42, 43);
    let _agent = stage.told.run();
    stage.until_log("list 9 in force after", "canary refused");
    assert!(nginx.ask(&forged).contains("400 Bad Request"));
    stage.show(&stage.ca.list(&[3, 41, 42], 10));
    until("it is tried while others have it write that it refuses", SOON, || {
        assert!(nginx.ask(&forged).contains("400 Bad Request"));
        stage.told.log().contains("list 10 in force after").then_some(())
    });
    stage.until_log("list 10 in force after", "canary accepted");
    stage.until_state("db-1.nginx", "ALARM: the server does not refuse");
    let log = fs::read_to_string(nginx.site.path("access.log")).unwrap();
    assert!(log.contains("FAILED:certificate revoked 2B0123456789ABCDEF "), "no trap: {log}");
    nginx.change("ssl_crl older.pem;", "");
    stage.show(&stage.ca.list(&[3, 40, 41, 42], 11));
    stage.until_log("list 11 in force after", "canary accepted");
}

/// What anybody can make with a stock tool: a certificate for the entry `seq` below an authority that has the
/// real one's name and key identifier, and the number of the entry `above`.
fn forged(stage: &Stage, above: u64, seq: u64) -> Certified {
    let dir = stage.told.dir.path();
    let openssl = |words: &str, name: &[&str]| {
        let mut openssl = Command::new("openssl");
        said(openssl.args(words.split(' ')).args(name).current_dir(dir))
    };
    let shown = openssl("x509 -noout -ext subjectKeyIdentifier -in x509-ca.pem", &[]);
    let key_id = shown.lines().last().unwrap().trim();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let serial = |seq: u64| format!("-set_serial 0x{seq:x}0123456789abcdef");
    let above = serial(above);
    openssl(
        &format!("req -x509 {ec} {above} -keyout above.key -out above.crt -addext"),
        &[
            &format!("subjectKeyIdentifier={key_id}"),
            "-subj",
            "/CN=breakglass payments X.509 CA 0123abcd",
        ],
    );
    let to = "-keyout forged.key -out forged.csr";
    openssl(&format!("req -new {ec} {to}"), &["-subj", "/CN=bg-req-0192f0c1-sam"]);
    let extensions = "authorityKeyIdentifier = issuer:always\nextendedKeyUsage = clientAuth\n";
    fs::write(dir.join("forged.ext"), extensions).unwrap();
    let by = "-CA above.crt -CAkey above.key -extfile forged.ext";
    openssl(&format!("x509 -req -in forged.csr {by} {} -out forged.crt", serial(seq)), &[]);
    let chain = ["forged.crt", "above.crt"].map(|file| fs::read(dir.join(file)).unwrap()).concat();
    fs::write(dir.join("forged.crt"), chain).unwrap();
    Certified { certificate: dir.join("forged.crt"), key: dir.join("forged.key") }
}

/// An nginx where the agent may try, which starts with `list`.
fn tried(stage: &Stage, list: &str) -> Nginx {
    stage.show(list);
    let nginx = Nginx::start(&stage.ca.0.pem(), list);
    // A name that may have several addresses, of which nginx listens on one.
    let named = nginx.address().replace("127.0.0.1", "localhost");
    let address = format!("address = \"{named}\"\n");
    stage.looks_after(&format!("{}{address}", of_nginx(&nginx.site.path(""))));
    nginx
}

/// What the agent is told of an nginx in `dir`.
fn of_nginx(dir: &Path) -> String {
    let dir = dir.display().to_string();
    let at = dir.trim_end_matches('/');
    format!(
        "kind = \"nginx\"\ncrl = \"{at}/crl.pem\"\npid-file = \"{at}/nginx.pid\"\n\
         access-log = \"{at}/access.log\"\n\
         test = [\"/usr/sbin/nginx\", \"-t\", \"-p\", \"{at}/\", \"-c\", \"nginx.conf\", \"-e\", \"error.log\"]\n",
    )
}

/// The same at nginx, whose log says who came.
#[test]
fn a_certificate_that_the_ledger_does_not_know_is_found_in_the_log_of_nginx() {
    const UNKNOWN: u64 = 4_712;
    let (site, _daemon, pins, told) = followed();
    let ca = site.state().join("x509-ca.pem");
    let list = fs::read_to_string(site.state().join("lists/current/crl.pem")).unwrap();
    let nginx = Nginx::start(&fs::read_to_string(&ca).unwrap(), &list);
    let stolen = past_the_broker(&site, told.dir.path(), UNKNOWN);
    let target = of_nginx(&nginx.site.path(""));
    told.write(&pins, &format!("x509-ca = \"{}\"\n[[target]]\n{target}", ca.display()));
    let _agent = told.run();
    until("it follows", SOON, || told.log().contains("in force after").then_some(()));
    assert!(nginx.ask(&stolen).contains("CN=bg-req-"), "{}", nginx.ask(&stolen));
    nobody_was_given(&site, "db-1.nginx", UNKNOWN);
}
