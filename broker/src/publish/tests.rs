use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use breakglass_ledger::time::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::entropy::SeededEntropy;
use crate::krl::KrlError;
use crate::mint::Mint;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

/// A mint, and a publisher for its lists.
struct Desk {
    dir: TempDir,
    mint: Mint,
    publisher: Publisher,
}

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Mint::create(dir.path(), "payments", &SeededEntropy::new(1), NOW).unwrap();
        let mint = Mint::open(dir.path(), "payments").unwrap();
        let public = mint.public();
        let (authority, signer) = (public.ssh_ca.clone(), public.lists.clone());
        let (lists, x509) = (dir.path().join("lists"), public.x509_ca.as_deref());
        let publisher = Publisher::open(&lists, authority, signer, x509).unwrap();
        Self { dir, mint, publisher }
    }

    fn list(&self, version: u64, revoked: &[u64]) -> SignedList {
        lists(&self.mint, revoked, version, NOW)
    }

    fn publish(&self, version: u64, revoked: &[u64]) -> Result<Published, PublishError> {
        self.publisher.publish(&self.list(version, revoked))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("lists").join(name)
    }

    fn version(&self) -> Option<u64> {
        self.publisher.current().unwrap().map(|list| list.version)
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn what_is_published_is_what_the_stock_tool_finds() {
    let desk = Desk::new();
    assert!(desk.publisher.current().unwrap().is_none());
    let list = desk.list(1, &[7, 8]);
    assert_eq!(desk.publisher.publish(&list).unwrap(), Published::Now);
    assert_eq!(desk.publisher.current().unwrap(), Some(list));
    let krl = desk.path("current/krl");
    let output = Command::new("ssh-keygen").args(["-Q", "-l", "-f"]).arg(krl).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("serial: 7"), "{text}");
}

#[test]
fn everybody_may_read_a_list_and_only_its_owner_write_it() {
    let desk = Desk::new();
    desk.publish(1, &[]).unwrap();
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("current/krl"), mode("current/krl.sig")), (0o644, 0o644));
    assert_eq!((mode(""), mode("current")), (0o755, 0o755));
}

/// R40: an older list would un-revoke somebody.
#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let desk = Desk::new();
    desk.publish(5, &[1, 2]).unwrap();
    let refused = desk.publish(4, &[1]);
    assert!(matches!(refused, Err(PublishError::Lower { published: 5, offered: 4 })));
    assert_eq!(desk.version(), Some(5));
}

#[test]
fn a_list_that_is_in_place_already_is_left_alone() {
    let desk = Desk::new();
    desk.publish(5, &[1, 2]).unwrap();
    let again = desk.publisher.current().unwrap().unwrap();
    assert_eq!(desk.publisher.publish(&again).unwrap(), Published::Before);
    let other = desk.publish(5, &[1]);
    assert!(matches!(other, Err(PublishError::Conflict { version: 5 })));
    assert!(says(&desk, 5, &[1, 2]));
}

/// R40: never zero bytes, never half a list, never somebody else's.
#[test]
fn what_is_not_a_whole_list_of_ours_is_never_put_in_place() {
    let desk = Desk::new();
    desk.publish(1, &[1]).unwrap();
    let good = desk.list(2, &[1, 2]);
    let empty = SignedList { krl: Vec::new(), ..good.clone() };
    let cut = SignedList { krl: good.krl[..good.krl.len() - 1].to_vec(), ..good.clone() };
    let unsigned = SignedList { krl: desk.list(2, &[1]).krl, ..good.clone() };
    let renumbered = SignedList { version: 3, ..good.clone() };
    for bad in [empty, cut, unsigned, renumbered] {
        assert!(desk.publisher.publish(&bad).is_err());
        assert_eq!(desk.version(), Some(1));
    }
    let stranger = stranger(&desk);
    let foreign = desk.publisher.publish(&lists(&stranger, &[1], 2, NOW));
    assert!(matches!(foreign, Err(PublishError::List(KrlError::Authority))));
    let foreign = desk.publisher.publish(&lists(&stranger, &[], 2, NOW));
    assert!(matches!(foreign, Err(PublishError::Signer)));
    assert_eq!(desk.publisher.publish(&good).unwrap(), Published::Now);
}

