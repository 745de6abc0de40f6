//! Processes of this host, as `/proc` shows them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::PathBuf;

/// One process: its number may be given to another, the time of its start may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// In ticks since the machine began.
    pub(super) started: u64,
}

/// What is known of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) process: Process,
    pub(super) parent: i32,
    /// Name of its program, cut to 15 bytes. Changes when it becomes another.
    pub(super) name: String,
}

/// The number of every process there is, and what names its entry in `/proc`: when the number is given
/// to another process, that one has another entry. Costs a small part of reading what is in it.
pub(super) fn entries() -> impl Iterator<Item = (i32, u64)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.ino())))
}

/// Every process there is.
pub(super) fn all() -> impl Iterator<Item = Seen> {
    // Whoever ended meanwhile is not there any more.
    entries().filter_map(|(pid, _)| look(pid))
}

/// Processes as they are during one look, each read when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<i32, Option<Seen>>);

impl Table {
    /// The process of this number, if there is one.
    pub(super) fn get(&mut self, pid: i32) -> Option<&Seen> {
        self.0.entry(pid).or_insert_with(|| look(pid)).as_ref()
    }
}

/// The process of this number, if there is one.
pub(super) fn look(pid: i32) -> Option<Seen> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The number of the account that it runs for.
pub(super) fn owner(pid: i32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|entry| entry.uid())
}

/// Whether it still runs; one that ended and was not waited for does not.
pub(super) fn is_alive(process: Process) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    let is_zombie = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    !is_zombie && look(process.pid).is_some_and(|seen| seen.process == process)
}

/// proc_pid_stat(5): the name stands in parentheses and may hold anything.
fn parse(pid: i32, stat: &str) -> Option<Seen> {
    let (before, after) = stat.rsplit_once(") ")?;
    let (_, name) = before.split_once(" (")?;
    let mut fields = after.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    // Field 22 of the line; after the state and the parent are 17 others.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Seen { process: Process { pid, started }, parent, name: name.to_owned() })
}

/// The file that a session of `sshd` with `ExposeAuthInfo` tells its processes of.
pub(super) fn auth_info(pid: i32) -> Option<PathBuf> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let path = variables.find_map(|variable| variable.strip_prefix(b"SSH_USER_AUTH="))?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

/// The process of `sshd` that serves the session in which `pid` runs: the nearest one above it that
/// is `sshd`, but never the one that listens.
pub(super) fn session_of(pid: i32, table: &mut Table) -> Option<Process> {
    let mut parent = table.get(pid)?.parent;
    for _ in 0..DEPTH_MAX {
        let seen = table.get(parent)?;
        parent = seen.parent;
        if matches!(seen.name.as_str(), "sshd" | "sshd-session") {
            let line = fs::read(format!("/proc/{}/cmdline", seen.process.pid)).ok()?;
            let listens = String::from_utf8_lossy(&line).contains("[listener]");
            return (!listens).then_some(seen.process);
        }
    }
    None
}

/// Shells in shells in shells: more than anybody has.
const DEPTH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let rest = "S 17 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        let seen = parse(42, &format!("42 (a) b ( c) {rest}")).unwrap();
        assert_eq!((seen.name.as_str(), seen.parent), ("a) b ( c", 17));
        assert_eq!(seen.process, Process { pid: 42, started: 4711 });
        assert_eq!(parse(42, "42 (a"), None);
    }

    #[test]
    fn we_are_among_all_and_nobody_else_has_our_start() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let us = all().find(|seen| seen.process.pid == pid).unwrap().process;
        assert!(is_alive(us));
        assert!(!is_alive(Process { started: us.started + 1, ..us }));
    }

    #[test]
    fn an_entry_is_named_the_same_as_long_as_the_process_lives() {
        let named = |pid| entries().find(|(one, _)| *one == pid);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let before = named(pid).unwrap();
        assert_eq!(named(pid), Some(before));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(named(pid), None);
    }
}
