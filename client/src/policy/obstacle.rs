//! What stands in the way of a request besides its approvals, one thing at a time.
//!
//! The rules stop at the first no. So each thing that is known is put to them alone, with everything
//! else as well as it could be: what they then refuse is what stands in the way.

use breakglass_ledger::statement::Lane;
use breakglass_rules::{Asked, Refusal};

use super::hearing::{Beyond, Hearing, Said};
use super::question::Terms;
use crate::failure::Failure;

/// One thing that is true besides, put into what would be best.
type Facet = fn(&Beyond, &mut Beyond);

const FACETS: [Facet; 6] = [
    |known, best| best.world.locks.clone_from(&known.world.locks),
    |known, best| best.world.outages.clone_from(&known.world.outages),
    |known, best| {
        best.history.unreviewed = known.history.unreviewed;
        best.history.unreviewed_emergency = known.history.unreviewed_emergency;
    },
    |known, best| best.history.last_end = known.history.last_end,
    |known, best| best.history.budget_used = known.history.budget_used,
    |known, best| best.live = known.live,
];

/// The refusals that `known` alone leads to, for what was `asked` as it would be asked now.
///
/// # Errors
///
/// [`Failure`] if it cannot be written as a statement.
pub fn obstacles(
    hearing: &Hearing<'_>,
    asked: &Asked,
    known: &Beyond,
    terms: &Terms,
) -> Result<Vec<Refusal>, Failure> {
    let best = best(hearing, asked, terms);
    let put = |beyond: &Beyond| -> Result<Option<Refusal>, Failure> {
        match hearing.again(asked, beyond, terms.at)? {
            Said::No(refusal) => Ok(Some(refusal)),
            Said::Yes(_) | Said::Before { .. } | Said::Hidden(_) => Ok(None),
        }
    };
    // What the policy itself no longer allows is told by what the rules say to collecting.
    if put(&best)?.is_some() {
        return Ok(Vec::new());
    }
    let mut obstacles = Vec::new();
    for facet in FACETS {
        let mut beyond = best.clone();
        facet(known, &mut beyond);
        obstacles.extend(put(&beyond)?);
    }
    Ok(obstacles)
}

/// Nothing in the way: nothing locked, nothing used, and the lane that was asked for open.
fn best(hearing: &Hearing<'_>, asked: &Asked, terms: &Terms) -> Beyond {
    let scope = hearing.policy().scope(&asked.ask.scope);
    let emergency = scope.and_then(|scope| scope.emergency);
    let terms = Terms {
        lane: asked.ask.lane,
        at: terms.at,
        outage: (asked.ask.lane == Lane::Outage).then_some(0),
        unanswered: emergency.map(|emergency| u64::from(emergency.after)),
        ..Terms::ORDINARY
    };
    hearing.supposed(&terms, &asked.ask)
}
