//! The law with the rules of a large house, beside the rules' engine alone.

use std::fmt::Write as _;
use std::hint::black_box;

use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::policy::{Files, MINTED, Policy, check, sample};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Ask, Seen, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::eligibility::{NO_RULES, Rules};
use breakglass_rules::{Command, Facts, History, Landing, SeenVerdict, Verdict, World, decide};

use crate::Extent;
use crate::bare::Bare;
use crate::cast::SCOPE;
use crate::measure::{median, seconds};
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "decide";

/// Everybody, with the two who approve.
const PRINCIPALS: usize = 1_000;

/// Every one is asked for once in a round.
const SCOPES: usize = 200;

/// Each has [`RULES`] of its own.
const TEAMS: usize = 20;

/// The rules of a team, which is what TEAM stands for: [`RULES_OF_A_TEAM`].
const RULES: &str = r#"
@id("asks-TEAM")
permit (principal in Group::"team-TEAM", action == Action::"request", resource)
when { principal in resource.requesters && context.ttl <= 3600 };

@id("approves-TEAM")
permit (principal in Group::"leads", action == Action::"approve", resource)
when { principal in resource.approvers && context.requester in Group::"team-TEAM" };

@id("short-TEAM")
forbid (principal in Group::"team-TEAM", action == Action::"request", resource)
when { context.ttl > 1800 && !context.outage.active && resource.sensitivity == "critical" };

@id("nights-TEAM")
forbid (principal, action == Action::"request", resource == Scope::"host-TEAM")
when { context.hour < 5 && !context.incident };

@id("few-TEAM")
forbid (principal, action in [Action::"request", Action::"approve"], resource)
when { context.requester in Group::"team-TEAM" && context.live >= 3 && context.lane == "normal" };
"#;

const RULES_OF_A_TEAM: usize = 5;

/// What everybody asks for, in seconds.
const TTL: u32 = 900;

/// A Sunday, a quarter past ten.
const NOW: u64 = 1_795_342_500;

/// Somebody and what they ask for.
struct Asking {
    statement: Statement,
    person: Person,
}

/// Decisions over requests with a thousand principals, two hundred scopes and a hundred rules.
pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let rounds = if extent == Extent::Quick { 5 } else { 51 };
    let (policy, log) = (policy(), Origin::new("bench", &[7; 32]).expect("a name"));
    let rules = Rules::of(&policy).expect("good rules");
    let asking: Vec<Asking> = (0..SCOPES).map(|number| Asking::new(number, &log)).collect();
    let bare = Bare::new(&policy);
    let law = &policy;
    let by_rules = |rules| asking.iter().map(move |one| one.decided(law, rules));
    let mut questions = Vec::new();
    for (one, verdict) in asking.iter().zip(by_rules(&rules)) {
        let question = bare.question(one.ask(), NOW);
        let ids = bare.permitted(&question).into_iter().map(|id| format!("cedar:{id}"));
        // Both sides answer the same questions, and alike.
        assert!(ids.eq(determining(&verdict)), "{:?}", one.ask());
        questions.push(question);
    }
    let (mut plain, mut whole, mut alone, mut ratios) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        plain.push(each(by_rules(&NO_RULES)));
        whole.push(each(by_rules(&rules)));
        alone.push(each(questions.iter().map(|question| bare.answer(question))));
        ratios.push(alone[alone.len() - 1] / whole[whole.len() - 1]);
    }
    let rate = |times: &mut Vec<f64>| Figure::Rate(1.0 / median(times));
    let house = format!("{PRINCIPALS} principals, {SCOPES} scopes");
    report.part(SECTION, format!("a request, {house}, no rules"), rate(&mut plain));
    report.paired(
        SECTION,
        format!("a request, {house}, {} rules", TEAMS * RULES_OF_A_TEAM),
        rate(&mut whole),
        ("Cedar's is_authorized alone", rate(&mut alone), median(&mut ratios)),
        Some(Aim::AtLeast(0.8)),
    );
}

