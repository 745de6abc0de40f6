//! The same where keys are in PKCS#11 tokens (softhsm2): from a file into one, from key to key in it, from
//! one that is no more into another, and out of it.

use breakglass_integration_tests::hsm::{Hsm, TOKEN};

use super::*;

/// The next keys of roles, from the oldest place on.
type Places<'a> = &'a [(&'a str, &'a [(&'a str, &'a str)])];

/// A broker whose keys are files, and a token beside it.
fn stage() -> (Stage, Hsm) {
    let (mut stage, hsm) = (Stage::new(), Hsm::new());
    stage.dev.environment.push(("SOFTHSM2_CONF", hsm.conf()));
    (stage, hsm)
}

impl Stage {
    /// From the next start on the keys of these roles may be at these places, each a token and a key.
    fn name(&mut self, hsm: &Hsm, places: Places<'_>) {
        let table = |(role, places): &(&str, &[(&str, &str)])| {
            let places: Vec<_> = places.iter().map(|(token, key)| hsm.place(token, key)).collect();
            format!("[keys.{role}]\npkcs11 = [{}]\n", places.join(", "))
        };
        self.dev.more = places.iter().map(table).collect();
    }

    /// The next key of `role` is made and signs at once, with a start of the daemon between the two.
    fn replace(&mut self, role: &str) {
        self.steps(&["prepare", role]);
        self.steps(&["switch", role, "--now"]);
    }

    /// A step that is refused and changes nothing: what is said.
    fn refused(&mut self, words: &[&str]) -> String {
        let kept = self.dev.path("kept");
        let keys = self.dev.path("broker/state/keys");
        let (told, same) = self.dev.while_stopped(|dev| {
            let _ = std::fs::remove_dir_all(&kept);
            said(Command::new("cp").arg("-a").arg(&keys).arg(&kept));
            let told = Self::rotate(dev, words);
            let compared = Command::new("diff").arg("-r").arg(&keys).arg(&kept).output().unwrap();
            (told, compared.stdout.is_empty() || compared.stdout.ends_with(b": next\n"))
        });
        assert_eq!(told.code, Some(1), "{words:?}: {told:?}");
        assert!(same, "{words:?} changed the keys");
        told.err
    }

    /// How the status shows the keys of `role`: stage and place of each.
    fn kept(&mut self, role: &str) -> Vec<(String, String)> {
        let shown = self.dev.while_stopped(|dev| Self::rotate(dev, &["status", "-o", "json"]));
        let rows: Vec<serde_json::Value> = serde_json::from_str(&shown.out).unwrap();
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let of_role = rows.iter().filter(|row| row["role"] == role);
        of_role.map(|row| (text(row, "stage"), text(row, "kept"))).collect()
    }

    /// How the daemon ends that is started with the configuration of now.
    fn start(dev: &Dev) -> Ended {
        let mut serve = breakglassd();
        serve.arg("serve").arg("--config").arg(dev.config()).envs(dev.environment.clone());
        run(&mut serve)
    }
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(stage, kept)| ((*stage).to_owned(), (*kept).to_owned())).collect()
}

#[test]
fn an_ssh_authority_moves_from_a_file_into_a_token_and_gives_way_to_the_next_one_there() {
    let (mut stage, hsm) = stage();
    let (_, first) = stage.grant("orders-db", "ssh", "first");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "ssh-1")])]);
    stage.steps(&["prepare", "ssh-ca"]);
    let (_, prepared) = stage.grant("orders-db", "ssh", "prepared");
    assert_eq!(signer(&prepared), signer(&first), "a key that is only prepared signs nothing");
    stage.steps(&["switch", "ssh-ca", "--now"]);
    let file = stage.dev.path("broker/state/keys/ssh-ca");
    assert!(!file.exists(), "the key of now is in the token");
    let (back, second) = stage.grant("orders-db", "ssh", "second");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "ssh-1"), (TOKEN, "ssh-2")])]);
    stage.replace("ssh-ca");
    let now = pairs(&[("current", "breakglass: ssh-2"), ("old", "file"), ("old", "a token")]);
    assert_eq!(stage.kept("ssh-ca"), now);
    let (given, third) = stage.grant("orders-db", "ssh", "third");
    let signers = [&first, &second, &third].map(|dir| signer(dir));
    assert!(signers[0] != signers[1] && signers[1] != signers[2] && signers[0] != signers[2]);
    let host = stage.host();
    for dir in [&first, &second, &third] {
        assert!(host.log_in(&dir.join("id"), "true").is_in(), "{}", dir.display());
    }
    for (id, dir) in [(&back, &second), (&given, &third)] {
        stage.dev.done("sam", &["drop", id]);
        until("whoever signed it, it is refused", SOON, || {
            (!host.log_in(&dir.join("id"), "true").is_in()).then_some(())
        });
    }
    assert!(host.log_in(&first.join("id"), "true").is_in(), "the others are not");
    let (_, last) = stage.grant("orders-db", "ssh", "last");
    let told = stage.steps(&["retire", "ssh-ca", "--force", "a drill"]);
    assert!(told.contains("2 old for ssh-ca removed"), "{told}");
    assert!(told.contains("still in its token: destroy it there"), "{told}");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "ssh-2")])]);
    assert_eq!(stage.kept("ssh-ca"), pairs(&[("current", "breakglass: ssh-2")]));
    let host = stage.host();
    assert!(host.log_in(&last.join("id"), "true").is_in(), "what the new key signed");
    assert!(!host.log_in(&first.join("id"), "true").is_in(), "and nothing else");
    stage.is_verified("after");
}

