#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use data_encoding::BASE64;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A directory with a certificate authority made by the stock tool.
struct Lab {
    dir: TempDir,
    authority: Vec<u8>,
}

impl Lab {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let authority = key(dir.path(), "ca");
        Self { dir, authority }
    }

    fn header(&self, version: u64) -> Header<'_> {
        let generated = Timestamp::from_unix_seconds(1_795_000_000);
        Header {
            version,
            generated,
            comment: "payments/3f9a1c0e5b7d2a44",
            authority: &self.authority,
        }
    }

    /// Writes the list of `serials` to a file and returns its bytes.
    fn list(&self, serials: &[u64]) -> Vec<u8> {
        let bytes = write(&self.header(7), serials).unwrap();
        fs::write(self.dir.path().join("krl"), &bytes).unwrap();
        bytes
    }

    /// Certifies a new key `name` under `serial` with the stock tool.
    fn certify(&self, name: &str, ca: &str, serial: u64, key_id: &str) {
        key(self.dir.path(), name);
        let serial = serial.to_string();
        let public = format!("{name}.pub");
        let args = ["-q", "-s", ca, "-I", key_id, "-n", "ops", "-z", &serial, &public];
        assert!(self.keygen(&args).status.success());
    }

    /// Exit code of `ssh-keygen -Q -f krl FILE`: 0 not revoked, 1 revoked.
    fn query(&self, file: &str) -> Option<i32> {
        self.keygen(&["-Q", "-f", "krl", file]).status.code()
    }

    /// What `ssh-keygen -Q -l -f krl` says is revoked.
    fn listed(&self) -> Vec<Run> {
        let output = self.keygen(&["-Q", "-l", "-f", "krl"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let mut runs = Vec::new();
        for line in text.lines() {
            if let Some(serials) = line.strip_prefix("serial: ") {
                let (first, last) = serials.split_once('-').unwrap_or((serials, serials));
                runs.push(Run { first: first.parse().unwrap(), last: last.parse().unwrap() });
            } else {
                assert!(line.is_empty() || line.starts_with('#'), "{line}");
            }
        }
        read::merge(runs)
    }

    fn keygen(&self, args: &[&str]) -> Output {
        Command::new("ssh-keygen").args(args).current_dir(self.dir.path()).output().unwrap()
    }
}

/// Makes an Ed25519 key pair with the stock tool; answers the public key's wire form.
fn key(dir: &Path, name: &str) -> Vec<u8> {
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name];
    assert!(Command::new("ssh-keygen").args(args).current_dir(dir).status().unwrap().success());
    let line = fs::read_to_string(dir.join(name).with_extension("pub")).unwrap();
    BASE64.decode(line.split(' ').nth(1).unwrap().trim().as_bytes()).unwrap()
}

/// R36: a list is checked by serial, key id and key with stock tools.
#[test]
fn the_stock_tool_finds_exactly_the_revoked_serials_revoked() {
    let lab = Lab::new();
    lab.certify("alive", "ca", 41, "bg:same");
    lab.certify("dead", "ca", 42, "bg:same");
    lab.list(&[42, 43, 44, 90, 1000]);
    assert_eq!(lab.query("dead-cert.pub"), Some(1));
    assert_eq!(lab.query("alive-cert.pub"), Some(0), "the same key id under another serial");
    assert_eq!(lab.query("dead.pub"), Some(0), "the key itself, outside its certificate");
}

#[test]
fn a_serial_means_nothing_under_another_authority() {
    let lab = Lab::new();
    key(lab.dir.path(), "other-ca");
    lab.certify("foreign", "other-ca", 42, "bg:x");
    let bytes = lab.list(&[42]);
    assert_eq!(lab.query("foreign-cert.pub"), Some(0));
    assert_eq!(read(&bytes, b"somebody else"), Err(KrlError::Authority));
}

