//! What a credential of a scope says, kind by kind: as it is in the policy, as a drill has it, and
//! whether one allows at least what another did.

use breakglass_ledger::policy::{DRILL_MARK, JwtProfile, Scope, SshProfile, X509Profile};
use breakglass_ledger::statement::{Kind, Lane};

use crate::DRILL_PREFIX;
use crate::refusal::{AskRefusal, Refusal};

/// What a credential must say, no more and no less, besides request, holder, key and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// An SSH certificate.
    Ssh(SshProfile),
    /// An X.509 client certificate.
    X509(X509Profile),
    /// A token.
    Jwt(JwtProfile),
}

impl Profile {
    /// What `scope` puts into a credential of `kind`.
    pub(crate) fn of(scope: &Scope, kind: Kind) -> Result<Self, Refusal> {
        let profile = match kind {
            Kind::Ssh => scope.ssh.clone().map(Self::Ssh),
            Kind::X509 => scope.x509.clone().map(Self::X509),
            Kind::Jwt => scope.jwt.clone().map(Self::Jwt),
        };
        profile.ok_or_else(|| {
            Refusal::Ask(AskRefusal::CredentialKindNotOffered {
                scope: scope.id.clone(),
                kind: kind.name(),
            })
        })
    }

    /// The same in `lane`: in a drill every name is another, which opens nothing real.
    pub(crate) fn in_lane(mut self, lane: Lane) -> Self {
        if lane == Lane::Drill {
            match &mut self {
                Self::Ssh(ssh) => mark(&mut ssh.principals),
                Self::X509(x509) => {
                    mark(&mut x509.organizations);
                    mark(&mut x509.organizational_units);
                    x509.uri = x509.uri.as_deref().map(drill_uri);
                }
                Self::Jwt(jwt) => mark(&mut jwt.groups),
            }
        }
        self
    }

    /// Whether everything that `narrow` allows is allowed by this one. Networks are compared as text.
    pub(crate) fn covers(&self, narrow: &Self) -> bool {
        match (self, narrow) {
            (Self::Ssh(wide), Self::Ssh(narrow)) => covers_ssh(wide, narrow),
            (Self::X509(wide), Self::X509(narrow)) => covers_x509(wide, narrow),
            (Self::Jwt(wide), Self::Jwt(narrow)) => covers_jwt(wide, narrow),
            (Self::Ssh(_) | Self::X509(_) | Self::Jwt(_), _) => false,
        }
    }
}

fn mark(names: &mut [String]) {
    for name in names {
        name.insert_str(0, DRILL_PREFIX);
    }
}

/// `scheme://host/path` as a drill has it: `scheme://host/drill/path`.
fn drill_uri(uri: &str) -> String {
    let host_at = uri.find("://").map_or(0, |at| at.saturating_add(3));
    let (head, rest) = uri.split_at_checked(host_at).unwrap_or(("", uri));
    let (host, path) =
        rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    format!("{head}{host}/{DRILL_MARK}{path}")
}

fn all_in(few: &[String], many: &[String]) -> bool {
    few.iter().all(|one| many.contains(one))
}

fn covers_ssh(wide: &SshProfile, narrow: &SshProfile) -> bool {
    let from_anywhere = wide.source_address.is_empty();
    let from_named =
        !narrow.source_address.is_empty() && all_in(&narrow.source_address, &wide.source_address);
    let command = wide.force_command.is_none() || wide.force_command == narrow.force_command;
    all_in(&narrow.principals, &wide.principals)
        && all_in(&narrow.extensions, &wide.extensions)
        && command
        && (from_anywhere || from_named)
}

fn covers_x509(wide: &X509Profile, narrow: &X509Profile) -> bool {
    all_in(&narrow.organizations, &wide.organizations)
        && all_in(&narrow.organizational_units, &wide.organizational_units)
        && (narrow.uri.is_none() || narrow.uri == wide.uri)
        && (wide.svid || !narrow.svid)
}

