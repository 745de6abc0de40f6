//! The scopes of histories.

use std::fmt::Write as _;

/// What can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) id: &'static str,
    pub(crate) requesters: Vec<&'static str>,
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) lanes: Vec<&'static str>,
    /// None: nobody has to agree.
    pub(crate) stages: Vec<Stage>,
    pub(crate) owners: [&'static str; 3],
    pub(crate) ttl_max: u64,
    pub(crate) pending_max: u64,
    pub(crate) live_max: usize,
    /// 0: none.
    pub(crate) cooldown: u64,
    /// Seconds in a window of seconds.
    pub(crate) budget: Option<(u64, u64)>,
    pub(crate) review_gate: bool,
    pub(crate) outage: Option<Outage>,
    /// After, longest, delay.
    pub(crate) emergency: Option<(u64, u64, u64)>,
    pub(crate) principal: &'static str,
    pub(crate) command: Option<&'static str>,
    pub(crate) hosts: Vec<&'static str>,
    /// The organization in its X.509 certificates.
    pub(crate) x509: Option<&'static str>,
    /// The group in its tokens, and how long one lives, in seconds.
    pub(crate) jwt: Option<(&'static str, u64)>,
}

/// What opens a scope's outage lane.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) dependency: &'static str,
    /// Recovery ends its grants after so many seconds; `None` if it does not.
    pub(crate) grace: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) groups: Vec<&'static str>,
    pub(crate) quorum: usize,
    /// Means something only with `escalate`.
    pub(crate) within: u64,
    pub(crate) escalate: Vec<&'static str>,
}

/// The first four are those of the sample policy, and one whose only stage wants two people.
pub(crate) fn all() -> Vec<Scope> {
    let (leads, guards, either) = (vec!["leads"], vec!["security"], vec!["leads", "security"]);
    let root = plain("root-on-host", "bg-root", 3600, 900, 2)
        .with(vec![stage("app-owner", &leads, 1), stage("security", &guards, 1)]);
    let quick =
        plain("quick", "bg-logs", 1800, 600, 10).with(vec![stage("second-person", &either, 1)]);
    let solo = plain("solo", "bg-status", 900, 600, 10);
    let pair = plain("pair", "bg-pair", 3600, 900, 1).with(vec![stage("both", &either, 2)]);
    let hot = plain("hot", "bg-hot", 1800, 1200, 3)
        .with(vec![passed_on("app-owner", &leads, 120), passed_on("security", &guards, 240)]);
    let directory =
        plain("directory", "bg-directory", 3600, 900, 4).with(vec![stage("lead", &leads, 1)]);
    let mirror = plain("mirror", "bg-mirror", 1200, 900, 4).with(vec![stage("guard", &guards, 1)]);
    let robot =
        plain("robot", "bg-robot", 1800, 600, 5).with(vec![stage("second-person", &either, 1)]);
    let trio = plain("trio", "bg-trio", 1800, 900, 6).with(vec![stage("lead", &leads, 1)]);
    let owners = ["leads", "security", "security"];
    vec![
        root,
        Scope { requesters: vec!["oncall", "leads"], ..quick },
        Scope { command: Some("/usr/local/bin/status-page"), ..solo },
        Scope { requesters: vec!["oncall", "leads"], ..pair },
        Scope {
            owners: ["leads", "security", "managers"],
            lanes: vec!["normal", "emergency", "drill"],
            emergency: Some((300, 300, 60)),
            cooldown: 60,
            budget: Some((2400, 86_400)),
            ..hot
        },
        Scope {
            owners,
            lanes: vec!["outage", "emergency", "drill"],
            emergency: Some((300, 300, 60)),
            outage: Some(Outage { dependency: "okta", grace: Some(120) }),
            hosts: vec!["db-1"],
            ..directory
        },
        Scope {
            owners,
            lanes: vec!["normal", "outage"],
            outage: Some(Outage { dependency: "okta", grace: None }),
            budget: Some((1200, 3600)),
            cooldown: 30,
            review_gate: true,
            ..mirror
        },
        Scope {
            owners,
            requesters: vec!["oncall", "bots"],
            kinds: vec!["human", "agent", "workload"],
            lanes: vec!["normal", "drill"],
            hosts: vec!["db-1"],
            ..robot
        },
        Scope {
            lanes: vec!["normal", "drill"],
            x509: Some("dba"),
            jwt: Some(("readers", 240)),
            ..trio
        },
    ]
}