/// The older authority signs its list in the token it is in; when that is no more, the key can be retired,
/// and the new one goes on alone.
#[test]
fn an_x509_authority_gives_way_to_one_in_another_token_and_each_signs_its_list() {
    let (mut stage, hsm) = stage();
    hsm.add("other");
    let (first, second) = ((TOKEN, "x509"), ("other", "x509"));
    stage.name(&hsm, &[("x509-ca", &[first])]);
    stage.replace("x509-ca");
    stage.steps(&["retire", "x509-ca"]);
    let (back, given_back) = stage.grant("orders-db", "x509", "given back");
    let (_, kept) = stage.grant("orders-db", "x509", "kept");
    stage.name(&hsm, &[("x509-ca", &[first, second])]);
    stage.replace("x509-ca");
    let (newer_id, newer) = stage.grant("orders-db", "x509", "newer");
    let now = pairs(&[("current", "other: x509"), ("old", "breakglass: x509")]);
    assert_eq!(stage.kept("x509-ca"), now);
    for id in [&back, &newer_id] {
        stage.dev.done("sam", &["drop", id]);
    }
    let [kept, given_back, newer] = [kept, given_back, newer].map(|dir| Shown::collected(&dir));
    let authorities = stage.page("/v1/x509/ca.pem", "both.pem");
    let verdicts = |stage: &Stage| {
        let list = stage.page("/v1/x509/crl.pem", "lists.pem");
        [&kept, &given_back, &newer].map(|shown| shown.verdict(&authorities, Some(&list), &[]))
    };
    // X509_V_ERR_CERT_REVOKED, whichever key is in which token.
    assert_eq!(verdicts(&stage), [0, 23, 23]);

    let (_, last) = stage.grant("orders-db", "x509", "last");
    hsm.destroy(TOKEN);
    until("the broker has noticed", SOON, || {
        stage.dev.daemon.as_ref().unwrap().log().contains("cannot be used").then_some(())
    });
    // What the old authority signed could not be taken back, so nothing more is signed; the lists stand.
    let words = ["request", "orders-db", "--kind", "x509", "--incident", "INC-1", "--ttl", "15m"];
    let id = stage.dev.done("sam", &[&words[..], &["--reason", "locks"]].concat());
    stage.dev.done("ada", &["approve", &id, "--yes"]);
    let authority = authorities.to_str().unwrap();
    let collect = ["collect", &id, "--out", "none", "--x509-ca", authority];
    let told = stage.dev.says("sam", &collect);
    assert!(told.code != 0 && told.err.contains("token"), "{told:?}");
    assert_eq!(verdicts(&stage), [0, 23, 23]);
    let shown = stage.kept("x509-ca");
    assert_eq!(shown[1], ("old".to_owned(), "a token, away".to_owned()));
    stage.steps(&["retire", "x509-ca", "--force", "the token is no more"]);
    stage.name(&hsm, &[("x509-ca", &[second])]);
    stage.dev.while_stopped(|_| ());
    stage.dev.done("sam", &["collect", &id, "--out", "some", "--x509-ca", authority]);
    let list = stage.page("/v1/x509/crl.pem", "list.pem");
    let authority = stage.page("/v1/x509/ca.pem", "one.pem");
    let last = Shown::collected(&last);
    // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY for what the authority that is gone has signed.
    let verdict = |shown: &Shown| shown.verdict(&authority, Some(&list), &[]);
    assert_eq!([&last, &newer, &kept].map(verdict), [0, 23, 20]);
    stage.is_verified("after");
}

