use super::*;

/// R02: a quorum of nobody is no quorum.
#[test]
fn an_authority_of_quorum_zero_is_refused() {
    let files = changed(File::Authority, "quorum = 1", "quorum = 0");
    assert_eq!(told(&files), "authority.toml:1 quorum-zero");
}

#[test]
fn an_authority_whose_quorum_cannot_be_reached_is_refused() {
    let files = changed(File::Authority, "quorum = 1", "quorum = 2");
    assert_eq!(told(&files), "authority.toml:1 authority-quorum");
    let nobody = Files { authority: b"quorum = 1".to_vec(), ..five() };
    assert_eq!(told(&nobody), "authority.toml:1 authority-quorum");
}

#[test]
fn a_quorum_out_of_range_is_refused() {
    for quorum in ["-1", "65", "99999999999999999999"] {
        let files = changed(File::Authority, "quorum = 1", &format!("quorum = {quorum}"));
        let kinds = kinds(&files);
        assert!(kinds == ["out-of-range"] || kinds == ["syntax"], "{quorum} {kinds:?}");
    }
}

/// R23: one key is one person's, among signers and among principals.
#[test]
fn one_key_under_two_names_is_refused() {
    let key = public("pia").to_openssh();
    let second = format!("[[signer]]\nid = \"other\"\nkeys = [\"{key}\"]\n");
    assert_eq!(told(&extended(File::Authority, &second)), "authority.toml:7 key-of-two");
    let (sam, ada) = (public("sam").to_openssh(), public("ada").to_openssh());
    let files = changed(File::People, &ada, &sam);
    assert_eq!(told(&files).lines().next(), Some("people.toml:17 key-of-two"));
    // The comment is no part of the key.
    let files = changed(File::People, &ada, &format!("{sam} ada@laptop"));
    assert_eq!(kinds(&files).first(), Some(&"key-of-two"));
}

#[test]
fn a_signer_may_be_a_principal_with_the_same_key() {
    let files = changed(File::Authority, &public("pia").to_openssh(), &public("sam").to_openssh());
    assert_eq!(told(&files), "");
}

#[test]
fn a_key_listed_twice_by_one_person_is_refused() {
    let key = public("sam").to_openssh();
    let files = changed(File::People, &format!("\"{key}\""), &format!("\"{key}\", \"{key} b\""));
    assert_eq!(told(&files), "people.toml:12 repeated");
}

#[test]
fn what_is_no_key_is_refused() {
    for bad in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "sam"] {
        let files = changed(File::People, &public("sam").to_openssh(), bad);
        let kinds = kinds(&files);
        assert!(kinds == ["malformed-key"], "{bad} {kinds:?}");
    }
}

/// R06: a certificate is never somebody's key.
#[test]
fn certificates_and_foreign_types_are_refused_as_keys() {
    let types = [
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ==",
        "ssh-dss AAAAB3NzaC1kc3M=",
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ=",
    ];
    for bad in types {
        let files = changed(File::People, &public("sam").to_openssh(), bad);
        assert_eq!(told(&files), "people.toml:12 key-type", "{bad}");
        let files = changed(File::Authority, &public("pia").to_openssh(), bad);
        assert_eq!(kinds(&files).first(), Some(&"key-type"), "{bad}");
    }
}

#[test]
fn a_weak_key_is_refused() {
    // The identity point of the curve: y = 1.
    let mut wire = b"\0\0\0\x0bssh-ed25519\0\0\0\x20\x01".to_vec();
    wire.extend([0; 31]);
    let weak = format!("ssh-ed25519 {}", data_encoding::BASE64.encode(&wire));
    let files = changed(File::People, &public("sam").to_openssh(), &weak);
    assert_eq!(told(&files), "people.toml:12 weak-key");
}

/// R03: a group is its id, defined once; a name that nobody defined is nobody's group.
#[test]
fn an_unknown_group_is_refused_wherever_it_is_named() {
    let own = changed(File::People, "groups = [\"leads\"]", "groups = [\"leads\", \"laeds\"]");
    assert_eq!(told(&own), "people.toml:22 unknown-group");
    let nested =
        changed(File::People, "id = \"leads\"\n", "id = \"leads\"\nmembers = [\"group:x\"]\n");
    assert_eq!(told(&nested), "people.toml:6 unknown-group");
    for field in ["business-owner", "technical-owner", "identity-owner"] {
        let files =
            changed(File::Scopes, &format!("{field} = \"group:"), &format!("{field} = \"group:x"));
        assert_eq!(kinds(&files), ["unknown-group"], "{field}");
    }
    let asks = changed(File::Scopes, "requesters = \"group:oncall\"", "requesters = \"group:x\"");
    assert_eq!(told(&asks), "scopes.toml:12 unknown-group\nscopes.toml:65 unknown-group");
    let warned = changed(File::Scopes, "live-max = 2", "live-max = 2\non-warning = \"group:x\"");
    assert_eq!(told(&warned), "scopes.toml:12 unknown-group");
}

