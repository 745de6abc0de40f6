use super::*;
use crate::statement::Kind;

/// R02, R24: a stage of quorum 0 is satisfied by nobody, so it is refused, not skipped.
#[test]
fn a_stage_of_quorum_zero_is_refused() {
    let files = changed(File::Scopes, "\"group:leads\"\nquorum = 1", "\"group:leads\"\nquorum = 0");
    assert_eq!(told(&files), "scopes.toml:19 quorum-zero");
}

/// R02, R24: no stages means nobody can agree, unless the file says in so many words that nobody
/// has to.
#[test]
fn no_stages_without_the_word_none_is_refused() {
    let files = changed(File::Scopes, "approval = \"none\"\n", "");
    assert_eq!(told(&files), "scopes.toml:54 no-stages");
    let empty = changed(File::Scopes, "approval = \"none\"\n", "stage = []\n");
    assert_eq!(told(&empty), "scopes.toml:54 no-stages");
    for word in ["\"\"", "\"None\"", "\"no\"", "false"] {
        let files = changed(File::Scopes, "approval = \"none\"", &format!("approval = {word}"));
        assert!(["bad-value", "wrong-type"].contains(kinds(&files).first().unwrap()), "{word}");
    }
}

#[test]
fn stages_and_the_word_none_exclude_each_other() {
    let files = changed(File::Scopes, "live-max = 2", "live-max = 2\napproval = \"none\"");
    assert_eq!(told(&files), "scopes.toml:1 approval-and-stages");
}

/// R24: an empty set of approvers is nobody, never everybody.
#[test]
fn a_stage_without_approvers_is_refused() {
    let literal = changed(File::Scopes, "approvers = \"group:security\"", "approvers = []");
    assert_eq!(told(&literal), "scopes.toml:23 empty-approvers");
    let no_members = changed(File::People, "groups = [\"leads\"]\n", "");
    assert_eq!(told(&no_members), "scopes.toml:16 empty-approvers");
}

#[test]
fn approvers_that_are_not_human_do_not_count() {
    let mut files = changed(File::People, "groups = [\"leads\"]\n", "");
    files = change(
        files,
        File::People,
        "id = \"leads\"\n",
        "id = \"leads\"\nmembers = [\"principal:deploy-bot\"]\n",
    );
    let key = public("bot").to_openssh();
    let text = String::from_utf8(files.people).unwrap()
        + &format!(
            "[[principal]]\nid = \"deploy-bot\"\nkind = \"agent\"\nname = \"x\"\n\
             sponsor = \"sam\"\nkeys = [\"{key}\"]\n"
        );
    files.people = text.into_bytes();
    assert_eq!(told(&files), "scopes.toml:16 approvers-not-human");
}

#[test]
fn an_approver_without_a_key_does_not_count() {
    let keys = format!("keys = [\"{}\"]\n", public("ada").to_openssh());
    let files = changed(File::People, &keys, "");
    assert_eq!(told(&files), "scopes.toml:16 approvers-not-human");
}

#[test]
fn a_stage_that_needs_more_people_than_it_has_is_refused() {
    let files =
        changed(File::Scopes, "\"group:security\"\nquorum = 1", "\"group:security\"\nquorum = 3");
    assert_eq!(told(&files), "scopes.toml:1 unsatisfiable");
    let enough =
        changed(File::Scopes, "\"group:security\"\nquorum = 1", "\"group:security\"\nquorum = 2");
    assert_eq!(told(&enough), "");
}

/// The only lead may ask, and could then not agree to it.
#[test]
fn the_requester_is_left_out_of_the_count() {
    let files = changed(
        File::Scopes,
        "requesters = \"group:oncall\"",
        "requesters = [\"group:oncall\", \"principal:ada\"]",
    );
    let faults = check(&files).unwrap_err();
    assert_eq!(told(&files), "scopes.toml:1 unsatisfiable");
    assert!(faults.first().unwrap().to_string().contains("when ada asks, app-owner"));
    // If only programs may ask, no human is the requester.
    let files = change(files, File::Scopes, "kinds = [\"human\"]", "kinds = [\"agent\"]");
    assert_eq!(told(&files), "");
}

