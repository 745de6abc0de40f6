//! Every call, and who may make it.

use std::collections::BTreeSet;

use prost_types::FileDescriptorSet;

use super::*;

/// Who calls.
#[derive(Clone, Copy, Debug)]
enum Caller {
    /// No session at all.
    Nobody,
    /// A key that is not enrolled.
    Stranger,
    /// The subject key of sam's request.
    Subject,
    /// Who made the request.
    Requester,
    /// Who may approve it.
    Approver,
    /// An enrolled person whom it does not concern.
    Bystander,
    /// An enrolled agent whom it does not concern.
    Agent,
}

const CALLERS: [Caller; 7] = [
    Caller::Nobody,
    Caller::Stranger,
    Caller::Subject,
    Caller::Requester,
    Caller::Approver,
    Caller::Bystander,
    Caller::Agent,
];

use Code::{NotFound, Ok as Fine, PermissionDenied, Unauthenticated};

/// Each call, and what each of [`CALLERS`] gets, in that order. About sam's request where a call is
/// about one. `Submit` is about approving it; it takes no session but its own signature, so
/// "nobody" is one without any.
const MAY_CALL: [(&str, [Code; 7]); 13] = {
    const INVALID: Code = Code::InvalidArgument;
    const OPEN: [Code; 7] = [Fine; 7];
    const ABOUT_ONE: [Code; 7] =
        [Unauthenticated, Unauthenticated, Fine, Fine, Fine, NotFound, NotFound];
    const LIST: [Code; 7] = [Unauthenticated, Unauthenticated, Fine, Fine, Fine, Fine, Fine];
    const POLICY: [Code; 7] =
        [Unauthenticated, Unauthenticated, PermissionDenied, Fine, Fine, Fine, Fine];
    const ALL: [Code; 7] =
        [Unauthenticated, Unauthenticated, PermissionDenied, Fine, Fine, Fine, PermissionDenied];
    const APPROVE: [Code; 7] = [
        INVALID,
        Unauthenticated,
        PermissionDenied,
        PermissionDenied,
        Fine,
        PermissionDenied,
        PermissionDenied,
    ];
    [
        ("Submit", APPROVE),
        ("GetCheckpoint", OPEN),
        ("GetRequest", ABOUT_ONE),
        ("WatchRequest", ABOUT_ONE),
        ("Watch", LIST),
        ("ListPending", LIST),
        ("ListGrants", LIST),
        ("ListLocks", LIST),
        ("GetPolicy", POLICY),
        ("ListOutages", POLICY),
        ("ListTargets", POLICY),
        ("Export", ALL),
        // Not a call of its own: `Export` with a `request_id`.
        ("Export of one", ABOUT_ONE),
    ]
};

/// R11: a call that is not in the table stops the build of this test's peace.
#[test]
fn the_table_has_every_call_of_the_wire() {
    let described = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors");
    let calls: BTreeSet<String> = described
        .file
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method)
        .map(|method| method.name().to_owned())
        .collect();
    let listed = MAY_CALL.map(|(name, _)| name.to_owned());
    let listed: BTreeSet<_> = listed.into_iter().filter(|name| !name.contains(' ')).collect();
    assert_eq!(calls, listed);
}

/// R11, R34: default deny, for every call and everybody.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_answers_whom_it_may_and_nobody_else() {
    for (name, expected) in MAY_CALL {
        let house = House::open().await;
        let (id, request) = house.asked().await;
        for (caller, expected) in CALLERS.into_iter().zip(expected) {
            let code = match call(&house, name, caller, &id, request).await {
                Ok(()) => Fine,
                Err(status) => status.code(),
            };
            assert_eq!(code, expected, "{name} by {caller:?}");
        }
    }
}

/// R13, R34: whoever may not read a request learns no more than of one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_others_looks_like_one_that_does_not_exist() {
    let house = House::open().await;
    let (id, _) = house.asked().await;
    let unknown = RequestId::new(START * 1000, [77; 10]).to_string();
    let others = house.view(house.session("mal"), &id).await.expect_err("not mal's");
    let none = house.view(house.session("mal"), &unknown).await.expect_err("nobody's");
    assert_eq!((others.code(), others.message()), (none.code(), none.message()));
}

