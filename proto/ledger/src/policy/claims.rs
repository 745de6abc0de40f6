//! What the names in a certificate's subject and in a token's claims have in common.
//!
//! Each is one atom to whoever reads it at the other end: none can be taken apart into two, none
//! speaks for a target's own system, and none looks like what a drill's credential says.

use super::fault::{FaultKind, Faults, shown};
use super::read::Value;

/// What every name and path in a drill's credential begins with, so that it opens nothing real.
pub const DRILL_MARK: &str = "drill";

/// Longest name in bytes. RFC 5280 (A.1, `ub-organization-name`) allows 64 characters, and a drill
/// puts `drill-` in front.
pub const NAME_MAX_BYTES: usize = 58;

/// A name for an organisation, an organisational unit or a group.
pub(super) fn name(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    text(value, name_breaks, faults)
}

/// `value`, unless `breaks` names a rule that it breaks.
pub(super) fn text(
    value: &Value<'_>,
    breaks: impl FnOnce(&str) -> Option<&'static str>,
    faults: &mut Faults,
) -> Option<String> {
    let text = value.text(faults)?;
    let Some(rule) = breaks(text) else { return Some(text.to_owned()) };
    let kind = FaultKind::CredentialName { field: value.field(), value: shown(text), rule };
    value.fault(kind, faults);
    None
}

/// The rule that `text` breaks as a name, if any.
fn name_breaks(text: &str) -> Option<&'static str> {
    let is_allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b':' | b' ');
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if text.is_empty() || text.starts_with(' ') || text.ends_with(' ') {
        return Some("it is empty, or has a blank at an end");
    }
    if text.len() > NAME_MAX_BYTES {
        return Some("it is longer than 58 bytes, and in a drill it gets 6 more");
    }
    // Kubernetes: `system:masters` is beyond every later authorisation.
    if begins("system:") {
        return Some("names beginning with system: are the target's own");
    }
    if begins("drill-") {
        return Some("names beginning with drill- are those of drills, which open nothing real");
    }
    // RFC 4514 (2.4) escapes , + \" \\ < > ; # =, and OpenSSL's one-line form parts names by /.
    if !text.bytes().all(is_allowed) {
        return Some("only a-z A-Z 0-9 . _ - @ : and single blanks may stand in it");
    }
    text.contains("  ").then_some("two blanks in a row look like one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_atom_that_speaks_for_nobody_else() {
        for bad in [
            "",
            " a",
            "a ",
            "a  b",
            "a,b",
            "a+b",
            "a/b",
            "a=b",
            "a\"b",
            "a\\b",
            "a\nb",
            "a\0",
            "é",
            "*",
            "system:masters",
            "System:masters",
            "drill-dba",
            "DRILL-dba",
        ] {
            assert!(name_breaks(bad).is_some(), "{bad:?}");
        }
        assert!(name_breaks(&"a".repeat(59)).is_some());
        for good in ["dba", "Example Payments", "breakglass:dba", "ops@example.com", "drills"] {
            assert_eq!(name_breaks(good), None, "{good:?}");
        }
        assert_eq!(name_breaks(&"a".repeat(58)), None);
    }
}
