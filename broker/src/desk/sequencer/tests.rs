//! The one thread, driven by hand.

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Anchor, Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::SignedCheckpoint;
use breakglass_ledger::policy::sample;
use breakglass_ledger::statement::{Act, ActKind, Ask, Lane, Seen, Statement, commitment};
use breakglass_ledger::time::{Moment, Ttl};

use super::*;
use crate::clock::FakeClock;
use crate::desk::foresight::AHEAD_SECONDS;
use crate::desk::{Incoming, PolicyBundle, Text, found};
use crate::entropy::SeededEntropy;
use crate::mint::SamplePerson;
use crate::store::StoreError;

/// A sequencer over a fresh ledger under the sample policy, and sam's key.
fn sequencer(dir: &std::path::Path) -> (Sequencer, SamplePerson) {
    let entropy = Arc::new(SeededEntropy::new(3));
    let clock = Arc::new(FakeClock::at(Moment::from_unix_millis(1_795_341_600_000)));
    let people = ["pia", "sam", "ada", "bob", "eve"];
    let keys = people
        .map(|name| SamplePerson::create(&dir.join(name), name, entropy.as_ref()).expect("a key"));
    let listed: Vec<_> = people.into_iter().zip(keys.iter().map(SamplePerson::public)).collect();
    let files = sample(&listed);
    Mint::create(dir, "test", entropy.as_ref(), clock.now().second()).expect("keys");
    let mint = Mint::open(dir, "test").expect("keys");
    let mut store = Store::create(&dir.join("ledger"), &mint.public().log).expect("a ledger");
    let act = Act::Policy(files.manifest(1, Digest::ZERO));
    let log = mint.public().origin.clone();
    let nonce = Salt::from_bytes([1; 16]);
    let manifest = Statement::compose(&log, None, act, None, nonce).expect("composes");
    let signed = keys[0].sign(&ActKind::Policy.namespace(), manifest.text().as_bytes());
    let bundle = PolicyBundle { signatures: vec![signed.expect("signs")], files };
    found(&mut store, &mint, clock.as_ref(), entropy.as_ref(), &manifest, &bundle)
        .expect("founded");
    let sequencer = Sequencer::open(Parts { store, mint, clock, entropy }).expect("opens").0;
    let [_, sam, ..] = keys;
    (sequencer, sam)
}

/// The outcome of a commit can be unknown. Found durable after all, it was remembered and not
/// shown: a revocation in it stayed off the list until the next entry.
#[test]
fn what_turns_out_to_be_durable_is_shown_without_waiting_for_the_next_entry() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut sequencer, _) = sequencer(dir.path());
    let shown = sequencer.shared.checkpoint();
    let note = SignedCheckpoint::parse(&shown).expect("a note");
    let (checkpoint, cosignatures) = note.to_parts();
    let Sequencer { store, mint, clock, .. } = &mut sequencer;
    let newest = store.write(|tx| {
        let entry = Entry {
            seq: tx.size(),
            time: clock.now(),
            prev: tx.hash(),
            salt: Salt::from_bytes([2; 16]),
            log: mint.public().origin.clone(),
            body: Body::Anchor(Anchor { checkpoint, cosignatures }),
        };
        tx.append(&entry)?;
        let Head { size, root, .. } = tx.head();
        let origin = mint.public().origin.clone();
        let note = mint.sign_checkpoint(&Checkpoint { origin, size, root }).expect("a checkpoint");
        tx.put_checkpoint(&note)?;
        Ok::<_, StoreError>(note)
    });
    sequencer.stale = true;
    sequencer.transact(&[]).expect("goes on");
    assert_eq!(*sequencer.shared.checkpoint(), *newest.expect("durable"));
    assert_eq!(sequencer.shared.lists().version, 3);
}

/// Ten thousand that ended in one second after a restart were read and proved in that second: the
/// last was revoked three seconds late.
#[test]
fn what_comes_due_soon_is_in_memory_before_its_time_has_come() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut sequencer, sam) = sequencer(dir.path());
    let entropy = Arc::clone(&sequencer.entropy);
    let subject = SamplePerson::create(&dir.path().join("subject"), "subject", entropy.as_ref());
    let id = ask(&mut sequencer, &sam, &subject.expect("a key"));
    assert!(sequencer.memory.holds(id), "just asked");
    // As after a restart.
    sequencer.stale = true;
    sequencer.transact(&[]).expect("goes on");
    let due = sequencer.store.reader().expect("a snapshot").next_due().expect("read");
    let due = due.expect("it lapses some time");
    for (ahead, is_known) in [(AHEAD_SECONDS + 1, false), (AHEAD_SECONDS, true)] {
        sequencer.foresight.look(due.minus(ahead));
        while sequencer.foresight.has_work() {
            sequencer.foresee();
        }
        assert_eq!(sequencer.memory.holds(id), is_known, "{ahead} seconds ahead");
    }
}

/// Sam asks for a certificate for the key of `subject`; answers the request's id.
fn ask(sequencer: &mut Sequencer, sam: &SamplePerson, subject: &SamplePerson) -> RequestId {
    let id = RequestId::new(1_795_341_600_000, [7; 10]);
    let ask = Ask {
        id,
        by: "sam".parse().expect("a name"),
        scope: "root-on-host".parse().expect("a name"),
        kinds: vec![Kind::Ssh],
        lane: Lane::Normal,
        ttl: Ttl::from_seconds(900).expect("a ttl"),
        incident: Some("INC-1".to_owned()),
        reason: Some(commitment(&[8; 32], "down")),
        key: Some(subject.public().clone()),
        on_behalf_of: Vec::new(),
    };
    let Head { size, root, .. } = sequencer.store.head();
    let seen = Seen { size, root: Some(root) };
    let log = sequencer.mint.public().origin.clone();
    let expires = sequencer.clock.now().second().plus(600);
    let nonce = Salt::from_bytes([9; 16]);
    let statement = Statement::compose(&log, Some(seen), Act::Request(ask), Some(expires), nonce);
    let statement = statement.expect("composes");
    let signature = sam.sign(&ActKind::Request.namespace(), statement.text().as_bytes());
    let signature = signature.expect("signs");
    let text = Some(Text { salt: [8; 32], text: "down".to_owned() });
    let incoming = Incoming { statement, signature, user_verified: false, text, bundle: None };
    let (reply, answer) = std::sync::mpsc::channel();
    let said = Box::new(move |said| reply.send(said).expect("somebody waits"));
    sequencer.take(vec![Job::Say(Box::new(incoming), said)]);
    answer.recv().expect("an answer").expect("recorded");
    id
}
