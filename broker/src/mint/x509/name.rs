//! What an X.509 certificate says of its holder, and what of it is marked in a drill.

use breakglass_ledger::policy::X509Profile;
use breakglass_ledger::statement::Lane;
use breakglass_rules::DRILL_PREFIX;

use super::Terms;
use crate::mint::MintError;

/// Subject and alternative name, as they stand in the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Organisations, in the policy's order: Kubernetes' groups.
    pub(super) organizations: Vec<String>,
    /// Organisational units, in the policy's order.
    pub(super) organizational_units: Vec<String>,
    /// What every target writes into its log.
    pub(super) common_name: String,
    /// The one URI among the alternative names, if any.
    pub(super) uri: Option<String>,
}

impl Names {
    /// What was cleared, checked once more: a certificate that says too much cannot be unsaid.
    pub(super) fn of(terms: &Terms<'_>) -> Result<Self, MintError> {
        let drill = terms.lane == Lane::Drill;
        let X509Profile { organizations, organizational_units, uri, svid: _ } = terms.profile;
        if organizations.is_empty() && organizational_units.is_empty() {
            return Err(wrong("organizations", "must name at least one, or a unit"));
        }
        check("organizations", organizations, drill)?;
        check("organizational-units", organizational_units, drill)?;
        if uri.as_ref().is_some_and(|uri| !is_uri(uri, drill)) {
            return Err(wrong(
                "uri",
                "must be scheme://host/path in printable ASCII, at most 2048",
            ));
        }
        Ok(Self {
            organizations: organizations.clone(),
            organizational_units: organizational_units.clone(),
            common_name: common_name(terms, drill),
            uri: uri.clone(),
        })
    }
}

/// `bg-<request id>-<holder>`, in a drill `drill-bg-…`. The request is whole; of a long holder the
/// end is missing, and the ledger has all of it. Every part has an alphabet without separators (R08).
fn common_name(terms: &Terms<'_>, drill: bool) -> String {
    let mark = if drill { "drill-" } else { "" };
    let mut name = format!("{mark}bg-{}-{}", terms.request, terms.holder);
    // All of it is ASCII.
    name.truncate(COMMON_NAME_MAX);
    name
}

fn check(field: &'static str, names: &[String], drill: bool) -> Result<(), MintError> {
    if names.len() > NAMES_MAX {
        return Err(wrong(field, "has more than 8 values"));
    }
    for (index, name) in names.iter().enumerate() {
        // The rules have marked them; a drill without its mark would open something real.
        let plain = if drill { name.strip_prefix(DRILL_PREFIX) } else { Some(name.as_str()) };
        if !plain.is_some_and(is_name) {
            return Err(wrong(field, "has a value that is not allowed there"));
        }
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(wrong(field, "has a value twice"));
        }
    }
    Ok(())
}

/// A name that is one atom however a target writes a subject down: nothing that separates parts of
/// a name in any of the usual forms, nothing invisible, and nobody that Kubernetes itself invents.
fn is_name(name: &str) -> bool {
    let separates = |b: u8| b",=+\"\\/<>;#".contains(&b);
    let allowed = |b: u8| matches!(b, b' '..=b'~') && !separates(b);
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && name.trim() == name
        && !["system:", "drill-"].iter().any(|taken| name.to_ascii_lowercase().starts_with(taken))
}

/// `scheme://host/path` (RFC 3986), as far as it matters: no blank and nothing that could end it early.
fn is_uri(uri: &str, drill: bool) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    let path = rest.split_once('/').map(|(_, path)| path);
    let is_marked = path.is_some_and(|path| path == "drill" || path.starts_with("drill/"));
    let in_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && is_marked == drill
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.contains(['?', '#'])
        && uri.len() <= URI_MAX
        && uri.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\,".contains(&b))
}

const fn wrong(field: &'static str, rule: &'static str) -> MintError {
    MintError::Value { field, rule }
}

/// Longest common name (RFC 5280, appendix A.1: `ub-common-name`).
const COMMON_NAME_MAX: usize = 64;
/// Longest name, in bytes: 64 (`ub-organization-name`) with a drill's mark.
const NAME_MAX: usize = 58;
/// Most of a kind: as many as the policy allows.
const NAMES_MAX: usize = 8;
/// Longest URI: what SPIFFE allows.
const URI_MAX: usize = 2048;
