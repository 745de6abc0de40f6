//! What the judge knows of outages, from the entries alone.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_ledger::entry::{Decision, OutageBegan, OutageEnded};
use breakglass_ledger::principal::{DependencyId, PrincipalId};
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::time::Timestamp;

#[derive(Default)]
pub(crate) struct Outages(BTreeMap<DependencyId, Known>);

#[derive(Default)]
struct Known {
    measured: bool,
    words: Vec<(PrincipalId, Timestamp)>,
    on_record: bool,
    over: Option<Timestamp>,
}

impl Outages {
    pub(crate) fn began(&mut self, body: &OutageBegan, at: Timestamp) {
        let known = self.0.entry(body.dependency.clone()).or_default();
        match &body.signed {
            None => {
                assert!(body.evidence.is_some(), "measured without evidence");
                assert!(!known.measured, "measured down twice");
                known.measured = true;
            }
            Some(signed) => {
                let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
                let Act::Declare(said) = statement.act() else { panic!("not a declaration") };
                let until = said.until.expect("a declaration without an end");
                assert!(at < until && until.since(at) <= 4 * 3600, "declared for {until}");
                let again = known.words.iter().any(|(by, until)| *by == said.by && at < *until);
                assert!(!again, "one person, two declarations");
                known.words.push((said.by.clone(), until));
            }
        }
        let began = known.settle(at, &body.decision);
        assert_eq!(body.decision.outcome == "began", began == Some(true));
    }

    pub(crate) fn ended(&mut self, body: &OutageEnded, at: Timestamp) {
        let known = self.0.get_mut(&body.dependency).expect("it was never down");
        match (&body.signed, &body.evidence) {
            (None, Some(_)) => {
                assert!(known.measured, "measured up twice");
                known.measured = false;
            }
            (None, None) => {
                let before = known.words.len();
                known.words.retain(|(_, until)| at < *until);
                assert!(known.words.len() < before, "nothing ran out");
            }
            (Some(_), _) => {
                assert!(known.words.iter().any(|(_, until)| at < *until), "nothing to resolve");
                known.words.clear();
            }
        }
        let over = known.settle(at, &body.decision);
        assert_eq!(body.decision.outcome == "ended", over == Some(false));
    }

    /// Whether it is down at `at`.
    pub(crate) fn down(&self, dependency: &DependencyId, at: Timestamp) -> bool {
        self.0.get(dependency).is_some_and(|known| known.down(at))
    }

    /// Since when it is over at `at`, if it ever was down.
    pub(crate) fn over_since(&self, dependency: &DependencyId, at: Timestamp) -> Option<Timestamp> {
        let known = self.0.get(dependency)?;
        if known.down(at) { None } else { known.over }
    }
}

impl Known {
    fn down(&self, at: Timestamp) -> bool {
        let standing = self.words.iter().filter(|(_, until)| at < *until);
        self.measured || standing.map(|(by, _)| by).collect::<BTreeSet<_>>().len() > 1
    }

    /// Whether it is down on record from now on, if that changed.
    fn settle(&mut self, at: Timestamp, decision: &Decision) -> Option<bool> {
        assert_eq!(decision.context.time, at);
        let down = self.down(at);
        if down == self.on_record {
            return None;
        }
        self.on_record = down;
        if !down {
            self.over = Some(at);
        }
        Some(down)
    }
}
