//! Who acts in an emergency, under which policy, and every word they say, signed in advance.

use std::fmt::Write as _;

use breakglass_broker::desk::{Desk, Incoming, Text};
use breakglass_integration_tests::people::{Person, say};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{
    Act, Approve, Ask, Collect, Kind, Lane, Seen, Statement, commitment,
};
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_proto::v1;

/// How large the policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    /// A team: what a start usually reads.
    Team,
    /// A company: enough responders for 256 emergencies at once, each of whom has one open request
    /// for a scope, and enough scopes for a hundred thousand live grants.
    Company,
}

impl House {
    const fn responders(self) -> u32 {
        match self {
            Self::Team => 32,
            Self::Company => 256,
        }
    }

    /// Scopes of at most [`LIVE_MAX`] live grants each.
    const fn scopes(self) -> u64 {
        match self {
            Self::Team => 8,
            Self::Company => 128,
        }
    }
}

/// The policy's own limit on `live-max`.
pub(crate) const LIVE_MAX: u64 = 1000;

/// Emergencies from this number on are approved and then wait, in a scope of their own, so that
/// they are in nobody's way.
pub(crate) const WAITING: u64 = 1 << 40;

/// Statements are good for this long, in seconds.
const GOOD_FOR_SECONDS: u64 = 900;

/// Everybody.
pub(crate) struct Cast {
    house: House,
    responders: Vec<Signer>,
    ada: Signer,
    bob: Signer,
}

/// Somebody who signs.
struct Signer {
    person: Person,
    /// Over something else: what [`Ink::Old`] puts under every statement.
    old: SshSig,
}

/// When and where something is said.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) origin: Origin,
    pub(crate) policy: Digest,
    pub(crate) seen: Seen,
    pub(crate) now: Timestamp,
}

impl Scene {
    /// Here and now, as a desk knows it.
    pub(crate) fn of(desk: &Desk) -> Self {
        let head = desk.reader().expect("a snapshot").head();
        Self {
            origin: desk.public().origin.clone(),
            policy: desk.policy().digest,
            seen: Seen { size: head.size, root: Some(head.root) },
            now: desk.now(),
        }
    }
}

/// One signed statement.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) statement: Statement,
    pub(crate) signature: SshSig,
    pub(crate) text: Option<Text>,
}

/// The four acts of an emergency: request, two approvals, collect.
pub(crate) type Emergency = [Said; 4];

/// How statements are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Really.
    Fresh,
    /// With a signature over something else, which no verifier would believe: quicker, for ledgers
    /// of which only the size counts. The desk takes it, because its doors verify.
    Old,
}

impl Cast {
    pub(crate) fn new(house: House) -> Self {
        let responder = |number| Signer::new(Person::named(&format!("on{number}")));
        Self {
            house,
            responders: (0..house.responders()).map(responder).collect(),
            ada: Signer::new(Person::named("ada")),
            bob: Signer::new(Person::named("bob")),
        }
    }

    /// The policy: the sample's people and everybody of this cast, and its scopes.
    pub(crate) fn files(&self) -> Files {
        let (pia, eve) = (Person::named("pia"), Person::named("eve"));
        let responders = self.responders.iter().map(|responder| &responder.person);
        let all = [&pia, &self.ada.person, &self.bob.person, &eve].into_iter().chain(responders);
        let listed: Vec<_> = all.map(|one| (one.name.as_str(), one.key())).collect();
        let mut files = sample(&listed);
        let mut scopes = String::new();
        for number in 0..self.house.scopes() {
            write!(scopes, "\n{}", SCOPE.replace("NUMBER", &number.to_string())).expect("grows");
        }
        files.scopes.extend(scopes.into_bytes());
        // Addresses cost nothing where there is no channel.
        let mut people = String::from_utf8(files.people).expect("text");
        for (name, channel) in [("ada", "one"), ("bob", "two")] {
            let line = format!("name = \"{name}\"\n");
            people = people.replace(&line, &format!("{line}notify = [\"{channel}:{name}\"]\n"));
        }
        files.people = people.into_bytes();
        files
    }

    /// Emergency `number`, for a grant of `ttl` seconds.
    ///
    /// Those whose numbers differ by less than the responders do not get in each other's way.
    pub(crate) fn emergency(&self, scene: &Scene, number: u64, ttl: u32, ink: Ink) -> Emergency {
        // A key carries one credential.
        let subject = Signer::new(Person::named(&format!("subject {number}")));
        let own = subject.person.key().clone();
        self.emergency_of(scene, number, (ttl, ink), Kind::Ssh, &own, |statement| match ink {
            Ink::Fresh => subject.person.sign(statement),
            Ink::Old => subject.old.clone(),
        })
    }

