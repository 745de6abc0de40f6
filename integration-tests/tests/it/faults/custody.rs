//! Custody of the CA keys: in a PKCS#11 token (softhsm2), and encrypted at rest.

use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_proto::v1;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};

use breakglass_integration_tests::daemon::{Daemon, Ended, breakglassd, breakglassd_through, run};
use breakglass_integration_tests::hsm::{Hsm, MODULE, PIN};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::Wire;

use super::{credential, give_back, minting, sound};

const PEOPLE: [&str; 8] = ["pia", "sam", "ada", "bob", "eve", "tom", "kim", "lou"];

/// What the stock tool says; whether it is content.
pub(super) fn tool(program: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

pub(super) fn fetch(daemon: &Daemon, path: &str, to: &Path) {
    let url = format!("http://{}{path}", daemon.web);
    assert!(tool("curl", &["-sfo", to.to_str().unwrap(), &url]).0, "{url}");
}

pub(super) fn health(daemon: &Daemon) -> String {
    tool("curl", &["-s", &format!("http://{}/healthz", daemon.web)]).1
}

fn certificate(site: &Site, answer: &v1::SubmitAnswer) -> String {
    let path = site.dir().join("id-cert.pub");
    std::fs::write(&path, &answer.credential).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The number of the list for TLS servers, which `openssl` must find signed by our authority.
pub(super) fn list_number(site: &Site, daemon: &Daemon) -> String {
    let (path, ca) = (site.dir().join("crl.pem"), site.state().join("keys/x509-ca.crt"));
    fetch(daemon, "/v1/x509/crl.pem", &path);
    let (path, ca) = (path.to_str().unwrap(), ca.to_str().unwrap());
    let (_, said) = tool("openssl", &["crl", "-noout", "-crlnumber", "-CAfile", ca, "-in", path]);
    assert!(said.contains("verify OK"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_pulled_out_stops_minting_but_not_revoking_and_nothing_is_lost() {
    let hsm = Hsm::new();
    let site = hsm.found(Site::planned(&PEOPLE));
    for file in ["ssh-ca", "x509-ca.pem", "jwt-key.pem"] {
        assert!(!site.state().join("keys").join(file).exists(), "{file} is in the token");
    }
    let daemon = hsm.serve(&site, MODULE, "");
    let wire = Wire::to(&site, &daemon).await;
    minting(&site, &daemon, Serving).await;
    let (sams, first) = credential(&wire, "sam", 600).await.unwrap();
    let cert = certificate(&site, &first);
    let shown = tool("ssh-keygen", &["-Lf", &cert]).1;
    let ca = tool("ssh-keygen", &["-lf", site.state().join("ssh-ca.pub").to_str().unwrap()]).1;
    let fingerprint = ca.split(' ').nth(1).unwrap();
    assert!(shown.contains(&format!("Signing CA: ED25519 {fingerprint}")), "{shown} {ca}");
    let before = list_number(&site, &daemon);

    hsm.remove();
    minting(&site, &daemon, NotServing).await;
    daemon.logs("the token of a key cannot be used");
    assert!(health(&daemon).contains("token"), "{}", health(&daemon));
    let status = credential(&wire, "kim", 600).await.expect_err("no key to sign with");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("token"), "{status}");
    give_back(&wire, "sam", sams).await.unwrap();
    let krl = site.dir().join("krl");
    until("the list for hosts has it", SOON, || {
        fetch(&daemon, "/v1/ssh/krl", &krl);
        let (fine, said) = tool("ssh-keygen", &["-Qf", krl.to_str().unwrap(), &cert]);
        (!fine && said.contains("REVOKED")).then_some(())
    });
    assert_eq!(list_number(&site, &daemon), before, "the last good one stands");

    hsm.put_back();
    minting(&site, &daemon, Serving).await;
    let (_, second) = credential(&wire, "tom", 600).await.unwrap();
    until("the list for TLS servers is newer", SOON, || {
        (list_number(&site, &daemon) != before).then_some(())
    });
    let ended = daemon.stop();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.err.contains(PIN), "{}", ended.err);
    sound(&site, &[&first, &second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_or_a_missing_library_stops_minting_alone() {
    let hsm = Hsm::new();
    let site = hsm.found(Site::planned(&PEOPLE));
    let krl = site.dir().join("krl");
    hsm.write_pin("wrong-pin");
    let daemon = hsm.serve(&site, MODULE, "");
    daemon.logs("its PIN was refused, and is not tried again");
    minting(&site, &daemon, NotServing).await;
    fetch(&daemon, "/v1/ssh/krl", &krl);
    // The right one in the file changes nothing before a start: it might be the last try.
    hsm.write_pin(PIN);
    assert!(health(&daemon).contains("token"));
    let ended = daemon.stop();
    assert!(!ended.err.contains("wrong-pin"), "{}", ended.err);

    let daemon = hsm.serve(&site, "/nowhere/libpkcs11.so", "");
    daemon.logs("cannot load the library");
    minting(&site, &daemon, NotServing).await;
    fetch(&daemon, "/v1/ssh/krl", &krl);
    assert_eq!(daemon.stop().code, Some(0));

    let daemon = hsm.serve(&site, MODULE, "");
    minting(&site, &daemon, Serving).await;
    assert_eq!(daemon.stop().code, Some(0));
}

const PASSPHRASE: &str = "canary of a passphrase 5931";

/// A start with the passphrase in `file` on descriptor 3.
fn on_fd_3(file: &Path) -> Vec<String> {
    let script = format!("exec \"$0\" \"$@\" --passphrase-fd 3 3< {}", file.display());
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

fn serve(site: &Site, before: &[String]) -> Result<Daemon, Ended> {
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    site.serve_with(ROOMY, &before)
}

/// Every file below `dir` that has `needle` in it.
fn holding(dir: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            found.extend(holding(&path, needle));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn encrypted_keys_are_opened_by_a_descriptor_or_a_credential_and_by_nothing_else() {
    let secrets = tempfile::tempdir().unwrap();
    let (right, wrong) = (secrets.path().join("breakglass-keys"), secrets.path().join("wrong"));
    let empty = secrets.path().join("empty");
    std::fs::write(&right, format!("{PASSPHRASE}\n")).unwrap();
    std::fs::write(&wrong, "another passphrase altogether").unwrap();
    std::fs::write(&empty, "").unwrap();
    let site = Site::planned(&PEOPLE);
    let init = || {
        let before = on_fd_3(&right);
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let mut init = breakglassd_through(&before);
        init.args(["init", "--encrypt", "--name", "payments", "--state"]).arg(site.state());
        run(init.arg("--policy").arg(site.policy()))
    };
    let without = run(site.initialising().arg("--encrypt"));
    assert_eq!(without.code, Some(1), "{without:?}");
    assert!(without.err.contains("no passphrase was given"), "{without:?}");
    assert_eq!(init().code, Some(3));
    site.sign();
    assert_eq!(init().code, Some(0));

    for (before, words) in [
        (Vec::new(), "keys/log is encrypted and there is no passphrase"),
        (on_fd_3(&wrong), "the passphrase does not open"),
        (on_fd_3(&empty), "the passphrase is empty"),
    ] {
        let ended = serve(&site, &before).err().expect("it does not start");
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(words), "{}", ended.err);
        assert!(!ended.err.contains("another passphrase"), "{}", ended.err);
    }
    let credentials = format!("CREDENTIALS_DIRECTORY={}", secrets.path().display());
    for before in [on_fd_3(&right), vec!["env".to_owned(), credentials]] {
        let daemon = serve(&site, &before).expect("it starts");
        for file in ["environ", "cmdline"] {
            let seen = std::fs::read(format!("/proc/{}/{file}", daemon.id())).unwrap();
            assert!(!String::from_utf8_lossy(&seen).contains(PASSPHRASE), "{file}");
        }
        let ended = daemon.stop();
        assert_eq!(ended.code, Some(0));
        assert!(!ended.err.contains(PASSPHRASE), "{}", ended.err);
    }
    assert_eq!(holding(site.dir(), PASSPHRASE.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(holding(site.dir(), b"BEGIN PRIVATE KEY"), Vec::<PathBuf>::new());
}

#[test]
fn keys_are_encrypted_later_and_no_plain_one_is_left() {
    let secrets = tempfile::tempdir().unwrap();
    let (first, second) = (secrets.path().join("first"), secrets.path().join("second"));
    std::fs::write(&first, PASSPHRASE).unwrap();
    std::fs::write(&second, "and another in the next year").unwrap();
    let site = Site::of(&PEOPLE);
    let plain = std::fs::read_to_string(site.state().join("keys/ssh-ca")).unwrap();
    let body = plain.lines().nth(1).unwrap();
    assert!(!holding(site.dir(), body.as_bytes()).is_empty());
    let keys = |script: &str| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(breakglassd().get_program());
        let ended = run(shell.arg(site.state()).arg(&first).arg(&second));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    };
    let said = keys(r#"exec "$0" keys encrypt --state "$1" --passphrase-fd 3 3< "$2""#);
    assert!(said.contains("keys are encrypted"), "{said}");
    assert_eq!(holding(site.dir(), body.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(serve(&site, &on_fd_3(&first)).expect("it starts").stop().code, Some(0));
    keys(
        r#"exec "$0" keys rewrap --state "$1" --passphrase-fd 3 --new-passphrase-fd 4 3< "$2" 4< "$3""#,
    );
    assert!(serve(&site, &on_fd_3(&first)).is_err(), "the old passphrase opens nothing any more");
    keys(r#"exec "$0" keys decrypt --state "$1" --passphrase-fd 3 3< "$3""#);
    assert_eq!(std::fs::read_to_string(site.state().join("keys/ssh-ca")).unwrap(), plain);
    assert_eq!(site.serve().stop().code, Some(0));
}
