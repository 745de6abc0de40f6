//! A house in this process: real store, real keys, real rules; the clock and the dice are fake.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use breakglass_broker::clock::{Clock, FakeClock};
use breakglass_broker::desk::{
    Desk, DeskError, Incoming, Parts, PolicyBundle, Receipt, Swept, Text, found,
};
use breakglass_broker::jwt::Issuer;
use breakglass_broker::mint::Mint;
use breakglass_broker::store::{GuardPolicy, Store};
use breakglass_ledger::audit::Report;
use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Seen, Statement, commitment};
use breakglass_ledger::time::{Moment, Timestamp};

use crate::dev::ISSUER;
use crate::dice::Dice;
use crate::evidence::{Evidence, trust};
use crate::people::{Person, REASON, REASON_SALT, say};

/// When every test house begins.
pub const BEGIN: &str = "2026-11-22T10:00:00.000Z";

/// The sample policy for pia, sam, ada, bob and eve.
#[must_use]
pub fn sample_files() -> Files {
    let people = ["pia", "sam", "ada", "bob", "eve"].map(Person::named);
    let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
    sample(&listed)
}

/// A desk over a fresh directory.
pub struct House {
    /// The directory; removed with the house.
    pub dir: tempfile::TempDir,
    /// The clock that everybody reads.
    pub clock: Arc<FakeClock>,
    /// The dice.
    pub dice: Arc<Dice>,
    desk: Option<Desk>,
    nonce: u128,
}

impl House {
    /// A house under the sample policy, with people sam, ada, bob, eve and the authority pia.
    #[must_use]
    pub fn sample() -> Self {
        Self::with(sample_files())
    }

    /// A house under `files`, signed by pia.
    #[must_use]
    pub fn with(files: Files) -> Self {
        Self::begun(files, Self::begin())
    }

    /// A house under `files`, signed by pia, that began at `now`.
    #[must_use]
    pub fn begun(files: Files, now: Moment) -> Self {
        // In memory where there is such a directory: nobody cuts the power here, and waiting for
        // the disk is most of what a history costs.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::at(dir.expect("a directory"), files, now, Dice::default())
    }

    /// A house in `dir` under `files`, signed by pia, that began at `now` with keys of these
    /// `dice`.
    #[must_use]
    pub fn at(dir: tempfile::TempDir, files: Files, now: Moment, dice: Dice) -> Self {
        let clock = Arc::new(FakeClock::at(now));
        let dice = Arc::new(dice);
        Mint::create(dir.path(), "payments", dice.as_ref(), clock.now().second()).expect("keys");
        let mut house = Self { dir, clock, dice, desk: None, nonce: 0 };
        let mint = house.mint();
        let mut store = Store::create(&house.ledger(), &mint.public().log).expect("a ledger");
        let (manifest, bundle) = house.policy(&mint.public().origin, files, 1, Digest::ZERO);
        let (clock, entropy) = (Arc::clone(&house.clock), Arc::clone(&house.dice));
        found(&mut store, &mint, clock.as_ref(), entropy.as_ref(), &manifest, &bundle)
            .expect("founded");
        drop(store);
        house.start();
        house
    }

    /// The desk.
    ///
    /// # Panics
    ///
    /// Panics if it was stopped.
    #[must_use]
    pub const fn desk(&self) -> &Desk {
        self.desk.as_ref().expect("started")
    }

