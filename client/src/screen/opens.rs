//! What a credential opens, in the words of its profile.

use breakglass_ledger::policy::{JwtProfile, Scope, SshProfile, X509Profile};
use breakglass_ledger::principal::TargetId;
use breakglass_ledger::statement::Kind;

use crate::output::duration;

/// What credentials of these kinds would allow, in words.
pub(crate) fn opens(scope: &Scope, kinds: &[Kind]) -> String {
    let of = |kind: &Kind| match kind {
        Kind::Ssh => scope.ssh.as_ref().map(opens_by_ssh),
        Kind::X509 => scope.x509.as_ref().map(opens_by_x509),
        Kind::Jwt => scope.jwt.as_ref().map(opens_by_jwt),
    };
    let parts: Vec<String> = kinds.iter().filter_map(of).collect();
    if parts.is_empty() {
        return "nothing: the scope does not offer what was asked for".to_owned();
    }
    parts.join("\n")
}

fn opens_by_x509(profile: &X509Profile) -> String {
    let X509Profile { organizations, organizational_units, uri, svid } = profile;
    let mut says: Vec<String> = Vec::new();
    for (name, values) in [("O", organizations), ("OU", organizational_units)] {
        says.extend(values.iter().map(|value| format!("{name}={value}")));
    }
    says.extend(uri.iter().map(|uri| format!("URI={uri}")));
    let servers = if *svid { "; it passes for a server as well" } else { "" };
    format!(
        "TLS client certificate with {} on every server that trusts this broker's X.509 CA{servers}",
        says.join(", ")
    )
}

fn opens_by_jwt(profile: &JwtProfile) -> String {
    let JwtProfile { audience, groups, ttl_max, bearer } = profile;
    let groups =
        if groups.is_empty() { String::new() } else { format!(" in {}", groups.join(", ")) };
    let bearer = if *bearer { "; whoever has it can use it" } else { "" };
    format!(
        "token for {audience}{groups}, each for {} at most{bearer}",
        duration(u64::from(*ttl_max))
    )
}

fn opens_by_ssh(ssh: &SshProfile) -> String {
    let SshProfile { principals, source_address, force_command, extensions, hosts } = ssh;
    let from = if source_address.is_empty() {
        "from anywhere".to_owned()
    } else {
        format!("from {}", source_address.join(", "))
    };
    let command = force_command.as_ref().map_or_else(
        || "any command".to_owned(),
        |command| format!("only the command `{command}`"),
    );
    let extensions = if extensions.is_empty() {
        "no terminal, no forwarding".to_owned()
    } else {
        extensions.join(", ")
    };
    let hosts: Vec<&str> = hosts.iter().map(TargetId::as_str).collect();
    let meant =
        if hosts.is_empty() { String::new() } else { format!("\nmeant for {}", hosts.join(", ")) };
    format!(
        "SSH as {} on every host that trusts this broker's CA and maps that name{meant}\n{from}; \
         {command}; {extensions}",
        principals.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R22: each kind that is asked for is shown, and no other.
    #[test]
    fn every_kind_that_is_asked_for_is_shown_with_all_that_it_says() {
        let profile = X509Profile {
            organizations: vec!["breakglass:orders".to_owned(), "dba".to_owned()],
            organizational_units: vec!["eu".to_owned()],
            uri: Some("spiffe://example.com/orders".to_owned()),
            svid: true,
        };
        assert_eq!(
            opens_by_x509(&profile),
            "TLS client certificate with O=breakglass:orders, O=dba, OU=eu, \
             URI=spiffe://example.com/orders on every server that trusts this broker's X.509 CA; \
             it passes for a server as well"
        );
        let profile = JwtProfile {
            audience: "https://api.example.com".to_owned(),
            groups: vec!["dba".to_owned()],
            ttl_max: 600,
            bearer: true,
        };
        assert_eq!(
            opens_by_jwt(&profile),
            "token for https://api.example.com in dba, each for 10 minutes at most; whoever has it \
             can use it"
        );
    }
}
