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
