//! A ledger in a temporary directory, its log key, and a short way to write grants into it.

mod faults;
mod grants;
mod histories;
mod records;
mod upgrade;

use ring::signature::{Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::entry::{
    Approved, Body, Cause, Closed, Config, ConfigChange, Context, Decision, Entry, Genesis, Issued,
    Lapsed, Link, OutageState, Outcome, Requested, Revoked, Signed,
};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::SignedCheckpoint;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Kind, Lane};
use breakglass_ledger::time::{Moment, Timestamp};

use super::*;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::Checkpoint;

/// 2026-11-22T10:00:00Z.
const START: u64 = 1_795_341_600;

/// A directory with a ledger, and the key that signs its checkpoints.
struct House {
    directory: TempDir,
    pair: Ed25519KeyPair,
    origin: Origin,
    key: VerifierKey,
    /// The time that the next entries carry, in milliseconds.
    millis: u64,
}

impl House {
    fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let origin = Origin::new("test", &public).unwrap();
        let key = VerifierKey::of_log(&origin, &public).unwrap();
        Self { directory: TempDir::new().unwrap(), pair, origin, key, millis: START * 1000 }
    }

    /// A new house with a ledger that has a `genesis`.
    fn founded() -> (Self, Store) {
        let house = Self::new();
        let mut store = Store::create(&house.path(), &house.key).unwrap();
        house.write(&mut store, [genesis()]).unwrap();
        (house, store)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ledger")
    }

    fn database(&self) -> PathBuf {
        self.path().join("ledger.db")
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.path(), &self.key, GuardPolicy::Require)
    }

    /// Another connection, as somebody with a SQL shell would have.
    fn intruder(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    /// The entry that records `body` after `head`.
    fn entry(&self, head: Head, body: Body) -> Entry {
        Entry {
            seq: head.size,
            time: Moment::from_unix_millis(self.millis),
            prev: head.hash,
            salt: Salt::from_bytes([9; 16]),
            log: self.origin.clone(),
            body,
        }
    }

    fn note(&self, head: Head) -> String {
        let origin = self.origin.clone();
        let checkpoint = Checkpoint { origin, size: head.size, root: head.root };
        let signature = self.pair.sign(checkpoint.body().as_bytes());
        let signature = signature.as_ref().try_into().unwrap();
        SignedCheckpoint::assemble(&checkpoint, &self.key, &signature)
    }

    /// Appends `bodies` to a batch. The serial of an `issued` is set to its seq.
    fn append(
        &self,
        write: &mut Write<'_>,
        bodies: impl IntoIterator<Item = Body>,
    ) -> Result<(), StoreError> {
        for mut body in bodies {
            let head = write.head();
            if let Body::Issued(issued) = &mut body {
                issued.serial = head.size;
            }
            write.append(&self.entry(head, body))?;
        }
        Ok(())
    }

    /// One batch of `bodies` with its checkpoint.
    fn write(
        &self,
        store: &mut Store,
        bodies: impl IntoIterator<Item = Body>,
    ) -> Result<(), StoreError> {
        store.write(|write| {
            self.append(write, bodies)?;
            write.put_checkpoint(&self.note(write.head()))
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.millis / 1000)
    }

    fn pass(&mut self, seconds: u64) {
        self.millis += seconds * 1000;
    }
}

/// One request and what happens to it, as bodies.
#[derive(Clone, Copy)]
struct Grant {
    number: u32,
    /// When it was requested.
    at: Timestamp,
}

impl Grant {
    fn id(self) -> RequestId {
        let [a, b, c, d] = self.number.to_be_bytes();
        RequestId::new(START * 1000 + u64::from(self.number), [a, b, c, d, 0, 0, 0, 0, 0, 1])
    }

    fn statement(self, act: &str) -> Signed {
        let statement = format!(
            "breakglass-{act}/v1\nlog: test/0123456789abcdef\nby: sam\nscope: {}\nlane: normal\nkey: {}\nexpires: {}\nnonce: {:032x}\n",
            self.scope(),
            self.key(),
            self.at.plus(600),
            self.number
        );
        Signed { statement, signature: "signature".to_owned() }
    }

    fn digest(self) -> Digest {
        self.statement("request").digest()
    }

    const fn scope(self) -> &'static str {
        if self.number.is_multiple_of(2) { "even" } else { "odd" }
    }

    fn wire(self) -> Vec<u8> {
        format!("wire form of key {}", self.number).into_bytes()
    }

    fn key(self) -> String {
        format!("ssh-ed25519 {}", data_encoding::BASE64.encode(&self.wire()))
    }

    fn lapses(self) -> Timestamp {
        self.at.plus(900)
    }

    fn valid_before(self) -> Timestamp {
        self.at.plus(1800)
    }

    fn link(self, gseq: u64) -> Link {
        Link { grant: self.id(), gseq, gprev: Digest::of(&gseq.to_be_bytes()) }
    }

    fn requested(self) -> Body {
        let (link, lapses) = (self.link(0), self.lapses());
        Requested { link, signed: self.statement("request"), decision: decision(), lapses }.into()
    }

    fn approved(self) -> Body {
        let signed = self.statement("approve");
        let stage = "owner".parse().unwrap();
        Approved { link: self.link(1), signed, decision: decision(), stage, missing: 0 }.into()
    }

    fn issued(self) -> Body {
        Issued {
            link: self.link(2),
            signed: self.statement("collect"),
            decision: decision(),
            kind: Kind::Ssh,
            certificate: Some("certificate".to_owned()),
            claims: None,
            token: None,
            replaces: None,
            ends: None,
            serial: 0,
            subject: Digest::of(&self.wire()),
            valid_after: self.at,
            valid_before: self.valid_before(),
            principals: vec!["dba".to_owned()],
            approvals: vec![1],
        }
        .into()
    }

    fn revoked(self) -> Body {
        Revoked {
            link: self.link(3),
            signed: None,
            decision: decision(),
            cause: Cause::Expired,
            serial: 1,
            also: None,
            valid_before: self.valid_before(),
        }
        .into()
    }

    fn lapsed(self, gseq: u64) -> [Body; 2] {
        let lapsed = Lapsed { link: self.link(gseq), decision: decision() };
        [lapsed.into(), self.closed(gseq + 1, Outcome::Lapsed)]
    }

    fn closed(self, gseq: u64, outcome: Outcome) -> Body {
        Closed { link: self.link(gseq), outcome }.into()
    }
}

fn genesis() -> Body {
    let text = || "text".to_owned();
    Genesis {
        deployment: text(),
        log_key: text(),
        ssh_ca: text(),
        x509_ca: None,
        jwt_key: None,
        lists_key: text(),
        tls_ca: Digest::ZERO,
        software: text(),
    }
    .into()
}

/// An entry that belongs to no grant.
fn software(version: u64) -> Body {
    Config { what: ConfigChange::Software { version: format!("{version}") } }.into()
}

fn decision() -> Decision {
    Decision {
        policy: Digest::of(b"policy"),
        rules: vec!["scope.requesters".to_owned()],
        context: Context {
            lane: Some(Lane::Normal),
            outage: OutageState::None,
            outage_since: None,
            stage: None,
            live: None,
            budget: None,
            drill_age: None,
            time: Timestamp::from_unix_seconds(START),
            kind: None,
            delegation: Vec::new(),
        },
        outcome: "granted".to_owned(),
    }
}
