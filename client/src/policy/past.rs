//! A request that was really made: its entries, and the policies they name.
//!
//! Read from a broker's view that was verified, or from an export. An export is read here and not
//! verified: `audit verify` does that.

use std::collections::BTreeMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Files, Policy, reopen};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_rules::Request;

use crate::failure::{Exit, Failure};

/// The entries of one request, in order, and the policies at hand.
pub struct Past {
    /// The ledger.
    pub log: Origin,
    /// The request's entries.
    pub entries: Vec<Entry>,
    /// The policy in force, as far as is known here.
    pub in_force: Policy,
    /// The policy in force when it was made, if it is at hand and another one.
    pub earlier: Option<Policy>,
}

impl Past {
    /// The request as its entries leave it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if they do not follow each other, or a supporting field is missing.
    pub fn request(&self) -> Result<Request, Failure> {
        let mut request: Option<Request> = None;
        for entry in &self.entries {
            request = Some(match request {
                None => Request::begin(entry),
                Some(request) => request.apply(entry),
            })
            .transpose()
            .map_err(|error| malformed(&error.to_string()))?;
        }
        request.ok_or_else(|| malformed("it has no entries"))
    }

    /// The policy of this digest, if it is at hand.
    #[must_use]
    pub fn policy(&self, digest: Digest) -> Option<&Policy> {
        let earlier = self.earlier.as_ref();
        [Some(&self.in_force), earlier].into_iter().flatten().find(|one| one.digest == digest)
    }
}

/// Gathers what an export says about one request, entry by entry.
#[derive(Default)]
pub struct Gathering {
    wanted: Option<RequestId>,
    entries: BTreeMap<RequestId, Vec<Entry>>,
    policies: Vec<Statement>,
}

impl Gathering {
    /// Of `wanted` alone; of the only one there is, if that is `None`.
    #[must_use]
    pub fn of(wanted: Option<RequestId>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Looks at the next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read, or a second request is met and none was wanted.
    pub fn add(&mut self, line: &[u8]) -> Result<(), Failure> {
        let entry = Entry::parse(line).map_err(|error| malformed(&error.to_string()))?;
        if let Body::Policy(policy) = &entry.body {
            let manifest = Statement::parse(policy.statement.as_bytes());
            self.policies.push(manifest.map_err(|error| malformed(&error.to_string()))?);
            return Ok(());
        }
        let Some(grant) = entry.grant().map(|link| link.grant) else { return Ok(()) };
        if self.wanted.is_some_and(|wanted| wanted != grant) {
            return Ok(());
        }
        self.entries.entry(grant).or_default().push(entry);
        if self.entries.len() > 1 {
            return Err(Failure::usage(
                "the export holds several requests",
                "name one with --request; list them with: breakglass audit show DIR",
            ));
        }
        Ok(())
    }

    /// What was gathered; `blob` finds the files of policies.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the request or the policy in force is not in the export.
    pub fn finish(self, blob: &dyn Fn(Digest) -> Option<Vec<u8>>) -> Result<Past, Failure> {
        let absent = || Failure::usage("the export holds no such request", "check the id");
        let entries = self.entries.into_values().next().ok_or_else(absent)?;
        let first = entries.first().ok_or_else(absent)?;
        let made_under = first.body.decision().map(|decision| decision.policy);
        let newest = self.policies.last().ok_or_else(|| malformed("it has no policy"))?;
        let log = newest.log().clone();
        let in_force = policy(newest, &log, blob)?;
        let earlier = self.policies.iter().find(|manifest| Some(manifest.digest()) == made_under);
        let earlier = earlier.filter(|manifest| manifest.digest() != in_force.digest);
        let earlier = earlier.map(|manifest| policy(manifest, &log, blob)).transpose()?;
        Ok(Past { log, entries, in_force, earlier })
    }
}

/// The policy of `manifest`, from the files of an export.
fn policy(
    manifest: &Statement,
    log: &Origin,
    blob: &dyn Fn(Digest) -> Option<Vec<u8>>,
) -> Result<Policy, Failure> {
    let Act::Policy(listed) = manifest.act() else { return Err(malformed("no manifest")) };
    let file = |name: &str| {
        let (_, digest) = listed.files.iter().find(|(listed, _)| listed == name)?;
        blob(*digest)
    };
    let files = Files::gather(file).map_err(|name| malformed(&format!("it lacks {name}")))?;
    reopen(manifest, &files, log).map_err(|error| malformed(&error.to_string()))
}

fn malformed(what: &str) -> Failure {
    Failure::new(
        Exit::Malformed,
        format!("the record of this request cannot be read: {what}"),
        "nothing can be said about it",
        "run `breakglass audit verify` on it",
    )
}