#[test]
fn an_unknown_principal_is_refused_wherever_it_is_named() {
    let member =
        changed(File::People, "id = \"leads\"\n", "id = \"leads\"\nmembers = [\"principal:x\"]\n");
    assert_eq!(told(&member), "people.toml:6 unknown-principal");
    let asks = changed(
        File::Scopes,
        "requesters = [\"group:oncall\", ",
        "requesters = [\"principal:pia\", ",
    );
    assert_eq!(told(&asks), "scopes.toml:41 unknown-principal");
    let sponsor = extended(File::People, &bot("sponsor = \"x\"\nowner = \"principal:y\""));
    assert_eq!(
        told(&sponsor),
        "people.toml:42 unknown-principal\npeople.toml:43 unknown-principal"
    );
}

#[test]
fn a_reference_says_what_it_refers_to() {
    for bad in ["leads", "group:", "group:Leads", "user:sam", "group:leads ", "*", "group:*"] {
        let files = changed(File::Scopes, "\"group:leads\"\nquorum", &format!("\"{bad}\"\nquorum"));
        assert_eq!(told(&files), "scopes.toml:18 bad-value", "{bad}");
    }
}

/// R17: one canonical form. Upper case is no name at all; look-alikes are refused in pairs.
#[test]
fn names_that_look_alike_are_refused() {
    let upper =
        extended(File::People, "[[principal]]\nid = \"Sam\"\nkind = \"human\"\nname = \"x\"");
    assert_eq!(told(&upper), "people.toml:39 bad-value");
    for (file, table, line) in [
        (File::People, "[[principal]]\nid = \"b0b\"\nkind = \"human\"\nname = \"x\"\n", 38),
        (File::People, "[[group]]\nid = \"1eads\"\n", 38),
        (File::Authority, "[[signer]]\nid = \"pla\"\nkeys = []\n", 7),
    ] {
        let told = told(&extended(file, table));
        assert!(told.contains(&format!("{file}:{line} look-alike")), "{table} {told}");
    }
    let scope = changed(File::Scopes, "id = \"quick\"", "id = \"so1o\"");
    assert_eq!(told(&scope), "scopes.toml:54 look-alike");
    let stage = changed(File::Scopes, "name = \"security\"", "name = \"app.owner\"");
    assert_eq!(told(&stage), "scopes.toml:21 look-alike");
}

#[test]
fn an_id_is_given_once() {
    let cases = [
        (File::People, "[[principal]]\nid = \"sam\"\nkind = \"human\"\nname = \"x\"\n"),
        (File::People, "[[group]]\nid = \"leads\"\n"),
        (File::Authority, "[[signer]]\nid = \"pia\"\nkeys = [\"KEY\"]\n"),
    ];
    for (file, table) in cases {
        let table = table.replace("KEY", &public("other").to_openssh());
        assert_eq!(kinds(&extended(file, &table)), ["duplicate-id"], "{table}");
    }
    let scope = changed(File::Scopes, "id = \"quick\"", "id = \"solo\"");
    assert_eq!(told(&scope), "scopes.toml:54 duplicate-id");
    let stage = changed(File::Scopes, "name = \"security\"", "name = \"app-owner\"");
    assert_eq!(told(&stage), "scopes.toml:21 duplicate-id");
}

/// R04: a group that contains itself is refused, however long the way round.
#[test]
fn a_group_that_contains_itself_is_refused() {
    let own =
        changed(File::People, "id = \"leads\"\n", "id = \"leads\"\nmembers = [\"group:leads\"]\n");
    assert_eq!(told(&own).lines().next(), Some("people.toml:4 group-cycle"));
    let round = "[[group]]\nid = \"a\"\nmembers = [\"group:b\"]\n[[group]]\nid = \"b\"\n\
        members = [\"group:c\"]\n[[group]]\nid = \"c\"\nmembers = [\"group:a\"]\n\
        [[group]]\nid = \"outside\"\nmembers = [\"group:a\"]\n";
    let files = extended(File::People, round);
    let faults = check(&files).unwrap_err();
    let cycles = faults.iter().filter(|fault| fault.kind.name() == "group-cycle");
    assert_eq!(cycles.count(), 1);
    assert!(faults.iter().any(|fault| fault.to_string().contains("a > b > c")), "{faults:?}");
}