    /// Where the database is.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.desk().public().origin
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now().second()
    }

    /// Stops the desk and starts another over the same files.
    pub fn restart(&mut self) {
        self.desk = None;
        self.start();
    }

    /// Stops the desk.
    pub fn stop(&mut self) {
        self.desk = None;
    }

    /// Starts a desk over the files.
    pub fn start(&mut self) {
        let mut mint = self.mint();
        mint.issue_as(Some(Issuer::new(ISSUER).expect("an issuer")));
        let store = Store::open(&self.ledger(), &mint.public().log, GuardPolicy::Require)
            .expect("a ledger");
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.dice));
        self.desk = Some(Desk::start(Parts { store, mint, clock, entropy }).expect("a desk"));
    }

    /// What a client that keeps up would have seen: the newest checkpoint.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let reader = self.desk().reader().expect("a reader");
        let head = reader.head();
        Seen { size: head.size, root: Some(head.root) }
    }

    /// `who` signs `act` now, seeing the newest checkpoint.
    pub fn statement(&mut self, act: Act) -> Statement {
        self.nonce += 1;
        say(self.origin(), self.seen(), act, self.now(), 600, self.nonce)
    }

    /// `who` says `act`.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn act(&mut self, who: &Person, act: Act) -> Result<Receipt, DeskError> {
        let statement = self.statement(act);
        self.submit(who, statement)
    }

    /// `who` signs `statement` and gives it to the desk, as the network's door would.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn submit(&self, who: &Person, statement: Statement) -> Result<Receipt, DeskError> {
        let signature = who.sign(&statement);
        let text = text_of(&statement);
        self.give(Incoming { statement, signature, user_verified: false, text, bundle: None })
    }

    /// Gives `incoming` to the desk and waits for the answer.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn give(&self, incoming: Incoming) -> Result<Receipt, DeskError> {
        let (answer, told) = channel();
        self.desk().submit(incoming, Box::new(move |said| drop(answer.send(said))))?;
        told.recv().expect("an answer")
    }

    /// Gives two statements of `who` to the desk so that it finds them waiting together.
    ///
    /// # Panics
    ///
    /// Panics if the queue is full.
    pub fn submit_both(
        &self,
        who: &Person,
        [first, second]: [Statement; 2],
    ) -> (Result<Receipt, DeskError>, Result<Receipt, DeskError>) {
        let give = |statement: Statement| {
            let signature = who.sign(&statement);
            let (answer, told) = channel();
            let incoming =
                Incoming { statement, signature, user_verified: false, text: None, bundle: None };
            self.desk()
                .submit(incoming, Box::new(move |said| drop(answer.send(said))))
                .expect("room in the queue");
            told
        };
        // The sequencer itself answers, so it waits here until both are in the queue.
        let (go, wait) = channel::<()>();
        let hold = Box::new(move |_| wait.recv().unwrap_or_default());
        self.desk().sweep(hold).expect("room in the queue");
        let (first, second) = (give(first), give(second));
        drop(go);
        (first.recv().expect("an answer"), second.recv().expect("an answer"))
    }

    /// One pass of the sweep.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn sweep(&self) -> Result<Swept, DeskError> {
        let (answer, told) = channel();
        self.desk().sweep(Box::new(move |swept| drop(answer.send(swept))))?;
        told.recv().expect("an answer")
    }

    /// `seconds` pass, and the sweep meets what has come due.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(seconds);
        while self.sweep().expect("a sweep").more {}
    }

    /// A manifest of `files`, signed by pia.
    pub fn policy(
        &mut self,
        origin: &Origin,
        files: Files,
        version: u64,
        previous: Digest,
    ) -> (Statement, PolicyBundle) {
        self.nonce += 1;
        let act = Act::Policy(files.manifest(version, previous));
        let nonce = Salt::from_bytes(self.nonce.to_be_bytes());
        let manifest = Statement::compose(origin, None, act, None, nonce).expect("composes");
        let signatures = vec![Person::named("pia").sign(&manifest)];
        (manifest, PolicyBundle { signatures, files })
    }

    /// pia pushes `files` as the next policy.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn push(&mut self, files: Files) -> Result<Receipt, DeskError> {
        let before = self.desk().policy();
        let origin = self.origin().clone();
        let next = before.version + 1;
        let (statement, bundle) = self.policy(&origin, files, next, before.digest);
        let signature = bundle.signatures.first().expect("one").clone();
        self.give(Incoming {
            statement,
            signature,
            user_verified: false,
            text: None,
            bundle: Some(bundle),
        })
    }

    /// Every entry's bytes, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<Vec<u8>> {
        self.entries_from(0)
    }

    /// The bytes of the entries from `first` on, in order.
    #[must_use]
    pub fn entries_from(&self, first: u64) -> Vec<Vec<u8>> {
        let reader = self.desk().reader().expect("a reader");
        let (mut entries, mut from) = (Vec::new(), first);
        loop {
            let page = reader.entries(from, 1000).expect("entries");
            let Some(last) = page.last() else { return entries };
            from = last.seq + 1;
            entries.extend(page.into_iter().map(|record| record.bytes));
        }
    }

    /// What every entry says, in order.
    ///
    /// # Panics
    ///
    /// Panics if one is not in form.
    #[must_use]
    pub fn bodies(&self) -> Vec<Body> {
        let entries = self.entries().into_iter();
        entries.map(|bytes| Entry::parse(&bytes).expect("in form").body).collect()
    }

    /// The type of every entry, in order.
    #[must_use]
    pub fn types(&self) -> Vec<&'static str> {
        self.bodies().iter().map(Body::type_name).collect()
    }

    /// The moment the house began.
    #[must_use]
    pub fn begin() -> Moment {
        BEGIN.parse().expect("a time")
    }

    /// What the verifier says about everything that was written down.
    #[must_use]
    pub fn audit(&self) -> Report {
        Evidence::of(self).verify(&trust(self))
    }

    /// The house's keys, opened once more.
    #[must_use]
    pub fn mint(&self) -> Mint {
        Mint::open(self.dir.path(), "test").expect("keys")
    }
}

/// The text that belongs to a request that gives the [usual reason](REASON).
fn text_of(statement: &Statement) -> Option<Text> {
    let usual = commitment(&REASON_SALT, REASON);
    let is_usual = matches!(statement.act(), Act::Request(ask) if ask.reason == Some(usual));
    is_usual.then(|| Text { salt: REASON_SALT, text: REASON.to_owned() })
}