/// Seconds for each of the scopes' questions.
fn each<T>(answers: impl Iterator<Item = T>) -> f64 {
    seconds(|| answers.for_each(|answer| drop(black_box(answer)))).0 / SCOPES as f64
}

/// The policy's own rules that permitted it.
fn determining(verdict: &Verdict) -> impl Iterator<Item = String> {
    let decision = if let Verdict::Record(_, decision) = verdict { Some(decision) } else { None };
    let rules = decision.into_iter().flat_map(|decision| &decision.rules);
    rules.filter(|id| id.starts_with("cedar:")).cloned()
}

impl Asking {
    /// Responder `number` asks for scope `number`, which is their team's.
    fn new(number: usize, log: &Origin) -> Self {
        let person = Person::named(&format!("on{number}"));
        let subject = Person::named(&format!("subject {number}"));
        let scope = format!("host-{number}");
        let act = Act::Request(ask(&person.name, &scope, TTL, number as u64, subject.key()));
        let until = Timestamp::from_unix_seconds(NOW).plus(600);
        let seen = Some(Seen { size: 0, root: None });
        let salt = Salt::from_bytes((number as u128).to_be_bytes());
        let statement = Statement::compose(log, seen, act, Some(until), salt).expect("composes");
        Self { statement, person }
    }

    fn ask(&self) -> &Ask {
        let Act::Request(ask) = self.statement.act() else { unreachable!("a request") };
        ask
    }

    fn decided(&self, policy: &Policy, rules: &Rules) -> Verdict {
        let (now, world) = (Timestamp::from_unix_seconds(NOW), World::default());
        let facts = Facts {
            now,
            head_time: now,
            log: self.statement.log(),
            policy,
            policy_at_request: None,
            rules,
            request: None,
            live_in_scope: 0,
            open_duplicate: None,
            id_taken: false,
            subject_used: false,
            recorded: None,
            seen_ok: SeenVerdict::Ours,
            world: &world,
            history: &History::NONE,
            landing: &Landing::NONE,
            can_revoke: true,
            mints: MINTED,
        };
        let (statement, key) = (&self.statement, self.person.key());
        let command = Command::Statement { statement, key, user_verified: false };
        decide(black_box(&facts), black_box(&command)).expect("permitted")
    }
}

/// The house: responders by teams, each with scopes and rules of its own.
fn policy() -> Policy {
    let two = [Person::named("ada"), Person::named("bob")];
    let two = two.each_ref().map(|one| (one.name.as_str(), one.key()));
    let mut people = String::from_utf8(sample(&two).people).expect("text");
    let (mut scopes, mut rules) = (String::new(), String::new());
    for team in 0..TEAMS {
        write!(people, "\n[[group]]\nid = \"team-{team}\"\n").expect("grows");
        rules += &RULES.replace("TEAM", &team.to_string());
    }
    for number in 0..PRINCIPALS - two.len() {
        let (person, team) = (Person::named(&format!("on{number}")), number % TEAMS);
        let (name, key) = (&person.name, person.key().to_openssh());
        write!(
            people,
            "\n[[principal]]\nid = {name:?}\nkeys = [{key:?}]\nkind = \"human\"\nname = {name:?}\n\
             groups = [\"oncall\", \"team-{team}\"]\n"
        )
        .expect("grows");
    }
    for number in 0..SCOPES {
        let team = format!("requesters = \"group:team-{}\"", number % TEAMS);
        let scope = SCOPE.replace("requesters = \"group:oncall\"", &team);
        write!(scopes, "\n{}", scope.replace("NUMBER", &number.to_string())).expect("grows");
    }
    let [people, scopes, rules] = [people, scopes, rules].map(String::into_bytes);
    let files = Files { people, scopes, rules, ..sample(&two) };
    check(&files).expect("a good policy").into_policy(1, Digest::ZERO)
}