/// Each stage alone has enough people, but it is the same two for three places.
#[test]
fn one_person_is_counted_in_one_stage_only() {
    let mut files =
        changed(File::Scopes, "\"group:leads\"\nquorum = 1", "\"group:security\"\nquorum = 1");
    files = change(
        files,
        File::Scopes,
        "\"group:security\"\nquorum = 1\n\n[scope.ssh]",
        "\"group:security\"\nquorum = 2\n\n[scope.ssh]",
    );
    let message = check(&files).unwrap_err().first().unwrap().to_string();
    assert!(
        message.contains("app-owner and security need 3 different people and 2 are left"),
        "{message}"
    );
}

/// Two of three people may be in either stage; only one way of dealing them out works.
#[test]
fn a_chain_that_can_be_satisfied_in_one_way_only_is_accepted() {
    let files = changed(
        File::Scopes,
        "approvers = \"group:leads\"\nquorum = 1",
        "approvers = [\"group:leads\", \"group:security\"]\nquorum = 1",
    );
    let files = change(
        files,
        File::Scopes,
        "approvers = \"group:security\"\nquorum = 1",
        "approvers = \"group:security\"\nquorum = 2",
    );
    assert_eq!(told(&files), "");
}

#[test]
fn every_scope_names_three_owners() {
    for (field, group) in
        [("business-owner", "leads"), ("technical-owner", "oncall"), ("identity-owner", "security")]
    {
        let files = changed(File::Scopes, &format!("{field} = \"group:{group}\"\n"), "");
        assert_eq!(kinds(&files), ["missing-owner"], "{field}");
    }
    let empty = changed(File::Scopes, "business-owner = \"group:leads\"", "business-owner = []");
    assert_eq!(kinds(&empty), ["empty-list"]);
}

#[test]
fn a_ttl_over_twelve_hours_is_refused() {
    let ttl =
        |ttl: &str| changed(File::Scopes, "ttl-max = \"1h\"", &format!("ttl-max = \"{ttl}\""));
    assert_eq!(told(&ttl("12h")), "");
    assert_eq!(told(&ttl("43201s")), "scopes.toml:9 ttl-over-cap");
    assert_eq!(told(&ttl("1d")), "scopes.toml:9 ttl-over-cap");
    for bad in ["", "0s", "1", "1w", "1h30m", "-1h", "1.5h", "99999999999h", "99999d"] {
        assert_eq!(told(&ttl(bad)), "scopes.toml:9 bad-value", "{bad}");
    }
}

#[test]
fn a_request_waits_a_day_at_most() {
    let pending = |pending: &str| {
        changed(File::Scopes, "pending-max = \"15m\"", &format!("pending-max = \"{pending}\""))
    };
    assert_eq!(told(&pending("24h")), "");
    assert_eq!(told(&pending("86401s")), "scopes.toml:10 out-of-range");
}

#[test]
fn at_least_one_grant_may_live_and_not_any_number() {
    for bad in ["0", "-1", "1001"] {
        let files = changed(File::Scopes, "live-max = 2", &format!("live-max = {bad}"));
        assert_eq!(told(&files), "scopes.toml:11 out-of-range", "{bad}");
    }
}

/// R07: an empty principal list and patterns stand for anybody; R08: separators make two of one.
#[test]
fn ssh_principals_are_atoms() {
    let principals = |list: &str| changed(File::Scopes, "[\"bg-root\"]", list);
    assert_eq!(told(&principals("[]")), "scopes.toml:27 empty-list");
    for bad in ["", "*", "bg-*", "a?", "!a", "a,b", "a b", r"a\nb", r"a\u0000", r"\u00e9"] {
        let files = principals(&format!("[\"{bad}\"]"));
        assert_eq!(told(&files), "scopes.toml:27 ssh-principal", "{bad}");
    }
    assert_eq!(told(&principals("[\"a\", \"a\"]")), "scopes.toml:27 repeated");
    let many: Vec<String> = (0..17).map(|n| format!("\"p{n}\"")).collect();
    assert_eq!(told(&principals(&format!("[{}]", many.join(",")))), "scopes.toml:27 too-many");
}

