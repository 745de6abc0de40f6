use breakglass_ledger::testing::House;

use super::*;
use crate::testing::policy;

fn read_of(house: &House, answer: &v1::GetPolicyAnswer) -> Result<Policy, PolicyDoubt> {
    read(answer, &house.keys.origin())
}

#[test]
fn a_policy_is_read_from_bytes_that_fit_its_digest() {
    let house = House::new();
    let read = read_of(&house, &policy(&house)).unwrap();
    assert_eq!(read, house.policy);
}

/// R22: nobody is shown a scope out of a file that nobody signed.
#[test]
fn a_changed_missing_or_unsigned_policy_is_not_believed() {
    let house = House::new();
    let good = policy(&house);
    let mut changed = good.clone();
    changed.files[3].content.extend_from_slice(b"\n# harmless\n");
    assert!(matches!(read_of(&house, &changed), Err(PolicyDoubt::Digest(_))));
    let mut missing = good.clone();
    missing.files.pop();
    assert!(matches!(read_of(&house, &missing), Err(PolicyDoubt::Missing(_))));
    let unsigned = v1::GetPolicyAnswer { signatures: Vec::new(), ..good.clone() };
    assert_eq!(read_of(&house, &unsigned), Err(PolicyDoubt::Unsigned));
    let renumbered = v1::GetPolicyAnswer { version: 2, ..good.clone() };
    assert!(matches!(read_of(&house, &renumbered), Err(PolicyDoubt::Digest(_))));
    let mut forged = good.clone();
    let signature = house.keys.sshsig("sam", "policy.v1@breakglass", &forged.manifest);
    forged.signatures = vec![signature.armored().to_owned()];
    assert!(matches!(read_of(&house, &forged), Err(PolicyDoubt::Form(_))));
    let other = breakglass_ledger::testing::Keys::of("other").origin();
    assert_eq!(read(&good, &other), Err(PolicyDoubt::OtherLog));
}

/// R31: what was seen once is compared with for ever.
#[test]
fn an_older_policy_or_a_second_one_of_the_same_number_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::new();
    let state = State::open(&dir.path().join("state"), &house.keys.origin()).unwrap();
    let first = house.policy.clone();
    remember(&state, &first).unwrap();
    let files = Files::gather(|name| {
        let digest = Digest::of(&policy(&house).files.iter().find(|b| b.name == name)?.content);
        house.blobs.get(&digest).cloned()
    });
    house.enact(&files.unwrap(), "pia");
    let second = read_of(&house, &policy(&house)).unwrap();
    assert_eq!(second.version, 2);
    remember(&state, &second).unwrap();
    assert_eq!(remember(&state, &first).unwrap_err().exit(), Exit::Tampered);
    let forked = Policy { digest: Digest::of(b"other"), ..second.clone() };
    assert_eq!(remember(&state, &forked).unwrap_err().exit(), Exit::Tampered);
    remember(&state, &second).unwrap();
}

/// The files of the policy in force at `house`.
fn files_of(house: &House) -> Files {
    let answer = policy(house);
    let content = |name: &str| {
        let blob = answer.files.iter().find(|blob| blob.name == name)?;
        Some(blob.content.clone())
    };
    Files::gather(content).unwrap()
}

/// The next policy of `house`, signed by `signer`, as a broker would show it.
fn next(house: &House, signer: &str) -> v1::GetPolicyAnswer {
    let mut files = files_of(house);
    files.people.extend_from_slice(b"\n# a change\n");
    let listed = files.manifest(house.policy.version.saturating_add(1), house.policy.digest);
    let nonce = breakglass_ledger::bytes::Salt::from_bytes([1; 16]);
    let log = house.keys.origin();
    let manifest = Statement::compose(&log, None, Act::Policy(listed), None, nonce).unwrap();
    let bytes = manifest.text().as_bytes();
    let signature = house.keys.sshsig(signer, "policy.v1@breakglass", bytes);
    let blob = |file: breakglass_ledger::policy::File| v1::Blob {
        name: file.name().to_owned(),
        content: files.content(file).to_vec(),
    };
    v1::GetPolicyAnswer {
        version: house.policy.version.saturating_add(1),
        digest: manifest.digest().as_bytes().to_vec(),
        manifest: bytes.to_vec(),
        signatures: vec![signature.armored().to_owned()],
        files: breakglass_ledger::policy::File::ALL.map(blob).to_vec(),
    }
}

/// R05: whoever saw the policy before can tell who had to sign the next; nobody else can.
#[test]
fn a_later_policy_must_be_signed_by_the_authority_of_the_one_seen_before() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new();
    let log = house.keys.origin();
    let state = State::open(&dir.path().join("state"), &log).unwrap();
    let first = accept(&state, &log, &policy(&house)).unwrap();
    assert_eq!(kept(&state, &log, first.digest).unwrap(), Some(first.clone()));
    let forged = accept(&state, &log, &next(&house, "sam")).unwrap_err();
    assert_eq!(forged.exit(), Exit::Tampered);
    assert!(forged.to_string().contains("the authority of the policy before"), "{forged}");
    let second = accept(&state, &log, &next(&house, "pia")).unwrap();
    assert_eq!(second.version, first.version.saturating_add(1));
    assert_eq!(accept(&state, &log, &policy(&house)).unwrap_err().exit(), Exit::Tampered);
    // A machine that never saw the first has nothing to judge by: the ledger judges there.
    let other = State::open(&dir.path().join("other"), &log).unwrap();
    assert!(accept(&other, &log, &next(&house, "sam")).is_ok());
}

#[test]
fn a_policy_that_follows_another_than_the_one_seen_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new();
    let log = house.keys.origin();
    let state = State::open(&dir.path().join("state"), &log).unwrap();
    accept(&state, &log, &policy(&house)).unwrap();
    let mut elsewhere = House::new();
    elsewhere.policy.digest = Digest::of(b"another first policy");
    let refused = accept(&state, &log, &next(&elsewhere, "pia")).unwrap_err();
    assert!(refused.to_string().contains("does not follow"), "{refused}");
}

#[test]
fn what_was_kept_and_changed_since_is_not_judged_by() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new();
    let log = house.keys.origin();
    let state = State::open(&dir.path().join("state"), &log).unwrap();
    let first = accept(&state, &log, &policy(&house)).unwrap();
    let name = format!("{:08}-{}", first.version, first.digest);
    let path = state.dir().join("policies").join(name).join("authority.toml");
    std::fs::write(path, "quorum = 1\n").unwrap();
    assert_eq!(kept(&state, &log, first.digest).unwrap(), None);
}