fn covers_jwt(wide: &JwtProfile, narrow: &JwtProfile) -> bool {
    narrow.audience == wide.audience
        && all_in(&narrow.groups, &wide.groups)
        && narrow.ttl_max <= wide.ttl_max
        && (wide.bearer || !narrow.bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    fn ssh(principals: &[&str], from: &[&str], command: Option<&str>) -> Profile {
        Profile::Ssh(SshProfile {
            principals: names(principals),
            source_address: names(from),
            force_command: command.map(str::to_owned),
            extensions: Vec::new(),
            hosts: Vec::new(),
        })
    }

    fn x509(organizations: &[&str], uri: Option<&str>, svid: bool) -> Profile {
        Profile::X509(X509Profile {
            organizations: names(organizations),
            organizational_units: names(&["bg"]),
            uri: uri.map(str::to_owned),
            svid,
        })
    }

    fn jwt(audience: &str, groups: &[&str], ttl_max: u32, bearer: bool) -> Profile {
        let groups = names(groups);
        Profile::Jwt(JwtProfile { audience: audience.to_owned(), groups, ttl_max, bearer })
    }

    #[test]
    fn a_profile_covers_another_only_if_it_allows_all_of_it() {
        let plain = ssh(&["dba"], &["10.0.0.0/8"], None);
        assert!(plain.covers(&plain));
        assert!(ssh(&["dba", "web"], &[], None).covers(&plain));
        assert!(plain.covers(&ssh(&["dba"], &["10.0.0.0/8"], Some("/bin/true"))));
        assert!(!ssh(&["web"], &["10.0.0.0/8"], None).covers(&plain));
        assert!(!ssh(&["dba"], &["10.1.0.0/16"], None).covers(&plain));
        assert!(!plain.covers(&ssh(&["dba"], &[], None)));
        assert!(!ssh(&["dba"], &["10.0.0.0/8"], Some("/bin/true")).covers(&plain));
        let mut terminal = plain.clone();
        if let Profile::Ssh(ssh) = &mut terminal {
            ssh.extensions.push("permit-pty".to_owned());
        }
        assert!(!plain.covers(&terminal));
    }

    #[test]
    fn a_certificate_covers_another_only_if_it_names_all_it_names() {
        let plain = x509(&["dba"], Some("https://a/b"), false);
        assert!(plain.covers(&plain));
        assert!(x509(&["dba", "web"], Some("https://a/b"), true).covers(&plain));
        assert!(plain.covers(&x509(&["dba"], None, false)));
        assert!(!plain.covers(&x509(&["web"], None, false)));
        assert!(!plain.covers(&x509(&["dba"], Some("https://a/c"), false)));
        assert!(!plain.covers(&x509(&["dba"], None, true)));
        assert!(!plain.covers(&ssh(&["dba"], &[], None)));
    }

    #[test]
    fn a_token_covers_another_only_if_it_lets_in_as_much() {
        let plain = jwt("a", &["dba"], 600, false);
        assert!(plain.covers(&plain));
        assert!(jwt("a", &["dba", "web"], 900, true).covers(&plain));
        assert!(!plain.covers(&jwt("b", &["dba"], 600, false)));
        assert!(!plain.covers(&jwt("a", &["web"], 600, false)));
        assert!(!plain.covers(&jwt("a", &["dba"], 601, false)));
        assert!(!plain.covers(&jwt("a", &["dba"], 600, true)));
    }

    #[test]
    fn a_drills_names_open_nothing_real() {
        for (real, drill) in [
            ("spiffe://td/path", "spiffe://td/drill/path"),
            ("https://a", "https://a/drill"),
            ("https://a/", "https://a/drill/"),
            ("https://a/b/c", "https://a/drill/b/c"),
        ] {
            assert_eq!(drill_uri(real), drill);
        }
        let marked = x509(&["dba"], Some("https://a/b"), false).in_lane(Lane::Drill);
        let Profile::X509(marked) = marked else { panic!() };
        assert_eq!(marked.organizations, ["drill-dba"]);
        assert_eq!(marked.organizational_units, ["drill-bg"]);
        let Profile::Jwt(marked) = jwt("a", &["dba"], 600, false).in_lane(Lane::Drill) else {
            panic!()
        };
        assert_eq!((marked.audience.as_str(), marked.groups), ("a", names(&["drill-dba"])));
        let plain = ssh(&["dba"], &[], None);
        assert_eq!(plain.clone().in_lane(Lane::Normal), plain);
    }
}
