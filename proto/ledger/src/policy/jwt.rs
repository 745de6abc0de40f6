//! `[scope.jwt]`: what a token of the scope says.

use super::claims;
use super::fault::{FaultKind, Faults};
use super::limits::Limits;
use super::read::{Table, Value};
use super::values;

/// Longest audience in bytes: it stands in every token, and tokens stay under 4 kB.
pub const AUDIENCE_MAX_BYTES: usize = 255;

/// Most groups in one token; the reason is that of [`AUDIENCE_MAX_BYTES`].
pub const TOKEN_GROUPS_MAX: usize = 16;

/// How long a token lives, in seconds, unless the scope says otherwise: nobody asks again about a
/// token once it is out, so its own end is what most targets go by.
pub const TOKEN_TTL_SECONDS: u32 = 600;

/// What a token of this scope says besides request and holder, who stand in its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtProfile {
    /// The one audience.
    pub audience: String,
    /// Groups in the order of the file; may be empty.
    pub groups: Vec<String>,
    /// Longest life of one token in seconds, at most the scope's `ttl-max`. A grant that lives on
    /// gives another when asked.
    pub ttl_max: u32,
    /// Whether a request may bring no key at all: then whoever has the token is let in.
    pub bearer: bool,
}

/// Reads the table; what it returns after adding a fault is a placeholder.
pub(super) fn read(mut table: Table<'_>, limits: &Limits, faults: &mut Faults) -> JwtProfile {
    let audience = table.need("audience", faults);
    let audience = audience.and_then(|text| claims::text(&text, audience_breaks, faults));
    let groups = table
        .take("groups")
        .and_then(|list| values::set(&list, TOKEN_GROUPS_MAX, faults, claims::name));
    let ttl_max = table.take("ttl-max").and_then(|ttl| ttl_max(&ttl, limits, faults));
    let bearer = table.take("bearer").and_then(|bearer| bearer.flag(faults));
    table.finish(faults);
    let most = limits.ttl_max.map_or(TOKEN_TTL_SECONDS, |ttl| ttl.seconds().min(TOKEN_TTL_SECONDS));
    JwtProfile {
        audience: audience.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        ttl_max: ttl_max.unwrap_or(most),
        bearer: bearer.unwrap_or(false),
    }
}

fn ttl_max(value: &Value<'_>, limits: &Limits, faults: &mut Faults) -> Option<u32> {
    let seconds = values::seconds(value, faults)?;
    if let Some(limit) = limits.ttl_max.map(crate::time::Ttl::seconds)
        && seconds > limit
    {
        value.fault(FaultKind::TokenTtl { seconds, limit }, faults);
        return None;
    }
    Some(seconds)
}

/// The rule that `text` breaks as an audience, if any: a name or URI, compared as it stands.
fn audience_breaks(text: &str) -> Option<&'static str> {
    if text.is_empty() || text.len() > AUDIENCE_MAX_BYTES {
        return Some("an audience has 1 to 255 bytes");
    }
    let is_allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b'*');
    (!text.bytes().all(is_allowed))
        .then_some("an audience is printable ASCII without blanks, quotes, \\ , and *")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_one_name() {
        for good in ["https://db.example.com", "kubernetes", "api://payments?x=1"] {
            assert_eq!(audience_breaks(good), None, "{good:?}");
        }
        for bad in ["", "a b", "a,b", "*", "a\"b", "a\\b", "a\n", "é"] {
            assert!(audience_breaks(bad).is_some(), "{bad:?}");
        }
        assert!(audience_breaks(&"a".repeat(256)).is_some());
    }
}
