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
