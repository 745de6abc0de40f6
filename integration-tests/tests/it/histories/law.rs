//! The policies that histories are played under: as files for the house, as tables for the eye.

use breakglass_integration_tests::people::Person;
use breakglass_ledger::policy::{Files, sample};

/// A key, by who had it first and its number.
pub(crate) type Key = (&'static str, u32);

/// Everybody's part, told twice: to the house as files, to the [eye](super::eye) as this.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    /// Name, keys, group.
    pub(crate) people: Vec<(&'static str, Vec<Key>, &'static str)>,
    /// Which of the four scopes there are.
    pub(crate) scopes: Vec<&'static str>,
    /// What `root-on-host` opens.
    pub(crate) root: &'static str,
}

/// How many laws there are; [`Law::numbered`] takes what is below.
pub(crate) const LAWS: usize = 9;

impl Law {
    /// 0 is what every history begins under; the others each change one thing.
    pub(crate) fn numbered(number: usize) -> Self {
        let mut law = Self::base();
        match number {
            1 => law.people.retain(|(name, ..)| *name != "sam"),
            2 => law.people.retain(|(name, ..)| *name != "ada"),
            3 => law.people.retain(|(name, ..)| *name != "bob"),
            4 => law.people.push(("dan", vec![("dan", 0)], "security")),
            5 => law.scopes.retain(|scope| *scope != "root-on-host"),
            6 => law.scopes.retain(|scope| *scope != "quick" && *scope != "solo"),
            7 => law.root = "bg-admin",
            8 => {
                // ada lost her first key, and has sam's second one.
                for (name, keys, _) in &mut law.people {
                    match *name {
                        "ada" => *keys = vec![("ada", 1), ("sam", 1)],
                        "sam" => *keys = vec![("sam", 0)],
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        law
    }

    fn base() -> Self {
        Self {
            people: vec![
                ("sam", vec![("sam", 0), ("sam", 1)], "oncall"),
                ("joe", vec![("joe", 0)], "oncall"),
                ("ada", vec![("ada", 0), ("ada", 1)], "leads"),
                ("kim", vec![("kim", 0)], "leads"),
                ("bob", vec![("bob", 0)], "security"),
                ("eve", vec![("eve", 0)], "security"),
            ],
            scopes: vec!["root-on-host", "quick", "solo", "pair"],
            root: "bg-root",
        }
    }

    /// The same as policy files.
    pub(crate) fn files(&self) -> Files {
        let mut people = vec![("pia", Person::named("pia"))];
        for (name, keys, _) in &self.people {
            people.extend(keys.iter().map(|(first, key)| (*name, Person::numbered(first, *key))));
        }
        let listed: Vec<_> = people.iter().map(|(name, person)| (*name, person.key())).collect();
        let mut files = sample(&listed);
        files.people = self.regroup(&String::from_utf8(files.people).unwrap()).into_bytes();
        let scopes = String::from_utf8(files.scopes).unwrap() + "\n" + PAIR;
        files.scopes = self.reduce(&scopes).into_bytes();
        files
    }

    /// The sample knows the groups of a few names only.
    fn regroup(&self, people: &str) -> String {
        let mut blocks = people.split("\n[[principal]]\n");
        let mut text = blocks.next().unwrap().to_owned();
        for block in blocks {
            let of = |name: &str| block.starts_with(&format!("id = {name:?}\n"));
            let (_, _, group) = self.people.iter().find(|(name, ..)| of(name)).unwrap();
            let (head, _) = block.split_once("groups = ").unwrap();
            text += &format!("\n[[principal]]\n{head}groups = [{group:?}]\n");
        }
        text
    }

    fn reduce(&self, scopes: &str) -> String {
        let blocks = scopes.split("[[scope]]\n").filter(|block| !block.is_empty());
        let kept = blocks.filter(|block| {
            self.scopes.iter().any(|scope| block.starts_with(&format!("id = {scope:?}\n")))
        });
        let text: String = kept.map(|block| format!("[[scope]]\n{block}")).collect();
        text.replace("bg-root", self.root)
    }
}

/// Beside the sample's scopes, one whose only stage wants two people.
const PAIR: &str = r#"[[scope]]
id = "pair"
title = "The keys of the payment terminals"
purpose = "Replace a lost key"
business-owner = "group:leads"
technical-owner = "group:oncall"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 1
requesters = ["group:oncall", "group:leads"]
kinds = ["human"]
lanes = ["normal"]

[[scope.stage]]
name = "both"
approvers = ["group:leads", "group:security"]
quorum = 2

[scope.ssh]
principals = ["bg-pair"]
"#;

/// A scope as the sample policy describes it, told again.
pub(crate) struct Scope {
    pub(crate) requesters: &'static [&'static str],
    /// Name, groups, quorum.
    pub(crate) stages: &'static [(&'static str, &'static [&'static str], usize)],
    pub(crate) ttl_max: u64,
    pub(crate) pending_max: u64,
    pub(crate) live_max: usize,
}

/// The scope of this name.
pub(crate) fn scope(name: &str) -> Scope {
    const LEADS: &[&str] = &["leads"];
    const GUARDS: &[&str] = &["security"];
    const EITHER: &[&str] = &["leads", "security"];
    let (requesters, stages, ttl_max, pending_max, live_max): (&[_], &[_], _, _, _) = match name {
        "root-on-host" => {
            (&["oncall"], &[("app-owner", LEADS, 1), ("security", GUARDS, 1)], 3600, 900, 2)
        }
        "quick" => (&["oncall", "leads"], &[("second-person", EITHER, 1)], 1800, 600, 10),
        "solo" => (&["oncall"], &[], 900, 600, 10),
        "pair" => (&["oncall", "leads"], &[("both", EITHER, 2)], 3600, 900, 1),
        other => panic!("nobody can ask for {other}"),
    };
    Scope { requesters, stages, ttl_max, pending_max, live_max }
}
