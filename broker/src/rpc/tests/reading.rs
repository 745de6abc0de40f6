//! Reading and exporting under a policy with rules of its own (R34).

use super::*;

/// Everything is permitted, except that bob reads and that sam exports.
const RULES: &str = r#"
@id("all")
permit (principal, action, resource);
@id("bob-does-not-read")
forbid (principal == Principal::"bob", action == Action::"read", resource)
when { context.requester == Principal::"sam" && context.ttl == 1800 };
@id("sam-does-not-export")
forbid (principal == Principal::"sam", action == Action::"export", resource);
"#;

async fn house() -> House {
    let files = Files { rules: RULES.into(), ..policy_files() };
    House::under(files, Limits::roomy(), 1).await
}

/// R34: whom the rules forbid to read is shown neither the request nor that there is one.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_rules_do_not_let_read_sees_nothing() {
    let house = house().await;
    let (id, _) = house.asked().await;
    for (who, sees) in [("sam", true), ("ada", true), ("eve", true), ("bob", false), ("mal", false)]
    {
        assert_eq!(house.view(house.session(who), &id).await.is_ok(), sees, "{who}");
        let list = v1::ListRequest { session: house.session(who), ..v1::ListRequest::default() };
        let listed = house.client().list_pending(list).await.expect("a list").into_inner();
        assert_eq!(listed.requests.len(), usize::from(sees), "{who}");
        let session = house.session(who);
        let export = v1::ExportRequest { session, request_id: id.clone(), ..Default::default() };
        assert_eq!(house.client().export(export).await.is_ok(), sees, "{who}");
    }
    assert!(house.view(house.subject_session(), &id).await.is_ok(), "the key of the request");
}

/// Rules narrow what the data allows: a permit for everything shows nobody more.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_rules_do_not_let_export_does_not() {
    let house = house().await;
    for (who, may) in [("sam", false), ("ada", true), ("mal", true), ("bot", false)] {
        let session = house.session(who);
        let export = v1::ExportRequest { session, ..v1::ExportRequest::default() };
        assert_eq!(house.client().export(export).await.is_ok(), may, "{who}");
    }
}

/// What was done with a scope before is for whoever may read the request, if asked for; the subject key
/// of one request reads nothing of others.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_is_told_to_people_who_ask_for_it() {
    let mut files = policy_files();
    let scopes = String::from_utf8(files.scopes).expect("text");
    files.scopes = scopes.replacen("live-max = 2", "live-max = 2\nbudget = \"2h/7d\"", 1).into();
    let house = House::under(files, Limits::roomy(), 1).await;
    let (id, request) = house.asked().await;
    let look = async |session: Option<v1::Session>, beside: bool| {
        let request = v1::GetRequestRequest { session, request_id: id.clone(), beside };
        house.client().get_request(request).await.expect("a view").into_inner().beside
    };
    for who in ["sam", "ada", "bob"] {
        assert_eq!(look(house.session(who), true).await, Some(v1::Beside::default()), "{who}");
        assert_eq!(look(house.session(who), false).await, None, "{who}");
    }
    assert_eq!(look(house.subject_session(), true).await, None);
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("approved");
    house.submit(house.approving(request, "bob", "security")).await.expect("approved");
    house.submit(house.collecting(request)).await.expect("collected");
    let told = look(house.session("ada"), true).await.expect("told");
    assert_eq!((told.live, told.budget_used), (1, 1800), "what is alive counts to its end");
}