/// R04: nesting is bounded.
#[test]
fn groups_nest_to_a_depth_and_no_further() {
    let chain = |depth: usize| -> String {
        (1..depth)
            .map(|n| {
                format!("[[group]]\nid = \"g{}x\"\nmembers = [\"group:g{}x\"]\n", n + 22, n + 21)
            })
            .chain(["[[group]]\nid = \"g22x\"\n".to_owned()])
            .collect()
    };
    assert_eq!(told(&extended(File::People, &chain(NESTING_MAX))), "");
    let deep = told(&extended(File::People, &chain(NESTING_MAX + 1)));
    assert!(deep.contains("group-too-deep"), "{deep}");
}

fn bot(fields: &str) -> String {
    format!("[[principal]]\nid = \"deploy-bot\"\nkind = \"agent\"\nname = \"x\"\n{fields}\n")
}

#[test]
fn whatever_is_not_human_has_a_sponsor() {
    assert_eq!(told(&extended(File::People, &bot(""))), "people.toml:38 no-sponsor");
    assert_eq!(told(&extended(File::People, &bot("sponsor = \"sam\""))), "");
}

#[test]
fn a_sponsor_is_human() {
    let two = format!(
        "{}{}",
        bot("sponsor = \"sam\""),
        bot("sponsor = \"deploy-bot\"").replace("id = \"deploy-bot\"", "id = \"helper\"")
    );
    assert_eq!(told(&extended(File::People, &two)), "people.toml:47 sponsor-not-human");
}

#[test]
fn there_are_limits_on_how_many() {
    let keys: Vec<String> =
        (0..=KEYS_MAX).map(|n| format!("\"{}\"", public(&n.to_string()).to_openssh())).collect();
    let sam = format!("[\"{}\"]", public("sam").to_openssh());
    let files = changed(File::People, &sam, &format!("[{}]", keys.join(",")));
    assert_eq!(told(&files), "people.toml:12 too-many");
    let groups: String = (0..=GROUPS_MAX).map(|n| format!("[[group]]\nid=\"g{n}\"\n")).collect();
    assert_eq!(kinds(&extended(File::People, &groups)).first(), Some(&"too-many"));
    let people: String = (0..=PRINCIPALS_MAX)
        .map(|n| format!("[[principal]]\nid=\"p{n}\"\nkind=\"human\"\nname=\"x\"\n"))
        .collect();
    assert_eq!(kinds(&extended(File::People, &people)).first(), Some(&"too-many"));
    let signers: String =
        (0..=SIGNERS_MAX).map(|n| format!("[[signer]]\nid=\"p{n}\"\nkeys=[]\n")).collect();
    assert_eq!(kinds(&extended(File::Authority, &signers)).first(), Some(&"too-many"));
}

#[test]
fn memberships_that_nesting_multiplies_are_bounded() {
    // Names of three letters that look like no other.
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "j", "k", "p", "q", "s", "t", "u", "x"];
    let name = |n: usize| {
        let letter = |n: usize| letters[n % letters.len()];
        format!("{}{}{}{}", letter(n), letter(n / 16), letter(n / 256), letter(n / 4096))
    };
    let mut text = String::from("[[group]]\nid=\"base\"\n");
    for n in 0..400 {
        text += &format!("[[group]]\nid=\"y{}\"\nmembers=[\"group:base\"]\n", name(n));
    }
    for n in 0..600 {
        let (id, groups) = (name(n), "groups=[\"base\"]");
        text += &format!("[[principal]]\nid=\"z{id}\"\nkind=\"human\"\nname=\"x\"\n{groups}\n");
    }
    assert!(told(&extended(File::People, &text)).contains("people.toml:? too-many"));
}

#[test]
fn words_for_people_are_one_visible_line() {
    for bad in ["", "  ", r"a\nb", r"a\u001b[0m", r"a\u202eb", &"x".repeat(401)] {
        let files = changed(File::People, "name = \"sam\"", &format!("name = \"{bad}\""));
        assert_eq!(told(&files), "people.toml:14 bad-value", "{bad}");
    }
    let good = changed(File::People, "name = \"sam\"", "name = \"José Núñez – 日本\"");
    assert_eq!(told(&good), "");
}

#[test]
fn an_address_to_notify_has_a_scheme() {
    let notify = |list: &str| {
        changed(File::People, "name = \"sam\"", &format!("name = \"sam\"\nnotify = {list}"))
    };
    assert_eq!(told(&notify(r#"["mailto:sam@example.com", "ntfy:sam-oncall"]"#)), "");
    for bad in [r#"["sam"]"#, r#"["mailto:"]"#, r#"["mailto:a b"]"#, r#"["Mail:x"]"#] {
        assert_eq!(told(&notify(bad)), "people.toml:15 bad-value", "{bad}");
    }
}
