//! Revocation: meeting many deadlines at once, and the list that hosts read.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use breakglass_broker::krl::{self, Header};
use breakglass_ledger::entry::{Body, Entry};

use crate::Extent;
use crate::cast::{House, Ink};
use crate::filling::Stage;
use crate::measure::{each, seconds};
use crate::parts::scratch;
use crate::report::{Aim, Figure, Report};
use crate::revoked;
use crate::rows::Table;

const SECTION: &str = "lists";

/// Rows of one raw commit: the sweep's own batch.
const BATCH: usize = 256;

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let (due, serials) = if extent == Extent::Quick { (2_000, 20_000) } else { (10_000, 100_000) };
    sweep(due, report);
    // Every third serial is revoked, here and there a run of them: neither the best case of the
    // format nor the worst.
    let serials: Vec<u64> =
        (1..).map(|n: u64| 3 * n + u64::from(n.is_multiple_of(7))).take(serials).collect();
    list(&serials, report);
    revoked::measure(&serials, report);
}

fn sweep(due: u64, report: &mut Report) {
    let mut stage = Stage::new(House::Company, 3600);
    stage.issue(due, 900, Ink::Old);
    let before = stage.house.seen().size;
    stage.house.clock.advance(900);
    let (taken, ()) = seconds(|| while stage.house.sweep().expect("a pass").more {});
    let reader = stage.house.desk().reader().expect("a snapshot");
    let mut rows = Vec::new();
    while (rows.len() as u64) < due {
        let page = reader.entries(before + rows.len() as u64, 1000).expect("entries");
        rows.extend(page.into_iter().map(|record| record.bytes));
    }
    let last = Entry::parse(rows.last().expect("some")).expect("an entry");
    assert!(matches!(last.body, Body::Revoked(_)), "everything due was revoked");
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    let mut table = Table::new(dir.path());
    let (raw, ()) = seconds(|| rows.chunks(BATCH).for_each(|chunk| table.commit(chunk)));
    let limit = ("raw append of the same rows", Figure::Time(raw));
    let what = format!("{due} credentials due at once: all revoked");
    report.held(SECTION, what, Figure::Time(taken), limit, Some(Aim::AtMost(1.25)));
}

fn list(serials: &[u64], report: &mut Report) {
    let stage = Stage::new(House::Company, 0);
    let authority = stage.house.desk().public().ssh_ca.clone();
    let header = Header {
        version: 1,
        generated: stage.house.now(),
        comment: "a benchmark",
        authority: authority.wire(),
    };
    let write = || krl::write(&header, serials).expect("a list");
    let ours = each(20, write);
    let count = serials.len();
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    let theirs = ssh_keygen(dir.path(), &authority.to_openssh(), serials);
    let limit = ("ssh-keygen -k", Figure::Time(theirs));
    let what = format!("KRL of {count} serials, written");
    report.held(SECTION, what, Figure::Time(ours), limit, Some(Aim::AtMost(0.01)));
    let bytes = write();
    let read = each(20, || krl::read(&bytes, authority.wire()));
    let what = format!("KRL of {count} serials, read back");
    report.held(SECTION, what, Figure::Time(read), limit, None);
    let size = std::fs::metadata(dir.path().join("krl")).expect("was written").len();
    let limit = ("ssh-keygen's", Figure::Bytes(size as f64));
    let what = format!("KRL of {count} serials, size");
    report.held(SECTION, what, Figure::Bytes(bytes.len() as f64), limit, None);
    // Not their own list of the same serials: OpenSSH 9.2 writes bitmaps that it cannot read.
    let nobody = krl::write(&header, &[]).expect("a list");
    let empty = asked(dir.path(), "nobody", &nobody);
    let limit = ("an empty list", Figure::Time(empty));
    let what = format!("KRL of {count} serials, opened by ssh-keygen -Q");
    report.held(SECTION, what, Figure::Time(asked(dir.path(), "ours", &bytes)), limit, None);
}

/// Seconds that `ssh-keygen` takes for the same list.
pub(crate) fn ssh_keygen(dir: &Path, authority: &str, serials: &[u64]) -> f64 {
    let mut text = String::new();
    for serial in serials {
        writeln!(text, "serial: {serial}").expect("grows");
    }
    std::fs::write(dir.join("serials"), text).expect("written");
    std::fs::write(dir.join("ca.pub"), format!("{authority}\n")).expect("written");
    run(dir, &["-k", "-q", "-f", "krl", "-s", "ca.pub", "serials"])
}

/// Seconds that `ssh-keygen` takes to open a list and look a key up: what `sshd` does at a log-in.
fn asked(dir: &Path, name: &str, list: &[u8]) -> f64 {
    std::fs::write(dir.join(name), list).expect("written");
    (0..5).map(|_| run(dir, &["-Q", "-f", name, "ca.pub"])).fold(f64::INFINITY, f64::min)
}

fn run(dir: &Path, arguments: &[&str]) -> f64 {
    let (taken, output) = seconds(|| {
        Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(dir)
            .output()
            .expect("ssh-keygen is installed (see integration-tests/run)")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    taken
}
