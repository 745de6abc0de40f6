//! How a body's plain struct becomes sorted keys and values, and back.
//!
//! Some parts of a body (the link into a grant's chain, a signed statement) are several keys of the
//! same object, which serde can flatten only by giving up strictness; hence this small layer.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::Digest;
use crate::entry::EntryError;
use crate::entry::form::split_object;
use crate::entry::part::{Cause, ConfigChange, Decision, KeyRole, Numbered, Outcome};
use crate::id::RequestId;
use crate::principal::{DependencyId, PrincipalId, ScopeId, StageId, TargetId};
use crate::statement::{ActKind, Kind};
use crate::time::Timestamp;

/// The keys and JSON values of one body. Keys are static: a closed set of types has a closed set
/// of keys.
#[derive(Default)]
pub(super) struct Written(Vec<(&'static str, Vec<u8>)>);

impl Written {
    /// Adds a value under `key`; one that is absent (`None`) adds nothing.
    pub(super) fn put<T: Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), EntryError> {
        let rule = "the value has a JSON form";
        let json =
            serde_json::to_vec(value).map_err(|_| EntryError::Schema { field: key, rule })?;
        if json != b"null" {
            self.0.push((key, json));
        }
        Ok(())
    }

    /// The object, its keys sorted.
    pub(super) fn into_object(mut self, out: &mut Vec<u8>) {
        self.0.sort_unstable_by_key(|(key, _)| *key);
        let mut separator = b'{';
        if self.0.is_empty() {
            out.push(separator);
        }
        for (key, json) in self.0 {
            out.push(separator);
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(&json);
            separator = b',';
        }
        out.push(b'}');
    }
}

/// The keys and values of one body that were not yet taken.
pub(super) struct Read<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Read<'a> {
    pub(super) fn object(text: &'a str) -> Result<Self, EntryError> {
        let mut fields = Vec::with_capacity(16);
        split_object(text, |key, value| fields.push((key, value)))?;
        Ok(Self(fields))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == key)
    }

    /// Takes the value under `key`; an absent one is read as `None` where the type allows it.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<T, EntryError> {
        let at = self.0.iter().position(|(name, _)| *name == key);
        let json = at.map_or("null", |at| self.0.swap_remove(at).1);
        let rule = if at.is_some() { "it has the form of its type" } else { "it is there" };
        serde_json::from_str(json).map_err(|_| EntryError::Schema { field: key, rule })
    }

    pub(super) fn end(&self) -> Result<(), EntryError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(EntryError::Schema { field: "body", rule: "it has no key that its type does not know" })
    }
}

/// A part of a body: one key, or several.
pub(super) trait Part: Sized {
    fn write(&self, key: &'static str, out: &mut Written) -> Result<(), EntryError>;
    fn read(key: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError>;
}

/// Values under one key. The list is closed, so that nothing can be written by accident that
/// merely happens to have a JSON form.
macro_rules! values {
    ($($name:ty),+ $(,)?) => {$(
        impl Part for $name {
            fn write(&self, key: &'static str, out: &mut Written) -> Result<(), EntryError> {
                out.put(key, self)
            }

            fn read(key: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError> {
                from.take(key)
            }
        }
    )+};
}

values! {
    bool, u64, Option<u64>, String, Option<String>, Vec<u64>, Option<Vec<u64>>, Vec<String>, Digest, Option<Digest>, Timestamp, Option<Timestamp>, RequestId, ScopeId,
    StageId, Option<PrincipalId>, ActKind, Kind, Decision, Cause, Numbered, Outcome, ConfigChange,
    KeyRole, DependencyId, TargetId,
}

/// Defines the plain structs of all bodies, the enum over them, and the way to bytes and back.
macro_rules! bodies {
    ($(
        $(#[$doc:meta])*
        $name:ident = $tag:literal {
            $( $(#[$field_doc:meta])* $field:ident: $kind:ty = $key:literal, )*
        }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name {
                $( $(#[$field_doc])* pub $field: $kind, )*
            }
        )+

        /// What an entry records: a closed set, tagged in the entry by its `type`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Body {
            $( $(#[$doc])* $name($name), )+
        }

        impl Body {
            /// Every `type` there is.
            pub const TYPES: &'static [&'static str] = &[$($tag),+];

            /// The entry's `type`.
            #[must_use]
            pub const fn type_name(&self) -> &'static str {
                match self {
                    $( Self::$name(_) => $tag, )+
                }
            }

            fn fields(&self) -> Result<Written, EntryError> {
                let mut out = Written::default();
                match self {
                    $( Self::$name(body) => { $( Part::write(&body.$field, $key, &mut out)?; )* } )+
                }
                Ok(out)
            }

            fn from_fields(tag: &str, from: &mut Read<'_>) -> Result<Self, EntryError> {
                Ok(match tag {
                    $( $tag => Self::$name($name { $( $field: Part::read($key, from)?, )* }), )+
                    _ => {
                        let rule = "it is one of the closed set";
                        return Err(EntryError::Schema { field: "type", rule });
                    }
                })
            }
        }

        $(
            impl From<$name> for Body {
                fn from(body: $name) -> Self {
                    Self::$name(body)
                }
            }
        )+
    };
}
pub(super) use bodies;
