use super::*;
use crate::bytes::Salt;
use crate::principal::Origin;
use crate::sshsig::{self, SshSig, SshSigError};
use crate::statement::{Act, Manifest, Seen, Statement};
use crate::time::Timestamp;

fn log() -> Origin {
    Origin::new("payments", &[7; 32]).unwrap()
}

fn statement(manifest: Manifest) -> Statement {
    Statement::compose(&log(), None, Act::Policy(manifest), None, Salt::from_bytes([1; 16]))
        .unwrap()
}

fn signed(who: &str, namespace: &str, statement: &Statement) -> SshSig {
    let message = sshsig::to_be_signed(namespace, statement.text().as_bytes());
    let signature: [u8; 64] = pair(who).sign(&message).as_ref().try_into().unwrap();
    let blob = sshsig::ed25519_signature_blob(&signature);
    sshsig::assemble(&public(who), namespace, &blob).unwrap()
}

fn by(who: &[&str], statement: &Statement) -> Vec<SshSig> {
    who.iter().map(|who| signed(who, "policy.v1@breakglass", statement)).collect()
}

/// The sample with an authority of two out of `pia` (two keys), `quinn` and `rosa`.
fn two_of_three() -> Files {
    let key = |who: &str| format!("{:?}", public(who).to_openssh());
    let authority = format!(
        "quorum = 2\n[[signer]]\nid = \"pia\"\nkeys = [{}, {}]\n[[signer]]\nid = \"quinn\"\n\
         keys = [{}]\n[[signer]]\nid = \"rosa\"\nkeys = [{}]\n",
        key("pia"),
        key("pia-2"),
        key("quinn"),
        key("rosa")
    );
    Files { authority: authority.into_bytes(), ..five() }
}

fn first() -> Policy {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), None).unwrap()
}

#[test]
fn the_first_policy_is_signed_by_its_own_authority() {
    let policy = first();
    let manifest = statement(two_of_three().manifest(1, Digest::ZERO));
    assert_eq!((policy.version, policy.digest), (1, manifest.digest()));
    assert_eq!(policy.digest, Digest::of(manifest.text().as_bytes()));
    assert_eq!(policy.fingerprints_of_authority().len(), 4);
}

/// R23: a signer's second key is not a second signer.
#[test]
fn one_signer_with_two_keys_counts_once() {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    for signers in [&[][..], &["pia"], &["pia", "pia-2"], &["pia", "pia"]] {
        let counted = u32::from(!signers.is_empty());
        let outcome = activate(&manifest, &by(signers, &manifest), &files, &log(), None);
        assert_eq!(outcome, Err(PolicyError::Quorum { needed: 2, counted }), "{signers:?}");
    }
}

/// R05: the authority of the policy before decides, not the one that the new policy names.
#[test]
fn nobody_widens_what_they_hold() {
    let before = first();
    let mine = public("mallory").to_openssh();
    let authority = format!("quorum = 1\n[[signer]]\nid = \"mallory\"\nkeys = [{mine:?}]\n");
    let files = Files { authority: authority.into_bytes(), ..five() };
    let manifest = statement(files.manifest(2, before.digest));
    let alone = activate(&manifest, &by(&["mallory"], &manifest), &files, &log(), Some(&before));
    assert!(matches!(alone, Err(PolicyError::NotASigner { .. })), "{alone:?}");
    let one = activate(&manifest, &by(&["pia"], &manifest), &files, &log(), Some(&before));
    assert_eq!(one, Err(PolicyError::Quorum { needed: 2, counted: 1 }));
    // The two who may hand it over can.
    let handed =
        activate(&manifest, &by(&["pia", "quinn"], &manifest), &files, &log(), Some(&before));
    let after = handed.unwrap();
    // From here on the old authority has no say.
    let files = two_of_three();
    let manifest = statement(files.manifest(3, after.digest));
    let back = activate(&manifest, &by(&["pia", "quinn"], &manifest), &files, &log(), Some(&after));
    assert!(matches!(back, Err(PolicyError::NotASigner { .. })), "{back:?}");
}

#[test]
fn versions_follow_each_other_without_gaps() {
    let before = first();
    let files = two_of_three();
    for found in [1, 3, 4] {
        let manifest = statement(files.manifest(found, before.digest));
        let outcome =
            activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), Some(&before));
        assert_eq!(outcome, Err(PolicyError::Version { expected: 2, found }));
    }
    let manifest = statement(files.manifest(2, Digest::ZERO));
    let outcome = activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), None);
    assert_eq!(outcome, Err(PolicyError::Version { expected: 1, found: 2 }));
}

#[test]
fn a_policy_follows_the_one_in_force_and_no_other() {
    let before = first();
    let files = two_of_three();
    let manifest = statement(files.manifest(2, Digest::of(b"another")));
    let outcome =
        activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), Some(&before));
    let (expected, found) = (before.digest, Digest::of(b"another"));
    assert_eq!(outcome, Err(PolicyError::Previous { expected, found }));
    let manifest = statement(files.manifest(1, before.digest));
    let outcome = activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), None);
    let (expected, found) = (Digest::ZERO, before.digest);
    assert_eq!(outcome, Err(PolicyError::Previous { expected, found }));
}

