//! From the text of the rules to what can be asked; everything that is wrong with it, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::StageId;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Entities, EntityUid, Policy as Rule, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};

use super::entities::{self, Names};
use super::{Compiled, RuleFault, SCHEMA};

/// Deepest nesting of brackets in one rule. People read five levels with effort.
const NESTING_MAX: usize = 32;

/// Most operators, selections and annotations in one rule.
///
/// The parser, the validator and the evaluator recurse over them: a file within its size limit could
/// otherwise exhaust the stack of the broker. Long lists are sets, which cost nothing here.
const OPERATORS_MAX: usize = 256;

/// Compiles and validates; with `policy`, also looks up everybody whom the rules name.
pub(super) fn compile(text: &str, policy: Option<&Policy>) -> Result<Compiled, Vec<RuleFault>> {
    let broken = |what: &str| vec![RuleFault::at(text, 0, what)];
    if let Some(offset) = too_deep(text) {
        let what = format!(
            "the rule nests deeper than {NESTING_MAX} or has more than {OPERATORS_MAX} operators; split it"
        );
        return Err(vec![RuleFault::at(text, offset, &what)]);
    }
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
        .map_err(|_| broken("the built-in schema does not parse"))?;
    let parsed = PolicySet::from_str(text).map_err(|errors| located(text, &[(&errors).into()]))?;
    let mut faults = BTreeSet::new();
    for template in parsed.templates() {
        let offset = text.find(&template.to_string()).unwrap_or(0);
        let what = "rules with slots (?principal, ?resource) are not linked; name whom you mean";
        faults.insert(RuleFault::at(text, offset, what));
    }
    let names = Names::new().map_err(broken)?;
    let policies = named(text, &parsed, policy, &mut faults);
    faults.extend(validated(text, &schema, &parsed));
    if !faults.is_empty() {
        return Err(faults.into_iter().collect());
    }
    let entities = match policy {
        Some(policy) => entities::of(policy, &names).map_err(|what| broken(&what))?,
        None => Entities::empty(),
    };
    Ok(Compiled { policies, entities, names })
}

/// The same rules, each under its `@id`.
fn named(
    text: &str,
    parsed: &PolicySet,
    policy: Option<&Policy>,
    faults: &mut BTreeSet<RuleFault>,
) -> PolicySet {
    let mut named = PolicySet::new();
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    let mut from = 0;
    for rule in in_order(parsed) {
        let source = rule.to_string();
        let rest = text.get(from..).unwrap_or_default();
        let offset = rest.find(&source).map_or(from, |at| from.saturating_add(at));
        from = offset.saturating_add(source.len());
        let mut fault = |what: &str| {
            faults.insert(RuleFault::at(text, offset, what));
        };
        for literal in rule.entity_literals() {
            if policy.is_some_and(|policy| !entities::exists(policy, &literal)) {
                fault(&format!("{literal} is not in the policy; add it or correct the name"));
            }
        }
        let Some(id) = rule.annotation("id") else {
            fault("the rule has no @id; give it one: decisions name the rules they follow from");
            continue;
        };
        if id.parse::<StageId>().is_err() {
            fault("the @id is not 1 to 64 of a-z 0-9 . _ - (lower case); rename the rule");
            continue;
        }
        let line = RuleFault::at(text, offset, "").line;
        if let Some(first) = met.insert(id.to_owned(), line) {
            fault(&format!("the @id {id} is already taken on line {first}; rename one of them"));
            continue;
        }
        if named.add(rule.new_id(PolicyId::new(id))).is_err() {
            fault("the rule cannot be added; rename it");
        }
    }
    named
}

/// The rules in the text's order: the parser numbers them `policy0`, `policy1`, ….
fn in_order(parsed: &PolicySet) -> Vec<&Rule> {
    let mut rules: Vec<&Rule> = parsed.policies().collect();
    let number = |id: &PolicyId| {
        let id: &str = id.as_ref();
        id.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    };
    rules.sort_by_key(|rule| number(rule.id()));
    rules
}

/// What the validator finds. Its warnings (a rule that never applies, names in mixed scripts) are
/// faults here: whoever wrote such a rule believes in something that is not there.
fn validated(text: &str, schema: &Schema, parsed: &PolicySet) -> Vec<RuleFault> {
    let result = Validator::new(schema.clone()).validate(parsed, ValidationMode::Strict);
    let mut details: Vec<DetailedError> = Vec::new();
    details.extend(result.validation_errors().map(DetailedError::from));
    if details.is_empty() {
        details.extend(result.validation_warnings().map(DetailedError::from));
    }
    located(text, &details)
}

/// The faults with their places: those related to one another each with its own.
fn located(text: &str, details: &[DetailedError]) -> Vec<RuleFault> {
    let mut faults = BTreeSet::new();
    for detail in details {
        let at = detail.source_locations.first().map_or(0, |label| label.loc.start);
        let help = detail.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        faults.insert(RuleFault::at(
            text,
            at,
            &format!("{}{help}", without_number(&detail.message)),
        ));
        faults.extend(located(text, &detail.related));
    }
    faults.into_iter().collect()
}

/// The message without the number that the parser gave the rule: the place says more.
fn without_number(message: &str) -> &str {
    let rest = message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    rest.map_or(message, |(_, what)| what)
}

/// The offset at which a rule gets too deep: more than [`NESTING_MAX`] brackets open, or more than
/// [`OPERATORS_MAX`] operators, each of which may stand inside the one before.
fn too_deep(text: &str) -> Option<usize> {
    let (mut open, mut operators, mut is_quoted, mut is_escaped) = (0_usize, 0_usize, false, false);
    let mut before = ' ';
    for (offset, c) in text.char_indices() {
        if is_quoted {
            is_quoted = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '"' => is_quoted = true,
            '(' | '[' | '{' => {
                (open, operators) = (open.saturating_add(1), operators.saturating_add(1))
            }
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '!' | '-' | '+' | '*' | '.' | '|' | '&' | '@' => {
                operators = operators.saturating_add(1)
            }
            // `if`, and nothing else that matters: a name that holds these letters counts as well.
            'f' if before == 'i' => operators = operators.saturating_add(1),
            ';' => (open, operators) = (0, 0),
            _ => {}
        }
        if open > NESTING_MAX || operators > OPERATORS_MAX {
            return Some(offset);
        }
        before = c;
    }
    None
}

/// The entity of this type and id.
pub(super) fn uid(kind: &cedar_policy::EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), cedar_policy::EntityId::new(id))
}
