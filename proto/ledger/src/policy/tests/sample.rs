use super::*;

#[test]
fn the_sample_policy_is_valid_and_says_what_its_documentation_says() {
    let policy = testing::in_force(&five(), 1).unwrap();
    let id = |name: &str| name.parse::<PrincipalId>().unwrap();
    let scope = |name: &str| policy.scope(&name.parse().unwrap()).unwrap();
    assert_eq!(policy.owner_of(&public("sam")).unwrap().id, id("sam"));
    assert_eq!(policy.owner_of(&public("pia")), None);
    assert_eq!(scope("root-on-host").stages().len(), 2);
    assert_eq!(scope("solo").approval, Approval::None);
    assert!(policy.is_any(&id("sam"), &scope("quick").requesters));
    assert!(policy.is_any(&id("ada"), &scope("quick").requesters));
    assert!(!policy.is_any(&id("bob"), &scope("quick").requesters));
    assert_eq!(policy.fingerprints_of_authority(), [public("pia").fingerprint()]);
}

#[test]
fn a_name_given_twice_in_the_sample_has_two_keys() {
    let keys = ["ada", "bob", "sam", "other"].map(public);
    let names = ["ada", "bob", "sam", "sam"];
    let people: Vec<_> = names.into_iter().zip(&keys).collect();
    let policy = testing::policy(&people).unwrap();
    let sam = policy.owner_of(&public("other")).unwrap();
    assert_eq!((sam.id.as_str(), sam.keys.len()), ("sam", 2));
}

/// The directory that people copy to begin with.
fn directory() -> Files {
    Files {
        authority: include_bytes!("../../../../../runbooks/sample-policy/authority.toml").to_vec(),
        people: include_bytes!("../../../../../runbooks/sample-policy/people.toml").to_vec(),
        rules: include_bytes!("../../../../../runbooks/sample-policy/rules.cedar").to_vec(),
        scopes: include_bytes!("../../../../../runbooks/sample-policy/scopes.toml").to_vec(),
    }
}

#[test]
fn the_sample_directory_is_a_valid_policy() {
    assert_eq!(told(&directory()), "");
}

/// What the runbooks' sample shows off is read, not only let through.
#[test]
fn the_sample_directory_means_what_its_comments_say() {
    let checked = check(&directory()).unwrap();
    let people = &checked.people;
    let sam = people.principal(&"sam".parse().unwrap()).unwrap();
    assert_eq!(sam.groups.len(), 2, "nested: payments-oncall and payments");
    assert_eq!(people.principal(&"eve".parse().unwrap()).unwrap().keys.len(), 2);
    assert_eq!((checked.authority.quorum(), checked.authority.signers().len()), (2, 3));
    let scope = checked.scopes.get(&"payments-host-root".parse().unwrap()).unwrap();
    assert!(scope.require_incident.as_ref().unwrap().matches("INC-4711"));
    assert_eq!((scope.ttl_max.seconds(), scope.pending_max, scope.live_max), (3600, 900, 2));
    assert_eq!(scope.ssh.as_ref().unwrap().source_address.len(), 2);
    let logs = checked.scopes.get(&"payments-logs".parse().unwrap()).unwrap();
    assert!(people.is_any(&"deploy-bot".parse().unwrap(), &logs.requesters));
}
