//! Following many requests: what is told, to whom, until when, and at whose cost.

use std::time::Duration;

use tokio::time::timeout;
use tonic::Streaming;

use super::*;

/// Longest wait for what should come at once, on a machine that is busy otherwise.
const SOON: Duration = Duration::from_secs(60);

impl House {
    pub(super) async fn follow(
        &self,
        who: &str,
        after_seq: Option<u64>,
    ) -> Result<Streaming<v1::WatchEvent>, Status> {
        let request = v1::WatchRequest { session: self.session(who), after_seq };
        Ok(self.client().watch(request).await?.into_inner())
    }

    async fn push(&self, files: Files) {
        let origin = self.desk.public().origin.clone();
        let before = self.desk.policy();
        let (manifest, bundle) = signed_policy(&origin, files, before.version + 1, before.digest);
        let blob = |name: &&str| v1::Blob {
            name: (*name).into(),
            content: bundle.files.get(name).expect("a file").to_vec(),
        };
        let blobs = Files::NAMES.iter().map(blob).collect();
        let push = v1::SubmitRequest { blobs, ..key_of("pia").say(&manifest) };
        self.submit(push).await.expect("a policy");
    }
}

/// The next that comes, heartbeats included.
pub(super) async fn next(stream: &mut Streaming<v1::WatchEvent>) -> v1::WatchEvent {
    let event = timeout(SOON, stream.message()).await.expect("soon");
    event.expect("alive").expect("an event")
}

/// Kinds and numbers up to the next heartbeat.
async fn told(stream: &mut Streaming<v1::WatchEvent>) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    loop {
        let event = next(stream).await;
        if event.kind.is_empty() {
            return told;
        }
        told.push((event.seq, event.kind));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_as_it_happens_with_the_request_as_it_stands() {
    let house = House::open().await;
    let mut stream = house.follow("ada", None).await.expect("a stream");
    let hello = next(&mut stream).await;
    assert_eq!((hello.seq, hello.kind.as_str()), (house.size() - 1, ""), "from now on");
    let (id, request) = house.asked().await;
    let asked = next(&mut stream).await;
    assert_eq!((asked.seq, asked.kind.as_str()), (hello.seq + 1, "requested"));
    let view = asked.request.expect("a view");
    assert_eq!((view.id.as_str(), view.state()), (id.as_str(), v1::State::Pending));
    assert_eq!(view.reason_text, "payments are stuck");
    assert!(view.entries.is_empty() && view.certificate.is_empty());
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    let approved = next(&mut stream).await;
    assert_eq!((approved.seq, approved.kind.as_str()), (hello.seq + 2, "approved"));
    assert_eq!(approved.request.expect("a view").stages[0].given[0].by, "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_another_broke_off_without_gap_or_repetition() {
    let house = House::open().await;
    let begin = house.size() - 1;
    let (_, request) = house.asked().await;
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    house.submit(house.approving(request, "bob", "security")).await.expect("approved");
    house.submit(house.collecting(request)).await.expect("collected");
    let mut whole = house.follow("ada", Some(begin)).await.expect("a stream");
    let all = told(&mut whole).await;
    let kinds: Vec<&str> = all.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["requested", "approved", "approved", "issued"]);
    for broken_off in 0..all.len() {
        let mut rest = house.follow("ada", Some(all[broken_off].0)).await.expect("a stream");
        assert_eq!(told(&mut rest).await, all[broken_off + 1..]);
    }
    let first =
        house.follow("ada", Some(0)).await.map(|mut stream| async move { told(&mut stream).await });
    assert_eq!(first.expect("a stream").await[0].1, "policy", "what concerns everybody");
    let beyond = house.follow("ada", Some(house.size())).await.expect_err("a rolled-back ledger");
    assert_eq!(beyond.code(), Code::OutOfRange);
}

/// A line said "requested" and how it had ended, to whoever read it late.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_late_is_told_as_it_was() {
    let house = House::open().await;
    let begin = house.size() - 1;
    let (_, request) = house.asked().await;
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    house.submit(house.approving(request, "bob", "security")).await.expect("approved");
    house.submit(house.collecting(request)).await.expect("collected");
    let mut stream = house.follow("ada", Some(begin)).await.expect("a stream");
    let mut stood = Vec::new();
    for _ in 0..4 {
        let event = next(&mut stream).await;
        let view = event.request.expect("a view");
        let given: usize = view.stages.iter().map(|stage| stage.given.len()).sum();
        stood.push((event.kind, view.state(), given));
    }
    let expected = [
        ("requested", v1::State::Pending, 0),
        ("approved", v1::State::Pending, 1),
        ("approved", v1::State::Approved, 2),
        ("issued", v1::State::Live, 2),
    ];
    assert_eq!(stood, expected.map(|(kind, state, given)| (kind.to_owned(), state, given)));
}

/// R34: a stream tells nobody what a look would not show them.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_only_what_its_reader_may_read() {
    let house = House::open().await;
    let begin = house.size() - 1;
    house.asked().await;
    for (who, expected) in [("sam", 1), ("ada", 1), ("eve", 1), ("mal", 0), ("bot", 0)] {
        let mut stream = house.follow(who, Some(begin)).await.expect("a stream");
        assert_eq!(told(&mut stream).await.len(), expected, "{who}");
    }
    let request = v1::WatchRequest { session: house.subject_session(), after_seq: Some(0) };
    let mut stream = house.client().watch(request).await.expect("a stream").into_inner();
    assert_eq!(told(&mut stream).await, [(begin + 1, "requested".to_owned())], "its own");
}

