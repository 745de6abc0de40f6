//! Disks that are full, and directories that cannot be written: what cannot be recorded is not
//! granted, revoking is tried again until it works, and all goes on by itself when it is mended.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_broker::krl;
use breakglass_ledger::key::PublicKey;
use breakglass_proto::v1;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};

use breakglass_integration_tests::daemon::{Daemon, powerless};
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, refusal};

use super::{credential, give_back, minting, site, sound};

/// How long the credentials live, in seconds: to be waited for, and longer than a slow machine takes
/// from the last that is recorded to the first that is not.
const LIFE: u32 = 8;

/// Who may ask, each for one credential at a time.
const ASKERS: [&str; 4] = ["sam", "tom", "kim", "lou"];

/// A file of ours fills what is left of the disk, a small one that is mounted for this.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_granting_and_loses_nothing() {
    let site = Site::planned(&["pia", "sam", "ada", "bob", "eve", "tom", "kim", "lou"]);
    fs::create_dir(site.state()).unwrap();
    let _mounted = Mounted::small(&site.state());
    site.found();
    let daemon = site.serve();
    let ballast = site.state().join("ballast");
    stops_and_goes_on(
        &site,
        daemon,
        || fill(&ballast),
        || fs::remove_file(&ballast).unwrap(),
        &["the disk is full: nothing was recorded", "free space, the daemon continues by itself"],
    )
    .await;
}

/// The same by a limit on the size of the daemon's files, which needs no right at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_stops_granting_and_nothing_is_lost() {
    let site = site();
    // Ignored, the signal becomes an error of the write, which is what a full disk is.
    let before = ["bash", "-c", "trap '' XFSZ; exec \"$@\"", "bash"];
    let daemon = site.serve_with(ROOMY, &before).unwrap();
    let id = daemon.id().to_string();
    let limit = |size: &str| {
        let size = format!("--fsize={size}:unlimited");
        let limited = Command::new("prlimit").args(["--pid", &id, &size]).status().unwrap();
        assert!(limited.success());
    };
    stops_and_goes_on(
        &site,
        daemon,
        || limit("4096"),
        || limit("unlimited"),
        &["committing a batch"],
    )
    .await;
}

/// The story of both: a credential is out when the disk fills, comes due while it is full, and is
/// ended once there is room again.
async fn stops_and_goes_on(
    site: &Site,
    daemon: Daemon,
    fill: impl Fn(),
    free: impl Fn(),
    said: &[&str],
) {
    let wire = Wire::to(site, &daemon).await;
    let (_, first) = credential(&wire, "sam", LIFE).await.unwrap();
    fill();
    // What still fits is recorded and acknowledged; then comes an error, and never a credential.
    let mut acknowledged = vec![first];
    let failed = loop {
        let who = ASKERS[acknowledged.len() % ASKERS.len()];
        match credential(&wire, who, LIFE).await {
            Ok((_, answer)) => acknowledged.push(answer),
            Err(status) if refusal(&status).is_some() => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err(status) => break status,
        }
        assert!(acknowledged.len() < 5000, "the disk never fills");
    };
    assert_eq!(failed.code(), Code::Internal, "{failed}");
    // Credentials come due and cannot be ended: nobody gets another until they are.
    minting(site, &daemon, NotServing).await;
    said.iter().for_each(|words| daemon.logs(words));
    free();
    minting(site, &daemon, Serving).await;
    until("what came due is ended", SOON, || {
        let revoked = |answer: &v1::SubmitAnswer| {
            let serial = format!("\"serial\":{},", answer.seq);
            rows(&site.ledger()).iter().any(|entry| {
                let entry = String::from_utf8_lossy(entry);
                entry.contains("\"type\":\"revoked\"") && entry.contains(&serial)
            })
        };
        acknowledged.iter().all(revoked).then_some(())
    });
    let (_, after) = credential(&wire, "sam", 600).await.unwrap();
    assert_eq!(daemon.stop().code, Some(0));
    acknowledged.push(after);
    sound(site, &acknowledged.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_cannot_be_written_stop_minting_but_not_revoking() {
    let site = site();
    let daemon = site.serve_with(ROOMY, &powerless()).unwrap();
    let wire = Wire::to(&site, &daemon).await;
    let (sams, first) = credential(&wire, "sam", 600).await.unwrap();
    let (toms, second) = credential(&wire, "tom", 600).await.unwrap();
    let lists = site.state().join("lists");
    fs::set_permissions(&lists, fs::Permissions::from_mode(0o555)).unwrap();

    give_back(&wire, "sam", sams).await.unwrap();
    minting(&site, &daemon, NotServing).await;
    daemon.logs("minting stops");
    let status = credential(&wire, "kim", 600).await.expect_err("a broker that cannot revoke");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(refusal(&status).unwrap().name, "cannot-revoke", "{status}");
    give_back(&wire, "tom", toms).await.unwrap();
    // Hosts that ask over HTTP hear of it all the same; those that read the file keep the last good.
    let offered = || revokes(&site, &http(daemon.web, "/v1/ssh/krl"), &[first.seq, second.seq]);
    until("the list over HTTP has both", SOON, || offered().then_some(()));
    let placed = || fs::read(lists.join("current").join("krl")).unwrap();
    assert!(!revokes(&site, &placed(), &[first.seq]));

    fs::set_permissions(&lists, fs::Permissions::from_mode(0o755)).unwrap();
    minting(&site, &daemon, Serving).await;
    assert!(revokes(&site, &placed(), &[first.seq, second.seq]));
    let (_, third) = credential(&wire, "lou", 600).await.unwrap();
    assert_eq!(daemon.stop().code, Some(0));
    sound(&site, &[&first, &second, &third]);
}

fn revokes(site: &Site, list: &[u8], serials: &[u64]) -> bool {
    let ca = fs::read_to_string(site.state().join("ssh-ca.pub")).unwrap();
    let ca = PublicKey::from_openssh(ca.trim_end()).unwrap();
    let list = krl::read(list, ca.wire()).expect("a whole list");
    serials.iter().all(|serial| list.revokes(*serial))
}

/// The body of the answer to a `GET`.
fn http(at: SocketAddr, path: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(at).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a header");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..end]));
    answer.split_off(end + 4)
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for size in [65_536, 1] {
        let block = vec![0; size];
        loop {
            match write_all(&mut file, &block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn write_all(file: &mut File, block: &[u8]) -> std::io::Result<()> {
    file.write_all(block)
}

/// A small file system in memory, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn small(at: &Path) -> Self {
        let options = "size=8m,mode=0700";
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output().unwrap();
        let told = String::from_utf8_lossy(&mount.stderr);
        assert!(mount.status.success(), "this test mounts a file system, as root: {told}");
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the daemon of a failing test may still be there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
