//! What the broker saw outside: probes of watched dependencies, and how notices fared.

use serde::{Deserialize, Serialize};

use crate::bytes::Salt;
use crate::entry::EntryError;
use crate::entry::fields::{Part, Read, Written};
use crate::principal::{ChannelId, FindingId, ProbeId};
use crate::time::Timestamp;

/// Most probes heard about one change: more ways of asking one dependency than anybody configures.
pub const EVIDENCE_MAX: usize = 16;

/// What one probe saw when a dependency's state changed.
// Fields of everything serialised here are declared in the order of their keys: the order written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which probe.
    pub probe: ProbeId,
    /// How many rounds in a row it saw this.
    pub rounds: u32,
    /// What it saw, in a word: `up`, `timeout`, `wrong-issuer`, ….
    pub saw: FindingId,
    /// When it saw this first.
    pub since: Timestamp,
}

/// 1 to [`EVIDENCE_MAX`] of them, if the state was measured.
impl Part for Option<Vec<Evidence>> {
    fn write(&self, key: &'static str, out: &mut Written) -> Result<(), EntryError> {
        check(key, self.as_deref())?;
        out.put(key, self)
    }

    fn read(key: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError> {
        let evidence: Self = from.take(key)?;
        check(key, evidence.as_deref())?;
        Ok(evidence)
    }
}

fn check(field: &'static str, evidence: Option<&[Evidence]>) -> Result<(), EntryError> {
    let fits = evidence.is_none_or(|list| (1..=EVIDENCE_MAX).contains(&list.len()));
    if fits { Ok(()) } else { Err(EntryError::Schema { field, rule: "it is 1 to 16 of them" }) }
}

/// What the probes make of a dependency besides an outage: why they do not say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchState {
    /// Watched as it should be again.
    Seen,
    /// Everything fails at once: the fault is here, and says nothing about the dependency.
    Blind,
    /// It changes too often to be called up or down.
    Flapping,
}

/// How a watched dependency is watched from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// Which dependency.
    pub dependency: crate::principal::DependencyId,
    /// What each probe saw, at most [`EVIDENCE_MAX`].
    #[serde(deserialize_with = "bounded")]
    pub evidence: Vec<Evidence>,
    /// What follows from it.
    pub state: WatchState,
}

fn bounded<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Evidence>, D::Error> {
    let evidence = Vec::<Evidence>::deserialize(from)?;
    if evidence.len() <= EVIDENCE_MAX {
        return Ok(evidence);
    }
    Err(serde::de::Error::custom("more evidence than there can be probes"))
}

/// A target that has not reported a list with a revocation in it, although it should have by now.
/// Said once until it reports one that holds everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overdue {
    /// The `revoked` entry, by `seq`.
    pub entry: u64,
    /// The target.
    pub target: crate::principal::TargetId,
    /// Version of the list that it last reported.
    pub version: u64,
}

/// What became of one notice: written once, when it was delivered or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notified {
    /// How often it was tried.
    pub attempts: u32,
    /// Through which channel of the daemon's configuration, or of which kind.
    pub channel: ChannelId,
    /// Whether the other side took it.
    pub delivered: bool,
    /// The entry it told of, by `seq`.
    pub entry: u64,
    /// The first 16 bytes of SHA-256 of the entry's `seq` in decimal, LF and the address: tells
    /// notices of one entry apart without showing an address.
    pub notice: Salt,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Body, Config, Entry};
    use crate::testing::{config_examples, examples};

    fn bytes_of(body: Body) -> Result<Vec<u8>, EntryError> {
        let mut entry = examples().remove(0);
        entry.body = body;
        entry.to_bytes()
    }

    #[test]
    fn every_change_is_read_as_it_was_written() {
        for (name, what) in config_examples() {
            let body = Body::from(Config { what });
            let bytes = bytes_of(body.clone()).unwrap();
            assert_eq!(Entry::parse(&bytes).map(|entry| entry.body), Ok(body), "{name}");
        }
    }

    /// A limit on everything: neither no evidence in so many words, nor any amount of it.
    #[test]
    fn evidence_is_there_or_not_and_never_endless() {
        let of = |count: usize| {
            let all = examples().into_iter().map(|entry| entry.body);
            let began = all.into_iter().find(|body| matches!(body, Body::OutageBegan(_)));
            let Some(Body::OutageBegan(mut body)) = began else { panic!("an example") };
            let one = body.evidence.unwrap().remove(0);
            body.evidence = Some(vec![one; count]);
            bytes_of(body.into())
        };
        assert!(of(0).is_err());
        assert!(of(EVIDENCE_MAX).is_ok());
        assert!(of(EVIDENCE_MAX + 1).is_err());
        let one = String::from_utf8(of(1).unwrap()).unwrap();
        for (from, to) in [("[{", "[["), ("\"evidence\":[", "\"evidence\":[{\"probe\":1},")] {
            assert!(Entry::parse(one.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        let start = one.find("[{\"probe\"").unwrap();
        let end = one.find("}]").unwrap() + 2;
        let none = one.replace(&one[start..end], "[]");
        assert!(Entry::parse(none.as_bytes()).is_err());
    }
}