/// R40: an unreadable list refuses everybody, an empty file refuses nobody.
#[test]
fn a_list_of_nobody_is_not_an_empty_file_and_revokes_nobody() {
    let lab = Lab::new();
    lab.certify("alive", "ca", 41, "bg:x");
    let bytes = lab.list(&[]);
    assert_eq!(bytes.len(), 44 + 25);
    assert_eq!(lab.query("alive-cert.pub"), Some(0));
    assert_eq!(lab.listed(), []);
    assert!(read(&bytes, &lab.authority).unwrap().runs().is_empty());
    assert!(read(&[], &lab.authority).is_err());
}

/// R40: serial 0 cannot be revoked, so it must never reach a list.
#[test]
fn serial_zero_is_refused_by_writer_and_reader() {
    let lab = Lab::new();
    assert_eq!(write(&lab.header(1), &[0, 1]), Err(KrlError::SerialZero));
    let mut bytes = lab.list(&[7]);
    let end = bytes.len();
    bytes[end - 8..].fill(0);
    assert_eq!(read(&bytes, &lab.authority), Err(KrlError::SerialZero));
}

/// R36: entries of an unknown kind are refused, never dropped.
#[test]
fn a_section_of_another_kind_is_refused_not_skipped() {
    let lab = Lab::new();
    let mut bytes = lab.list(&[]);
    for kind in [2, 3, 4, 5, 255] {
        bytes.truncate(69);
        bytes.extend([kind, 0, 0, 0, 0]);
        assert_eq!(read(&bytes, &lab.authority), Err(KrlError::Section(kind)));
    }
    let mut body = Vec::new();
    crate::sshwire::put_string(&mut body, &lab.authority);
    body.extend([0, 0, 0, 0, 0x23, 0, 0, 0, 5, 0, 0, 0, 1, b'x']);
    bytes.truncate(69);
    bytes.push(CERTIFICATES);
    crate::sshwire::put_string(&mut bytes, &body);
    assert_eq!(read(&bytes, &lab.authority), Err(KrlError::Section(0x23)));
}

#[test]
fn serials_that_do_not_ascend_are_refused() {
    let lab = Lab::new();
    assert_eq!(write(&lab.header(1), &[5, 5]), Err(KrlError::Order { serial: 5 }));
    assert_eq!(write(&lab.header(1), &[5, 4]), Err(KrlError::Order { serial: 4 }));
}

#[test]
fn a_comment_that_could_break_a_line_is_refused() {
    let lab = Lab::new();
    let header = Header { comment: "a\nserial: 1", ..lab.header(1) };
    assert_eq!(write(&header, &[]), Err(KrlError::Comment));
    let long = "x".repeat(COMMENT_MAX + 1);
    assert_eq!(write(&Header { comment: &long, ..lab.header(1) }, &[]), Err(KrlError::Comment));
}

#[test]
fn the_stock_tool_shows_version_and_comment() {
    let lab = Lab::new();
    lab.list(&[3]);
    let text = String::from_utf8(lab.keygen(&["-Q", "-l", "-f", "krl"]).stdout).unwrap();
    assert!(text.contains("# KRL version 7"), "{text}");
    assert!(text.contains("payments/3f9a1c0e5b7d2a44"), "{text}");
}

/// OpenSSH 9.2 cannot read a bitmap wider than 16,384 bits.
#[test]
fn the_widest_bitmap_is_one_that_openssh_reads() {
    let lab = Lab::new();
    let every_other: Vec<u64> = (0..20_000).map(|n| 1 + n * 2).collect();
    let bytes = lab.list(&every_other);
    assert!(read(&bytes, &lab.authority).unwrap().is_exactly(&every_other));
    assert_eq!(lab.listed(), Runs::of(&every_other).collect::<Vec<_>>());
    let mut wide = vec![0; 8];
    wide[7] = 1;
    crate::sshwire::put_string(&mut wide, &[0x7f; 2049]);
    let mut body = Vec::new();
    crate::sshwire::put_string(&mut body, &lab.authority);
    body.extend([0, 0, 0, 0]);
    write::put_section(&mut body, SERIAL_BITMAP, |out| out.extend(wide));
    let mut list = lab.list(&[]);
    write::put_section(&mut list, CERTIFICATES, |out| out.extend(body));
    let too_wide = KrlError::Serials("a bitmap wider than OpenSSH reads");
    assert_eq!(read(&list, &lab.authority), Err(too_wide));
}

