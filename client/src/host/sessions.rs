//! Open sessions that a certificate of ours opened, and their end.
//!
//! `sshd` looks at revocation lists when somebody logs in and never again, and a client's control
//! master opens new channels in an old session. So sessions are found by the certificate that
//! `ExposeAuthInfo` shows, and ended from outside.
//!
//! What a session's own processes show, its user could change. So a session is remembered by the
//! process that serves it from when it was first seen, whatever is shown afterwards; and what is ended
//! is always what stands above the process that showed it, so that nobody ends another's session.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use breakglass_ledger::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use ssh_key::Certificate;

use super::process::{self, Process, Table};
use super::trusted::Trusted;
use crate::state::read_bounded;

/// Largest file of what was shown at a log-in: a certificate and a few keys.
const AUTH_INFO_MAX: u64 = 64 * 1024;

/// Most sessions remembered. A host with more is no host that people log in to one by one.
const SESSIONS_MAX: usize = 16_384;

/// How often everything is looked at anew, whatever was known of it. In between only those processes are
/// read that are new or may still turn out to be in a session: reading all takes some milliseconds.
const ANEW_EVERY: Duration = Duration::from_secs(10);

/// Times that a session is asked to end before it is made to.
const ASKED_MAX: u32 = 3;

/// A session under a certificate of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The certificate's serial.
    pub(super) serial: u64,
    /// First second at which it is over by itself.
    pub(super) valid_before: u64,
    /// The certificate, one OpenSSH line.
    pub(super) certificate: String,
    /// The number of the account that it opened, as far as the process that showed it tells.
    pub(super) owner: Option<u32>,
    /// Processes in it that showed it.
    members: BTreeSet<Process>,
    asked: u32,
}

/// All that are open, by the process of `sshd` that serves each.
#[derive(Debug)]
pub(super) struct Sessions {
    authority: Trusted,
    open: BTreeMap<Process, Session>,
    /// Processes that were looked at, by their number.
    looked: HashMap<i32, Looked>,
    /// When everything was looked at last.
    anew: Instant,
}

/// A process that was looked at.
#[derive(Debug)]
struct Looked {
    /// What names its entry in `/proc`.
    entry: u64,
    /// Its name then; `None` if nothing more can come of it. Nobody gets into a session of `sshd` but
    /// by being started in it, so who was outside once remains there.
    open: Option<String>,
}

impl Sessions {
    /// Those under certificates of `authority`.
    pub(super) fn new(authority: Trusted) -> Self {
        Self { authority, open: BTreeMap::new(), looked: HashMap::new(), anew: Instant::now() }
    }

    /// Looks at what runs now; answers the sessions that are new.
    pub(super) fn look(&mut self) -> Vec<Session> {
        self.open.retain(|server, _| process::is_alive(*server));
        if self.anew.elapsed() >= ANEW_EVERY {
            self.looked.clear();
            self.anew = Instant::now();
        }
        let mut before = std::mem::take(&mut self.looked);
        let (mut table, mut fresh) = (Table::default(), Vec::new());
        for (pid, entry) in process::entries() {
            let known = before.remove(&pid).filter(|known| known.entry == entry);
            let looked = match known {
                Some(known) if known.open.is_none() => known,
                known => {
                    let Some(name) = table.get(pid).map(|seen| seen.name.clone()) else { continue };
                    let is_as_before =
                        known.is_some_and(|known| known.open.as_ref() == Some(&name));
                    let is_done = !is_as_before && self.meet(pid, &mut table, &mut fresh);
                    Looked { entry, open: (!is_done).then_some(name) }
                }
            };
            self.looked.insert(pid, looked);
        }
        fresh
    }

    /// Finds the session of a process that is new, or became another program. Whether nothing more can
    /// come of it.
    fn meet(&mut self, pid: i32, table: &mut Table, fresh: &mut Vec<Session>) -> bool {
        let Some(seen) = table.get(pid) else { return false };
        let process = seen.process;
        // It becomes another program in a moment, and is looked at then.
        if seen.name.starts_with("sshd") || self.open.len() >= SESSIONS_MAX {
            return false;
        }
        let Some(server) = process::session_of(pid, table) else { return true };
        if let Some(known) = self.open.get_mut(&server) {
            known.members.insert(process);
            return true;
        }
        let shown = process::auth_info(pid).and_then(|path| self.read(&path));
        let Some(mut session) = shown else { return false };
        session.members.insert(process);
        session.owner = process::owner(pid);
        fresh.push(session.clone());
        self.open.insert(server, session);
        true
    }

    /// Ends the sessions of which `is_over`; answers how many have ended by that.
    pub(super) fn end(&mut self, is_over: impl Fn(&Session) -> bool) -> u64 {
        let over: Vec<Process> =
            self.open.iter().filter(|(_, session)| is_over(session)).map(|(at, _)| *at).collect();
        for server in &over {
            let Some(session) = self.open.get_mut(server) else { continue };
            let signal = if session.asked < ASKED_MAX { Signal::TERM } else { Signal::KILL };
            session.asked = session.asked.saturating_add(1);
            send(*server, signal);
            // What was started in it may not hear of that by itself (without a terminal it does not).
            session.members.iter().for_each(|member| send(*member, Signal::HUP));
        }
        let mut ended = 0_u64;
        for _ in 0..LOOKS {
            let gone =
                over.iter().filter(|at| self.open.contains_key(at) && !process::is_alive(**at));
            for server in gone.copied().collect::<Vec<_>>() {
                self.open.remove(&server);
                ended = ended.saturating_add(1);
            }
            if over.iter().all(|at| !self.open.contains_key(at)) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        ended
    }

    /// The session that the file at `path` tells of, if a certificate of ours opened it.
    fn read(&self, path: &Path) -> Option<Session> {
        let text = String::from_utf8(read_bounded(path, AUTH_INFO_MAX).ok()??).ok()?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("publickey "));
        lines.filter_map(|line| self.certified(line)).next()
    }

    fn certified(&self, line: &str) -> Option<Session> {
        let certificate = Certificate::from_openssh(line.trim()).ok()?;
        let authority = ssh_key::PublicKey::from(certificate.signature_key().clone());
        let is_ours = self.authority.wires().contains(&&*authority.to_bytes().ok()?);
        // Whoever wrote the file may have written anything.
        if !is_ours || certificate.verify_signature().is_err() {
            return None;
        }
        Some(Session {
            serial: certificate.serial(),
            valid_before: certificate.valid_before(),
            certificate: certificate.to_openssh().ok()?,
            owner: None,
            members: BTreeSet::new(),
            asked: 0,
        })
    }
}

impl Session {
    /// Whether its certificate is over by itself at `now`.
    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        now.unix_seconds() >= self.valid_before
    }
}

/// Another process that got the number meanwhile is left alone.
fn send(process: Process, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process.pid)
        && process::is_alive(process)
    {
        // It has ended in between: then there is nobody to tell.
        let _ = kill_process(pid, signal);
    }
}

/// How often it is looked whether they have ended, 10 ms apart: most have after the first.
const LOOKS: u32 = 30;