#[test]
fn what_a_certificate_says_is_checked_before_it_is_signed() {
    let with =
        |line: &str| changed(File::Scopes, "[\"bg-root\"]\n", &format!("[\"bg-root\"]\n{line}\n"));
    assert_eq!(told(&with("source-address = [\"10.20.0.0/16\", \"2001:db8::/32\"]")), "");
    assert_eq!(told(&with("source-address = [\"10.20.0.1/16\"]")), "scopes.toml:28 source-address");
    assert_eq!(told(&with("source-address = []")), "scopes.toml:28 empty-list");
    assert_eq!(told(&with("force-command = \"/usr/bin/id -u\"")), "");
    for bad in ["", " ", r"a\nb", r"\u00e9", &"x".repeat(1025)] {
        let files = with(&format!("force-command = \"{bad}\""));
        assert_eq!(told(&files), "scopes.toml:28 force-command", "{bad}");
    }
    for bad in ["permit-everything", "no-touch-required", "permit-pty ", ""] {
        let files = changed(File::Scopes, "[\"permit-pty\"]", &format!("[\"{bad}\"]"));
        assert_eq!(kinds(&files), ["ssh-extension"], "{bad}");
    }
}

#[test]
fn extensions_are_kept_in_the_order_a_certificate_has_them() {
    let files = changed(
        File::Scopes,
        "[\"permit-pty\"]",
        "[\"permit-user-rc\", \"permit-X11-forwarding\", \"permit-pty\"]",
    );
    let checked = check(&files).unwrap();
    let scope = checked.scopes.get(&"quick".parse().unwrap()).unwrap();
    let expected = ["permit-X11-forwarding", "permit-pty", "permit-user-rc"];
    assert_eq!(scope.ssh.as_ref().unwrap().extensions, expected);
}

#[test]
fn a_scope_that_offers_nothing_is_refused() {
    let ssh = "[scope.ssh]\nprincipals = [\"bg-status\"]\nforce-command = \"/usr/local/bin/status-page\"\n";
    assert_eq!(told(&changed(File::Scopes, ssh, "")), "scopes.toml:54 no-credential");
}

#[test]
fn an_incident_pattern_is_read_or_refused() {
    let with = |pattern: &str| {
        changed(
            File::Scopes,
            "live-max = 2",
            &format!("live-max = 2\nrequire-incident = '{pattern}'"),
        )
    };
    let checked = check(&with("INC-[0-9]+")).unwrap();
    let scope = checked.scopes.get(&"root-on-host".parse().unwrap()).unwrap();
    assert!(scope.require_incident.as_ref().unwrap().matches("INC-7"));
    assert_eq!(told(&with("INC-(1|2)")), "scopes.toml:12 incident-pattern");
}

#[test]
fn a_reason_is_required_unless_the_scope_says_otherwise() {
    let files = changed(File::Scopes, "live-max = 2", "live-max = 2\nrequire-reason = false");
    let checked = check(&files).unwrap();
    let scope = |id: &str| checked.scopes.get(&id.parse().unwrap()).unwrap();
    assert!(!scope("root-on-host").require_reason);
    assert!(scope("quick").require_reason);
}

#[test]
fn a_scope_says_what_its_certificates_and_tokens_say() {
    let tables = "live-max = 2\n\
        x509 = { organizations = [\"breakglass:dba\", \"Acme\"], organizational-units = [\"bg\"], \
        uri = \"spiffe://example.com/x\", svid = true }\n\
        jwt = { audience = \"https://db\", groups = [\"dba\"], ttl-max = \"15m\", bearer = true }";
    let checked = check(&changed(File::Scopes, "live-max = 2", tables)).unwrap();
    let scope = checked.scopes.get(&"root-on-host".parse().unwrap()).unwrap();
    let x509 = scope.x509.as_ref().unwrap();
    assert_eq!(x509.organizations, ["breakglass:dba", "Acme"]);
    assert_eq!(x509.organizational_units, ["bg"]);
    assert_eq!((x509.uri.as_deref(), x509.svid), (Some("spiffe://example.com/x"), true));
    let jwt = scope.jwt.as_ref().unwrap();
    assert_eq!((jwt.audience.as_str(), jwt.ttl_max, jwt.bearer), ("https://db", 900, true));
    assert!(Kind::ALL.iter().all(|kind| scope.offers(*kind)));
}