/// R28: it ends with the session that allowed it.
#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_the_session() {
    let house = House::open().await;
    let mut stream = house.follow("ada", None).await.expect("a stream");
    next(&mut stream).await;
    // One second after its last.
    house.clock.advance(601);
    // Any commit wakes it. What it is about must not be told any more.
    house.submit(house.asking(1)).await.expect("a request");
    let status = timeout(SOON, stream.message()).await.expect("soon").expect_err("the end");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
}

/// R28: whoever stops being an approver is told no more; whoever loses the key loses the stream.
#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_the_right() {
    let house = House::open().await;
    let mut stream = house.follow("eve", None).await.expect("a stream");
    next(&mut stream).await;
    let mut files = policy_files();
    let people = String::from_utf8(files.people.clone()).expect("text");
    let as_security = "name = \"eve\"\ngroups = [\"security\"]";
    assert!(people.contains(as_security), "{people}");
    let as_oncall = as_security.replace("security", "oncall");
    files.people = people.replace(as_security, &as_oncall).into_bytes();
    house.push(files.clone()).await;
    assert_eq!(next(&mut stream).await.kind, "policy");
    house.asked().await;
    let eve = key_of("eve").public().to_openssh();
    let people = String::from_utf8(files.people).expect("text");
    files.people = people.replace(&eve, &Key::of(201).public().to_openssh()).into_bytes();
    house.push(files).await;
    let status = timeout(SOON, stream.message()).await.expect("soon").expect_err("not the request");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
}

/// A real reader that takes nothing: its connection is open and answers pings.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_is_ended_and_holds_up_nobody() {
    let limits = Limits { slow_reader_seconds: 1, streams_per_principal: 2, ..Limits::roomy() };
    let house = House::limited(limits).await;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&house.ca))
        .domain_name(SERVER_NAME);
    let endpoint = Endpoint::from_shared(format!("https://{}", house.address)).expect("an address");
    // Less than one event, so that nothing but its reading takes anything from the broker.
    let endpoint = endpoint.tls_config(tls).expect("tls").initial_stream_window_size(64);
    let mut narrow = BrokerClient::new(endpoint.connect().await.expect("a connection"));
    let begin = house.size() - 1;
    let request = v1::WatchRequest { session: house.session("ada"), after_seq: Some(begin) };
    let mut stalled = narrow.watch(request).await.expect("a stream").into_inner();
    let mut quick = house.follow("ada", Some(begin)).await.expect("a stream");
    next(&mut quick).await;
    let full = house.follow("ada", None).await.expect_err("both seats are taken");
    assert_eq!(full.code(), Code::ResourceExhausted);
    // Everybody else is told everything while it sleeps.
    for number in 1..=60 {
        let (id, request) = house.ask_and_withdraw(number).await;
        for kind in ["requested", "withdrawn", "closed"] {
            let event = next(&mut quick).await;
            assert_eq!(event.kind, kind, "{number}: {request}");
            assert_eq!(event.request.expect("a view").id, id);
        }
    }
    // Its seat is given back though it never reads.
    let mut again = house.seated("ada", None).await;
    next(&mut again).await;
    drop(again);
    // It reads after all: what was on its way, then where to go on.
    let (mut last, mut seen) = (begin, Vec::new());
    let status = loop {
        match timeout(SOON, stalled.message()).await.expect("soon") {
            Ok(event) => {
                let event = event.expect("a last word");
                last = event.seq;
                seen.extend((!event.kind.is_empty()).then_some(event.seq));
            }
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().ends_with(&format!("`after_seq` {last}")), "{status} after {last}");
    let mut rest = house.seated("ada", Some(last)).await;
    seen.extend(told(&mut rest).await.into_iter().map(|(seq, _)| seq));
    assert_eq!(seen, (begin + 1..house.size()).collect::<Vec<_>>(), "without gap or repetition");
}

impl House {
    /// A stream, as soon as there is a seat for it.
    async fn seated(&self, who: &str, after_seq: Option<u64>) -> Streaming<v1::WatchEvent> {
        for _ in 0..1200 {
            if let Ok(stream) = self.follow(who, after_seq).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no seat for {who}");
    }

    /// Sam asks and takes it back.
    async fn ask_and_withdraw(&self, number: u8) -> (String, Digest) {
        let asking = self.asking(number);
        let request = Digest::of(&asking.statement);
        let id = self.submit(asking).await.expect("a request").request_id;
        let by = "sam".parse().expect("a name");
        let act = Act::Withdraw(About { request, by, comment: None });
        self.submit(key_of("sam").say(&self.say(act))).await.expect("withdrawn");
        (id, request)
    }
}

/// The cost of watching: whoever looks first reads what is new, and makes each view; the others find
/// both. While nothing happens nobody reads anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_watchers_read_what_is_new_once() {
    let house = House::open().await;
    let (_stop, stopping) = watch::channel(false);
    let service =
        Arc::new(Service::new(Arc::clone(&house.desk), Arc::default(), Limits::roomy(), stopping));
    let begin = house.size();
    service.feed.join(begin).await;
    house.asked().await;
    let looks = (0..100).map(|_| {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let page = service.feed.page(&service, begin).await.expect("a page");
            let happening = page.happenings.into_iter().next().expect("the request");
            happening.view(&service).await.expect("a view").expect("a request");
            happening
        })
    });
    let mut found = Vec::new();
    for look in looks.collect::<Vec<_>>() {
        found.push(look.await.expect("a look"));
    }
    assert!(found.iter().all(|one| Arc::ptr_eq(one, &found[0])), "one reading, one view");
}
