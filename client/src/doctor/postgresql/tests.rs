use super::*;
use crate::doctor::Standing;

fn rule(line: &str) -> Vec<String> {
    line.split('|').map(str::to_owned).collect()
}

fn standings(findings: &[Finding]) -> Vec<Standing> {
    findings.iter().map(|finding| finding.standing).collect()
}

#[test]
fn another_way_into_the_role_is_told() {
    let cert = rule("1|hostssl|all|admin|all|cert|map=bg|");
    let trust = rule("2|local|all|all||trust||");
    let reject = rule("2|host|all|admin|all|reject||");
    let roles = ["admin".to_owned()];
    assert_eq!(standings(&ways_in(&[cert.clone(), reject], &roles)), [Standing::Good]);
    let both = ways_in(&[cert.clone(), trust], &roles);
    assert_eq!(standings(&both), [Standing::Warning]);
    assert!(both[0].said.contains("line 2 (local trust)"), "{both:?}");
    let full = rule("1|hostssl|all|admin|all|scram-sha-256|clientcert=verify-full|");
    assert_eq!(standings(&ways_in(&[full], &roles)), [Standing::Good]);
    let other = rule("3|local|all|other||trust||");
    assert_eq!(standings(&ways_in(&[cert, other], &roles)), [Standing::Good]);
}

#[test]
fn no_certificate_demanded_or_a_broken_file_is_a_fault() {
    let password = rule("1|host|all|all|all|scram-sha-256||");
    assert_eq!(standings(&ways_in(&[password], &[])), [Standing::Fault]);
    let broken = rule("4|||||||invalid authentication method");
    let cert = rule("1|hostssl|all|admin|all|cert||");
    let said = ways_in(&[cert, broken], &[]);
    assert_eq!(standings(&said), [Standing::Fault]);
    assert!(said[0].said.contains("line 4"), "{said:?}");
}

#[test]
fn a_pattern_that_is_not_tied_down_is_a_fault() {
    let of = |pattern: &str| mappings(&[rule(&format!("1|bg|{pattern}|admin"))])[0].standing;
    assert_eq!(of("/^CN=bg-[^,]*,O=breakglass$"), Standing::Good);
    assert_eq!(of("/CN=bg-.*"), Standing::Fault);
    assert_eq!(of("/^CN=bg-"), Standing::Fault);
    assert_eq!(mappings(&[])[0].standing, Standing::Warning);
}

#[test]
fn without_a_list_revocation_is_void() {
    let of = |more: &[(&str, &str)]| {
        let row = |(k, v): &(&str, &str)| vec![(*k).to_owned(), (*v).to_owned()];
        let mut all = vec![("ssl", "on"), ("data_directory", "/nowhere"), ("ssl_ca_file", "ca")];
        all.extend(more);
        Settings(all.iter().map(row).collect())
    };
    assert_eq!(standings(&revocation(&of(&[]))), [Standing::Fault]);
    assert_eq!(standings(&revocation(&of(&[("ssl_crl_dir", "crls")]))), [Standing::NotTried]);
    assert_eq!(tls(&of(&[])).standing, Standing::Good);
    assert_eq!(tls(&Settings(Vec::new())).standing, Standing::Fault);
}