fn plain(
    id: &'static str,
    principal: &'static str,
    ttl_max: u64,
    pending_max: u64,
    live_max: usize,
) -> Scope {
    Scope {
        id,
        requesters: vec!["oncall"],
        kinds: vec!["human"],
        lanes: vec!["normal"],
        stages: Vec::new(),
        owners: ["leads", "oncall", "security"],
        ttl_max,
        pending_max,
        live_max,
        cooldown: 0,
        budget: None,
        review_gate: false,
        outage: None,
        emergency: None,
        principal,
        command: None,
        hosts: Vec::new(),
        x509: None,
        jwt: None,
    }
}

fn stage(name: &'static str, groups: &[&'static str], quorum: usize) -> Stage {
    Stage { name, groups: groups.to_vec(), quorum, within: 0, escalate: Vec::new() }
}

fn passed_on(name: &'static str, groups: &[&'static str], within: u64) -> Stage {
    Stage { within, escalate: vec!["managers"], ..stage(name, groups, 1) }
}

impl Scope {
    fn with(self, stages: Vec<Stage>) -> Self {
        Self { stages, ..self }
    }

    pub(crate) fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Its table in `scopes.toml`.
    pub(crate) fn toml(&self) -> String {
        let groups = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("group:{name}")).collect()
        };
        let mut text = String::new();
        let Self { id, kinds, lanes, ttl_max, pending_max, live_max, .. } = self;
        let [business, technical, identity] = &self.owners;
        write!(
            text,
            "[[scope]]\nid = {id:?}\ntitle = {id:?}\npurpose = \"histories\"\n\
             business-owner = \"group:{business}\"\ntechnical-owner = \"group:{technical}\"\n\
             identity-owner = \"group:{identity}\"\nsensitivity = \"high\"\n\
             ttl-max = \"{ttl_max}s\"\npending-max = \"{pending_max}s\"\nlive-max = {live_max}\n\
             requesters = {:?}\nkinds = {kinds:?}\nlanes = {lanes:?}\n",
            groups(&self.requesters),
        )
        .unwrap();
        if self.cooldown > 0 {
            writeln!(text, "cooldown = \"{}s\"", self.cooldown).unwrap();
        }
        if let Some((time, window)) = self.budget {
            writeln!(text, "budget = \"{time}s/{window}s\"").unwrap();
        }
        if self.review_gate {
            text.push_str("review-gate = true\n");
        }
        if let Some(Outage { dependency, grace }) = &self.outage {
            writeln!(text, "outage = {dependency:?}").unwrap();
            if let Some(grace) = grace {
                write!(text, "ends-with-outage = true\ngrace = \"{grace}s\"\n").unwrap();
            }
        }
        if self.stages.is_empty() {
            text.push_str("approval = \"none\"\n");
        }
        for Stage { name, groups: approvers, quorum, within, escalate } in &self.stages {
            let approvers = groups(approvers);
            write!(
                text,
                "[[scope.stage]]\nname = {name:?}\napprovers = {approvers:?}\nquorum = {quorum}\n"
            )
            .unwrap();
            if !escalate.is_empty() {
                write!(text, "within = \"{within}s\"\nescalate = {:?}\n", groups(escalate))
                    .unwrap();
            }
        }
        if let Some((after, longest, delay)) = self.emergency {
            write!(text, "[scope.emergency]\nafter = \"{after}s\"\nttl-max = \"{longest}s\"\n")
                .unwrap();
            writeln!(text, "delay = \"{delay}s\"").unwrap();
        }
        write!(text, "[scope.ssh]\nprincipals = [{:?}]\n", self.principal).unwrap();
        if let Some(command) = self.command {
            writeln!(text, "force-command = {command:?}").unwrap();
        }
        if !self.hosts.is_empty() {
            writeln!(text, "hosts = {:?}", self.hosts).unwrap();
        }
        if let Some(organization) = self.x509 {
            write!(text, "[scope.x509]\norganizations = [{organization:?}]\n").unwrap();
        }
        if let Some((group, ttl)) = self.jwt {
            write!(text, "[scope.jwt]\naudience = \"payments-api\"\ngroups = [{group:?}]\n")
                .unwrap();
            writeln!(text, "ttl-max = \"{ttl}s\"").unwrap();
        }
        text.push('\n');
        text
    }
}
