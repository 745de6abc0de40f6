//! `[scope.x509]`: what an X.509 client certificate of the scope says.

use super::claims;
use super::fault::Faults;
use super::read::Table;
use super::values;

/// Most organisations in one certificate: each is a group at the target, and one is the rule.
pub const ORGANIZATIONS_MAX: usize = 8;

/// Most organisational units in one certificate; the reason is that of [`ORGANIZATIONS_MAX`].
pub const ORGANIZATIONAL_UNITS_MAX: usize = 8;

/// Longest URI in bytes: a SPIFFE ID has at most 2,048 (SPIFFE-ID, 2.3), and in a drill ours get
/// `/drill` in front of their path.
pub const URI_MAX_BYTES: usize = 2_042;

/// What begins a SPIFFE ID.
const SPIFFE: &str = "spiffe://";

/// Longest host or trust domain in bytes (SPIFFE-ID, 2.3; RFC 1035, 2.3.4).
const HOST_MAX_BYTES: usize = 255;

/// What a certificate of this scope says besides request and holder, which stand in its CN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Profile {
    /// Organisations (`O`) in the order of the file: groups, to Kubernetes.
    pub organizations: Vec<String>,
    /// Organisational units (`OU`) in the order of the file. Not both lists are empty.
    pub organizational_units: Vec<String>,
    /// The one URI among its subject alternative names, if it has one.
    pub uri: Option<String>,
    /// Whether it is an X.509-SVID: then `uri` is a SPIFFE ID, and it is good for servers as well.
    pub svid: bool,
}

/// Reads the table; what it returns after adding a fault is a placeholder.
pub(super) fn read(mut table: Table<'_>, faults: &mut Faults) -> X509Profile {
    let organizations = table.take("organizations");
    let units = table.take("organizational-units");
    if organizations.is_none() && units.is_none() {
        // Whoever says neither opens nothing anywhere; naming the one that most targets read.
        let _: Option<_> = table.need("organizations", faults);
    }
    let organizations =
        organizations.and_then(|list| values::set(&list, ORGANIZATIONS_MAX, faults, claims::name));
    let organizational_units =
        units.and_then(|list| values::set(&list, ORGANIZATIONAL_UNITS_MAX, faults, claims::name));
    let uri = table.take("uri").and_then(|uri| claims::text(&uri, uri_breaks, faults));
    let svid_at = table.take("svid");
    let svid = svid_at.as_ref().and_then(|svid| svid.flag(faults)).unwrap_or(false);
    let is_spiffe = uri.as_ref().is_some_and(|uri| uri.starts_with(SPIFFE));
    if let Some(at) = svid_at
        && svid
        && !is_spiffe
    {
        at.needs("a uri that begins with spiffe://", faults);
    }
    table.finish(faults);
    X509Profile {
        organizations: organizations.unwrap_or_default(),
        organizational_units: organizational_units.unwrap_or_default(),
        uri,
        svid,
    }
}

/// The rule that `text` breaks as a URI, if any.
fn uri_breaks(text: &str) -> Option<&'static str> {
    if text.len() > URI_MAX_BYTES {
        return Some("it is longer than 2042 bytes, and in a drill it gets 6 more");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some("it is not of the form scheme://host/path");
    };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    if path.is_some_and(|path| path == "drill" || path.starts_with("drill/")) {
        return Some("paths beginning with /drill are those of drills, which open nothing real");
    }
    if scheme == "spiffe" { spiffe_breaks(host, path) } else { other_breaks(scheme, host, path) }
}

/// SPIFFE-ID, 2.1 and 2.2; X509-SVID, 4.1: a leaf has a path.
fn spiffe_breaks(domain: &str, path: Option<&str>) -> Option<&'static str> {
    let in_domain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let in_segment = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if domain.is_empty() || domain.len() > HOST_MAX_BYTES || !domain.bytes().all(in_domain) {
        return Some("a trust domain is 1 to 255 of a-z 0-9 . _ -");
    }
    let Some(path) = path else { return Some("a SPIFFE ID of a credential has a path") };
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(in_segment);
    (!path.split('/').all(is_segment))
        .then_some("segments of a SPIFFE path are made of a-z A-Z 0-9 . _ - and none is . or ..")
}

/// RFC 3986, less what nobody needs here: no user, query, fragment or escapes.
fn other_breaks(scheme: &str, host: &str, path: Option<&str>) -> Option<&'static str> {
    let in_scheme = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let in_host =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':');
    let in_path = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b':' | b'@' | b'/')
    };
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.bytes().all(in_scheme) {
        return Some("a scheme begins with a-z and is made of a-z 0-9 -");
    }
    if host.is_empty() || host.len() > HOST_MAX_BYTES || !host.bytes().all(in_host) {
        return Some("a host is 1 to 255 of a-z 0-9 . - and : before a port");
    }
    let is_plain = path.is_none_or(|path| path.bytes().all(in_path));
    (!is_plain).then_some("a path is made of a-z A-Z 0-9 . _ - ~ : @ /, without query or fragment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_one_name_and_no_drills() {
        for good in [
            "spiffe://example.com/breakglass/payments-db-admin",
            "spiffe://a/b",
            "https://example.com",
            "https://example.com:8443/breakglass/dba@payments",
            "spiffe://example.com/drills",
        ] {
            assert_eq!(uri_breaks(good), None, "{good:?}");
        }
        for bad in [
            "",
            "nowhere",
            "urn:uuid:1",
            "spiffe://",
            "spiffe:///x",
            "spiffe://example.com",
            "spiffe://example.com/",
            "spiffe://example.com/x/",
            "spiffe://example.com//x",
            "spiffe://example.com/./x",
            "spiffe://example.com/../x",
            "spiffe://Example.com/x",
            "spiffe://example.com:1/x",
            "spiffe://example.com/sam@x",
            "spiffe://example.com/x?y",
            "spiffe://example.com/x%2f",
            "spiffe://example.com/drill/x",
            "SPIFFE://example.com/x",
            "https://user@example.com/",
            "https://example.com/a b",
            "https://example.com/#x",
            "https://example.com/drill/x",
            "https://example.com/drill",
            "1s://example.com/x",
        ] {
            assert!(uri_breaks(bad).is_some(), "{bad:?}");
        }
        assert!(uri_breaks(&format!("https://a/{}", "x".repeat(2_032))).is_none());
        assert!(uri_breaks(&format!("https://a/{}", "x".repeat(2_033))).is_some());
    }
}
