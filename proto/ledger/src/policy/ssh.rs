//! `[scope.ssh]`: what an SSH certificate of the scope says.

use std::net::IpAddr;

use super::fault::{FaultKind, Faults, shown};
use super::read::{Table, Value};
use super::values;
use crate::principal::TargetId;

/// Most principals in one certificate. OpenSSH reads up to 256; a role needs one or two.
pub const SSH_PRINCIPALS_MAX: usize = 16;

/// Most networks in `source-address`: keeps the certificate's option in one short line.
pub const SOURCE_ADDRESSES_MAX: usize = 32;

/// Longest `force-command` in bytes; more belongs into a script on the host.
pub const FORCE_COMMAND_MAX_BYTES: usize = 1024;

/// Most hosts of one scope: what one screen of an approver can hold.
pub const HOSTS_MAX: usize = 64;

/// Longest SSH principal in bytes.
const SSH_PRINCIPAL_MAX_BYTES: usize = 64;

/// The extensions that may be granted, ascending (OpenSSH `PROTOCOL.certkeys`). Nothing that is not
/// listed is granted; `no-touch-required` is left out because it weakens hardware keys.
pub const SSH_EXTENSIONS: [&str; 5] = [
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
];

/// What a certificate of this scope grants.
///
/// Each text is one atom: none holds a comma, white space, a control character or a wildcard, so
/// none can become two when it is joined with others (R07, R08).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshProfile {
    /// The certificate's principals, at least one, as the file lists them.
    ///
    /// Use role principals (`bg-dba`), mapped on the host by `AuthorizedPrincipalsFile`. A login
    /// name such as `root` is not refused, but every host that trusts the CA and maps principals
    /// by name would then let the holder in as that user.
    pub principals: Vec<String>,
    /// Networks the certificate works from, as `address/bits`; empty means from anywhere.
    pub source_address: Vec<String>,
    /// The one command that the certificate runs, whatever was asked.
    pub force_command: Option<String>,
    /// Names out of [`SSH_EXTENSIONS`], ascending; empty means none, not even a terminal.
    pub extensions: Vec<String>,
    /// The hosts where it opens something, as approvers are shown it and locks of a host match it;
    /// empty if the policy does not say. The certificate itself names no host.
    pub hosts: Vec<TargetId>,
}

/// Reads the table; what it returns after adding a fault is a placeholder.
pub(super) fn read(mut table: Table<'_>, faults: &mut Faults) -> SshProfile {
    let principals = table
        .need("principals", faults)
        .and_then(|list| values::set(&list, SSH_PRINCIPALS_MAX, faults, principal));
    let source_address = table
        .take("source-address")
        .and_then(|list| values::set(&list, SOURCE_ADDRESSES_MAX, faults, network));
    let force_command =
        table.take("force-command").and_then(|command| force_command(&command, faults));
    let extensions = table
        .take("extensions")
        .and_then(|list| values::set(&list, SSH_EXTENSIONS.len(), faults, extension));
    let hosts =
        table.take("hosts").and_then(|list| values::set(&list, HOSTS_MAX, faults, values::name));
    table.finish(faults);
    let mut extensions = extensions.unwrap_or_default();
    // PROTOCOL.certkeys: options are lexically ordered by name.
    extensions.sort_unstable();
    SshProfile {
        principals: principals.unwrap_or_default(),
        source_address: source_address.unwrap_or_default(),
        force_command,
        extensions,
        hosts: hosts.unwrap_or_default(),
    }
}

fn principal(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let text = value.text(faults)?;
    let Some(rule) = principal_breaks(text) else { return Some(text.to_owned()) };
    value.fault(FaultKind::SshPrincipal { value: shown(text), rule }, faults);
    None
}

/// The rule that `text` breaks as an SSH principal, if any.
fn principal_breaks(text: &str) -> Option<&'static str> {
    let is_allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b':');
    if text.is_empty() {
        return Some("an empty principal stands for every user");
    }
    if text.contains(['*', '?', '!']) {
        return Some("wildcards and negations name users that nobody approved");
    }
    if text.contains(',') {
        return Some("a comma would make it two principals");
    }
    if text.len() > SSH_PRINCIPAL_MAX_BYTES {
        return Some("it is longer than 64 bytes");
    }
    if text.starts_with('-') || !text.bytes().all(is_allowed) {
        return Some("only a-z A-Z 0-9 . _ - @ : may stand in it, and no - in front");
    }
    None
}

