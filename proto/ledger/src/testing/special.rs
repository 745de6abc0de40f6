//! The stories behind the published vectors of lanes and of all that surrounds a grant.

use super::{Export, House};
use crate::entry::{Cause, Outcome};
use crate::id::RequestId;
use crate::statement::{Act, Ask, Lane, ReviewVerdict};

impl House {
    /// An honest ledger in which every lane was used, and everything around them happened once.
    #[must_use]
    pub fn special() -> Self {
        let mut house = Self::lanes();
        house.measure(true);
        let opened = house.agreed(Lane::Outage);
        house.pass(60);
        house.measure(false);
        house.pass(600);
        house.record(house.revoking(opened, Cause::OutageEnded, None));
        house.declare(3600);
        house.resolve("eve");
        let asked = house.request("sam", "db", 1800);
        house.pass(300);
        house.escalate(asked, None, "app-owner");
        house.pass(300);
        let alone = house.request_in(Lane::Emergency, "sam", "db", 900);
        house.pass(120);
        house.collect(alone);
        house.drop_grant(alone, "sam");
        house.review(alone, "eve", ReviewVerdict::Justified);
        house.approve(asked, "eve", "app-owner");
        house.withdraw(asked, "sam");
        let drill = house.request_in(Lane::Drill, "sam", "metered", 600);
        house.collect(drill);
        house.pick_up(drill);
        house.drop_grant(drill, "sam");
        let behalf = house.ask("bot", "db", 600);
        let sam = "sam".parse().expect("a name");
        let behalf = house.request_as("bot", Ask { on_behalf_of: vec![sam], ..behalf });
        house.approve(behalf, "ada", "app-owner");
        house.approve(behalf, "bob", "security");
        house.collect(behalf);
        let lock = house.lock("eve", "principal:bot");
        house.record(house.revoking(behalf, Cause::Locked, None));
        house.unlock("eve", lock);
        house.close(drill, Outcome::Revoked);
        house.drilled(drill, "metered", true);
        house.close(alone, Outcome::Revoked);
        house.close(behalf, Outcome::Revoked);
        house.close(opened, Outcome::Revoked);
        house
    }

    /// sam asks for `db` in `lane`, both stages agree, and it is collected.
    pub fn agreed(&mut self, lane: Lane) -> RequestId {
        let id = self.request_in(lane, "sam", "db", 1800);
        self.approve(id, "ada", "app-owner");
        self.approve(id, "bob", "security");
        self.collect(id);
        id
    }

    /// A house whose policy has a rule of Cedar that permits everything, named by all decisions.
    #[must_use]
    pub fn ruled() -> Self {
        let mut house = Self::lanes();
        let mut files = house.files_of_lanes();
        files.rules = b"@id(\"anybody\")\npermit (principal, action, resource);\n".to_vec();
        house.enact(&files, "pia");
        house.rules = vec!["cedar:anybody".to_owned()];
        house
    }
}

/// A code, and what a broker does that is found under it.
type Story = (&'static str, fn(&mut House));

/// What a broker writes that breaks the rules of lanes and of what surrounds a grant, by the code
/// that is found. Chain, root and checkpoint are good.
#[must_use]
pub fn harmed_surroundings() -> Vec<(&'static str, Export)> {
    let stories: [Story; 11] = [
        ("E_LANE_CLOSED", |house| {
            house.record(house.declaring("ada", 3600, "declared"));
            house.request_in(Lane::Outage, "sam", "db", 60);
        }),
        ("E_LIMIT_EXCEEDED", |house| {
            let id = house.request("sam", "metered", 60);
            house.collect(id);
            house.drop_grant(id, "sam");
            house.pass(599);
            house.request("sam", "metered", 60);
        }),
        ("E_REVIEW_MISSING", |house| {
            let id = house.request("sam", "gated", 60);
            house.collect(id);
            house.drop_grant(id, "sam");
            house.request("ann", "gated", 60);
        }),
        ("E_REVIEW_INVALID", |house| {
            let id = house.agreed(Lane::Normal);
            house.drop_grant(id, "sam");
            house.review(id, "bob", ReviewVerdict::Justified);
        }),
        ("E_ESCALATION_INVALID", |house| {
            let id = house.request("sam", "db", 60);
            house.pass(299);
            house.escalate(id, None, "app-owner");
        }),
        ("E_DELEGATION", |house| {
            let ask = house.ask("bot", "db", 60);
            house.request_as("bot", ask);
        }),
        ("E_OUTAGE_INVALID", |house| {
            house.record(house.declaring("ada", 3600, "declared"));
            house.pass(1);
            house.record(house.declaring("ada", 3600, "began"));
        }),
        ("E_LOCKED", |house| {
            house.lock("eve", "host:db-1");
            house.request("sam", "db", 60);
        }),
        ("E_LOCK_INVALID", |house| {
            let id = house.agreed(Lane::Normal);
            house.lock("eve", "principal:ann");
            house.record(house.revoking(id, Cause::Locked, None));
        }),
        ("E_DRILL_MISMATCH", |house| {
            let id = house.request_in(Lane::Drill, "sam", "metered", 60);
            house.withdraw(id, "sam");
            house.drilled(id, "metered", true);
        }),
        ("E_CONTEXT_MISMATCH", |house| {
            let ask = house.ask("sam", "db", 60);
            let id = ask.id;
            let signed = house.said("sam", Act::Request(ask));
            let mut body = house.requesting(id, "db", signed);
            body.decision.context.live = Some(7);
            house.record(body);
        }),
    ];
    let play = |(code, story): Story| {
        let mut house = House::lanes();
        story(&mut house);
        (code, house.export())
    };
    stories.into_iter().map(play).collect()
}

/// What is judged by rules of Cedar alone: without a rule that determined it, and with one that
/// forbids it. The names are the codes that a verifier with Cedar finds.
#[must_use]
pub fn harmed_rulings() -> Vec<(&'static str, Export)> {
    let mut unnamed = House::ruled();
    unnamed.rules.clear();
    unnamed.request("sam", "metered", 60);
    let mut forbidden = House::ruled();
    let mut files = forbidden.files_of_lanes();
    files.rules = b"@id(\"anybody\")\npermit (principal, action, resource);\n\
        @id(\"not-sam\")\nforbid (principal == Principal::\"sam\", action, resource);\n"
        .to_vec();
    forbidden.enact(&files, "pia");
    forbidden.request("sam", "metered", 60);
    vec![("E_RULES_MISMATCH", unnamed.export()), ("E_RULES_FORBID", forbidden.export())]
}
