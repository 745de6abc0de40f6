//! What became of a revocation on hosts, and their alarms, as they are told.

use breakglass_ledger::statement::{Applied, Canary, List, Maybe, Serial, Use};

use super::following::next;
use super::*;

impl House {
    /// db-1 says that the newest list is in force there.
    async fn applied(&self, canary: Canary, ended: Option<u64>) -> v1::SubmitAnswer {
        let list = self.desk.lists();
        let said = self.say(Act::Applied(Applied {
            by: "db-1".parse().expect("a name"),
            target: "db-1".parse().expect("a name"),
            list: List::Krl,
            version: list.version,
            digest: Digest::of(&list.krl),
            canary,
            latency: Maybe(Some(120)),
            ended: Maybe(ended),
        }));
        self.submit(key_of("db-1").say(&said)).await.expect("a report")
    }

    async fn saw(&self, serial: u64) -> v1::SubmitAnswer {
        let said = self.say(Act::Use(Use {
            by: "db-1".parse().expect("a name"),
            target: "db-1".parse().expect("a name"),
            serial: Serial(serial),
            at: self.now(),
        }));
        self.submit(key_of("db-1").say(&said)).await.expect("a report")
    }

    /// Sam's grant, given back; its id, and the `revoked` entry.
    async fn given_back(&self) -> (String, u64) {
        let (id, request) = self.asked().await;
        self.submit(self.approving(request, "ada", "app-owner")).await.expect("approved");
        self.submit(self.approving(request, "bob", "security")).await.expect("approved");
        self.submit(self.collecting(request)).await.expect("collected");
        (id, self.submit(self.dropping(request)).await.expect("dropped").seq)
    }

    async fn targets(&self, who: &str) -> v1::ListTargetsAnswer {
        let question = v1::ListTargetsRequest { session: self.session(who) };
        self.client().list_targets(question).await.expect("targets").into_inner()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_says_per_target_what_was_applied_verified_and_ended() {
    let house = House::open().await;
    house.applied(Canary::Untried, None).await;
    let (id, revoked) = house.given_back().await;
    let view = house.view(house.session("sam"), &id).await.expect("sam's");
    let [landing] = &view.landings[..] else { panic!("one list: {:?}", view.landings) };
    assert_eq!((landing.seq, landing.list.as_str()), (revoked, "krl"));
    assert_eq!((landing.targets_total, landing.landed_total), (1, 0));
    assert_eq!(landing.sent_at, house.now().unix_seconds());
    assert_eq!((landing.targets[0].applied_at, landing.targets[0].verified_at), (0, 0));
    house.clock.advance(3);
    house.applied(Canary::Untried, Some(1)).await;
    let applied_at = house.now().unix_seconds();
    house.clock.advance(3);
    house.applied(Canary::Refused, Some(7)).await;
    let view = house.view(house.session("sam"), &id).await.expect("sam's");
    let landing = &view.landings[0];
    assert!(landing.newest > revoked);
    let told = &landing.targets[0];
    assert_eq!((landing.landed_total, told.applied_at), (1, applied_at));
    assert_eq!((told.latency_ms, told.sessions_ended), (Some(120), Some(1)), "of the first report");
    assert_eq!((told.verified_at, told.accepted), (applied_at + 3, false));
}

/// R34: who may not read a grant does not learn that it was revoked, and is told of the hosts.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_everywhere_is_listed_until_it_is_and_for_whom_it_concerns() {
    let house = House::open().await;
    house.applied(Canary::Untried, None).await;
    let (id, revoked) = house.given_back().await;
    let answer = house.targets("ada").await;
    let [one] = &answer.unlanded[..] else { panic!("one: {:?}", answer.unlanded) };
    assert_eq!((one.request_id.as_str(), one.seq), (id.as_str(), revoked));
    assert_eq!((&one.missing[..], one.missing_total), (&["db-1".to_owned()][..], 1));
    let of_others = house.targets("mal").await;
    assert_eq!(of_others.unlanded, []);
    assert_eq!(of_others.targets, answer.targets);
    assert!(answer.targets[0].version <= revoked && answer.targets[0].newest > revoked);
    house.applied(Canary::Refused, Some(0)).await;
    let answer = house.targets("ada").await;
    assert_eq!(answer.unlanded, []);
    assert_eq!(answer.targets[0].version, answer.targets[0].newest);
    assert_eq!(answer.targets[0].canary, "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_of_hosts_are_told_to_whoever_watches_and_plain_reports_are_not() {
    let house = House::open().await;
    let mut stream = house.follow("ada", None).await.expect("a stream");
    next(&mut stream).await;
    house.applied(Canary::Untried, None).await;
    let accepted = house.applied(Canary::Accepted, None).await;
    let told = next(&mut stream).await;
    assert_eq!((told.seq, told.kind.as_str()), (accepted.seq, "applied"));
    assert!(told.detail.starts_with("db-1 accepts a revoked credential"), "{}", told.detail);
    let unlogged = house.saw(4_711).await;
    let told = next(&mut stream).await;
    assert_eq!((told.seq, told.kind.as_str()), (unlogged.seq, "reconciled"));
    assert!(told.detail.contains("4711") && told.request.is_none(), "{}", told.detail);
    assert_eq!(house.targets("ada").await.targets[0].unlogged, 1);
}