/// R34: lists show what concerns the caller.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_who_asks() {
    let house = House::open().await;
    let (id, request) = house.asked().await;
    let pending = async |who: &str| {
        let list = v1::ListRequest { session: house.session(who), ..v1::ListRequest::default() };
        let answer = house.client().list_pending(list).await.expect("a list").into_inner();
        answer.requests.into_iter().map(|view| view.id).collect::<Vec<_>>()
    };
    for who in ["sam", "ada", "bob", "eve"] {
        assert_eq!(pending(who).await, std::slice::from_ref(&id), "{who}");
    }
    for who in ["mal", "bot"] {
        assert!(pending(who).await.is_empty(), "{who}");
    }
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    house.submit(house.approving(request, "bob", "security")).await.expect("approved");
    house.submit(house.collecting(request)).await.expect("collected");
    assert!(pending("sam").await.is_empty());
    let list = v1::ListRequest { session: house.session("ada"), ..v1::ListRequest::default() };
    let grants = house.client().list_grants(list).await.expect("a list").into_inner().requests;
    assert_eq!(grants[0].state(), v1::State::Live);
    assert!(grants[0].entries.is_empty() && grants[0].certificate.is_empty());
}

/// R34: owners see every lock, anybody else those on themselves.
#[tokio::test(flavor = "multi_thread")]
async fn locks_are_listed_for_owners_and_for_whoever_they_are_on() {
    let house = House::open().await;
    for target in ["principal:mal", "principal:bot", "scope:root-on-host"] {
        let act = Act::Lock(breakglass_ledger::statement::Lock {
            by: "ada".parse().expect("a name"),
            target: target.parse().expect("a target"),
            until: None,
            comment: None,
        });
        house.submit(key_of("ada").say(&house.say(act))).await.expect("locked");
    }
    let seen = async |who: &str| {
        let question = v1::ListLocksRequest { session: house.session(who) };
        let answer = house.client().list_locks(question).await.expect("a list").into_inner();
        answer.locks.into_iter().map(|lock| lock.target).collect::<Vec<_>>()
    };
    assert_eq!(seen("ada").await.len(), 3);
    assert_eq!(seen("mal").await, ["principal:mal"]);
    assert_eq!(seen("bot").await, ["principal:bot"]);
}

async fn call(
    house: &House,
    name: &str,
    caller: Caller,
    id: &str,
    request: Digest,
) -> Result<(), Status> {
    let (mut client, session, request_id) = (house.client(), session(house, caller), id.to_owned());
    let about = v1::GetRequestRequest {
        session: session.clone(),
        request_id: request_id.clone(),
        beside: true,
    };
    let list = v1::ListRequest { session: session.clone(), ..v1::ListRequest::default() };
    let export = v1::ExportRequest { session: session.clone(), ..v1::ExportRequest::default() };
    match name {
        "Submit" => client.submit(approval(house, caller, request)).await.map(drop),
        "GetCheckpoint" => {
            client.get_checkpoint(v1::GetCheckpointRequest::default()).await.map(drop)
        }
        "GetRequest" => client.get_request(about).await.map(drop),
        "WatchRequest" => client.watch_request(about).await.map(drop),
        "Watch" => client.watch(v1::WatchRequest { session, after_seq: None }).await.map(drop),
        "ListPending" => client.list_pending(list).await.map(drop),
        "ListGrants" => client.list_grants(list).await.map(drop),
        "ListLocks" => client.list_locks(v1::ListLocksRequest { session }).await.map(drop),
        "GetPolicy" => client.get_policy(v1::GetPolicyRequest { session }).await.map(drop),
        "ListOutages" => client.list_outages(v1::ListOutagesRequest { session }).await.map(drop),
        "ListTargets" => client.list_targets(v1::ListTargetsRequest { session }).await.map(drop),
        "Export" => client.export(export).await.map(drop),
        "Export of one" => {
            client.export(v1::ExportRequest { request_id, ..export }).await.map(drop)
        }
        other => panic!("how is {other} called?"),
    }
}

fn session(house: &House, caller: Caller) -> Option<v1::Session> {
    let expires = house.now().plus(600);
    match caller {
        Caller::Nobody => None,
        Caller::Stranger => Some(Key::of(200).session(&house.desk.public().origin, "sam", expires)),
        Caller::Subject => house.subject_session(),
        Caller::Requester => house.session("sam"),
        Caller::Approver => house.session("ada"),
        Caller::Bystander => house.session("mal"),
        Caller::Agent => house.session("bot"),
    }
}

/// An approval of sam's request, as ada would say it, signed by whoever calls.
fn approval(house: &House, caller: Caller, request: Digest) -> v1::SubmitRequest {
    let (who, key) = match caller {
        Caller::Nobody => {
            let unsigned = house.approving(request, "ada", "app-owner");
            return v1::SubmitRequest { signature: String::new(), ..unsigned };
        }
        Caller::Stranger => ("ada", Key::of(200)),
        Caller::Subject => ("ada", subject()),
        Caller::Requester => ("sam", key_of("sam")),
        Caller::Approver => ("ada", key_of("ada")),
        Caller::Bystander => ("mal", key_of("mal")),
        Caller::Agent => ("bot", key_of("bot")),
    };
    let said = house.approving(request, who, "app-owner");
    let signature = key.sign("approve.v1@breakglass", &said.statement);
    v1::SubmitRequest { signature, ..said }
}
