//! Leave to read: signed once, kept until it expires.

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Session, Statement};
use breakglass_proto::v1;
use data_encoding::HEXLOWER;

use super::Client;
use crate::clock;
use crate::entropy;
use crate::failure::Failure;
use crate::signer::Signer;

impl Client<'_> {
    /// Leave to read as the user: the one kept, or a new one, signed and kept.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be signed.
    pub fn session(&mut self) -> Result<v1::Session, Failure> {
        let by = self.by()?;
        let whom = self.whom()?;
        if let Some(session) = self.kept_session(&by, &whom)? {
            return Ok(session);
        }
        let signer = self.take_signer()?;
        self.announce_touch(&signer, "to read, for ten minutes");
        let signed = self.sign_session(&signer, &by);
        self.signer = Some(signer);
        let (statement, session) = signed?;
        self.state.keep_session(&whom, statement.text(), &session.signature)?;
        Ok(session)
    }

    /// Whether leave to read is at hand, so that asking for it needs no touch and no passphrase.
    ///
    /// # Errors
    ///
    /// As [`Client::session`].
    pub fn has_session(&self) -> Result<bool, Failure> {
        Ok(self.kept_session(&self.by()?, &self.whom()?)?.is_some())
    }

    /// What a session of the user by the configured key is kept under.
    fn whom(&self) -> Result<String, Failure> {
        let whom = format!("{}\n{:?}", self.by()?, self.config.key()?);
        let whom = HEXLOWER.encode(Digest::of(whom.as_bytes()).as_bytes());
        Ok(whom.get(..32).unwrap_or_default().to_owned())
    }

    fn kept_session(&self, by: &PrincipalId, whom: &str) -> Result<Option<v1::Session>, Failure> {
        let Some((statement, signature)) = self.state.session(whom)? else { return Ok(None) };
        let parsed = Statement::parse(statement.as_bytes()).ok();
        let ends = parsed.filter(|s| s.by() == Some(by)).and_then(|s| s.expires());
        let lasts = ends.is_some_and(|ends| ends > clock::now().plus(SESSION_MARGIN_SECONDS));
        Ok(lasts.then(|| v1::Session { statement: statement.into_bytes(), signature }))
    }

    /// Leave to read the request `id`: signed by its subject key if that is here, which needs no
    /// touch, else as the user.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be signed.
    pub fn session_for(&mut self, id: RequestId) -> Result<v1::Session, Failure> {
        match self.state.holding(id).key()? {
            Some(key) => {
                let by = self.by()?;
                Ok(self.sign_session(&Signer::Subject(key), &by)?.1)
            }
            None => self.session(),
        }
    }

    fn sign_session(
        &self,
        signer: &Signer,
        by: &PrincipalId,
    ) -> Result<(Statement, v1::Session), Failure> {
        let act = Act::Session(Session { by: by.clone() });
        let expires = clock::now().plus(SESSION_SECONDS);
        let nonce = Salt::from_bytes(entropy::bytes()?);
        let statement = Statement::compose(self.trust.log(), None, act, Some(expires), nonce);
        let statement = statement.map_err(|error| Failure::usage(error.to_string(), ""))?;
        let namespace = statement.act().kind().namespace();
        let signature = signer.sign(&namespace, statement.text().as_bytes())?;
        let session = v1::Session {
            statement: statement.text().as_bytes().to_vec(),
            signature: signature.armored().to_owned(),
        };
        Ok((statement, session))
    }
}

/// A session lives at most 15 minutes by the broker's clock; ours may be fast.
const SESSION_SECONDS: u64 = 600;

/// A session that ends this soon is not used again.
const SESSION_MARGIN_SECONDS: u64 = 20;
