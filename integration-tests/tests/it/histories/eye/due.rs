//! What must hold between any two steps, and what must have been done when the sweep has come by.

use super::Eye;

impl Eye {
    /// What must hold between any two steps; `swept`: the sweep has just come by, at `now`.
    pub(crate) fn after_step(&mut self, now: u64, swept: bool) {
        let now = now.max(self.now);
        for (name, grant) in &self.grants {
            if grant.is_live() {
                assert!(self.may_hold(grant), "{name} is alive and not allowed");
                assert!(!self.is_covered(grant), "{name} is alive and locked");
            }
        }
        if swept {
            // What an entry of this second would find.
            let before = std::mem::replace(&mut self.now, now);
            self.nothing_is_due();
            self.now = before;
        }
    }

    fn nothing_is_due(&self) {
        let now = self.now;
        for (name, grant) in &self.grants {
            assert!(!grant.waits() || now < grant.lapses, "{name} waits too long");
            let until = grant.issued.map_or(0, |(_, until)| until);
            let over = self.drain_due(grant).is_some_and(|due| now >= due);
            assert!(!grant.is_live() || now < until, "{name} outlives its time");
            assert!(!grant.is_live() || !over, "{name} outlives its outage");
            let closes = grant.ended.is_some() && (grant.issued.is_none() || now >= until + 300);
            assert!(grant.closed || !closes, "{name} does not end with closed");
            assert!(!self.is_to_be_passed_on(name), "{name} was not passed on");
        }
        assert!(self.locks.iter().all(|lock| lock.until.is_none_or(|until| now < until)), "locked");
        assert!(!self.has_run_out(now), "a declaration has run out");
    }

    fn is_to_be_passed_on(&self, name: &str) -> bool {
        let grant = &self.grants[name];
        let Some(scope) = self.scope_of(grant).filter(|_| grant.waits()) else { return false };
        let missing = self.missing(grant);
        scope.stages.iter().any(|stage| {
            !stage.escalate.is_empty()
                && self.now >= grant.at + stage.within
                && !grant.is_passed_on(stage.name)
                && missing.iter().any(|(lacking, _)| lacking == stage.name)
        })
    }

    /// What must be true once everything has had its time.
    pub(crate) fn ends(&self) {
        let open: Vec<_> =
            self.grants.iter().filter(|(_, grant)| !grant.closed).map(|(name, _)| name).collect();
        assert!(open.is_empty(), "not closed: {open:?}");
    }
}
