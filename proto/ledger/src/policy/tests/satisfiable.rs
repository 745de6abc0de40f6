use proptest::prelude::*;

use super::*;

/// Whether people can be dealt out to the stages without `requester`, found by trying and not by
/// the theorem that `check` uses.
pub(super) fn can_be_granted(
    checked: &Checked,
    scope: &Scope,
    requester: Option<&PrincipalId>,
) -> bool {
    let mut places = Vec::new();
    for stage in scope.stages() {
        let able: Vec<&PrincipalId> = checked
            .people
            .iter()
            .filter(|one| checked.people.is_any(&one.id, &stage.approvers))
            .filter(|one| Some(&one.id) != requester && one.can_approve())
            .map(|one| &one.id)
            .collect();
        places.extend((0..stage.quorum).map(|_| able.clone()));
    }
    fill(&places, &mut Vec::new())
}

fn fill(places: &[Vec<&PrincipalId>], used: &mut Vec<PrincipalId>) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    first.iter().any(|id| {
        if used.contains(id) {
            return false;
        }
        used.push((*id).clone());
        let is_filled = fill(rest, used);
        used.pop();
        is_filled
    })
}

const PEOPLE: [&str; 4] = ["sam", "ada", "bob", "eve"];

/// Some of the four, at least one, as a list of references.
fn some() -> impl Strategy<Value = String> {
    prop::sample::subsequence(PEOPLE.to_vec(), 1..=4).prop_map(|names| {
        let names: Vec<String> =
            names.into_iter().map(|name| format!("\"principal:{name}\"")).collect();
        format!("[{}]", names.join(", "))
    })
}

/// The sample with one more scope that has these requesters and these stages.
fn with(requesters: &str, stages: &[(String, u32)]) -> Files {
    let head = format!(
        "[[scope]]\nid = \"under-test\"\ntitle = \"x\"\npurpose = \"x\"\n\
         business-owner = \"group:leads\"\ntechnical-owner = \"group:oncall\"\n\
         identity-owner = \"group:security\"\nsensitivity = \"low\"\nttl-max = \"1h\"\n\
         pending-max = \"1h\"\nlive-max = 1\nrequesters = {requesters}\nkinds = [\"human\"]\n\
         lanes = [\"normal\"]\nssh = {{ principals = [\"bg-x\"] }}\n"
    );
    let stage = |(at, (approvers, quorum)): (usize, &(String, u32))| {
        let name = ["one", "two", "three"][at];
        format!("[[scope.stage]]\nname = \"{name}\"\napprovers = {approvers}\nquorum = {quorum}\n")
    };
    let stages: String = stages.iter().enumerate().map(stage).collect();
    extended(File::Scopes, &(head + &stages))
}

proptest! {
    /// Exact in both directions: refused if some requester could never be granted, and only then.
    #[test]
    fn a_chain_is_refused_exactly_if_somebody_could_ask_in_vain(
        requesters in some(),
        stages in prop::collection::vec((some(), 1..3_u32), 1..4),
    ) {
        let files = with(&requesters, &stages);
        let checked = check(&five()).unwrap();
        let mut scope = checked.scopes.iter().next().unwrap().clone();
        scope.approval = Approval::Stages(
            stages
                .iter()
                .map(|(approvers, quorum)| Stage {
                    name: "x".parse().unwrap(),
                    approvers: references(approvers),
                    quorum: *quorum,
                    within: None,
                    escalate: Vec::new(),
                })
                .collect(),
        );
        let askers = PEOPLE.iter().filter(|name| requesters.contains(&format!(":{name}\"")));
        let is_in_vain = askers
            .map(|name| name.parse::<PrincipalId>().unwrap())
            .any(|id| !can_be_granted(&checked, &scope, Some(&id)));
        let expected = if is_in_vain { vec!["unsatisfiable"] } else { vec![] };
        prop_assert_eq!(kinds(&files), expected);
    }
}

fn references(list: &str) -> Vec<Members> {
    let trimmed = list.trim_matches(['[', ']']);
    trimmed.split(", ").map(|one| one.trim_matches('"').parse().unwrap()).collect()
}
