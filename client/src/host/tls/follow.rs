//! The loop of one server: fetch a newer list, put it in place, see that it is in force, end what is
//! over, report.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use breakglass_ledger::statement::{Canary, List};

use super::alarm::running_out;
use super::authority::Authority;
use super::canary;
use super::crl::{Crl, CrlError, LIST_MAX, blocks};
use super::memory::{Memory, state_file};
use super::nginx::{Log, Reload};
use super::place::Place;
use super::postgresql::{self, Session};
use super::witness::{Witness, Word};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::host::canary::{ACCEPTED, Tried};
use crate::host::config::HostConfig;
use crate::host::fetch::{self, Answer, Question};
use crate::host::following::{Following, Heard};
use crate::host::reporter::{self, About};
use crate::host::reports::{Applied, Reports, Used};
use crate::host::targets::{Server, TlsTarget};
use crate::state::{private_dir, swap_shown};

/// How often the server is asked who is there, and its log is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether a reload is done.
const RELOADING: Duration = Duration::from_millis(20);

/// How often it is looked whether somebody changed the files.
const MEND_EVERY: Duration = Duration::from_secs(10);

/// How long nginx is waited for to write down what it answered; where it keeps its log back (`buffer`), the
/// word counts when it comes.
const WRITTEN_WITHIN: Duration = Duration::from_millis(250);

/// How often its log is read meanwhile.
const WRITING: Duration = Duration::from_millis(5);

/// How often a server that could not be tried is tried again.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// Starts looking after `target`; what is to be said goes to `told`.
///
/// # Errors
///
/// [`Failure`] if what is remembered cannot be read, or there can be no more threads.
pub(in crate::host) fn start(
    config: &HostConfig,
    target: &TlsTarget,
    told: &Sender<String>,
) -> Result<(), Failure> {
    private_dir(&config.state_dir)?;
    let reports = Reports::open(config.state_dir.join(format!("reports-{}.json", target.name)));
    let about = About { target: target.name.clone(), list: List::Crl };
    reporter::start(config, about, &reports, told)?;
    let follower = Follower::open(config, target, reports, told.clone())?;
    let pages = Following::start(config, |asked| {
        let (address, known, wait) = (asked.address, asked.known, asked.wait);
        let question = Question { address, path: PATH, known, wait, limit: LIST_MAX };
        Ok(match fetch::get(question)? {
            Answer::Page(page) => Heard::New(page.body, page.etag),
            Answer::Unchanged { held } => Heard::Unchanged { held },
        })
    })?;
    std::thread::Builder::new()
        .name(target.name.to_string())
        .spawn(move || follower.run(&pages))
        .map(drop)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))
}

struct Follower {
    config: HostConfig,
    target: TlsTarget,
    place: Place,
    memory: Memory,
    reports: Reports,
    told: Sender<String>,
    /// The lists in place, one for each authority.
    held: Vec<Crl>,
    /// What was in the way of the newest list, when the broker was last heard.
    unheard: Option<String>,
    reload: Reload,
    log: Option<Log>,
    open: BTreeSet<Session>,
    /// Sessions ended and not yet reported.
    ended: u64,
    canary: Option<Tried>,
    /// A serial that the newest list names, and the lists in place before it did not, if it is known.
    news: Option<u128>,
    witness: Witness,
    looked: Option<Instant>,
    mended: Instant,
    tried: Option<Instant>,
    /// What was last said to be wrong, so that it is said once.
    said: Option<String>,
    /// What could not be seen at the last look.
    blind: Option<String>,
}

impl Follower {
    fn open(
        config: &HostConfig,
        target: &TlsTarget,
        reports: Reports,
        told: Sender<String>,
    ) -> Result<Self, Failure> {
        let place = Place::of(&target.server);
        let memory = Memory::open(&config.state_dir, &target.name)?;
        let log = match &target.server {
            Server::PostgreSql(_) | Server::Etcd(_) => None,
            Server::Nginx(server) => server.access_log.clone(),
        };
        Ok(Self {
            held: place.held(&config.x509),
            log: log.map(|path| Log::open(path, memory.log())),
            config: config.clone(),
            target: target.clone(),
            place,
            memory,
            reports,
            told,
            unheard: None,
            reload: Reload::default(),
            open: BTreeSet::new(),
            ended: 0,
            canary: None,
            news: None,
            witness: Witness::default(),
            looked: None,
            mended: Instant::now(),
            tried: None,
            said: None,
            blind: None,
        })
    }

    fn run(mut self, pages: &Following<Vec<u8>>) {
        self.say(&format!("serving, list {} in place", self.version()));
        self.write_state();
        loop {
            self.turn(pages);
        }
    }

