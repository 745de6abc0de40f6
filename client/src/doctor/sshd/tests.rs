use super::*;
use crate::doctor::Standing;

fn of(lines: &[(&str, &str)]) -> Vec<Finding> {
    let settings = lines.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    judge(&settings, "root", &|setting| setting.to_owned())
}

fn standing(findings: &[Finding], about: &str) -> Standing {
    let of = |finding: &&Finding| finding.about == about;
    findings.iter().find(of).unwrap_or_else(|| panic!("{about}: {findings:?}")).standing
}

#[test]
fn a_list_that_is_missing_empty_or_no_list_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("krl");
    let name = path.to_str().unwrap();
    let revoked = |value: &str| standing(&of(&[("revokedkeys", value)]), "RevokedKeys");
    assert_eq!(revoked("none"), Standing::Fault);
    assert_eq!(revoked(name), Standing::Fault);
    for bytes in [&b""[..], b"SSHKRL\n\0", b"not a list"] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(revoked(name), Standing::Fault, "{bytes:?}");
    }
}

#[test]
fn a_list_of_another_authority_revokes_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for name in ["ours", "other"] {
        let key = ["-q", "-t", "ed25519", "-N", "", "-f", &path(name)];
        said(Command::new("ssh-keygen").args(key)).unwrap();
    }
    std::fs::write(path("spec"), "serial: 7\n").unwrap();
    for name in ["ours", "other"] {
        let (krl, ca) = (path(&format!("{name}.krl")), path(&format!("{name}.pub")));
        said(Command::new("ssh-keygen").args(["-k", "-f", &krl, "-s", &ca, &path("spec")]))
            .unwrap();
    }
    let with = |krl: &str| {
        let settings = [("trustedusercakeys", path("ours.pub")), ("revokedkeys", path(krl))];
        let settings: Vec<_> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
        standing(&of(&settings), "RevokedKeys")
    };
    assert_eq!(with("ours.krl"), Standing::Good);
    assert_eq!(with("other.krl"), Standing::Fault);
}

#[test]
fn what_would_let_nobody_in_is_a_fault_too() {
    let nothing = of(&[]);
    for about in ["PubkeyAuthentication", "TrustedUserCAKeys", "AuthorizedPrincipalsFile"] {
        assert_eq!(standing(&nothing, about), Standing::Fault, "{about}");
    }
    let command = [("authorizedprincipalscommand", "/bin/sh x")];
    assert_eq!(standing(&of(&command), "AuthorizedPrincipalsCommand"), Standing::Fault);
    let user = [command[0], ("authorizedprincipalscommanduser", "nobody")];
    assert_eq!(standing(&of(&user), "AuthorizedPrincipalsCommand"), Standing::Good);
    let home = [("authorizedprincipalsfile", ".ssh/principals")];
    assert_eq!(standing(&of(&home), "AuthorizedPrincipalsFile"), Standing::NotTried);
}

#[test]
fn sessions_that_cannot_be_found_and_penalties_for_all_are_told() {
    assert_eq!(standing(&of(&[("exposeauthinfo", "no")]), "ExposeAuthInfo"), Standing::Fault);
    assert_eq!(standing(&of(&[("exposeauthinfo", "yes")]), "ExposeAuthInfo"), Standing::Good);
    let on = [("persourcepenalties", "crash:90"), ("persourcepenaltyexemptlist", "none")];
    assert_eq!(standing(&of(&on), "PerSourcePenalties"), Standing::Warning);
    let exempt = [on[0], ("persourcepenaltyexemptlist", "10.0.0.0/8")];
    assert_eq!(standing(&of(&exempt), "PerSourcePenalties"), Standing::Good);
}