/// Whether the list in place is this one; signatures of P-256 keys differ each time.
fn says(desk: &Desk, version: u64, revoked: &[u64]) -> bool {
    let there = desk.publisher.current().unwrap().unwrap();
    there.krl == desk.list(version, revoked).krl
}

fn lists(mint: &Mint, revoked: &[u64], version: u64, at: Timestamp) -> SignedList {
    mint.lists(revoked, &crl::Entries::default(), version, NOW, at).unwrap()
}

/// A mint with other keys.
fn stranger(desk: &Desk) -> Mint {
    let dir = desk.dir.path().join("other");
    fs::create_dir(&dir).unwrap();
    Mint::create(&dir, "payments", &SeededEntropy::new(2), NOW).unwrap();
    Mint::open(&dir, "payments").unwrap()
}

#[test]
fn whatever_a_crash_left_the_next_list_goes_in_place() {
    let desk = Desk::new();
    desk.publish(4, &[1]).unwrap();
    fs::create_dir(desk.path("unfinished")).unwrap();
    fs::write(desk.path("unfinished/krl"), "half").unwrap();
    symlink("nowhere", desk.path("current.new")).unwrap();
    fs::create_dir(desk.path("5")).unwrap();
    assert_eq!(desk.version(), Some(4));
    assert_eq!(desk.publish(5, &[1, 2]).unwrap(), Published::Now);
    assert!(says(&desk, 5, &[1, 2]));
    assert!(!desk.names().contains("unfinished") && !desk.names().contains("current.new"));
}

#[test]
fn a_damaged_list_is_reported_and_healed_by_publishing_it_again() {
    let desk = Desk::new();
    desk.publish(4, &[1, 2]).unwrap();
    fs::write(desk.path("current/krl"), "").unwrap();
    assert!(matches!(desk.publisher.current(), Err(PublishError::List(_))));
    assert_eq!(desk.publish(4, &[1, 2]).unwrap(), Published::Now);
    assert!(says(&desk, 4, &[1, 2]));
}

#[test]
fn the_last_few_lists_are_kept_and_no_more() {
    let desk = Desk::new();
    for version in 8..=20 {
        desk.publish(version, &[version]).unwrap();
    }
    let kept = (12..=20).map(|version: u64| version.to_string());
    assert_eq!(desk.names(), kept.chain(["current".to_owned()]).collect());
}

#[test]
fn somebody_elses_file_in_the_place_of_the_link_is_not_overwritten() {
    let desk = Desk::new();
    fs::write(desk.path("current"), "mine").unwrap();
    assert!(matches!(desk.publish(1, &[]), Err(PublishError::Foreign { .. })));
    assert_eq!(fs::read(desk.path("current")).unwrap(), b"mine");
}

/// R40: at no moment is there a list that refuses everybody or nobody.
#[test]
fn a_reader_under_load_always_sees_one_whole_list_and_never_an_older_one() {
    let desk = Desk::new();
    desk.publish(1, &[1]).unwrap();
    let (krl, done) = (desk.path("current/krl"), AtomicBool::new(false));
    let authority = desk.mint.public().ssh_ca.wire();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut newest, mut seen) = (0, 0_u32);
            while !done.load(Ordering::SeqCst) {
                let list = krl::read(&fs::read(&krl).unwrap(), authority).unwrap();
                assert!(list.version >= newest && list.revokes(list.version));
                newest = list.version;
                let pair = desk.publisher.current().unwrap().unwrap();
                assert!(pair.version >= newest);
                seen = seen.saturating_add(1);
            }
            seen
        });
        for version in 2..=100 {
            desk.publish(version, &(1..=version).collect::<Vec<_>>()).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        assert!(reader.join().unwrap() > 0);
    });
}

