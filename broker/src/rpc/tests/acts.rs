//! Acts, good and bad: what they answer, and what they leave in the ledger.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn one_emergency_passes_through_the_door_from_request_to_its_end() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let state = async || house.view(house.session("sam"), &id).await.expect("a view");
    let view = state().await;
    assert_eq!(
        (view.state(), view.reason_text.as_str()),
        (v1::State::Pending, "payments are stuck")
    );
    assert_eq!(view.stages[0].may_approve, ["ada"]);
    assert_eq!(view.stages[1].may_approve, ["bob", "eve"]);

    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    house.submit(house.approving(request, "bob", "security")).await.expect("approved");
    let view = state().await;
    assert_eq!(view.state(), v1::State::Approved);
    assert_eq!(view.stages[1].given[0].by, "bob");
    let fingerprint = key_of("bob").public().fingerprint().to_string();
    assert_eq!(view.stages[1].given[0].key_fingerprint, fingerprint);

    let collected = house.submit(house.collecting(request)).await.expect("a credential");
    assert!(collected.credential.starts_with("ssh-ed25519-cert-v01@openssh.com "));
    let view = state().await;
    assert_eq!((view.state(), view.serial), (v1::State::Live, collected.seq));
    assert_eq!((view.certificate, view.expires_at), (collected.credential, START + 1800));

    house.submit(house.dropping(request)).await.expect("dropped");
    let view = state().await;
    assert_eq!((view.state(), view.cause.as_str()), (v1::State::Ended, "dropped"));
    assert_eq!((view.outcome.as_str(), view.ended_by.as_str()), ("revoked", "sam"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_shown_with_its_words_and_whose_they_are() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let (salt, text) = ([6; 32], "use the read replica");
    let by = "bob".parse().expect("a name");
    let comment = Some(commitment(&salt, text));
    let denial = key_of("bob").say(&house.say(Act::Deny(About { request, by, comment })));
    let text_sent = Some(v1::Text { salt: salt.to_vec(), text: text.into() });
    house.submit(v1::SubmitRequest { text: text_sent, ..denial }).await.expect("denied");
    let view = house.view(house.session("sam"), &id).await.expect("a view");
    assert_eq!((view.state(), view.outcome.as_str()), (v1::State::Closed, "denied"));
    assert_eq!((view.ended_by.as_str(), view.comments[0].text.as_str()), ("bob", text));
    assert!(view.stages.iter().all(|stage| stage.may_approve.is_empty()), "nothing is left to do");
}

/// An answer is given only for what is covered by the checkpoint that comes with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_with_a_checkpoint_that_covers_its_entry() {
    let house = House::open().await;
    let answer = house.submit(house.asking(1)).await.expect("a request");
    let key = &house.desk.public().log;
    let checkpoint = open_checkpoint(&answer.checkpoint, key).expect("a checkpoint");
    assert!(checkpoint.size > answer.seq);
    let stored = house.desk.reader().expect("a reader").entry(answer.seq).expect("read");
    assert_eq!(stored.expect("an entry").bytes, answer.entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_get_the_same_answer_and_no_entry() {
    let house = House::open().await;
    let asking = house.asking(1);
    let first = house.submit(asking.clone()).await.expect("a request");
    let size = house.size();
    let again = house.submit(asking).await.expect("the same");
    assert!(again.repeated && !first.repeated);
    assert_eq!((again.seq, again.entry), (first.seq, first.entry));
    assert_eq!(house.size(), size);
}

/// R01, R29: what is not in form is told which field and which rule, and leaves no trace.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_is_not_in_form_is_told_why_and_not_written_down() {
    let house = House::open().await;
    let asking = house.asking(1);
    let text = String::from_utf8(asking.statement.clone()).expect("text");
    let sam = key_of("sam");
    let edited = text.replace("ttl: 1800", "ttl: 3600").into_bytes();
    let doubled = text.replace("lane: normal\n", "lane: normal\nlane: normal\n").into_bytes();
    let other_act = sam.sign("approve.v1@breakglass", &asking.statement);
    let with = |statement: Vec<u8>| v1::SubmitRequest { statement, ..asking.clone() };
    let cases = [
        (with(edited), Code::Unauthenticated, "changed after signing"),
        (with(doubled), Code::InvalidArgument, "`ttl`: must be the next line"),
        (with(vec![b'a'; 5000]), Code::InvalidArgument, "longer than 4096 bytes"),
        (with(Vec::new()), Code::InvalidArgument, "statement"),
        (
            v1::SubmitRequest { signature: other_act, ..asking.clone() },
            Code::InvalidArgument,
            "signed for \"approve.v1@breakglass\"",
        ),
        (
            v1::SubmitRequest { signature: String::new(), ..asking.clone() },
            Code::InvalidArgument,
            "malformed SSH signature",
        ),
        (v1::SubmitRequest { text: None, ..asking.clone() }, Code::InvalidArgument, "`text`"),
    ];
    let size = house.size();
    for (request, code, words) in cases {
        let status = house.submit(request).await.expect_err(words);
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(words), "{status}");
        assert_eq!(house.size(), size, "{words}");
    }
    house.submit(asking).await.expect("the right one still passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_not_even_read() {
    let house = House::open().await;
    let content = vec![0; MESSAGE_MAX_BYTES];
    let blobs = vec![v1::Blob { name: "people.toml".into(), content }];
    let size = house.size();
    let status = house.submit(v1::SubmitRequest { blobs, ..house.asking(1) }).await;
    assert_eq!(status.expect_err("too large").code(), Code::OutOfRange);
    assert_eq!(house.size(), size);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_make_the_ledger_grow() {
    let house = House::open().await;
    let asking = house.asking(1);
    let signature = Key::of(200).sign("request.v1@breakglass", &asking.statement);
    let size = house.size();
    let status = house.submit(v1::SubmitRequest { signature, ..asking }).await.expect_err("no");
    assert_eq!(status.code(), Code::Unauthenticated);
    let words = "is not enrolled, and is not the subject key of a request; nothing was written";
    assert!(status.message().contains(words), "{status}");
    assert_eq!(house.size(), size);
}

/// Sam's request with a change, signed by him all the same.
fn changed(house: &House, change: impl FnOnce(String) -> String) -> v1::SubmitRequest {
    let asking = house.asking(1);
    let text = change(String::from_utf8(asking.statement).expect("text"));
    let statement = Statement::parse(text.as_bytes()).expect("a statement");
    v1::SubmitRequest { text: asking.text, ..key_of("sam").say(&statement) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_signers_refusal_is_numbered_and_written_down() {
    let house = House::open().await;
    let cases = [
        (
            changed(&house, |text| text.replace("ttl: 1800", "ttl: 43200")),
            Code::InvalidArgument,
            "ttl-too-long",
        ),
        (
            changed(&house, |text| text.replace("root-on-host", "no-such-scope")),
            Code::NotFound,
            "scope-unknown",
        ),
        (
            changed(&house, |text| text.replace("by: sam", "by: mal")),
            Code::PermissionDenied,
            "key-not-theirs",
        ),
    ];
    for (request, code, name) in cases {
        let size = house.size();
        let status = house.submit(request).await.expect_err(name);
        let detail = refusal_of(&status);
        assert_eq!((status.code(), detail.name.as_str()), (code, name), "{status}");
        assert_eq!(detail.seq, Some(size), "{name}: its entry is named");
        assert_eq!(house.size(), size + 1, "{name}: it is written down");
        assert!(!status.message().is_empty());
    }
}

/// They can be had for nothing by whoever saw them once, so they must not make the ledger grow.
#[tokio::test(flavor = "multi_thread")]
async fn statements_for_another_log_or_time_are_refused_and_not_written_down() {
    let house = House::open().await;
    let (log, size) = (house.desk.public().origin.to_string(), house.size());
    let expires = format!("expires: {}", house.now().plus(600));
    let past = format!("expires: {}", house.now().minus(1));
    let elsewhere = "payments/0123456789abcdef";
    let cases = [
        (changed(&house, |text| text.replace(&log, elsewhere)), "other-log", elsewhere),
        (changed(&house, |text| text.replace(&expires, &past)), "expired", "expired"),
    ];
    for (request, name, words) in cases {
        let status = house.submit(request).await.expect_err(name);
        let detail = refusal_of(&status);
        assert_eq!((status.code(), detail.name.as_str()), (Code::InvalidArgument, name));
        assert!(status.message().contains(words), "{status}");
        assert_eq!((detail.seq, house.size()), (None, size), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_for_the_same_is_told_the_first_ones_id() {
    let house = House::open().await;
    let (id, _) = house.asked().await;
    let status = house.submit(house.asking(2)).await.expect_err("a duplicate");
    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(refusal_of(&status).first_request_id, id);
}

/// R15: an error comes without a credential, a credential without an error.
#[tokio::test(flavor = "multi_thread")]
async fn collecting_too_early_is_an_error_and_nothing_else() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let status = house.submit(house.collecting(request)).await.expect_err("too early");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(refusal_of(&status).name, "not-approved-yet");
    let view = house.view(house.session("sam"), &id).await.expect("a view");
    assert_eq!((view.serial, view.certificate.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_pushed_through_the_same_door() {
    let house = House::open().await;
    let (origin, old) = (house.desk.public().origin.clone(), house.desk.policy().digest);
    let mut files = policy_files();
    files.people.extend(b"\n# eve is on holiday\n");
    let (manifest, bundle) = signed_policy(&origin, files, 2, old);
    let blob = |name: &&str| v1::Blob {
        name: (*name).into(),
        content: bundle.files.get(name).expect("a file").to_vec(),
    };
    let blobs: Vec<_> = Files::NAMES.iter().map(blob).collect();
    let push = v1::SubmitRequest { blobs, ..key_of("pia").say(&manifest) };
    let by_sam =
        v1::SubmitRequest { signature: key_of("sam").say(&manifest).signature, ..push.clone() };
    let refused = house.submit(by_sam).await.expect_err("sam is no signer");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(house.desk.policy().version, 1);
    house.submit(push).await.expect("a policy");
    assert_eq!(house.desk.policy().version, 2);
    let request = v1::GetPolicyRequest { session: house.session("mal") };
    let policy = house.client().get_policy(request).await.expect("a policy").into_inner();
    assert_eq!((policy.version, policy.files.len()), (2, 4));
    assert_eq!(policy.manifest, manifest.text().as_bytes());
}