#[test]
fn a_policy_for_another_log_is_refused() {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    let other = Origin::new("payments", &[8; 32]).unwrap();
    let outcome = activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &other, None);
    assert!(matches!(outcome, Err(PolicyError::OtherLog { .. })), "{outcome:?}");
}

#[test]
fn a_file_that_is_not_the_signed_one_is_refused() {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    for file in File::ALL {
        let comment = if file == File::Rules { "// more" } else { "# more" };
        let mut edited = files.clone();
        let content = match file {
            File::Authority => &mut edited.authority,
            File::People => &mut edited.people,
            File::Rules => &mut edited.rules,
            File::Scopes => &mut edited.scopes,
        };
        content.extend(comment.bytes());
        let outcome = activate(&manifest, &by(&["pia", "rosa"], &manifest), &edited, &log(), None);
        let Err(PolicyError::FileDigest { file: found, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(found, file);
    }
}

#[test]
fn a_manifest_lists_exactly_the_four_files() {
    let files = two_of_three();
    let complete = files.manifest(1, Digest::ZERO);
    let mut more = complete.clone();
    more.files.push(("tests.toml".to_owned(), Digest::ZERO));
    let mut renamed = complete.clone();
    renamed.files[0].0 = "authority.tml".to_owned();
    let mut fewer = complete;
    fewer.files.pop();
    for manifest in [more, renamed, fewer] {
        let manifest = statement(manifest);
        let outcome = activate(&manifest, &by(&["pia", "rosa"], &manifest), &files, &log(), None);
        assert_eq!(outcome, Err(PolicyError::FileSet));
    }
}

#[test]
fn a_signature_counts_for_this_manifest_and_this_purpose_only() {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    let other = statement(files.manifest(2, Digest::ZERO));
    let mut lifted = by(&["pia"], &manifest);
    lifted.extend(by(&["rosa"], &other));
    let outcome = activate(&manifest, &lifted, &files, &log(), None);
    let signer = "rosa".parse().unwrap();
    assert_eq!(outcome, Err(PolicyError::Signature { signer, source: SshSigError::Bad }));
    let mut approval = by(&["pia"], &manifest);
    approval.push(signed("rosa", "approve.v1@breakglass", &manifest));
    let outcome = activate(&manifest, &approval, &files, &log(), None);
    let Err(PolicyError::Signature { source: SshSigError::Namespace { .. }, .. }) = outcome else {
        panic!("{outcome:?}")
    };
}

#[test]
fn more_signatures_than_signers_are_not_looked_at() {
    let files = two_of_three();
    let manifest = statement(files.manifest(1, Digest::ZERO));
    let one = signed("pia", "policy.v1@breakglass", &manifest);
    let many = vec![one; SIGNATURES_MAX + 1];
    let outcome = activate(&manifest, &many, &files, &log(), None);
    assert_eq!(outcome, Err(PolicyError::TooManySignatures { count: SIGNATURES_MAX + 1 }));
}

#[test]
fn a_statement_of_another_act_is_no_policy() {
    let declare = crate::statement::Session { by: "pia".parse().unwrap() };
    let expires = Timestamp::from_unix_seconds(1_800_000_000);
    let act = Act::Session(declare);
    let nonce = Salt::from_bytes([1; 16]);
    let statement = Statement::compose(&log(), None::<Seen>, act, Some(expires), nonce).unwrap();
    let outcome = activate(&statement, &[], &two_of_three(), &log(), None);
    assert_eq!(outcome, Err(PolicyError::NotAPolicy));
}

/// R25: what cannot be read as a policy is no policy, whoever signed it.
#[test]
fn a_faulty_policy_does_not_come_into_force_with_any_signature() {
    let before = first();
    let files = change(two_of_three(), File::Scopes, "quorum = 1", "quorum = 0");
    for (version, previous) in [(1, None), (2, Some(&before))] {
        let digest = previous.map_or(Digest::ZERO, |before| before.digest);
        let manifest = statement(files.manifest(version, digest));
        let signatures = by(&["pia", "rosa"], &manifest);
        let outcome = activate(&manifest, &signatures, &files, &log(), previous);
        let Err(PolicyError::Faults(faults)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(faults.len(), 3);
    }
}

#[test]
fn files_are_found_by_their_names() {
    let files = five();
    for name in Files::NAMES {
        assert!(files.get(name).is_some_and(|content| !content.is_empty()), "{name}");
    }
    assert_eq!(files.get("tests.toml"), None);
    assert_eq!(Files::gather(|name| files.get(name).map(<[u8]>::to_vec)), Ok(files.clone()));
    let without = Files::gather(|name| (name != "rules.cedar").then(Vec::new));
    assert_eq!(without, Err("rules.cedar"));
}