fn network(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let text = value.text(faults)?;
    let Some(rule) = network_breaks(text) else { return Some(text.to_owned()) };
    value.fault(FaultKind::SourceAddress { value: shown(text), rule }, faults);
    None
}

/// The rule that `text` breaks as a source address, if any.
///
/// OpenSSH (`addr_match_cidr_list`, `addr_pton_cidr`) refuses every login with a certificate whose
/// list has one malformed element or one with host bits set, so those are refused here.
fn network_breaks(text: &str) -> Option<&'static str> {
    let Some((address, bits)) = text.split_once('/') else {
        let is_address = text.parse::<IpAddr>().is_ok();
        return (!is_address).then_some("it is not an IP address");
    };
    let Ok(address) = address.parse::<IpAddr>() else { return Some("it is not an IP address") };
    let (width, host) = match address {
        IpAddr::V4(v4) => (32, u128::from(v4.to_bits()) << 96),
        IpAddr::V6(v6) => (128, v6.to_bits()),
    };
    let is_number = bits.bytes().all(|b| b.is_ascii_digit()) && !bits.starts_with('0');
    let prefix = bits.parse::<u32>().ok().filter(|bits| is_number && *bits <= width);
    match prefix {
        None if bits == "0" => Some("a prefix of 0 bits restricts nothing; leave it out"),
        None => Some("the prefix length is not a number of bits of that address"),
        Some(prefix) if host.checked_shl(prefix).unwrap_or(0) != 0 => {
            Some("bits behind the prefix are set")
        }
        Some(_) => None,
    }
}

fn force_command(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let text = value.text(faults)?;
    let rule = if text.trim().is_empty() {
        "an empty command would run the login shell"
    } else if text.len() > FORCE_COMMAND_MAX_BYTES {
        "it is longer than 1024 bytes"
    } else if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        "it holds characters that are not printable ASCII"
    } else {
        return Some(text.to_owned());
    };
    value.fault(FaultKind::ForceCommand { rule }, faults);
    None
}

fn extension(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let text = value.text(faults)?;
    if SSH_EXTENSIONS.contains(&text) {
        return Some(text.to_owned());
    }
    let kind = FaultKind::SshExtension { value: shown(text), known: SSH_EXTENSIONS.join(", ") };
    value.fault(kind, faults);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R07: none of these may reach a certificate.
    #[test]
    fn an_ssh_principal_is_one_role_and_no_pattern() {
        for bad in [
            "", "*", "db?", "!root", "a,b", "a b", " a", "a\n", "a\t", "a\0b", "a\u{7f}", "é",
            "-a", "a/b", "a\"b", "a\\b", "${user}", "%u",
        ] {
            assert!(principal_breaks(bad).is_some(), "{bad:?}");
        }
        assert!(principal_breaks(&"a".repeat(65)).is_some());
        for good in ["bg-dba", "dba", "host:web.1", "ops@example", "A_1"] {
            assert_eq!(principal_breaks(good), None, "{good:?}");
        }
    }

    #[test]
    fn a_source_address_is_one_network_that_openssh_reads() {
        for good in ["10.20.0.0/16", "192.0.2.7", "192.0.2.7/32", "2001:db8::/32", "::1"] {
            assert_eq!(network_breaks(good), None, "{good:?}");
        }
        for bad in [
            "",
            "*",
            "10.20.0.0/33",
            "10.20.0.1/16",
            "10.20.0.0/",
            "10.20.0.0/016",
            "10.0.0.0/+8",
            "10.20.0.0,10.21.0.0",
            "0.0.0.0/0",
            "::/0",
            "010.0.0.0/8",
            "10.0.0.0/8 ",
            "host",
            "2001:db8::1/32",
            "2001:db8::/129",
            "fe80::1%eth0",
            "!10.0.0.0/8",
        ] {
            assert!(network_breaks(bad).is_some(), "{bad:?}");
        }
    }
}
