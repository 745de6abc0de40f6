//! What every verb that talks to a broker needs: trust, memory, signer and line, each opened when
//! it is first used.

mod apart;
mod opening;
mod session;

use std::time::Duration;

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Seen, Statement};
use breakglass_proto::v1;

use crate::broker::{Broker, Following, Offered, Pinned};
use crate::clock;
use crate::config::Config;
use crate::entropy;
use crate::failure::Failure;
use crate::output::Output;
use crate::receipt::Receipt;
use crate::signer::Signer;
use crate::state::State;
use crate::trust::Trust;

pub use opening::Opening;

/// One user at one deployment.
pub struct Client<'o> {
    /// Where words go.
    pub out: &'o mut Output,
    /// What to ask nothing about: `--yes`.
    pub yes: bool,
    config: Config,
    trust: Trust,
    state: State,
    answer_within: Duration,
    signer: Option<Signer>,
    broker: Option<Broker>,
    kept: Option<Checkpoint>,
    is_fresh: bool,
}

impl<'o> Client<'o> {
    /// Reads what `config` says about trust and opens this machine's memory. Talks to nobody yet.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the configuration or the state cannot be used.
    pub fn open(
        config: Config,
        answer_within: Duration,
        yes: bool,
        out: &'o mut Output,
    ) -> Result<Self, Failure> {
        let trust = Trust::of(&config)?;
        let state = State::open(&config.state_dir()?, trust.log())?;
        let kept = state.checkpoint(&trust)?;
        Ok(Self {
            out,
            yes,
            config,
            trust,
            state,
            answer_within,
            signer: None,
            broker: None,
            kept,
            is_fresh: false,
        })
    }

    /// What is believed about the ledger.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// What this machine remembers.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Who the user is.
    ///
    /// # Errors
    ///
    /// [`Failure`] if nobody said.
    pub fn by(&self) -> Result<PrincipalId, Failure> {
        Ok(self.config.by()?)
    }

