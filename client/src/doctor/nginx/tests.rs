use super::*;
use crate::doctor::Standing;

fn of(server: &str) -> Vec<Finding> {
    judged(&format!("worker_shutdown_timeout 5s; http {{ server {{ server_name a; {server} }} }}"))
}

fn judged(text: &str) -> Vec<Finding> {
    let dump = format!("# configuration file /nowhere/nginx.conf:\n{text}\n");
    let (base, tree) = read(&dump).unwrap();
    judge(&base, &tree)
}

fn standing(findings: &[Finding], about: &str) -> Standing {
    let of = |finding: &&Finding| finding.about.ends_with(about);
    findings.iter().find(of).unwrap_or_else(|| panic!("{about}: {findings:?}")).standing
}

#[test]
fn a_kept_session_is_a_way_round_wherever_it_is_set() {
    let safe = "ssl_verify_client on; ssl_session_cache none; ssl_session_tickets off;";
    assert_eq!(standing(&of(safe), "ssl_session_cache"), Standing::Good);
    assert_eq!(standing(&of("ssl_verify_client on;"), "ssl_session_cache"), Standing::Good);
    for cache in ["shared:a:1m", "builtin", "builtin shared:a:1m"] {
        let findings = of(&format!("ssl_verify_client on; ssl_session_cache {cache};"));
        assert_eq!(standing(&findings, "ssl_session_cache"), Standing::Fault, "{cache}");
    }
    let around = "http { ssl_session_cache shared:a:1m; server { ssl_verify_client on; } }";
    assert_eq!(standing(&judged(around), "ssl_session_cache"), Standing::Fault);
    let own = "http { ssl_session_cache shared:a:1m; server { ssl_session_cache none; \
               ssl_verify_client on; } }";
    assert_eq!(standing(&judged(own), "ssl_session_cache"), Standing::Good);
}

#[test]
fn tickets_that_outlive_a_revocation_are_a_fault() {
    let tickets = |more: &str| standing(&of(&format!("ssl_verify_client on; {more}")), "tickets");
    assert_eq!(tickets("ssl_session_tickets off;"), Standing::Good);
    assert_eq!(tickets(""), Standing::Warning);
    assert_eq!(tickets("ssl_session_ticket_key k;"), Standing::Fault);
    assert_eq!(tickets("ssl_ocsp leaf;"), Standing::Fault);
}

#[test]
fn a_server_that_looks_at_no_list_is_a_fault() {
    assert_eq!(standing(&of("ssl_verify_client on;"), "ssl_crl"), Standing::Fault);
    let missing = "ssl_verify_client on; ssl_crl no.pem; ssl_client_certificate no.crt;";
    assert_eq!(standing(&of(missing), "ssl_crl"), Standing::Fault);
    let ocsp = "ssl_verify_client on; ssl_ocsp leaf;";
    assert_eq!(standing(&of(ocsp), "ssl_ocsp"), Standing::Good);
}

#[test]
fn who_is_let_in_without_a_certificate_is_told() {
    let verify =
        |value: &str| standing(&of(&format!("ssl_verify_client {value};")), "ssl_verify_client");
    assert_eq!(verify("on"), Standing::Good);
    assert_eq!(verify("optional"), Standing::Warning);
    assert_eq!(verify("optional_no_ca"), Standing::Fault);
    assert_eq!(standing(&of(""), "ssl_verify_client"), Standing::Fault);
}

#[test]
fn a_log_that_names_nobody_and_workers_without_end_are_told() {
    let without = judged("http { server { ssl_verify_client on; } }");
    assert_eq!(standing(&without, "log_format"), Standing::Warning);
    assert_eq!(standing(&without, "worker_shutdown_timeout"), Standing::Warning);
    let with = "http { log_format x '$ssl_client_serial'; server { ssl_verify_client on; } }";
    assert_eq!(standing(&judged(with), "log_format"), Standing::Good);
}