    /// The same for a credential of this kind, bound to `own`, whose owner signs what collects it.
    pub(crate) fn emergency_of(
        &self,
        scene: &Scene,
        number: u64,
        (ttl, ink): (u32, Ink),
        kind: Kind,
        own: &PublicKey,
        collects: impl FnOnce(&Statement) -> SshSig,
    ) -> Emergency {
        let responder = &self.responders[number as usize % self.responders.len()];
        let mut salt = [0; 32];
        salt[..8].copy_from_slice(&number.to_be_bytes());
        let text = "payments are down and the identity provider with them".to_owned();
        let ask = Ask {
            id: id(number),
            by: responder.person.name.parse().expect("a name"),
            scope: self.scope(number).parse().expect("a name"),
            kinds: vec![kind],
            lane: Lane::Normal,
            ttl: Ttl::from_seconds(ttl).expect("a ttl"),
            incident: Some("INC-4711".to_owned()),
            reason: Some(commitment(&salt, &text)),
            key: Some(own.clone()),
            on_behalf_of: Vec::new(),
        };
        let state = |step: u8, act: Act| {
            let nonce = u128::from(number) << 8 | u128::from(step);
            say(&scene.origin, scene.seen, act, scene.now, GOOD_FOR_SECONDS, nonce)
        };
        let sign = |step: u8, who: &Signer, act: Act| {
            let statement = state(step, act);
            let signature = match ink {
                Ink::Fresh => who.person.sign(&statement),
                Ink::Old => who.old.clone(),
            };
            Said { statement, signature, text: None }
        };
        let mut request = sign(0, responder, Act::Request(ask));
        request.text = Some(Text { salt, text });
        let about = request.statement.digest();
        let approve = |who: &Signer, stage: &str| {
            Act::Approve(Approve {
                request: about,
                by: who.person.name.parse().expect("a name"),
                stage: stage.parse().expect("a name"),
                policy: scene.policy,
                ttl_max: Ttl::from_seconds(3600).expect("a ttl"),
                comment: None,
            })
        };
        let first = sign(1, &self.ada, approve(&self.ada, "app-owner"));
        let second = sign(2, &self.bob, approve(&self.bob, "security"));
        let statement = state(3, Act::Collect(Collect { request: about, kind }));
        let signature = collects(&statement);
        [request, first, second, Said { statement, signature, text: None }]
    }
}

impl Cast {
    fn scope(&self, number: u64) -> String {
        let others = self.house.scopes() - 1;
        let cell = if number < WAITING { (number / LIVE_MAX) % others } else { others };
        format!("host-{cell}")
    }
}

impl Signer {
    fn new(person: Person) -> Self {
        let old = person.sign_in("nothing.v1@breakglass", b"nothing");
        Self { person, old }
    }
}

impl Said {
    /// As the network's door hands it to the desk.
    pub(crate) fn incoming(&self) -> Incoming {
        let Self { statement, signature, text } = self.clone();
        Incoming { statement, signature, user_verified: false, text, bundle: None }
    }

    /// As it travels.
    pub(crate) fn message(&self) -> v1::SubmitRequest {
        let text = self.text.clone();
        v1::SubmitRequest {
            statement: self.statement.text().as_bytes().to_vec(),
            signature: self.signature.armored().to_owned(),
            text: text.map(|Text { salt, text }| v1::Text { salt: salt.to_vec(), text }),
            ..v1::SubmitRequest::default()
        }
    }
}

fn id(number: u64) -> RequestId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    RequestId::new(1_795_341_600_000 + number, random)
}

/// A scope; NUMBER stands for its own.
pub(crate) const SCOPE: &str = r#"[[scope]]
id = "host-NUMBER"
title = "Root on the hosts of cell NUMBER"
purpose = "Repair a host when the identity provider is down"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 1000
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]

[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1

[[scope.stage]]
name = "security"
approvers = "group:security"
quorum = 1

[scope.ssh]
principals = ["bg-root"]
extensions = ["permit-pty"]

[scope.x509]
organizations = ["bg-root"]

[scope.jwt]
audience = "https://hosts.example.com"
groups = ["bg-root"]
"#;