    /// The brokers, connected; the newest checkpoint was then verified as an extension of the one
    /// kept.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn broker(&mut self) -> Result<&mut Broker, Failure> {
        self.broker_and_output().map(|(broker, _)| broker)
    }

    /// Follows every request that the user may read, from after entry `after_seq` on, or from now on.
    ///
    /// # Errors
    ///
    /// [`Failure`] if leave to read cannot be signed, or no broker answers to begin with.
    pub fn follow(&mut self, after_seq: Option<u64>) -> Result<Following, Failure> {
        let session = self.session()?;
        let pinned = self.pinned()?;
        Ok(self.broker()?.follow(pinned, session, after_seq))
    }

    /// Believes what a broker showed when a stream was opened, or what it shows now if this machine
    /// has seen more since.
    ///
    /// # Errors
    ///
    /// [`Failure`] if its ledger is not an extension of the one kept: then nothing it says counts.
    pub fn believe(&mut self, offered: &Offered) -> Result<(), Failure> {
        match self.trust.extend(self.kept.as_ref(), &offered.note, &offered.proof) {
            Ok(checkpoint) => {
                self.state.keep_checkpoint(&self.trust, &offered.note)?;
                self.kept = Some(checkpoint);
                Ok(())
            }
            // The proof may begin at a checkpoint that is no longer the newest kept here.
            Err(_) => {
                self.is_fresh = false;
                self.seen().map(drop)
            }
        }
    }

    fn pinned(&self) -> Result<Pinned, Failure> {
        Ok(Pinned {
            addresses: self.config.brokers()?,
            ca: self.config.tls_ca()?,
            kept_size: self.kept.as_ref().map_or(0, |kept| kept.size),
            answer_within: self.answer_within,
        })
    }

    fn connect(&mut self) -> Result<Broker, Failure> {
        let pinned = self.pinned()?;
        let (trust, kept, state) = (&self.trust, self.kept.as_ref(), &self.state);
        let newest = std::cell::RefCell::new(None);
        let broker = Broker::connect(pinned, &|offered: &Offered| {
            let checkpoint = trust.extend(kept, &offered.note, &offered.proof)?;
            state.keep_checkpoint(trust, &offered.note)?;
            newest.replace(Some(checkpoint));
            Ok(())
        })?;
        self.kept = newest.into_inner();
        self.is_fresh = true;
        Ok(broker)
    }

    /// The newest checkpoint, asked for now unless it just was, and verified.
    fn seen(&mut self) -> Result<Seen, Failure> {
        self.broker()?;
        if !std::mem::take(&mut self.is_fresh) {
            let old = self.kept.as_ref().map_or(0, |kept| kept.size);
            let offered = self.broker()?.checkpoint(old)?;
            let kept = self.trust.extend(self.kept.as_ref(), &offered.note, &offered.proof)?;
            self.state.keep_checkpoint(&self.trust, &offered.note)?;
            self.kept = Some(kept);
        }
        let seen = |kept: &Checkpoint| Seen { size: kept.size, root: Some(kept.root) };
        Ok(self.kept.as_ref().map_or(Seen::NOTHING, seen))
    }

    /// Signs `act` with the user's key, sends it, and believes the answer or not.
    ///
    /// # Errors
    ///
    /// [`Failure`]: not signed, refused, or not shown to be recorded.
    pub fn act(&mut self, act: Act, text: Option<&Opening>) -> Result<Receipt, Failure> {
        let signer = self.take_signer()?;
        let done = self.act_with(&signer, act, text);
        self.signer = Some(signer);
        done
    }

    /// Signs `statement` with the user's key and sends it: for a statement kept before sending.
    ///
    /// # Errors
    ///
    /// As [`Client::act`].
    pub fn submit_as_user(
        &mut self,
        statement: &Statement,
        text: Option<&Opening>,
    ) -> Result<Receipt, Failure> {
        let signer = self.take_signer()?;
        let done = self.submit(&signer, statement, text, Vec::new(), Vec::new());
        self.signer = Some(signer);
        done
    }

    /// The brokers, and where words go while they are listened to.
    ///
    /// # Errors
    ///
    /// As [`Client::broker`].
    pub fn broker_and_output(&mut self) -> Result<(&mut Broker, &mut Output), Failure> {
        let broker = match self.broker.take() {
            Some(broker) => broker,
            None => self.connect()?,
        };
        Ok((self.broker.insert(broker), self.out))
    }

    /// Forgets the line, so that the next question goes to whichever broker answers first then.
    pub fn hang_up(&mut self) {
        self.broker = None;
    }

    /// The same with another signer: the subject key of a request.
    ///
    /// # Errors
    ///
    /// As [`Client::act`].
    pub fn act_with(
        &mut self,
        signer: &Signer,
        act: Act,
        text: Option<&Opening>,
    ) -> Result<Receipt, Failure> {
        let statement = self.compose(act)?;
        self.submit(signer, &statement, text, Vec::new(), Vec::new())
    }

    /// A statement of `act`, pinned to the newest history seen.
    ///
    /// # Errors
    ///
    /// [`Failure`] if no broker can be asked, or the act has no text.
    pub fn compose(&mut self, act: Act) -> Result<Statement, Failure> {
        let seen = self.seen()?;
        let expires = clock::now().plus(STATEMENT_SECONDS);
        let nonce = Salt::from_bytes(entropy::bytes()?);
        let statement = Statement::compose(self.trust.log(), Some(seen), act, Some(expires), nonce);
        statement.map_err(|error| Failure::usage(error.to_string(), "correct it and try again"))
    }

    /// Signs `statement`, sends it with what belongs to it, and believes the answer or not.
    ///
    /// # Errors
    ///
    /// As [`Client::act`].
    pub fn submit(
        &mut self,
        signer: &Signer,
        statement: &Statement,
        text: Option<&Opening>,
        more_signatures: Vec<String>,
        blobs: Vec<v1::Blob>,
    ) -> Result<Receipt, Failure> {
        self.announce_touch(signer, &format!("to sign: {}", statement.act().kind().name()));
        let namespace = statement.act().kind().namespace();
        let signature = signer.sign(&namespace, statement.text().as_bytes())?;
        let text = text
            .map(|opening| v1::Text { salt: opening.salt.to_vec(), text: opening.text.clone() });
        self.send(v1::SubmitRequest {
            statement: statement.text().as_bytes().to_vec(),
            signature: signature.armored().to_owned(),
            text,
            more_signatures,
            blobs,
        })
    }

    /// Sends what is signed already.
    ///
    /// # Errors
    ///
    /// As [`Client::act`].
    pub fn send(&mut self, request: v1::SubmitRequest) -> Result<Receipt, Failure> {
        let statement = Statement::parse(&request.statement)
            .map_err(|error| Failure::usage(error.to_string(), ""))?;
        let answer = self.broker()?.submit(&request)?;
        Ok(Receipt::check(answer, &statement, &self.trust, self.kept.as_ref())?)
    }

    /// The user's signer; put back by the caller.
    fn take_signer(&mut self) -> Result<Signer, Failure> {
        match self.signer.take() {
            Some(signer) => Ok(signer),
            None => Ok(Signer::open(&self.config.key()?)?),
        }
    }

    fn announce_touch(&mut self, signer: &Signer, what_for: &str) {
        if signer.needs_touch() {
            self.out.say(&signer.call_for_touch(what_for));
        }
    }
}

/// How long a statement may be on its way: long enough for a clock that is some minutes off.
const STATEMENT_SECONDS: u64 = 900;
