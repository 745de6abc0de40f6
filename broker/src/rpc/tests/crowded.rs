//! Ten thousand open requests: listed, followed, exported.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::mpsc::channel;

use breakglass_ledger::tree::{leaf_hash, root_of};

use super::*;
use crate::desk::{DeskError, Incoming, Text};

/// Who asks, and for how many scopes each.
const PEOPLE: u8 = 100;
const SCOPES: u8 = 100;

fn requester(number: u8) -> Key {
    let mut seed = [0; 32];
    (seed[0], seed[1]) = (number, 1);
    Key::of_seed(&seed)
}

fn crowded_policy() -> Files {
    let mut files = policy_files();
    let scopes = String::from_utf8(files.scopes).expect("text");
    let begin = scopes.find("[[scope]]\nid = \"quick\"").expect("the scope");
    let end = scopes.find("[[scope]]\nid = \"solo\"").expect("the next");
    let (quick, mut more) = (&scopes[begin..end], String::new());
    for number in 0..SCOPES {
        more.push_str(&quick.replace("\"quick\"", &format!("\"quick-{number}\"")));
        more.push('\n');
    }
    files.scopes = format!("{scopes}\n{more}").into_bytes();
    let mut people = String::from_utf8(files.people).expect("text");
    for number in 0..PEOPLE {
        let key = requester(number).public().to_openssh();
        write!(
            people,
            "\n[[principal]]\nid = \"p{number}\"\nkeys = [{key:?}]\nkind = \"human\"\n\
             name = \"p{number}\"\ngroups = [\"oncall\"]\n"
        )
        .expect("a string");
    }
    files.people = people.into_bytes();
    files
}

impl House {
    /// Request `scope` of `person`, as the door hands it to the desk.
    fn incoming(&self, person: u8, scope: u8) -> Incoming {
        let mut seed = [7; 32];
        (seed[0], seed[1]) = (person, scope);
        let reason = commitment(&[5; 32], "payments are stuck");
        let statement = self.say(Act::Request(Ask {
            id: RequestId::new(START * 1000, [0, 0, 0, 0, person, scope, 0, 0, 0, 0]),
            by: format!("p{person}").parse().expect("a name"),
            scope: format!("quick-{scope}").parse().expect("a name"),
            kinds: vec![Kind::Ssh],
            lane: Lane::Normal,
            ttl: Ttl::from_seconds(600).expect("a ttl"),
            incident: Some("INC-4711".into()),
            reason: Some(reason),
            key: Some(Key::of_seed(&seed).public()),
            on_behalf_of: Vec::new(),
        }));
        let signed = requester(person).say(&statement).signature;
        let signature = SshSig::parse(&signed).expect("a signature");
        let text = Some(Text { salt: [5; 32], text: "payments are stuck".into() });
        Incoming { statement, signature, user_verified: false, text, bundle: None }
    }

    fn fill(&self) {
        for person in 0..PEOPLE {
            let (answer, answers) = channel();
            for scope in 0..SCOPES {
                let answer = answer.clone();
                let reply = Box::new(move |said: Result<_, DeskError>| {
                    answer.send(said.map(drop)).expect("heard");
                });
                self.desk.submit(self.incoming(person, scope), reply).expect("room");
            }
            drop(answer);
            for said in answers {
                said.expect("recorded");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_open_requests_are_listed_followed_and_exported_in_parts() {
    let house = House::under(crowded_policy(), Limits::roomy(), 1).await;
    let begin = house.size() - 1;
    house.fill();
    let expected = usize::from(PEOPLE) * usize::from(SCOPES);
    listed(&house, expected).await;
    followed(&house, begin, expected).await;
    exported(&house).await;
}

async fn listed(house: &House, expected: usize) {
    let (mut ids, mut page, mut pages) = (BTreeSet::new(), String::new(), 0_usize);
    loop {
        let session = house.session("ada");
        let list = v1::ListRequest { session, page_size: 100, page };
        let answer = house.client().list_pending(list).await.expect("a page").into_inner();
        ids.extend(answer.requests.into_iter().map(|view| view.id));
        (page, pages) = (answer.next_page, pages.saturating_add(1));
        if page.is_empty() {
            break;
        }
    }
    assert_eq!((ids.len(), pages >= 100), (expected, true), "{pages} pages");
}

async fn followed(house: &House, begin: u64, expected: usize) {
    let request = v1::WatchRequest { session: house.session("ada"), after_seq: Some(begin) };
    let mut stream = house.client().watch(request).await.expect("a stream").into_inner();
    let mut last = begin;
    for _ in 0..expected {
        let event = stream.message().await.expect("alive").expect("an event");
        assert_eq!((event.seq, event.kind.as_str()), (last + 1, "requested"), "in order");
        last = event.seq;
    }
    assert_eq!(stream.message().await.expect("alive").expect("a beat").kind, "");
}

/// An export that is cut in the middle goes on with `from` where it broke off.
async fn exported(house: &House) {
    use v1::export_part::Part;
    let (mut entries, mut note, mut streams) = (Vec::new(), None, 0);
    while note.is_none() {
        let from = u64::try_from(entries.len()).expect("few");
        let request =
            v1::ExportRequest { session: house.session("mal"), from, request_id: String::new() };
        let mut stream = house.client().export(request).await.expect("an export").into_inner();
        streams += 1;
        let mut parts = 0;
        while let Some(part) = stream.message().await.expect("alive") {
            match part.part.expect("something") {
                Part::Entries(part) => {
                    assert_eq!(part.first_seq, u64::try_from(entries.len()).expect("few"));
                    entries.extend(part.entries);
                    parts += 1;
                }
                Part::Opening(_) | Part::Blob(_) => {}
                Part::Checkpoint(text) => note = Some(text),
            }
            if parts == 3 && streams < 5 {
                // The line breaks.
                break;
            }
        }
    }
    assert_eq!(streams, 5);
    let checkpoint = open_checkpoint(&note.expect("complete"), &house.desk.public().log);
    let checkpoint = checkpoint.expect("a checkpoint");
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(checkpoint.size, u64::try_from(leaves.len()).expect("few"));
    assert_eq!(root_of(&leaves), checkpoint.root, "no gap and no repetition");
}