    /// One round of everything.
    fn turn(&mut self, pages: &Following<Vec<u8>>) {
        let mut troubles = Vec::new();
        let before = self.held.clone();
        let within = if self.reload.is_waiting() { RELOADING } else { LOOK_EVERY };
        if let Some(heard) = pages.next(within) {
            let taken = heard.and_then(|page| page.map_or(Ok(()), |page| self.take(&page)));
            pages.taken(taken.is_ok());
            self.unheard = taken.err();
        }
        match self.mend() {
            Ok(()) => troubles.extend(self.unheard.clone()),
            Err(why) => troubles.push(why),
        }
        let is_fresh = before != self.held;
        let in_force = self.bring_into_force();
        if in_force == Ok(true) {
            self.witness.in_force(self.version(), clock::now().unix_seconds());
        }
        if is_fresh || self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.looked = Some(Instant::now());
            self.blind = self.look().err();
        }
        match in_force {
            Ok(true) => self.report(),
            Ok(false) => {}
            Err(why) => troubles.push(why),
        }
        troubles.extend(self.blind.clone());
        troubles.extend(running_out(&self.held, self.target.alarm_hours, clock::now()));
        if self.canary == Some(Tried::Accepted) {
            troubles.push(ACCEPTED.to_owned());
        }
        let trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        if trouble != self.said || is_fresh {
            self.say_trouble(trouble);
        }
    }

    /// Puts the lists of a page in place.
    fn take(&mut self, page: &[u8]) -> Result<(), String> {
        let lists = self.check(page).map_err(|error| error.to_string())?;
        let mut all = self.held.clone();
        all.retain(|held| lists.iter().all(|list| list.hash != held.hash));
        all.extend(lists);
        all.sort_by(|a, b| a.hash.cmp(&b.hash));
        if all != self.held {
            self.memory.raise(&all).map_err(|error| error.to_string())?;
            self.place.put(&all, &self.config.x509).map_err(|error| error.to_string())?;
            self.news = newest(&all).and_then(|newest| newest.news(&self.held));
            self.held = all;
        }
        Ok(())
    }

    /// The lists of a page, if each may be put in place.
    fn check(&self, page: &[u8]) -> Result<Vec<Crl>, CrlError> {
        let text = std::str::from_utf8(page).map_err(|_| CrlError::Form)?;
        if text.is_empty() {
            return Err(CrlError::Empty);
        }
        let mut lists: Vec<Crl> = Vec::new();
        for block in blocks(text) {
            let list = Crl::fresh(block, &self.config.x509, clock::now())?;
            self.memory.admit(&list)?;
            let is_same = |other: &&Crl| other.hash == list.hash && other.number == list.number;
            if let Some(other) = self.held.iter().chain(&lists).find(is_same)
                && other.pem != list.pem
            {
                return Err(CrlError::Conflict(list.number));
            }
            lists.retain(|other| other.hash != list.hash);
            lists.push(list);
        }
        Ok(lists)
    }

    /// Puts the last good lists back if somebody took them away.
    fn mend(&mut self) -> Result<(), String> {
        if self.held.is_empty() || self.mended.elapsed() < MEND_EVERY {
            return Ok(());
        }
        if !self.place.holds(&self.held, &self.config.x509) {
            self.place.put(&self.held, &self.config.x509).map_err(|error| error.to_string())?;
            self.say("the list was taken away or changed, and is in place again");
        }
        self.mended = Instant::now();
        Ok(())
    }

    fn bring_into_force(&mut self) -> Result<bool, String> {
        if self.held.is_empty() {
            return Ok(false);
        }
        match &self.target.server {
            // Each connection is a process of its own that reads the directory, or reads the file.
            Server::PostgreSql(_) | Server::Etcd(_) => Ok(true),
            Server::Nginx(server) => {
                let all: String = self.held.iter().map(|list| list.pem.as_str()).collect();
                let digest = breakglass_ledger::bytes::Digest::of(all.as_bytes());
                self.reload.bring(server, digest)
            }
        }
    }

    /// Sees who came, and ends what is over.
    fn look(&mut self) -> Result<(), String> {
        match &self.target.server {
            Server::Etcd(_) => Ok(()),
            Server::Nginx(_) => {
                self.read_log();
                let at = self.log.as_ref().and_then(Log::at);
                at.into_iter().for_each(|at| self.memory.note_log(at));
                Ok(())
            }
            Server::PostgreSql(server) => {
                let Some(connection) = &server.connection else { return Ok(()) };
                let now = postgresql::look(server, connection, &self.config.x509)?;
                let at = clock::now().unix_seconds();
                for session in now.difference(&self.open) {
                    self.reports.used(Used { serial: number(session.serial), at });
                }
                let held = &self.held;
                let is_over = |one: &&Session| held.iter().any(|list| list.revokes(one.serial));
                let over: Vec<Session> = now.iter().filter(is_over).cloned().collect();
                self.open = now;
                if over.is_empty() {
                    return Ok(());
                }
                let ended = postgresql::end(server, connection, &over)?;
                self.ended = self.ended.saturating_add(ended);
                self.say(&format!("{ended} sessions ended: their grant is over"));
                if u64::try_from(over.len()).is_ok_and(|over| over > ended) {
                    return Err(
                        "sessions of ended grants go on: the agent's role may not end them, \
                                or they do not stop"
                            .to_owned(),
                    );
                }
                Ok(())
            }
        }
    }

    /// Takes what nginx wrote since the last look.
    fn read_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        let seen = log.look(&self.config.x509);
        for one in seen.iter().filter(|one| one.word == Word::LetIn && log.is_news(one)) {
            self.reports.used(Used { serial: number(one.serial), at: one.at });
        }
        self.witness.look(&seen, &self.held);
    }

    /// Tries the canary and queues the report, if there is news.
    fn report(&mut self) {
        let Some(newest) = newest(&self.held).cloned() else { return };
        let version = newest.version();
        let was_tried = self.tried.is_some_and(|at| at.elapsed() < TRY_EVERY);
        let is_new = self.memory.is_news(version, Canary::Untried);
        // What a server writes of itself may get worse, and costs nothing to look at.
        let worst = match &self.target.server {
            Server::Nginx(_) => Canary::Accepted,
            Server::PostgreSql(_) | Server::Etcd(_) => Canary::Refused,
        };
        if !is_new && (was_tried || !self.memory.is_news(version, worst)) {
            return;
        }
        self.tried = Some(Instant::now());
        let tried = self.attempt(&newest);
        self.canary = Some(tried);
        let canary = tried.canary();
        if !self.memory.is_news(version, canary) {
            return;
        }
        let signed = newest.signed_at().unix_seconds().saturating_mul(1000);
        let latency = clock::moment().unix_millis().saturating_sub(signed);
        self.reports.applied(Applied {
            version,
            digest: newest.digest().to_string(),
            canary: canary.to_string(),
            latency,
            ended: std::mem::take(&mut self.ended),
        });
        self.memory.reported(version, canary);
        self.say(&format!("list {version} in force after {latency} ms, canary {canary}"));
        self.write_state();
    }

    /// What became of a revoked serial: of one that only the newest list names, shown without anybody's key,
    /// and at nginx of those that got in as well.
    fn attempt(&mut self, newest: &Crl) -> Tried {
        let of = |one: &&Authority| one.hash == newest.hash;
        let authority = self.config.x509.iter().find(of);
        let serial = self.news.or(newest.latest);
        match (&self.target.server, authority, serial) {
            (Server::PostgreSql(server), Some(authority), Some(serial)) => {
                let address = server.address.as_deref();
                address
                    .map_or(Tried::Not(NO_ADDRESS), |at| canary::postgresql(at, authority, serial))
            }
            (Server::Nginx(server), Some(authority), Some(serial)) => {
                let why = if server.address.is_some() { UNHEARD } else { NO_ADDRESS };
                let address = server.address.as_deref().filter(|_| self.witness.is_open());
                let shown = address.and_then(|at| canary::nginx(at, authority, serial));
                if let Some(number) = shown {
                    self.witness.showed(number);
                    let begun = Instant::now();
                    while self.witness.is_open() && begun.elapsed() < WRITTEN_WITHIN {
                        self.read_log();
                        std::thread::park_timeout(WRITING);
                    }
                }
                self.witness.tried().unwrap_or(Tried::Not(why))
            }
            (Server::Nginx(_), ..) => self.witness.tried().unwrap_or(Tried::Not(NONE_NAMED)),
            (Server::PostgreSql(_), ..) => Tried::Not(NONE_NAMED),
            (Server::Etcd(_), ..) => Tried::Not(NOT_ETCD),
        }
    }

    fn version(&self) -> u64 {
        self.held.iter().map(Crl::version).max().unwrap_or(0)
    }

    fn say_trouble(&mut self, trouble: Option<String>) {
        let version = self.version();
        if trouble != self.said {
            let said = trouble.as_deref().map_or_else(
                || format!("list {version} is the newest there is"),
                |why| format!("list {version} stays in place: {why}"),
            );
            self.say(&said);
        }
        self.said = trouble;
        self.write_state();
    }

    /// For `host status` and whoever watches the host.
    fn write_state(&self) {
        let end = self.held.iter().map(|list| list.next_update).min();
        let state = serde_json::json!({
            "version": self.version(),
            "until": end.map(|end| end.to_string()),
            "canary": self.canary.map(|tried| tried.canary().to_string()),
            "untried": self.canary.and_then(Tried::why),
            "trouble": self.said,
        });
        let path = state_file(&self.config.state_dir, &self.target.name);
        // If this cannot be written either, what is said on stderr is there still.
        let _ = swap_shown(&path, format!("{state}\n").as_bytes());
    }

    fn say(&self, what: &str) {
        // Nobody listens any more: the agent has ended, and so does the process.
        let _ = self.told.send(format!("{}: {what}", self.target.name));
    }
}

fn newest(lists: &[Crl]) -> Option<&Crl> {
    lists.iter().max_by_key(|list| list.number)
}

/// The first 8 of 16 bytes: the number of the entry that a certificate of ours was issued in.
fn number(serial: u128) -> u64 {
    u64::try_from(serial >> 64).unwrap_or(u64::MAX)
}

/// What the broker shows on its public side.
const PATH: &str = "/v1/x509/crl.pem";

/// Why nothing was tried, or learnt.
const NONE_NAMED: &str = "the list in place names no certificate";
const NO_ADDRESS: &str = "no `address` says where to try it";
const UNHEARD: &str = "nothing was heard of it at `address` or in the log";
const NOT_ETCD: &str = "nothing forged gets as far as etcd's list";
