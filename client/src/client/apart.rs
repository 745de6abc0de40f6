//! Signing away from the brokers.

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Seen, Statement};
use breakglass_ledger::time::Timestamp;

use super::Client;
use crate::entropy;
use crate::failure::Failure;
use crate::trust::TrustError;

impl Client<'_> {
    /// Signs `act` with the user's key and sends nothing.
    ///
    /// It pins the newest history that this machine has verified; on first contact the checkpoint
    /// `offered` by whoever brought the matter, which the ledger's key must have signed. A newer
    /// one cannot be shown to continue what is known here without a broker, so it is not pinned.
    ///
    /// # Errors
    ///
    /// [`Failure`] if `offered` is not the ledger's or contradicts what is known, or nothing was
    /// signed.
    pub fn sign_apart(
        &mut self,
        act: Act,
        expires: Timestamp,
        offered: Option<&str>,
    ) -> Result<(Statement, SshSig), Failure> {
        let seen = self.seen_apart(offered)?;
        let nonce = Salt::from_bytes(entropy::bytes()?);
        let log = self.trust.log();
        let statement = Statement::compose(log, Some(seen), act, Some(expires), nonce)
            .map_err(|error| Failure::usage(error.to_string(), "correct it and try again"))?;
        let signer = self.take_signer()?;
        let kind = statement.act().kind();
        self.announce_touch(&signer, &format!("to sign: {}", kind.name()));
        let signature = signer.sign(&kind.namespace(), statement.text().as_bytes());
        self.signer = Some(signer);
        Ok((statement, signature?))
    }

    fn seen_apart(&mut self, offered: Option<&str>) -> Result<Seen, Failure> {
        let seen = |of: &Checkpoint| Seen { size: of.size, root: Some(of.root) };
        let offered = offered.map(|note| Ok::<_, TrustError>((note, self.trust.open(note)?)));
        let Some((note, offered)) = offered.transpose()? else {
            return Ok(self.kept.as_ref().map_or(Seen::NOTHING, seen));
        };
        match &self.kept {
            Some(kept) if kept.size == offered.size && kept.root != offered.root => {
                Err(TrustError::Fork { size: kept.size }.into())
            }
            Some(kept) => Ok(seen(kept)),
            None => {
                self.state.keep_checkpoint(&self.trust, note)?;
                Ok(seen(self.kept.insert(offered)))
            }
        }
    }
}