/// The list for TLS servers is signed anew while nothing changes; sshd's stays as it is.
#[test]
fn a_list_that_was_signed_anew_replaces_the_one_before_and_never_the_other_way() {
    let desk = Desk::new();
    desk.publish(5, &[1]).unwrap();
    let at = |seconds: u64| lists(&desk.mint, &[1], 5, NOW.plus(seconds));
    for minutes in 1..=20_u64 {
        let again = at(minutes * 300);
        assert_eq!(desk.publisher.publish(&again).unwrap(), Published::Now);
        assert_eq!(desk.publisher.current().unwrap(), Some(again));
    }
    assert_eq!(desk.publisher.publish(&at(300)).unwrap(), Published::Before);
    let newest = format!("5-{}", NOW.plus(6000).unix_seconds());
    assert_eq!(fs::read_link(desk.path("current")).unwrap(), Path::new(&newest));
    assert_eq!(desk.names().len(), 10, "eight, the newest and the link");
    assert!(matches!(desk.publish(5, &[2]), Err(PublishError::Conflict { version: 5 })));
}

/// R40: never zero bytes, never half a list, never somebody else's, for TLS servers neither.
#[test]
fn a_list_for_tls_servers_that_is_not_whole_and_ours_is_never_put_in_place() {
    let desk = Desk::new();
    desk.publish(1, &[1]).unwrap();
    let good = desk.list(2, &[1]);
    let crl = good.crl.clone().unwrap();
    let foreign = lists(&stranger(&desk), &[1], 2, NOW).crl;
    let cut = crl.der[..crl.der.len() - 1].to_vec();
    let other = |number, der| {
        Some(SignedCrl::new(number, crl.signed_at, der, Vec::new()).found(crl.pem().to_owned()))
    };
    for bad in [
        foreign,
        other(crl.number, Vec::new()),
        other(crl.number, cut),
        Some(crl.clone().found(String::new())),
        other(crl::Number::new(2, NOW.plus(1)), crl.der.clone()),
        desk.list(3, &[1]).crl,
    ] {
        assert!(desk.publisher.publish(&SignedList { crl: bad, ..good.clone() }).is_err());
        assert_eq!(desk.version(), Some(1));
    }
    assert_eq!(desk.publisher.publish(&good).unwrap(), Published::Now);
    let pem = fs::read_to_string(desk.path("current/crl.pem")).unwrap();
    assert_eq!(crl::from_pem(&pem), Some(fs::read(desk.path("current/crl.der")).unwrap()));
}

/// Its key may be in a token that is away; hosts must not wait for that, and servers keep what they have.
#[test]
fn a_list_that_comes_without_one_for_tls_servers_keeps_the_one_before() {
    let desk = Desk::new();
    desk.publish(1, &[1]).unwrap();
    let before = fs::read(desk.path("current/crl.der")).unwrap();
    let without = SignedList { crl: None, ..desk.list(2, &[1]) };
    assert_eq!(desk.publisher.publish(&without).unwrap(), Published::Now);
    assert_eq!(desk.version(), Some(2));
    assert_eq!(fs::read(desk.path("current/crl.der")).unwrap(), before);
    // Once it can be signed again, the same version is put in place with it.
    assert_eq!(desk.publisher.publish(&desk.list(2, &[1])).unwrap(), Published::Now);
    assert_ne!(fs::read(desk.path("current/crl.der")).unwrap(), before);
}

#[test]
fn the_documents_about_tokens_lie_beside_the_list_and_follow_the_configuration() {
    let desk = Desk::new();
    desk.publish(3, &[1]).unwrap();
    assert!(!desk.path("current/jwks.json").exists());
    let with = |documents: Option<&Documents>| {
        let publisher = desk.publisher.clone().with(documents.cloned());
        publisher.publish(&desk.list(3, &[1])).unwrap()
    };
    let mut documents =
        Documents { configuration: "{\"issuer\":1}".into(), jwks: "{\"keys\":[]}".into() };
    assert_eq!(with(Some(&documents)), Published::Now, "the list is the same, the files are not");
    assert_eq!(with(Some(&documents)), Published::Before);
    let read = |name: &str| fs::read_to_string(desk.path("current").join(name)).unwrap();
    assert_eq!(read("openid-configuration"), documents.configuration);
    assert_eq!(read("jwks.json"), documents.jwks);
    documents.configuration = "{\"issuer\":2}".into();
    assert_eq!(with(Some(&documents)), Published::Now);
    assert_eq!(read("openid-configuration"), documents.configuration);
    assert_eq!(with(None), Published::Now);
    assert!(!desk.path("current/openid-configuration").exists());
    assert_eq!(desk.version(), Some(3));
}
