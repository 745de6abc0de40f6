//! What a request still lacks.

use std::fmt;

use breakglass_ledger::principal::StageId;

/// What a request still lacks: how many approvals, per stage, in the scope's order.
///
/// Shown as `stage security needs 1 more, stage app-owner needs 2 more`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing(pub Vec<(StageId, u32)>);

impl Missing {
    /// Approvals missing over all stages.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total: u64, (_, more)| total.saturating_add(u64::from(*more)))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (stage, more)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}stage {stage} needs {more} more")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::refusal::Refusal;

    use super::*;

    #[test]
    fn what_is_missing_is_said_per_stage() {
        let missing =
            Missing(vec![("app-owner".parse().unwrap(), 2), ("security".parse().unwrap(), 1)]);
        assert_eq!(missing.total(), 3);
        assert_eq!(
            Refusal::NotApprovedYet { missing }.to_string(),
            "not approved yet, stage app-owner needs 2 more, stage security needs 1 more; \
             nothing was issued: wait, or tell the approvers"
        );
    }
}