#[test]
fn a_key_of_tokens_gives_way_in_its_token_and_goes_back_into_a_file() {
    let (mut stage, hsm) = stage();
    let token = |stage: &Stage, name: &str| {
        let (id, _) = stage.grant("cluster", "jwt", name);
        stage.dev.done("sam", &["token", &id])
    };
    let mut all = vec![token(&stage, "in a file")];
    stage.name(&hsm, &[("jwt-key", &[(TOKEN, "one")])]);
    stage.replace("jwt-key");
    all.push(token(&stage, "in the token"));
    stage.name(&hsm, &[("jwt-key", &[(TOKEN, "one"), (TOKEN, "two")])]);
    stage.replace("jwt-key");
    all.push(token(&stage, "and the next"));
    stage.steps(&["prepare", "jwt-key", "--file"]);
    stage.steps(&["switch", "jwt-key", "--now"]);
    all.push(token(&stage, "in a file again"));
    let judged = |stage: &Stage, name: &str| {
        let keys = stage.page("/.well-known/jwks.json", name);
        let said = judged_by(&keys, ISSUER, AUDIENCE, &all);
        said.iter().map(|said| said.iter().all(|word| word == "ok")).collect::<Vec<_>>()
    };
    assert_eq!(judged(&stage, "all.json"), [true; 4]);
    assert_eq!(stage.kept("jwt-key")[0], ("current".to_owned(), "file".to_owned()));
    let ended = stage.dev.while_stopped(|dev| {
        let retired = Stage::rotate(dev, &["retire", "jwt-key", "--force", "a drill"]);
        assert_eq!(retired.code, Some(0), "{retired:?}");
        let ended = Stage::start(dev);
        // What nothing is in any more is taken out.
        let text = std::fs::read_to_string(dev.config()).unwrap();
        let (without, _) = text.split_once("[keys.").unwrap();
        std::fs::write(dev.config(), without).unwrap();
        ended
    });
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("the configuration says that this key is in a token"), "{ended:?}");
    assert_eq!(judged(&stage, "one.json"), [false, false, false, true]);
    stage.is_verified("after");
}

#[test]
fn a_key_that_cannot_be_the_next_one_is_refused_and_the_operator_is_told_what_to_do() {
    let (mut stage, hsm) = stage();
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "one")])]);
    let ended = stage.dev.while_stopped(|dev| {
        let ended = Stage::start(dev);
        // Else it would not come back.
        assert_eq!(Stage::rotate(dev, &["prepare", "ssh-ca"]).code, Some(0));
        ended
    });
    assert_eq!(ended.code, Some(1), "whoever wrote it believes that the key is there: {ended:?}");
    assert!(ended.err.contains("rotate prepare ssh-ca --config"), "{ended:?}");
    hsm.remove();
    let told = stage.refused(&["switch", "ssh-ca", "--now"]);
    assert!(told.contains("in a token that cannot be used: 0 tokens have its label"), "{told}");
    hsm.put_back();
    stage.steps(&["switch", "ssh-ca", "--now"]);

    let told = stage.refused(&["prepare", "ssh-ca"]);
    assert!(told.contains("has the key \"one\", which is or was a key of this broker"), "{told}");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "one"), (TOKEN, "two")])]);
    stage.replace("ssh-ca");
    stage.steps(&["retire", "ssh-ca"]);
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two"), (TOKEN, "one")])]);
    let told = stage.refused(&["prepare", "ssh-ca"]);
    assert!(told.contains("is or was a key of this broker"), "of before: {told}");
    // Somebody else's, or one for another purpose.
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two")]), ("jwt-key", &[(TOKEN, "two")])]);
    let told = stage.dev.while_stopped(|dev| {
        let told = Stage::rotate(dev, &["status"]);
        let text = std::fs::read_to_string(dev.config()).unwrap();
        let (without, _) = text.split_once("[keys.jwt-key]").unwrap();
        std::fs::write(dev.config(), without).unwrap();
        told
    });
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("named twice, here or for another key"), "{told:?}");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two")])]);
    let state = stage.dev.path("broker/state");
    let told = stage.dev.while_stopped(|_| {
        run(breakglassd().args(["rotate", "prepare", "ssh-ca", "--state"]).arg(state))
    });
    assert_eq!(told.code, Some(1), "{told:?}");
    for part in ["PKCS#11", "nothing was made", "--config", "--file"] {
        assert!(told.err.contains(part), "{part}: {told:?}");
    }
    hsm.make_movable("movable");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two")]), ("jwt-key", &[(TOKEN, "movable")])]);
    let told = stage.dev.while_stopped(|dev| {
        let told = Stage::rotate(dev, &["prepare", "jwt-key"]);
        let text = std::fs::read_to_string(dev.config()).unwrap();
        let (without, _) = text.split_once("[keys.jwt-key]").unwrap();
        std::fs::write(dev.config(), without).unwrap();
        told
    });
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("the key there may leave the token"), "{told:?}");
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two")])]);
    stage.steps(&["prepare", "lists"]);
    stage.steps(&["abandon", "lists"]);
    stage.name(&hsm, &[("ssh-ca", &[(TOKEN, "two"), (TOKEN, "three")])]);
    stage.steps(&["prepare", "ssh-ca"]);
    let told = stage.steps(&["abandon", "ssh-ca"]);
    assert!(told.contains("still in its token"), "{told}");
    assert_eq!(stage.kept("ssh-ca"), pairs(&[("current", "breakglass: two")]));
    stage.is_verified("after");
}
