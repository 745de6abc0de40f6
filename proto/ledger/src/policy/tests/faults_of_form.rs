use super::*;

#[test]
fn a_file_over_its_size_limit_is_refused_unread() {
    for file in File::ALL {
        let comment = "#".repeat(file.size_limit_bytes());
        let files = if file == File::Rules {
            extended(file, &"//\n".repeat(file.size_limit_bytes() / 3))
        } else {
            extended(file, &comment)
        };
        assert_eq!(told(&files), format!("{file}:? too-large"));
    }
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    for file in File::ALL {
        let mut files = five();
        match file {
            File::Authority => files.authority.push(0xff),
            File::People => files.people.push(0xff),
            File::Rules => files.rules.push(0xff),
            File::Scopes => files.scopes.push(0xff),
        }
        assert_eq!(told(&files), format!("{file}:? not-text"));
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let files = changed(File::Scopes, "live-max = 2", "live-max = ");
    assert_eq!(told(&files), "scopes.toml:11 syntax");
    let twice = changed(File::Authority, "quorum = 1", "quorum = 1\nquorum = 1");
    assert_eq!(told(&twice), "authority.toml:2 syntax");
}

/// R29: nothing unknown is ignored, at any level.
#[test]
fn a_field_that_is_not_known_is_refused_wherever_it_stands() {
    let line = "\nsurprise = 1\n";
    let cases = [
        (File::Authority, "quorum = 1\n", "authority.toml:3 unknown-field"),
        (File::Authority, "[[signer]]\n", "authority.toml:5 unknown-field"),
        (File::People, "[[group]]\nid = \"oncall\"\n", "people.toml:4 unknown-field"),
        (File::People, "groups = [\"leads\"]\n", "people.toml:24 unknown-field"),
        (File::Scopes, "live-max = 2\n", "scopes.toml:13 unknown-field"),
        (File::Scopes, "name = \"app-owner\"\n", "scopes.toml:19 unknown-field"),
        (File::Scopes, "principals = [\"bg-root\"]\n", "scopes.toml:29 unknown-field"),
    ];
    for (file, at, expected) in cases {
        assert_eq!(told(&changed(file, at, &format!("{at}{line}"))), expected, "{at}");
    }
    let top = format!("surprise = 1\n{}", String::from_utf8(five().scopes).unwrap());
    assert_eq!(told(&Files { scopes: top.into_bytes(), ..five() }), "scopes.toml:1 unknown-field");
}

#[test]
fn a_field_that_is_needed_and_not_there_is_told() {
    let cases = [
        (File::Authority, "quorum = 1", "authority.toml:1 missing-field"),
        (File::Scopes, "ttl-max = \"1h\"", "scopes.toml:1 missing-field"),
        (File::Scopes, "purpose = \"See what is wrong\"", "scopes.toml:30 missing-field"),
        (File::Scopes, "name = \"security\"", "scopes.toml:21 missing-field"),
        (File::Scopes, "principals = [\"bg-root\"]", "scopes.toml:26 missing-field"),
    ];
    for (file, field, expected) in cases {
        assert_eq!(told(&changed(file, field, "")), expected, "{field}");
    }
    for field in ["kind = \"human\"", "name = \"sam\"", "id = \"sam\""] {
        let text = String::from_utf8(five().people).unwrap();
        let first = text.replacen(field, "", 1);
        let files = Files { people: first.into_bytes(), ..five() };
        assert!(told(&files).starts_with("people.toml:10 missing-field"), "{field}");
    }
}

/// R38: a bare string is no list of one, and certainly no list of its characters.
#[test]
fn a_bare_string_where_a_list_belongs_is_refused() {
    let key = public("pia").to_openssh();
    let cases = [
        (File::Authority, format!("[\"{key}\"]"), format!("\"{key}\"")),
        (File::People, "groups = [\"leads\"]".into(), "groups = \"leads\"".into()),
        (
            File::People,
            "id = \"leads\"".into(),
            "id = \"leads\"\nmembers = \"group:oncall\"".into(),
        ),
        (File::Scopes, "kinds = [\"human\"]".into(), "kinds = \"human\"".into()),
        (File::Scopes, "lanes = [\"normal\"]".into(), "lanes = \"normal\"".into()),
        (File::Scopes, "[\"bg-root\"]".into(), "\"bg-root\"".into()),
        (File::Scopes, "[\"permit-pty\"]".into(), "\"permit-pty\"".into()),
    ];
    for (file, from, to) in cases {
        let kinds = kinds(&changed(file, &from, &to));
        assert_eq!(kinds.first(), Some(&"wrong-type"), "{to}");
    }
}

#[test]
fn a_value_of_another_type_is_refused() {
    let cases = [
        (File::Authority, "quorum = 1", "quorum = \"1\""),
        (File::Authority, "quorum = 1", "quorum = 1.0"),
        (File::Authority, "quorum = 1", "quorum = true"),
        (File::Scopes, "live-max = 2", "live-max = [2]"),
        (File::Scopes, "ttl-max = \"1h\"", "ttl-max = 3600"),
        (File::Scopes, "live-max = 2", "live-max = 2\nrequire-reason = \"no\""),
        (File::Scopes, "title = \"The status page\"", "title = 2026-11-22"),
        (File::People, "id = \"oncall\"", "id = {}"),
    ];
    for (file, from, to) in cases {
        assert_eq!(kinds(&changed(file, from, to)).first(), Some(&"wrong-type"), "{to}");
    }
}

#[test]
fn every_fault_is_told_not_only_the_first() {
    let mut files = changed(File::Authority, "quorum = 1", "quorum = 0\nextra = 1");
    files = change(files, File::People, "kind = \"human\"\nname = \"sam\"", "kind = \"robot\"");
    files = change(files, File::Scopes, "ttl-max = \"1h\"", "ttl-max = \"13h\"");
    files = change(files, File::Scopes, "approvers = \"group:security\"", "approvers = []");
    files = change(files, File::Scopes, "\"bg-logs\"", "\"*\", \"a,b\"");
    files = change(files, File::Scopes, "group:leads", "group:laeds");
    let expected = "\
authority.toml:1 quorum-zero
authority.toml:2 unknown-field
people.toml:10 missing-field
people.toml:13 bad-value
scopes.toml:5 unknown-group
scopes.toml:9 ttl-over-cap
scopes.toml:18 unknown-group
scopes.toml:23 empty-approvers
scopes.toml:34 unknown-group
scopes.toml:41 unknown-group
scopes.toml:47 unknown-group
scopes.toml:51 ssh-principal
scopes.toml:51 ssh-principal
scopes.toml:58 unknown-group";
    assert_eq!(told(&files), expected);
}

#[test]
fn a_fault_says_where_what_and_what_to_do() {
    let files =
        changed(File::Scopes, "\"group:security\"\nquorum = 1", "\"group:security\"\nquorum = 0");
    let faults = check(&files).unwrap_err();
    assert_eq!(
        faults.first().unwrap().to_string(),
        "scopes.toml:24: [quorum-zero] stage security of root-on-host has quorum 0, which \
         everybody satisfies; write 1 or more"
    );
}

#[test]
fn a_value_in_a_message_cannot_steer_the_terminal() {
    let files = changed(File::Scopes, "\"bg-root\"", r#""\u001b[2Jroot\u202e""#);
    let message = check(&files).unwrap_err().first().unwrap().to_string();
    assert!(message.contains(r"\u{1b}[2Jroot\u{202e}"), "{message}");
}

#[test]
fn the_number_of_faults_told_is_bounded() {
    let files = extended(File::Authority, "[[nobody]]\nx = 1\n");
    assert_eq!(told(&files), "authority.toml:7 unknown-field");
    let many: String = (0..2000).map(|n| format!("x{n} = 1\n")).collect();
    let files = Files { authority: many.into_bytes(), ..five() };
    assert_eq!(check(&files).unwrap_err().len(), FAULTS_MAX);
}

#[test]
fn names_of_fault_kinds_are_kebab_case() {
    for fault in check(&Files::default()).unwrap_err() {
        assert!(fault.kind.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    }
}
