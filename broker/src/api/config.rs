//! Where the door is and who may come in, as `breakglassd.toml` says it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::principal::CallerId;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Most callers: gateways and clusters, each with a secret of its own.
const CALLERS_MAX: usize = 256;

/// Most audiences of one caller: a gateway in front of a few services.
const AUDIENCES_MAX: usize = 16;

/// Longest audience, as in a policy.
const AUDIENCE_MAX_BYTES: usize = 255;

/// The table `[api]`; without it there is no such door.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where it listens, HTTPS only; port 0 lets the system choose.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Each table `[[api.caller]]`; at least one.
    #[serde(rename = "caller", deserialize_with = "all")]
    pub callers: Vec<Caller>,
}

/// One service that may call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Caller {
    /// Its name: the user of HTTP Basic, and what the ledger says when it revokes.
    pub id: CallerId,
    /// SHA-256 of its secret's text, as `breakglassd caller` prints it.
    pub token_sha256: Digest,
    /// What it may do.
    #[serde(deserialize_with = "errands")]
    pub may: BTreeSet<Errand>,
    /// The only audiences whose tokens it may ask about; without it, all. Needed for `review`.
    #[serde(default, deserialize_with = "audiences")]
    pub audiences: Option<BTreeSet<String>>,
}

impl Caller {
    /// Whether it may ask about tokens for `audience`.
    pub(super) fn serves(&self, audience: &str) -> bool {
        self.audiences.as_ref().is_none_or(|own| own.contains(audience))
    }
}

/// What a caller comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Errand {
    /// Whether a token counts (RFC 7662).
    Introspect,
    /// To take a token back (RFC 7009).
    Revoke,
    /// Whom a token stands for, as Kubernetes asks it.
    Review,
}

/// 7444 on loopback: beside gRPC, and open to nobody else unless somebody says so.
fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7444))
}

fn all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Caller>, D::Error> {
    let callers = Vec::<Caller>::deserialize(deserializer)?;
    if callers.is_empty() || callers.len() > CALLERS_MAX {
        let rule = format!("`caller`: 1 to {CALLERS_MAX} tables [[api.caller]] are needed");
        return Err(D::Error::custom(rule));
    }
    let (mut ids, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for Caller { id, token_sha256, may, audiences } in &callers {
        if !ids.insert(id) {
            return Err(D::Error::custom(format!("`id`: {id} is there twice")));
        }
        if !secrets.insert(token_sha256) {
            let rule = format!("`token-sha256`: {id} has the secret of another caller");
            return Err(D::Error::custom(rule));
        }
        if may.contains(&Errand::Review) && audiences.is_none() {
            let rule = format!(
                "`audiences`: {id} may `review` and needs them; a cluster that names none would take \
                 a token that is for somebody else"
            );
            return Err(D::Error::custom(rule));
        }
    }
    Ok(callers)
}

fn errands<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Errand>, D::Error> {
    let listed = Vec::<Errand>::deserialize(deserializer)?;
    let may: BTreeSet<Errand> = listed.iter().copied().collect();
    if may.is_empty() || may.len() != listed.len() {
        return Err(D::Error::custom(
            "`may`: one or more of \"introspect\", \"revoke\", \"review\", each once",
        ));
    }
    Ok(may)
}

fn audiences<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeSet<String>>, D::Error> {
    let listed = Vec::<String>::deserialize(deserializer)?;
    let is_one = |one: &String| !one.is_empty() && one.len() <= AUDIENCE_MAX_BYTES;
    let own: BTreeSet<String> = listed.iter().filter(|one| is_one(one)).cloned().collect();
    if own.is_empty() || own.len() != listed.len() || own.len() > AUDIENCES_MAX {
        return Err(D::Error::custom(format!(
            "`audiences`: 1 to {AUDIENCES_MAX} of at most {AUDIENCE_MAX_BYTES} bytes, each once; \
             leave it out for a caller that may ask about all"
        )));
    }
    Ok(Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn one(lines: &str) -> Result<Config, String> {
        let text = format!("[[caller]]\n{lines}\n").replace("HASH", SECRET);
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_caller_is_a_name_a_digest_and_what_it_may() {
        let config = one("id = \"gw\"\ntoken-sha256 = \"HASH\"\nmay = [\"introspect\"]").unwrap();
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 7444)));
        assert_eq!(config.callers[0].may, BTreeSet::from([Errand::Introspect]));
        assert!(config.callers[0].serves("anything"));
    }

    #[test]
    fn every_fault_names_its_field() {
        let good = "id = \"gw\"\ntoken-sha256 = \"HASH\"\nmay = [\"introspect\"]\n";
        let again = format!("{good}[[caller]]\n{}", good.replace("\"gw\"", "\"other\""));
        let faults = [
            (good.replace("\"gw\"", "\"Gate way\""), "id"),
            (good.replace("HASH", "abcd"), "token-sha256"),
            (good.replace("HASH", &SECRET.to_uppercase()), "token-sha256"),
            (good.replace("[\"introspect\"]", "[]"), "`may`"),
            (good.replace("[\"introspect\"]", "[\"revoke\", \"revoke\"]"), "`may`"),
            (good.replace("\"introspect\"", "\"mint\""), "mint"),
            (good.replace("[\"introspect\"]", "\"introspect\""), "may"),
            (good.replace("\"introspect\"", "\"review\""), "`audiences`"),
            (format!("{good}audiences = []"), "`audiences`"),
            (format!("{good}audiences = [\"a\", \"a\"]"), "`audiences`"),
            (format!("{good}audiences = [\"\"]"), "`audiences`"),
            (format!("{good}secret = \"x\""), "secret"),
            (again.clone(), "`token-sha256`"),
            (again.replace("\"other\"", "\"gw\""), "`id`"),
        ];
        for (text, field) in faults {
            let error = one(&text).expect_err(&text);
            assert!(error.contains(field), "{text}\n{error}");
        }
        assert!(toml::from_str::<Config>("caller = []").is_err(), "a door for nobody");
        assert!(toml::from_str::<Config>("").is_err(), "a door for nobody");
    }
}
