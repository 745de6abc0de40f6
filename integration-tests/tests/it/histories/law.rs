//! The policies that histories are played under: as files for the house, as tables for the eye.

use std::fmt::Write as _;

use breakglass_integration_tests::people::Person;
use breakglass_ledger::policy::Files;

use super::register::{self, Scope};
use super::rules;

/// A key, by who had it first and its number.
pub(crate) type Key = (&'static str, u32);

/// Everybody's part, told twice: to the house as files, to the [eye](super::eye) as this.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    pub(crate) people: Vec<Who>,
    pub(crate) scopes: Vec<Scope>,
    /// Which of the [rules] of Cedar there are; 0 for none.
    pub(crate) rules: usize,
}

/// Somebody, of one group.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) keys: Vec<Key>,
    pub(crate) group: &'static str,
    pub(crate) sponsor: Option<&'static str>,
    /// `group:` or `principal:` and a name.
    pub(crate) owner: Option<&'static str>,
}

/// How many laws there are; [`Law::numbered`] takes what is below.
pub(crate) const LAWS: usize = 22;

impl Law {
    /// 0 is what every history begins under; the others each change one thing.
    pub(crate) fn numbered(number: usize) -> Self {
        let mut law = Self::base();
        match number {
            1 => law.people.retain(|who| who.name != "sam" && who.name != "robo"),
            2 => law.people.retain(|who| who.name != "ada"),
            3 => law.people.retain(|who| who.name != "bob"),
            4 => law.people.push(human("dan", 1, "security")),
            5 => law.scopes.retain(|scope| scope.id != "root-on-host"),
            6 => law.scopes.retain(|scope| scope.id != "quick" && scope.id != "solo"),
            7 => law.scope("root-on-host").principal = "bg-admin",
            8 => {
                // ada lost her first key, and has sam's second one.
                law.who("ada").keys = vec![("ada", 1), ("sam", 1)];
                law.who("sam").keys = vec![("sam", 0)];
            }
            9 => law.rules = 1,
            10 => law.rules = 2,
            11 => law.scope("directory").lanes.retain(|lane| *lane != "outage"),
            12 => law.scope("hot").lanes.retain(|lane| *lane != "emergency"),
            13 => law.scope("directory").hosts = vec!["db-1", "db-9"],
            14 => law.who("robo").sponsor = Some("joe"),
            15 => {
                law.scope("hot").stages[0].escalate = vec!["staff"];
                law.end_with_outage("mirror", Some(30));
            }
            16 => {
                law.rules = 2;
                law.scope("quick").principal = "bg-log";
            }
            17 => law.end_with_outage("directory", None),
            18 => {
                let mirror = law.scope("mirror");
                (mirror.review_gate, mirror.cooldown) = (false, 0);
                law.scope("hot").emergency = Some((300, 120, 60));
            }
            19 => law.people.push(human("max", 1, "managers")),
            20 => law.scope("trio").x509 = Some("ops"),
            21 => law.scope("trio").jwt = None,
            _ => {}
        }
        law.sound()
    }

    fn base() -> Self {
        let bot = |name, kind, sponsor, owner| Who {
            kind,
            sponsor: Some(sponsor),
            owner,
            ..human(name, 1, "bots")
        };
        Self {
            people: vec![
                human("sam", 2, "oncall"),
                human("joe", 1, "oncall"),
                human("ada", 2, "leads"),
                human("kim", 1, "leads"),
                human("bob", 1, "security"),
                human("eve", 1, "security"),
                human("mia", 1, "managers"),
                human("zoe", 1, "staff"),
                bot("robo", "agent", "sam", None),
                bot("helper", "agent", "joe", Some("principal:robo")),
                bot("ci", "workload", "kim", Some("group:oncall")),
            ],
            scopes: register::all(),
            rules: 0,
        }
    }

    /// The lane `outage` of a scope needs what opens it, and the other way round; and nobody is
    /// named who is not there.
    fn sound(mut self) -> Self {
        for scope in &mut self.scopes {
            let lists = |lane| scope.lanes.contains(&lane);
            let (outage, emergency) = (lists("outage"), lists("emergency"));
            scope.outage = scope.outage.take().filter(|_| outage);
            scope.emergency = scope.emergency.take().filter(|_| emergency);
        }
        if self.find("robo").is_none() {
            self.who("helper").owner = None;
        }
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Who> {
        self.people.iter().find(|who| who.name == name)
    }

    pub(crate) fn find_scope(&self, id: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.id == id)
    }

    fn who(&mut self, name: &str) -> &mut Who {
        self.people.iter_mut().find(|who| who.name == name).unwrap()
    }

    fn scope(&mut self, id: &str) -> &mut Scope {
        self.scopes.iter_mut().find(|scope| scope.id == id).unwrap()
    }

    fn end_with_outage(&mut self, id: &str, grace: Option<u64>) {
        self.scope(id).outage.as_mut().unwrap().grace = grace;
    }

    /// The same as policy files.
    pub(crate) fn files(&self) -> Files {
        let pia = Person::named("pia").key().to_openssh();
        let authority = format!("quorum = 1\n\n[[signer]]\nid = \"pia\"\nkeys = [{pia:?}]\n");
        let scopes: Vec<String> = self.scopes.iter().map(Scope::toml).collect();
        Files {
            authority: authority.into_bytes(),
            people: self.people_toml().into_bytes(),
            rules: rules::TEXTS[self.rules].concat().into_bytes(),
            scopes: scopes.concat().into_bytes(),
        }
    }

    fn people_toml(&self) -> String {
        let mut text = String::new();
        for group in ["oncall", "leads", "security", "managers", "staff", "bots"] {
            write!(text, "[[group]]\nid = {group:?}\n\n").unwrap();
        }
        for who in &self.people {
            let key = |(first, number): &Key| Person::numbered(first, *number).key().to_openssh();
            let keys: Vec<String> = who.keys.iter().map(key).collect();
            let Who { name, kind, group, .. } = who;
            write!(text, "[[principal]]\nid = {name:?}\nkind = {kind:?}\nname = {name:?}\n")
                .unwrap();
            write!(text, "groups = [{group:?}]\nkeys = {keys:?}\n").unwrap();
            if let Some(sponsor) = who.sponsor {
                writeln!(text, "sponsor = {sponsor:?}").unwrap();
            }
            if let Some(owner) = who.owner {
                writeln!(text, "owner = {owner:?}").unwrap();
            }
            text.push('\n');
        }
        text
    }
}

fn human(name: &'static str, keys: u32, group: &'static str) -> Who {
    let keys = (0..keys).map(|number| (name, number)).collect();
    Who { name, kind: "human", keys, group, sponsor: None, owner: None }
}
