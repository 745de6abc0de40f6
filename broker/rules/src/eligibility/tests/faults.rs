use super::*;

/// The faults of `text` among the people and scopes of the sample, as `line:column what`.
fn told(text: &str) -> Vec<String> {
    let faults = Rules::of(&policy(text)).err().unwrap_or_default();
    let short = |fault: &RuleFault| format!("{}:{} {}", fault.line, fault.column, fault.what);
    faults.iter().map(short).collect()
}

/// Whether there is exactly one fault, at this place and with this piece in it.
fn is_told(text: &str, place: &str, piece: &str) {
    let told = told(text);
    let [one] = told.as_slice() else { panic!("{text}\n{told:#?}") };
    assert!(one.starts_with(&format!("{place} ")) && one.contains(piece), "{text}\n{one}");
}

const PERMIT: &str = "@id(\"all\")\npermit (principal, action, resource);\n";

#[test]
fn comments_and_blanks_are_no_rules_at_all() {
    for text in ["", "\n", "// one\r\n\n   // two\n\t\n"] {
        assert!(Rules::compile(text).unwrap().is_none(), "{text:?}");
    }
    assert!(!Rules::compile(PERMIT).unwrap().is_none());
}

#[test]
fn what_does_not_parse_is_told_with_its_place() {
    is_told(
        "// fine\n@id(\"x\")\npermit (principal, action resource);",
        "3:27",
        "unexpected token",
    );
    is_told("/ x", "1:1", "");
}

#[test]
fn what_does_not_fit_the_schema_is_told_with_its_place() {
    let with = |condition: &str| {
        format!(
            "{PERMIT}@id(\"x\")\nforbid (principal, action == Action::\"request\", resource)\nwhen {{ {condition} }};"
        )
    };
    is_told(&with("resource.sensitivty == \"critical\""), "5:8", "sensitivty");
    is_told(&with("context.lane == 3"), "5:8", "");
    is_told(&with("context.stage == \"security\""), "5:8", "stage");
    is_told(&with("principal.team == context.requester.tem"), "5:26", "tem");
    is_told(
        &format!("{PERMIT}@id(\"x\")\nforbid (principal, action == Action::\"aprove\", resource);"),
        "4:30",
        "aprove",
    );
}

#[test]
fn every_fault_is_told_and_not_only_the_first() {
    let text = "permit (principal, action, resource);\n\
        @id(\"x\") forbid (principal in Group::\"laeds\", action, resource);\n\
        @id(\"x\") forbid (principal, action == Action::\"request\", resource) when { context.lan == \"a\" };\n";
    let told = told(text);
    assert_eq!(told.len(), 4, "{told:#?}");
    for (at, piece) in
        ["1:1 the rule has no @id", "2:1 Group::\"laeds\" is not in", "3:1 the @id x", "3:75"]
            .iter()
            .enumerate()
    {
        assert!(told[at].starts_with(piece), "{told:#?}");
    }
}

#[test]
fn ids_are_names_that_are_given_once() {
    is_told("permit (principal, action, resource);", "1:1", "has no @id");
    for bad in ["", "Upper", "two words", "a\\nb", "\u{202e}x"] {
        is_told(
            &format!("@id(\"{bad}\") permit (principal, action, resource);"),
            "1:1",
            "@id is not",
        );
    }
    is_told(&format!("{PERMIT}{PERMIT}"), "3:1", "already taken on line 1");
}

#[test]
fn rules_with_slots_are_refused() {
    let told = told("@id(\"x\") permit (principal == ?principal, action, resource);");
    assert!(told.iter().any(|fault| fault.contains("slots")), "{told:#?}");
}

/// R03: a rule about a group that is not there would be about a group of that name elsewhere, or
/// about nobody; names are compared letter by letter.
#[test]
fn whoever_a_rule_names_is_in_the_policy() {
    let with = |who: &str| format!("@id(\"x\") permit (principal in {who}, action, resource);");
    for good in ["Group::\"leads\"", "Principal::\"sam\"", "Group::\"principal:sam\""] {
        assert_eq!(told(&with(good)), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "Group::\"laeds\"",
        "Group::\"Leads\"",
        "Group::\"le\u{430}ds\"",
        "Group::\"principal:zoe\"",
        "Principal::\"zoe\"",
    ] {
        let told = told(&with(bad));
        assert!(told.iter().any(|fault| fault.contains("is not in the policy")), "{bad}: {told:?}");
    }
    is_told(
        "@id(\"x\") permit (principal, action == Action::\"request\", resource == Scope::\"root-on-hosts\");",
        "1:1",
        "is not in the policy",
    );
}

/// A rule that never applies is not what its author believes.
#[test]
fn a_rule_that_can_never_apply_is_refused() {
    is_told(
        &format!("{PERMIT}@id(\"x\") forbid (principal, action, resource) when {{ false }};"),
        "3:1",
        "",
    );
}

/// The parser recurses: no text of rules may exhaust the stack, neither when it is read nor when it
/// is judged, on a thread as small as any of the broker's.
#[test]
fn nesting_is_bounded() {
    let rule = |open: &str, count: usize, tail: &str| {
        let open = open.repeat(count);
        format!("@id(\"x\") permit (principal, action, resource) when {{ {open}{tail} }};")
    };
    let openings = [
        ("(", "true"),
        ("!", "true"),
        ("-", "1 == 1"),
        ("[", "1"),
        ("if true then true else ", "true"),
        ("if ", "true"),
        ("principal.", "team"),
        ("{a: ", "1"),
        ("!(", "true"),
        ("true || ", "true"),
        ("true && ", "true"),
        ("1 + ", "1 == 1"),
        ("1 * ", "1 == 1"),
        ("principal has a && ", "true"),
        ("1 < ", "1"),
        ("\"\" like ", "\"*\""),
        ("principal in ", "principal"),
        ("a::", "b"),
        ("principal[\"team\"]", ""),
        ("principal == principal is ", "Principal"),
        (";", ""),
    ];
    for (open, tail) in openings {
        for count in [31, 85, 255, 60_000_usize.div_euclid(open.len())] {
            if let Ok(rules) = Rules::compile(&rule(open, count, tail)) {
                let _: bool = Asking::of("sam", Action::Request).may(&rules);
            }
        }
    }
    assert!(Rules::compile(&rule("(", 33, "true")).is_err());
    let annotated = format!("{} permit (principal, action, resource);", "@a(\"x\")".repeat(9_000));
    assert!(Rules::compile(&annotated).is_err());
}

/// Long lists are not deep.
#[test]
fn a_rule_may_name_hundreds() {
    let names = vec!["Principal::\"sam\""; 1_000].join(", ");
    let text = format!(
        "@id(\"x\") permit (principal, action, resource) when {{ [{names}].contains(principal) }};"
    );
    assert_eq!(told(&text), Vec::<String>::new());
}

#[test]
fn messages_hold_nothing_that_a_terminal_obeys() {
    for text in ["@id(\"\u{1b}[2J\") permit (principal, action, resource);", "\u{202e}", "\u{7}"] {
        for fault in Rules::compile(text).unwrap_err() {
            assert!(
                fault.to_string().chars().all(|c| !c.is_control() && c.is_ascii()),
                "{fault:?}"
            );
        }
    }
}
