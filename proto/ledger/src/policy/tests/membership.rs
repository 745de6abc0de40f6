use super::*;

fn nested() -> Policy {
    let files = changed(
        File::People,
        "id = \"leads\"\n",
        "id = \"leads\"\nmembers = [\"group:managers\", \"principal:eve\"]\n\
         [[group]]\nid = \"managers\"\nmembers = [\"group:board\"]\n\
         [[group]]\nid = \"board\"\nmembers = [\"principal:sam\"]\n",
    );
    testing::in_force(&files, 1).unwrap()
}

fn is_member(policy: &Policy, who: &str, of: &str) -> bool {
    policy.is_member(&who.parse().unwrap(), &of.parse().unwrap())
}

/// R04: whoever is in a group is in every group around it, and in none beside it.
#[test]
fn membership_goes_through_nested_groups() {
    let policy = nested();
    for group in ["group:board", "group:managers", "group:leads", "group:oncall"] {
        assert!(is_member(&policy, "sam", group), "{group}");
    }
    assert!(!is_member(&policy, "sam", "group:security"));
    assert!(is_member(&policy, "eve", "group:leads") && is_member(&policy, "ada", "group:leads"));
    assert!(!is_member(&policy, "ada", "group:managers"), "membership does not go downwards");
    assert!(!is_member(&policy, "bob", "group:leads"));
}

#[test]
fn a_group_and_its_members_agree() {
    let policy = nested();
    let leads: Members = "group:leads".parse().unwrap();
    let all = policy.people.all_of(std::slice::from_ref(&leads));
    let names: Vec<&str> = all.iter().map(|id| id.as_str()).collect();
    assert_eq!(names, ["ada", "eve", "sam"]);
    for one in policy.people.iter() {
        assert_eq!(policy.is_member(&one.id, &leads), all.contains(&one.id), "{}", one.id);
    }
}

/// R24: the empty set is nobody. Whoever is not listed is nowhere.
#[test]
fn nobody_is_a_member_of_nothing_and_strangers_of_nothing_at_all() {
    let policy = nested();
    assert!(!policy.is_any(&"sam".parse().unwrap(), &[]));
    assert!(!is_member(&policy, "stranger", "principal:stranger"));
    assert!(!is_member(&policy, "stranger", "group:oncall"));
    assert!(!is_member(&policy, "sam", "group:nowhere"));
    assert!(is_member(&policy, "sam", "principal:sam"));
    assert!(!is_member(&policy, "sam", "principal:ada"));
}
