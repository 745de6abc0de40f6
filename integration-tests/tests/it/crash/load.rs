//! People at work while the daemon is killed under them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Files;
use breakglass_ledger::statement::Act;
use breakglass_proto::v1;
use tonic::Status;

use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wait::SOON;
use breakglass_integration_tests::wire::{Wire, refusal};

use super::dice::Dice;
use super::known::Known;

/// The daemon is gone, as it was meant to be.
pub(super) struct Gone;

/// What all have in common between two kills.
pub(super) struct Life {
    wire: Wire,
    known: Arc<Mutex<Known>>,
    /// Digests of the statements that were written down before.
    said: Arc<HashSet<Digest>>,
    policy: (u64, Digest),
    over: AtomicBool,
    /// Acts that were answered.
    answers: AtomicU64,
}

impl Life {
    pub(super) fn new(
        wire: Wire,
        known: Arc<Mutex<Known>>,
        said: Arc<HashSet<Digest>>,
        policy: (u64, Digest),
    ) -> Self {
        Self { wire, known, said, policy, over: AtomicBool::new(false), answers: AtomicU64::new(0) }
    }

    /// From here on the daemon may be gone.
    pub(super) fn is_over(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Waits until so many acts were answered in this life: on a busy machine a moment is too short
    /// for any.
    pub(super) async fn heard(&self, answers: u64) {
        let begun = Instant::now();
        while self.answers.load(Ordering::SeqCst) < answers {
            assert!(begun.elapsed() < SOON, "nobody is answered any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Gives an act in; `None` if the rules say no.
    async fn give(&self, act: v1::SubmitRequest) -> Result<Option<v1::SubmitAnswer>, Gone> {
        let answer = self.wire.submit(act).await;
        self.answers.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(answer) => {
                self.known.lock().unwrap().answered(&answer);
                Ok(Some(answer))
            }
            Err(status) => match refusal(&status) {
                Some(detail) => {
                    self.known.lock().unwrap().refused(&detail);
                    Ok(None)
                }
                None => Err(self.gone(&status)),
            },
        }
    }

    /// The digest of the policy in force.
    async fn policy(&self) -> Result<Digest, Gone> {
        let answer = self.wire.checkpoint(0).await.map_err(|status| self.gone(&status))?;
        self.known.lock().unwrap().noted(&answer.checkpoint);
        Ok(answer.policy_digest.parse().expect("a digest"))
    }

    fn gone(&self, status: &Status) -> Gone {
        assert!(self.over.load(Ordering::SeqCst), "nobody has killed it yet: {status:?}");
        Gone
    }
}

/// Somebody who asks, agrees, collects and gives back, without a rest.
pub(super) struct Worker {
    number: usize,
    requesters: Vec<Person>,
    approvers: HashMap<&'static str, Person>,
    dice: Dice,
    /// How many requests there were.
    asked: u64,
    /// Requests that may still be open.
    open: HashMap<(usize, &'static str), Digest>,
    /// What was given in and not answered.
    unanswered: Option<v1::SubmitRequest>,
}

/// A requester's name.
pub(super) fn name(worker: usize, number: usize) -> String {
    format!("r{worker}-{number}")
}

pub(super) fn digest(bytes: &[u8]) -> Option<Digest> {
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Scopes, and who agrees in which stage.
const SCOPES: [(&str, &[(&str, &str)]); 3] = [
    ("solo", &[]),
    ("quick", &[("eve", "second-person")]),
    ("root-on-host", &[("ada", "app-owner"), ("bob", "security")]),
];

impl Worker {
    pub(super) fn new(number: usize, requesters: usize, dice: Dice) -> Self {
        Self {
            number,
            requesters: (0..requesters).map(|one| Person::named(&name(number, one))).collect(),
            approvers: ["ada", "bob", "eve"].map(|who| (who, Person::named(who))).into(),
            dice,
            asked: 0,
            open: HashMap::new(),
            unanswered: None,
        }
    }

    /// Works until the daemon is gone.
    pub(super) async fn live(mut self, life: Arc<Life>) -> Self {
        if self.again(&life).await.is_ok() {
            while self.story(&life).await.is_ok() {}
        }
        self
    }

    /// The same bytes again, as a client does who got no answer: done once, however often asked.
    async fn again(&mut self, life: &Life) -> Result<(), Gone> {
        let Some(act) = self.unanswered.clone() else { return Ok(()) };
        let was_written = life.said.contains(&Digest::of(&act.statement));
        if let Some(answer) = self.give(life, act).await? {
            assert_eq!(answer.repeated, was_written, "entry {}", answer.seq);
        }
        Ok(())
    }

    async fn story(&mut self, life: &Life) -> Result<(), Gone> {
        let (scope, stages) = *self.dice.one_of(&SCOPES);
        let who = usize::try_from(self.dice.under(8)).unwrap() % self.requesters.len();
        self.asked += 1;
        let subject = Person::named(&format!("subject {} {}", self.number, self.asked));
        let ttl = u32::try_from(1 + self.dice.under(3)).unwrap();
        let asking = life.wire.ask(&self.requesters[who], scope, ttl, &subject);
        let request = Digest::of(&asking.statement);
        if self.give(life, asking).await?.is_none() {
            return self.take_back(life, who, scope).await;
        }
        self.open.insert((who, scope), request);
        match self.dice.under(10) {
            0 => return self.take_back(life, who, scope).await,
            1 => return self.say(life, "ada", Act::Deny, request).await,
            2 => return Ok(()),
            _ => {}
        }
        for (approver, stage) in stages {
            let policy = life.policy().await?;
            let approval = life.wire.approve(&self.approvers[approver], stage, request, policy);
            self.give(life, approval).await?;
        }
        self.give(life, life.wire.collect(&subject, request)).await?;
        match self.dice.under(4) {
            0 => {
                let drop = life.wire.about(&self.requesters[who], Act::Drop, request);
                self.give(life, drop).await.map(drop_answer)
            }
            1 => self.say(life, "ada", Act::Cancel, request).await,
            _ => Ok(()),
        }
    }

    /// Withdraws what may still be open.
    async fn take_back(
        &mut self,
        life: &Life,
        who: usize,
        scope: &'static str,
    ) -> Result<(), Gone> {
        let Some(request) = self.open.remove(&(who, scope)) else { return Ok(()) };
        let act = life.wire.about(&self.requesters[who], Act::Withdraw, request);
        self.give(life, act).await.map(drop_answer)
    }

    async fn say(
        &mut self,
        life: &Life,
        who: &str,
        act: fn(breakglass_ledger::statement::About) -> Act,
        request: Digest,
    ) -> Result<(), Gone> {
        let act = life.wire.about(&self.approvers[who], act, request);
        self.give(life, act).await.map(drop_answer)
    }

    async fn give(
        &mut self,
        life: &Life,
        act: v1::SubmitRequest,
    ) -> Result<Option<v1::SubmitAnswer>, Gone> {
        self.unanswered = Some(act.clone());
        let answer = life.give(act).await?;
        self.unanswered = None;
        Ok(answer)
    }
}

fn drop_answer(_: Option<v1::SubmitAnswer>) {}

/// The policy authority, who is never content for long.
pub(super) struct Pusher {
    files: Files,
    dice: Dice,
}

impl Pusher {
    pub(super) const fn new(files: Files, dice: Dice) -> Self {
        Self { files, dice }
    }

    /// Pushes policies now and then until the daemon is gone.
    pub(super) async fn live(mut self, life: Arc<Life>) -> Self {
        let (mut version, mut previous) = life.policy;
        loop {
            tokio::time::sleep(Duration::from_millis(10 + self.dice.under(200))).await;
            if life.over.load(Ordering::SeqCst) {
                return self;
            }
            version += 1;
            let mut files = self.files.clone();
            files.people.extend(format!("\n# version {version}\n").into_bytes());
            let push = life.wire.push(&files, version, previous);
            previous = Digest::of(&push.statement);
            match life.give(push).await {
                Ok(answer) => assert!(answer.is_some(), "policy {version} was refused"),
                Err(Gone) => return self,
            }
        }
    }
}
