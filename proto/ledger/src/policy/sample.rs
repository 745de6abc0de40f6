//! The sample policy of `breakglassd dev` and `breakglass demo`.

use std::fmt::Write as _;

use crate::key::PublicKey;
use crate::policy::Files;

/// The sample policy for these people, for `breakglassd dev`, `breakglass demo` and tests.
///
/// Each name gets a part; a name that stands more than once gets all its keys:
///
/// | name | part |
/// |---|---|
/// | `pia` | alone signs the policy; without a `pia` the first name does |
/// | `ada` | in `leads` |
/// | `bob`, `eve` | in `security` |
/// | `sam` and everybody else | in `oncall` |
///
/// | scope | who asks | who agrees |
/// |---|---|---|
/// | `root-on-host` | `oncall` | stage `app-owner`: one of `leads`; stage `security`: one of `security` |
/// | `quick` | `oncall`, `leads` | stage `second-person`: one of `leads`, `security` |
/// | `solo` | `oncall` | nobody (`approval = "none"`) |
///
/// The files are a valid policy if `ada` and one of `bob` and `eve` are among them; [`check`]
/// says so otherwise.
///
/// [`check`]: super::check
#[must_use]
pub fn sample(people: &[(&str, &PublicKey)]) -> Files {
    Files {
        authority: authority(people).into_bytes(),
        people: principals(people).into_bytes(),
        rules: RULES.as_bytes().to_vec(),
        scopes: SCOPES.as_bytes().to_vec(),
    }
}

fn authority(people: &[(&str, &PublicKey)]) -> String {
    let first = people.first().map_or(AUTHORITY, |(name, _)| *name);
    let has_authority = people.iter().any(|(name, _)| *name == AUTHORITY);
    let signer = if has_authority { AUTHORITY } else { first };
    let mut text = String::from("quorum = 1\n\n[[signer]]\n");
    put_id_and_keys(&mut text, signer, people);
    text
}

fn principals(people: &[(&str, &PublicKey)]) -> String {
    let mut text = String::from(GROUPS);
    let mut done: Vec<&str> = Vec::new();
    for (name, _) in people {
        if *name == AUTHORITY || done.contains(name) {
            continue;
        }
        done.push(name);
        let group = match *name {
            "ada" => "leads",
            "bob" | "eve" => "security",
            _ => "oncall",
        };
        text.push_str("\n[[principal]]\n");
        put_id_and_keys(&mut text, name, people);
        // Writing into a `String` does not fail.
        let _ = write!(text, "kind = \"human\"\nname = {name:?}\ngroups = [\"{group}\"]\n");
    }
    text
}

fn put_id_and_keys(text: &mut String, who: &str, people: &[(&str, &PublicKey)]) {
    let of_who = people.iter().filter(|(name, _)| *name == who);
    let keys: Vec<String> = of_who.map(|(_, key)| format!("{:?}", key.to_openssh())).collect();
    // Writing into a `String` does not fail.
    let _ = write!(text, "id = {who:?}\nkeys = [{}]\n", keys.join(", "));
}

/// Whoever has this name signs the policy and is no principal.
const AUTHORITY: &str = "pia";

const GROUPS: &str = r#"[[group]]
id = "oncall"

[[group]]
id = "leads"

[[group]]
id = "security"
"#;

const RULES: &str = "// No rules: who may ask and agree is in scopes.toml.\n";

const SCOPES: &str = r#"[[scope]]
id = "root-on-host"
title = "Root on the payments hosts"
purpose = "Repair a host when the identity provider is down"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 2
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]

[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1

[[scope.stage]]
name = "security"
approvers = "group:security"
quorum = 1

[scope.ssh]
principals = ["bg-root"]
extensions = ["permit-pty"]

[[scope]]
id = "quick"
title = "Read the logs of any host"
purpose = "See what is wrong"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "high"
ttl-max = "30m"
pending-max = "10m"
live-max = 10
requesters = ["group:oncall", "group:leads"]
kinds = ["human"]
lanes = ["normal"]

[[scope.stage]]
name = "second-person"
approvers = ["group:leads", "group:security"]
quorum = 1

[scope.ssh]
principals = ["bg-logs"]
extensions = ["permit-pty"]

[[scope]]
id = "solo"
title = "The status page"
purpose = "Tell customers what is going on"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "low"
ttl-max = "15m"
pending-max = "10m"
live-max = 10
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]
approval = "none"

[scope.ssh]
principals = ["bg-status"]
force-command = "/usr/local/bin/status-page"
"#;
