//! After a start, and now and then: does what is derived still say what the ledger says?

use std::sync::mpsc::channel;

use super::{Desk, DeskError, Job, Revoking};

impl Desk {
    /// Compares the derived rows with the newest entries, and ends when done or when `stop` says so.
    ///
    /// If they contradict each other, somebody else has written the database: minting stops until an
    /// operator has looked, and revoked serials that were hidden go on the list. To be called after a
    /// start and now and then, on a thread of its own: it reads a day and a half of entries.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if it could not be done; minting is stopped then too, until it could. Not to be
    /// called again once there was a contradiction: whoever wrote one can take it back.
    pub fn recheck(&self, stop: &dyn Fn() -> bool) -> Result<(), DeskError> {
        let outcome = self.compare_recent(stop);
        self.report(Revoking::Record, outcome.is_ok());
        outcome
    }

    fn compare_recent(&self, stop: &dyn Fn() -> bool) -> Result<(), DeskError> {
        let Some(recent) = self.reader()?.recent(stop)? else { return Ok(()) };
        let Some(contradiction) = recent.contradiction else { return Ok(()) };
        let (reply, told) = channel();
        self.push(Job::Enlist(
            recent.revoked,
            recent.x509,
            recent.tokens,
            Box::new(move |said| drop(reply.send(said))),
        ))?;
        told.recv().map_err(|_| DeskError::Stopped)??;
        Err(DeskError::Store(contradiction))
    }
}
