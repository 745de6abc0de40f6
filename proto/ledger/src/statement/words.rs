//! The closed vocabularies of statements.

use std::fmt;
use std::str::FromStr;

use crate::bytes::text_serde;

/// The text is not one of a closed set of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {allowed}")]
pub struct ParseWordError {
    /// The allowed words, comma separated.
    pub allowed: &'static str,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident {
        $first_variant:ident = $first_word:literal: $first_doc:literal,
        $($variant:ident = $word:literal: $variant_doc:literal,)*
    })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            #[doc = $first_doc]
            $first_variant,
            $(#[doc = $variant_doc] $variant,)*
        }

        impl $name {
            /// All of them, in the order in which a list names them.
            pub const ALL: &'static [Self] = &[Self::$first_variant, $(Self::$variant,)*];

            /// The allowed words, comma separated.
            pub(super) const ALLOWED: &'static str = concat!($first_word, $(", ", $word,)*);

            /// The word in statements.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first_variant => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = ParseWordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().find(|known| known.name() == text);
                known.copied().ok_or(ParseWordError { allowed: Self::ALLOWED })
            }
        }

        text_serde!($name);
    )+};
}

words! {
    /// What a statement does.
    ActKind {
        Request = "request": "Asks for a scope.",
        Approve = "approve": "Says yes to a request, for one stage.",
        Deny = "deny": "Says no to a request.",
        Withdraw = "withdraw": "The requester takes a request back before it is live.",
        Drop = "drop": "The holder gives a live grant back.",
        Cancel = "cancel": "An approver or owner ends a request or grant.",
        Collect = "collect": "The subject key asks for the credential.",
        Pickup = "pickup": "The subject key confirms that the credential arrived.",
        Lock = "lock": "Stops a principal, key, scope, host or grant.",
        Unlock = "unlock": "Lifts a lock.",
        Declare = "declare": "Declares a dependency down.",
        Resolve = "resolve": "Declares a dependency up again.",
        Review = "review": "Judges a closed grant afterwards.",
        Escalate = "escalate": "Asks the next approvers of an unanswered request.",
        Applied = "applied": "A host has put a revocation list into force.",
        Use = "use": "A host has seen a credential used.",
        Session = "session": "Allows reads for a while.",
        Policy = "policy": "Puts a version of the policy into force.",
    }

    /// A kind of credential.
    Kind {
        Ssh = "ssh": "An OpenSSH user certificate.",
        X509 = "x509": "An X.509 client certificate.",
        Jwt = "jwt": "A signed JWT.",
    }

    /// The way a request takes.
    Lane {
        Normal = "normal": "The ordinary chain.",
        Outage = "outage": "While a watched dependency is down.",
        Emergency = "emergency": "Nobody answers: one person, with compensating controls.",
        Drill = "drill": "An exercise that opens nothing real.",
    }

    /// What a reviewer found.
    ReviewVerdict {
        Drill = "drill": "An exercise, and nothing but.",
        Justified = "justified": "An emergency, and the access was used for it.",
        Unjustified = "unjustified": "No emergency, or used for something else.",
        Inconclusive = "inconclusive": "Not to be told from what there is; reviewed again.",
    }

    /// A revocation list that hosts put into force.
    List {
        Krl = "krl": "OpenSSH key revocation list.",
        Crl = "crl": "X.509 certificate revocation list.",
        Deny = "deny": "Identifiers of revoked JWTs.",
    }

    /// What became of a credential that is revoked on purpose with each list, when tried at the
    /// target: its refusal is the proof that the list is in force.
    Canary {
        Refused = "refused": "The target refused it, as it should.",
        Accepted = "accepted": "The target still accepted it.",
        Untried = "untried": "Nobody tried.",
    }
}

impl ActKind {
    /// The namespace of signatures over this act: `<act>.v1@breakglass`.
    #[must_use]
    pub fn namespace(self) -> String {
        format!("{self}.v1@breakglass")
    }
}
