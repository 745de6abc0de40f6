//! Plays histories in a real house; after every step a judge that reads the ledger alone.

mod acts;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use breakglass_broker::clock::Clock as _;
use breakglass_broker::desk::{DeskError, Incoming, Receipt, Text};
use breakglass_broker::{crl, deny, krl};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::evidence::{Evidence, trust};
use breakglass_integration_tests::holder::Holder as Fresh;
use breakglass_integration_tests::people::{Person, REASON, REASON_SALT};
use breakglass_ledger::audit::Verdict;
use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Body, Entry, Issued};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{About, Act, Approve, Collect, Kind, Pickup, Seen, Statement};
use breakglass_ledger::time::{Moment, Ttl};

use super::eye::Eye;
use super::law::Law;
use super::step::{EACH, Holder, How, KINDS, Lane, Step, Twist};

/// The verifier allows a broker that is at work five minutes to end what is due; a sweep that
/// stands still for longer is a finding, and rightly so.
const UNSWEPT_MAX_MILLIS: u64 = 200_000;

/// The verifier reads everything from the beginning, and what it finds stays found: after every third
/// step, and at the end, buys three times the histories for the same time. The eye reads each entry.
const UNVERIFIED_MAX: usize = 3;

pub(crate) struct World {
    pub(crate) house: House,
    pub(crate) reached: Reached,
    evidence: Evidence,
    eye: Eye,
    asked: Vec<Asked>,
    locks: Vec<Digest>,
    sent: Vec<Incoming>,
    policies: Vec<Digest>,
    nonce: u128,
    unswept_millis: u64,
    /// Whether the sweep has met everything since the clock went on or anything was done.
    is_swept: bool,
    /// Steps with new entries that the verifier has not seen.
    unverified: usize,
}

/// What a history got to.
#[derive(Default)]
pub(crate) struct Reached {
    pub(crate) refusals: BTreeSet<&'static str>,
    pub(crate) steps: BTreeMap<&'static str, usize>,
}

struct Asked {
    digest: Digest,
    id: RequestId,
    by: &'static str,
    subject: Signer,
    issued: Option<Digest>,
}

/// Whoever has a key.
#[derive(Clone)]
enum Signer {
    Person(Rc<Person>),
    /// The subject of credentials that TLS servers take.
    Fresh(Rc<Fresh>),
}

impl Signer {
    fn numbered(name: &str, number: u32) -> Self {
        Self::Person(Rc::new(Person::numbered(name, number)))
    }

    fn key(&self) -> &PublicKey {
        match self {
            Self::Person(person) => person.key(),
            Self::Fresh(fresh) => fresh.key(),
        }
    }

