//! Streams: what they tell, and when they end.

use breakglass_ledger::tree::{leaf_hash, root_of, verify_consistency, verify_inclusion};
use tonic::Streaming;

use super::*;

impl House {
    async fn watch(
        &self,
        session: Option<v1::Session>,
        id: &str,
    ) -> Result<Streaming<v1::RequestView>, Status> {
        let request = v1::GetRequestRequest { session, request_id: id.to_owned(), beside: false };
        Ok(self.client().watch_request(request).await?.into_inner())
    }

    async fn export(&self, who: &str, from: u64, id: &str) -> Result<Vec<v1::ExportPart>, Status> {
        let (session, request_id) = (self.session(who), id.to_owned());
        let request = v1::ExportRequest { session, from, request_id };
        let mut stream = self.client().export(request).await?.into_inner();
        let mut parts = Vec::new();
        while let Some(part) = stream.message().await? {
            parts.push(part);
        }
        Ok(parts)
    }

    async fn approve(&self, request: Digest) {
        self.submit(self.approving(request, "ada", "app-owner")).await.expect("approved");
        self.submit(self.approving(request, "bob", "security")).await.expect("approved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_every_state_and_the_stream_ends_with_the_request() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let mut stream = house.watch(house.subject_session(), "").await.expect("a stream");
    let view = stream.message().await.expect("alive").expect("a view");
    assert_eq!((view.id, view.state), (id, v1::State::Pending.into()));
    let acting = async {
        house.approve(request).await;
        house.submit(house.collecting(request)).await.expect("collected");
        house.submit(house.dropping(request)).await.expect("dropped");
    };
    let watching = async {
        let mut last = None;
        while let Some(view) = stream.message().await.expect("a good end") {
            last = Some(view.state());
        }
        last
    };
    let ((), last) = tokio::join!(acting, watching);
    assert_eq!(last, Some(v1::State::Ended));
}

/// R28: a stream does not outlive the session that allowed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let mut stream = house.watch(house.session("sam"), &id).await.expect("a stream");
    stream.message().await.expect("alive").expect("a view");
    house.clock.advance(601);
    // Any commit wakes the watcher; its session is over by now.
    let _ = house.submit(house.approving(request, "ada", "app-owner")).await;
    let status = stream.message().await.expect_err("the end");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("the session ended at"), "{status}");
}

/// R28: nor its holder's place in the policy.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_reader_leaves_the_policy() {
    let house = House::open().await;
    let (id, _) = house.asked().await;
    let mut stream = house.watch(house.session("eve"), &id).await.expect("a stream");
    stream.message().await.expect("alive").expect("a view");
    let mut files = policy_files();
    let people = String::from_utf8(files.people).expect("text");
    let eve = key_of("eve").public().to_openssh();
    files.people = people.replace(&eve, &Key::of(201).public().to_openssh()).into_bytes();
    let origin = house.desk.public().origin.clone();
    let (manifest, bundle) = signed_policy(&origin, files, 2, house.desk.policy().digest);
    let blob = |name: &&str| v1::Blob {
        name: (*name).into(),
        content: bundle.files.get(name).expect("a file").to_vec(),
    };
    let blobs = Files::NAMES.iter().map(blob).collect();
    let push = v1::SubmitRequest { blobs, ..key_of("pia").say(&manifest) };
    house.submit(push).await.expect("a policy");
    let status = stream.message().await.expect_err("the end");
    assert_eq!(status.code(), Code::Unauthenticated);
    let again = house.view(house.session("eve"), &id).await.expect_err("a remembered session");
    assert_eq!(again.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_with_a_word_and_then_the_door() {
    let house = House::open().await;
    let (id, _) = house.asked().await;
    let mut stream = house.watch(house.session("sam"), &id).await.expect("a stream");
    stream.message().await.expect("alive").expect("a view");
    house.stop.send(true).expect("a door");
    let status = stream.message().await.expect_err("the end");
    assert_eq!(status.code(), Code::Unavailable);
    drop((stream, house.client));
    house.door.await.expect("closed in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_root_of_its_checkpoint_and_can_be_gone_on_with() {
    let house = House::open().await;
    let (_, request) = house.asked().await;
    house.approve(request).await;
    let (mut entries, mut openings, mut blobs, mut note) = (Vec::new(), 0, 0, None);
    for part in house.export("mal", 0, "").await.expect("an export") {
        match part.part.expect("something") {
            export_part::Entries(part) => {
                assert_eq!(part.first_seq, u64::try_from(entries.len()).expect("few"));
                entries.extend(part.entries);
            }
            export_part::Opening(_) => openings += 1,
            export_part::Blob(_) => blobs += 1,
            export_part::Checkpoint(text) => note = Some(text),
        }
    }
    let note = note.expect("complete");
    let checkpoint = open_checkpoint(&note, &house.desk.public().log).expect("a checkpoint");
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(root_of(&leaves), checkpoint.root);
    assert_eq!((openings, blobs), (1, 4));

    let rest = house.export("mal", 3, "").await.expect("the rest");
    let Some(export_part::Entries(part)) = &rest[0].part else { panic!("entries first") };
    assert_eq!((part.first_seq, &part.entries[..]), (3, &entries[3..]));
    let beyond = house.export("mal", 1000, "").await.expect_err("not there");
    assert_eq!(beyond.code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_requests_export_proves_each_of_its_entries() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    house.approve(request).await;
    house.submit(house.dropping(request)).await.expect_err("nothing to drop: a refused entry");
    let parts = house.export("ada", 0, &id).await.expect("an export");
    let Some(export_part::Checkpoint(note)) = &parts.last().expect("parts").part else {
        panic!("the checkpoint is last")
    };
    let checkpoint = open_checkpoint(note, &house.desk.public().log).expect("a checkpoint");
    let mut proven = Vec::new();
    for part in &parts {
        let Some(export_part::Entries(part)) = &part.part else { continue };
        let proof: Vec<_> = part.inclusion.iter().map(|hash| digest(hash)).collect();
        let (leaf, size) = (leaf_hash(&part.entries[0]), checkpoint.size);
        assert!(verify_inclusion(part.first_seq, size, &leaf, &proof, &checkpoint.root));
        proven.push(part.first_seq);
    }
    assert_eq!(proven, [0, 1, 2, 3, 4], "genesis, policy, request, two approvals");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_extends_the_one_that_was_kept() {
    let house = House::open().await;
    let checkpoint = async |old_size| {
        let request = v1::GetCheckpointRequest { old_size };
        house.client().get_checkpoint(request).await.map(tonic::Response::into_inner)
    };
    let key = &house.desk.public().log;
    let old = checkpoint(0).await.expect("a checkpoint");
    assert_eq!(old.policy_digest, house.desk.policy().digest.to_string());
    let old = open_checkpoint(&old.checkpoint, key).expect("a checkpoint");
    house.asked().await;
    let answer = checkpoint(old.size).await.expect("a checkpoint");
    let new = open_checkpoint(&answer.checkpoint, key).expect("a checkpoint");
    let proof: Vec<_> = answer.proof.iter().map(|hash| digest(hash)).collect();
    assert!(verify_consistency(old.size, new.size, &old.root, &new.root, &proof));
    let ahead = checkpoint(new.size + 1).await.expect_err("we are behind what was seen");
    assert_eq!(ahead.code(), Code::OutOfRange);
    assert!(ahead.message().contains("rolled back"), "{ahead}");
}

use v1::export_part::Part as export_part;

fn digest(hash: &[u8]) -> Digest {
    Digest::from_bytes(hash.try_into().expect("32 bytes"))
}