#[test]
fn a_token_lives_ten_minutes_unless_the_scope_says_otherwise() {
    let of = |ttl: &str| {
        let jwt = format!("live-max = 2\njwt = {{ audience = \"x\"{ttl} }}");
        changed(File::Scopes, "live-max = 2", &jwt)
    };
    let checked = check(&of("")).unwrap();
    let scope = checked.scopes.get(&"root-on-host".parse().unwrap()).unwrap();
    assert_eq!(scope.jwt.as_ref().unwrap().ttl_max, TOKEN_TTL_SECONDS);
    assert!(!scope.jwt.as_ref().unwrap().bearer);
    assert_eq!(told(&of(", ttl-max = \"12h\"")), "scopes.toml:12 token-ttl");
}

#[test]
fn certificates_and_tokens_are_read_as_strictly_as_all_else() {
    for (field, fault) in [
        ("x509 = { uri = \"spiffe://example.com/x\" }", "missing-field"),
        ("x509 = { organizations = [] }", "empty-list"),
        ("x509 = { organizations = [\"a\", \"a\"] }", "repeated"),
        ("x509 = { organizations = [\"system:masters\"] }", "credential-name"),
        ("x509 = { organizational-units = [\"a,b\"] }", "credential-name"),
        ("x509 = { organizations = [\"a\"], uri = \"nowhere\" }", "credential-name"),
        ("x509 = { organizations = [\"a\"], svid = true }", "needs"),
        ("x509 = { organizations = [\"a\"], svid = true, uri = \"https://a/b\" }", "needs"),
        ("x509 = { organizations = [\"a\"], cn = \"x\" }", "unknown-field"),
        ("x509 = \"yes\"", "wrong-type"),
        ("jwt = { groups = [\"a\"] }", "missing-field"),
        ("jwt = { audience = \"a b\" }", "credential-name"),
        ("jwt = { audience = [\"a\"] }", "wrong-type"),
        ("jwt = { audience = \"a\", groups = [\"system:masters\"] }", "credential-name"),
        ("jwt = { audience = \"a\", email = \"b\" }", "unknown-field"),
    ] {
        let files = changed(File::Scopes, "live-max = 2", &format!("live-max = 2\n{field}"));
        assert_eq!(kinds(&files), [fault], "{field}");
    }
}

#[test]
fn rules_are_kept_as_they_are_written() {
    let text = "// one\r\n\npermit (principal, action, resource);\n";
    let checked = check(&Files { rules: text.into(), ..five() }).unwrap();
    assert_eq!(checked.rules, text);
    assert_eq!(checked.into_policy(3, Digest::ZERO).rules, text);
}

#[test]
fn words_that_only_describe_are_accepted() {
    let words = "partner = \"Acme Hosting\"\nrunbook = \"runbooks/break-glass.md\"\n\
        drill-every = \"90d\"\non-warning = [\"group:leads\", \"principal:sam\"]\n";
    let files = changed(File::Scopes, "live-max = 2\n", &format!("live-max = 2\n{words}"));
    let checked = check(&files).unwrap();
    let scope = checked.scopes.get(&"root-on-host".parse().unwrap()).unwrap();
    assert_eq!(scope.drill_every, Some(90 * 86_400));
    assert_eq!(scope.on_warning.len(), 2);
}

#[test]
fn there_are_at_most_eight_stages() {
    let stages = |count: usize| -> String {
        let stage = |n: usize| {
            format!(
                "[[scope.stage]]\nname = \"s{}\"\napprovers = \"group:security\"\nquorum = 1\n",
                n + 2
            )
        };
        (0..count).map(stage).collect()
    };
    let with = |count: usize| changed(File::Scopes, "approval = \"none\"\n", &stages(count));
    assert!(kinds(&with(STAGES_MAX + 1)).contains(&"too-many"));
    assert!(!kinds(&with(STAGES_MAX)).contains(&"too-many"));
}