    fn sign(&self, statement: &Statement) -> SshSig {
        match self {
            Self::Person(person) => person.sign(statement),
            Self::Fresh(fresh) => fresh.sign(statement),
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let law = Law::numbered(0);
        let house = House::with(law.files());
        let policies = vec![house.desk().policy().digest];
        let mut eye = Eye::default();
        eye.enact(law);
        let mut world = Self {
            house,
            reached: Reached::default(),
            evidence: Evidence::default(),
            eye,
            asked: Vec::new(),
            locks: Vec::new(),
            sent: Vec::new(),
            policies,
            // Apart from the numbers that the house uses itself.
            nonce: 1 << 64,
            unswept_millis: 0,
            is_swept: false,
            unverified: 0,
        };
        world.judge();
        world
    }

    /// Takes one step and judges what the ledger then says.
    pub(crate) fn step(&mut self, step: &Step) {
        self.is_swept = false;
        match *step {
            Step::Ask { who, key, scope, ttl } => {
                self.ask_in((who, key), scope, ttl, Lane::Normal, 0)
            }
            Step::AskIn { who, scope, ttl, lane, chain } => {
                self.ask_in((who, 0), scope, ttl, lane, chain);
            }
            Step::AskFor { who, kinds, ttl, lane } => self.ask_for(who, KINDS[kinds], ttl, lane),
            Step::Approve { of, who, stage, twist } => self.approve(of, who, stage, twist),
            Step::End { of, who, how, twist } => self.end(of, who, how, twist),
            Step::Collect { of, by, twist } => self.collect(of, Kind::Ssh, by, twist),
            Step::CollectAs { of, kind, by } => self.collect(of, EACH[kind], by, Twist::Nothing),
            Step::Pickup { of, by, right } => self.pick_up(of, by, right),
            Step::Lock { who, what, seconds } => self.lock(who, what, seconds),
            Step::Unlock { who, of } => self.unlock(who, of),
            Step::Declare { who, what, seconds } => self.declare(who, what, seconds),
            Step::Resolve { who, what } => self.resolve(who, what),
            Step::Probe { down } => self.probe(down),
            Step::Review { of, who, verdict } => self.review(of, who, verdict),
            Step::Pass(millis) => self.pass(millis),
            Step::Unswept(millis) => {
                if self.unswept_millis + millis > UNSWEPT_MAX_MILLIS {
                    self.sweep();
                    self.judge();
                }
                self.advance(millis);
                self.unswept_millis += millis;
                self.is_swept = false;
            }
            Step::Back(seconds) => {
                let now = self.millis().saturating_sub(seconds * 1000);
                self.house.clock.set(Moment::from_unix_millis(now));
            }
            Step::Sweep => self.sweep(),
            Step::Restart => {
                self.house.restart();
                self.recheck();
                *self.reached.steps.entry("restarted").or_default() += 1;
            }
            Step::Kill => {
                self.kill();
                *self.reached.steps.entry("killed").or_default() += 1;
            }
            Step::Push(law) => self.push(law),
            Step::Again(which) => self.again(which),
        }
        self.judge();
    }

    fn pass(&mut self, millis: u64) {
        // A daemon that is suspended has not left anything due lying about before.
        self.sweep();
        self.judge();
        self.advance(millis);
        self.sweep();
    }

    /// Everything has had its time; the daemon starts once more, and the tables say what the entries
    /// say.
    pub(crate) fn ends(&mut self) {
        for _ in 0..4 {
            self.pass(2 * 3_600_000);
            self.judge();
        }
        self.eye.ends();
        self.house.restart();
        self.recheck();
        self.house.desk().reader().unwrap().rebuild_and_compare().unwrap();
        self.judge();
        self.verify();
    }

    /// How often what happened.
    pub(crate) fn tally(&self) -> &BTreeMap<String, usize> {
        &self.eye.tally
    }

    fn approve(&mut self, of: usize, who: &'static str, stage: &str, twist: Twist) {
        let Some(request) = self.about(of, twist) else { return };
        let back = if let Twist::OldPolicy = twist { 2 } else { 1 };
        let policy = self.policies[self.policies.len().saturating_sub(back)];
        let ttl_max = if let Twist::TtlMax(ttl) = twist { ttl } else { 3600 };
        let act = Act::Approve(Approve {
            request,
            by: who.parse().unwrap(),
            stage: stage.parse().unwrap(),
            policy,
            ttl_max: Ttl::from_seconds(ttl_max).unwrap(),
            comment: None,
        });
        self.say_and_send(who, act, twist);
    }

    fn end(&mut self, of: usize, who: &'static str, how: How, twist: Twist) {
        let Some(request) = self.about(of, twist) else { return };
        let about = About { request, by: who.parse().unwrap(), comment: None };
        let act = match how {
            How::Deny => Act::Deny(about),
            How::Withdraw => Act::Withdraw(about),
            How::Drop => Act::Drop(about),
            How::Cancel => Act::Cancel(about),
            How::Escalate => Act::Escalate(about),
        };
        self.say_and_send(who, act, twist);
    }

    fn collect(&mut self, of: usize, kind: Kind, by: Holder, twist: Twist) {
        let Some(request) = self.about(of, twist) else { return };
        let statement = self.say(Act::Collect(Collect { request, kind }), twist);
        let holder = self.holder(of, by);
        if let Some(receipt) = self.send(&holder, statement) {
            assert!(receipt.credential.is_some(), "collected nothing");
            let issued = Digest::of(&receipt.entry);
            let at = self.index(of);
            self.asked[at].issued = Some(issued);
        }
    }

    fn pick_up(&mut self, of: usize, by: Holder, right: bool) {
        let Some(request) = self.about(of, Twist::Nothing) else { return };
        let issued = self.asked[self.index(of)].issued.filter(|_| right);
        let issued = issued.unwrap_or_else(|| Digest::of(b"something else"));
        let act = Act::Pickup(Pickup { request, issued });
        let statement = self.say(act, Twist::Nothing);
        let holder = self.holder(of, by);
        self.send(&holder, statement);
    }

    fn push(&mut self, number: usize) {
        let law = Law::numbered(number);
        let files = law.files();
        self.eye.enact(law);
        self.house.push(files).unwrap();
        self.policies.push(self.house.desk().policy().digest);
    }

    fn again(&mut self, which: usize) {
        if self.sent.is_empty() {
            return;
        }
        let incoming = self.sent[which % self.sent.len()].clone();
        let before = self.written();
        let told = self.house.give(incoming);
        if let Some(receipt) = self.told(before, told) {
            assert!(receipt.repeated, "the same bytes did something twice");
        }
    }

    fn sweep(&mut self) {
        while self.house.sweep().unwrap().more {}
        self.unswept_millis = 0;
        self.is_swept = true;
    }

    fn advance(&self, millis: u64) {
        let now = self.millis() + millis;
        self.house.clock.set(Moment::from_unix_millis(now));
    }

    fn say_and_send(&mut self, who: &'static str, act: Act, twist: Twist) {
        let statement = self.say(act, twist);
        let (name, number) =
            if let Twist::Key(name, number) = twist { (name, number) } else { (who, 0) };
        self.send(&Signer::numbered(name, number), statement);
    }

    fn say(&mut self, act: Act, twist: Twist) -> Statement {
        self.nonce += 1;
        let (now, mut seen) = (self.house.now(), self.house.seen());
        let seconds = if let Twist::TooFar = twist { 2 * 86_400 } else { 600 };
        let expires = if let Twist::Expired = twist { now.minus(1) } else { now.plus(seconds) };
        match twist {
            Twist::SeenWrong => seen.root = Some(Digest::of(b"another history")),
            Twist::SeenFuture => seen.size += 1,
            Twist::FirstContact => seen = Seen { size: 0, root: None },
            Twist::Nothing
            | Twist::Key(..)
            | Twist::OldPolicy
            | Twist::TtlMax(_)
            | Twist::Unknown
            | Twist::Expired
            | Twist::TooFar
            | Twist::OtherLog => {}
        }
        let mut origin = self.house.origin().clone();
        if let Twist::OtherLog = twist {
            origin = "elsewhere/0123456789abcdef".parse().unwrap();
        }
        let nonce = Salt::from_bytes(self.nonce.to_be_bytes());
        Statement::compose(&origin, Some(seen), act, Some(expires), nonce).unwrap()
    }

    /// Gives it to the desk and compares the answer with what was written; the receipt, if it is a
    /// yes.
    fn send(&mut self, signer: &Signer, statement: Statement) -> Option<Receipt> {
        let signature = signer.sign(&statement);
        let is_request = matches!(statement.act(), Act::Request(_));
        let text = is_request.then(|| Text { salt: REASON_SALT, text: REASON.to_owned() });
        let incoming = Incoming { statement, signature, user_verified: false, text, bundle: None };
        self.sent.push(incoming.clone());
        let before = self.written();
        let told = self.house.give(incoming);
        self.told(before, told)
    }

    /// What the answer says is what became durable, neither more nor less.
    fn told(&mut self, before: u64, told: Result<Receipt, DeskError>) -> Option<Receipt> {
        let after = self.written();
        match told {
            Ok(receipt) => {
                let entry = self.entry(receipt.seq);
                assert_eq!(entry, receipt.entry, "the answer is not what was written");
                let new = receipt.seq >= before;
                assert_eq!(new, after > before);
                assert_eq!(new, !receipt.repeated);
                if let Some(credential) = &receipt.credential {
                    let Body::Issued(issued) = Entry::parse(&entry).unwrap().body else {
                        panic!("a credential without its entry")
                    };
                    is_told(&issued, credential);
                }
                Some(receipt)
            }
            Err(DeskError::Refused { refusal, seq }) => {
                self.reached.refusals.insert(refusal.name());
                let Some(seq) = seq else {
                    assert_eq!(after, before, "{} wrote something", refusal.name());
                    return None;
                };
                assert_eq!((seq, after), (before, before + 1), "{} wrote more", refusal.name());
                let Body::Refused(body) = Entry::parse(&self.entry(seq)).unwrap().body else {
                    panic!("{} is not written as refused", refusal.name())
                };
                assert_eq!(body.refusal.name, refusal.name());
                None
            }
            Err(fault) => panic!("a fault: {fault:?}"),
        }
    }

    /// Reads what is new, from the ledger alone.
    fn judge(&mut self) {
        let read = self.evidence.entries.len();
        self.evidence.follow(&self.house);
        for bytes in &self.evidence.entries[read..] {
            self.eye.read(bytes);
        }
        if self.evidence.entries.len() > read {
            self.unverified += 1;
        }
        if self.unverified >= UNVERIFIED_MAX {
            self.verify();
        }
        let now = self.house.now().unix_seconds();
        self.eye.after_step(now, self.is_swept);
        let lists = self.house.desk().lists();
        let authority = self.house.desk().public().ssh_ca.wire().to_vec();
        let list = krl::read(&lists.krl, &authority).unwrap();
        let revoked = self.eye.revoked();
        assert!(list.is_exactly(&revoked), "the list is not {revoked:?}: {:?}", list.runs());
        let crl = crl::read(&lists.crl.as_ref().unwrap().der).unwrap();
        let numbers = crl.revoked.iter().map(|(number, _)| number.as_bytes().to_vec());
        self.eye.is_told_of("x509", &numbers.collect(), now);
        let denied = lists.deny.as_ref().map(|list| deny::read(&list.json).unwrap().denied);
        let denied = denied.unwrap_or_default().into_iter().map(String::into_bytes);
        self.eye.is_told_of("jwt", &denied.collect(), now);
    }

    fn verify(&mut self) {
        let report = self.evidence.verify(&trust(&self.house));
        assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        self.unverified = 0;
    }

    fn millis(&self) -> u64 {
        self.house.clock.now().unix_millis()
    }

    fn written(&self) -> u64 {
        self.house.desk().reader().unwrap().head().size
    }

    fn entry(&self, seq: u64) -> Vec<u8> {
        self.house.desk().reader().unwrap().entry(seq).unwrap().unwrap().bytes
    }

    fn index(&self, of: usize) -> usize {
        of.min(self.asked.len() - 1)
    }

    fn about(&self, of: usize, twist: Twist) -> Option<Digest> {
        if self.asked.is_empty() {
            return None;
        }
        let unknown = matches!(twist, Twist::Unknown);
        let asked = self.asked[self.index(of)].digest;
        Some(if unknown { Digest::of(b"nobody asked") } else { asked })
    }

    fn holder(&self, of: usize, by: Holder) -> Signer {
        let at = self.index(of);
        match by {
            Holder::Subject => self.asked[at].subject.clone(),
            Holder::Neighbour => Signer::numbered("subject", u32::try_from(at).unwrap() + 1),
            Holder::Requester => Signer::numbered(self.asked[at].by, 0),
        }
    }
}

/// What is handed out is what was written down: a token is not, but its digest and its claims are.
fn is_told(issued: &Issued, credential: &str) {
    if issued.kind != Kind::Jwt {
        assert_eq!(issued.certificate.as_deref(), Some(credential));
        return;
    }
    assert_eq!(issued.token, Some(Digest::of(credential.as_bytes())));
    let claims = credential.split('.').nth(1).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    assert_eq!(issued.claims.as_deref().map(str::as_bytes), Some(&*claims));
}