#[test]
fn each_form_is_chosen_where_it_is_smallest() {
    let lab = Lab::new();
    let size = |serials: &[u64]| lab.list(serials).len() - lab.list(&[]).len() - (5 + 4 + 51 + 4);
    assert_eq!(size(&[9]), 5 + 8, "one serial: a list");
    assert_eq!(size(&[9, 1_000_000, 2_000_000]), 5 + 24, "far apart: one list");
    assert_eq!(size(&(1..=100_000).collect::<Vec<_>>()), 21, "dense: a range");
    let holes: Vec<u64> = (1..=16_000).filter(|n| n % 10 != 0).collect();
    assert_eq!(size(&holes), 17 + 2000, "dense with holes: a bitmap");
}

#[test]
fn the_last_serial_there_is_can_be_revoked() {
    let lab = Lab::new();
    let serials: Vec<u64> = (0..40).map(|n| u64::MAX - 2 * (39 - n)).collect();
    let bytes = lab.list(&serials);
    assert!(read(&bytes, &lab.authority).unwrap().is_exactly(&serials));
    assert_eq!(lab.listed(), Runs::of(&serials).collect::<Vec<_>>());
}

/// Serials as they come about: runs with holes, lone ones far away, now and then a huge run.
fn serials() -> impl Strategy<Value = Vec<u64>> {
    let run = (0_u64..40_000, 1_u64..600, 1_u64..12);
    prop::collection::vec(run, 0..25).prop_map(|runs| {
        let mut next = 1_u64;
        let mut serials = Vec::new();
        for (gap, length, step) in runs {
            next += if gap % 3 == 0 { gap } else { gap % 200 };
            for _ in 0..length {
                serials.push(next);
                next += step;
            }
        }
        serials
    })
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_written_is_read_by_us_and_by_the_stock_tool(serials in serials()) {
        thread_local!(static LAB: Lab = Lab::new());
        LAB.with(|lab| {
            let bytes = lab.list(&serials);
            let krl = read(&bytes, &lab.authority).unwrap();
            assert!(krl.is_exactly(&serials));
            assert_eq!(krl.version, 7);
            assert_eq!(lab.listed(), krl.runs());
            for serial in serials.iter().flat_map(|s| [s - 1, *s, s + 1]) {
                assert_eq!(krl.revokes(serial), serials.binary_search(&serial).is_ok());
            }
        });
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, b"ca");
        let mut framed = write(&plain(), &[]).unwrap();
        framed.extend(bytes);
        let _ = read(&framed, b"ca");
    }

    #[test]
    fn a_changed_list_is_refused_or_says_something_else(
        serials in serials(), at in any::<prop::sample::Index>(), mask in 1_u8..,
    ) {
        let genuine = write(&plain(), &serials).unwrap();
        let mut changed = genuine.clone();
        changed[at.index(genuine.len())] ^= mask;
        if let Ok(krl) = read(&changed, b"ca") {
            assert_ne!(krl, read(&genuine, b"ca").unwrap());
        }
    }

    #[test]
    fn a_list_cut_short_or_continued_is_refused(
        serials in serials(), cut in any::<prop::sample::Index>(),
    ) {
        let genuine = write(&plain(), &serials).unwrap();
        let header = write(&plain(), &[]).unwrap().len();
        let short = &genuine[..cut.index(genuine.len())];
        // Cut exactly after the header it is the list of nobody: why lists are signed.
        assert!(short.len() == header || read(short, b"ca").is_err());
        assert!(read(&[genuine, vec![0]].concat(), b"ca").is_err());
    }
}

fn plain() -> Header<'static> {
    Header { version: 3, generated: Timestamp::from_unix_seconds(1), comment: "", authority: b"ca" }
}

/// Tests leave nothing behind in the source tree.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
