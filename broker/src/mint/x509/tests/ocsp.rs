//! The stock tool asks, and believes what our authority answers.

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::mint::OcspSigner;
use crate::ocsp::{Answer, OcspError, Standing, read};

/// An authority of today: the tool compares with its own clock.
struct Today {
    dir: TempDir,
    mint: Mint,
    now: Timestamp,
}

impl Today {
    fn new() -> Self {
        let (dir, now) = (TempDir::new().unwrap(), SystemClock.now().second());
        Mint::create(dir.path(), "payments", &SeededEntropy::new(1), now).unwrap();
        let mint = Mint::open(dir.path(), "payments").unwrap();
        let today = Self { dir, mint, now };
        let cleared = Cleared {
            valid_after: now.minus(60),
            valid_before: now.plus(1800),
            ..Cleared::plain()
        };
        let leaf = cleared.sign(&today.mint).unwrap().certificate;
        today.put("ca", ca(&today.mint).as_bytes());
        today.put("leaf", leaf.as_bytes());
        today
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.dir.path().join(name), content).unwrap();
    }

    fn signer(&self) -> OcspSigner {
        self.mint.ocsp().remove(0)
    }

    fn openssl(&self, args: &[&str]) -> String {
        let output =
            Command::new("openssl").args(args).current_dir(self.dir.path()).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        format!("{}\n{}", output.status.code().unwrap(), String::from_utf8(all).unwrap())
    }

    /// What the tool makes of our answer that the leaf stands so, given `at`, to its own question,
    /// asked with `options`.
    fn told(&self, standing: Standing, at: Timestamp, options: &[&str]) -> String {
        let ask = ["ocsp", "-reqout", "question"];
        let about = [options, &["-issuer", "ca", "-cert", "leaf"]].concat();
        let asked = self.openssl(&[&ask, about.as_slice()].concat());
        assert!(asked.starts_with('0'), "{asked}");
        let request = read(&fs::read(self.dir.path().join("question")).unwrap()).unwrap();
        let answers = request.asked.into_iter().map(|asked| Answer { asked, standing });
        let answers: Vec<_> = answers.collect();
        let der = self.signer().sign(&answers, request.nonce.as_deref(), at).unwrap();
        self.put("answer", &der);
        if request.nonce.is_some() {
            // Whether it is the question's nonce is looked at only without naming certificates again.
            let whole = ["ocsp", "-reqin", "question", "-respin", "answer", "-CAfile", "ca"];
            let compared = self.openssl(&[&whole, ["-verify_other", "ca"].as_slice()].concat());
            assert!(compared.starts_with('0') && !compared.contains("Nonce"), "{compared}");
        }
        let read: [&str; 5] = ["ocsp", "-respin", "answer", "-CAfile", "ca"];
        let about = about.iter().map(|one| if *one == "-nonce" { "-no_nonce" } else { one });
        self.openssl(&read.into_iter().chain(about).collect::<Vec<_>>())
    }
}

#[test]
fn the_stock_tool_believes_our_answers_with_and_without_a_nonce() {
    let today = Today::new();
    let since = today.now.minus(9);
    for digest in [[].as_slice(), &["-sha256"]] {
        for nonce in ["-nonce", "-no_nonce"] {
            let options = [digest, &[nonce]].concat();
            for (standing, says) in [
                (Standing::Good, "leaf: good"),
                (Standing::Revoked(since), "leaf: revoked"),
                (Standing::Unknown, "leaf: unknown"),
            ] {
                let told = today.told(standing, today.now, &options);
                assert!(told.contains("Response verify OK"), "{options:?}: {told}");
                assert!(told.contains(says), "{options:?}: {told}");
                let reason = told.contains("Reason: cessationOfOperation");
                assert_eq!(reason, matches!(standing, Standing::Revoked(_)), "{told}");
                assert!(told.starts_with('0'), "{told}");
            }
        }
    }
}

#[test]
fn the_stock_tool_does_not_believe_an_old_answer_or_one_of_another_authority() {
    let today = Today::new();
    let old = today.told(Standing::Good, today.now.minus(86_400), &["-no_nonce"]);
    assert!(old.contains("Status times invalid") && old.contains("status expired"), "{old}");
    today.told(Standing::Good, today.now, &["-no_nonce"]);
    today.put("ca", ca(&Today::new().mint).as_bytes());
    let foreign = today
        .openssl(&["ocsp", "-respin", "answer", "-CAfile", "ca", "-issuer", "ca", "-cert", "leaf"]);
    assert!(foreign.contains("Response Verify Failure") && foreign.starts_with('1'), "{foreign}");
}

#[test]
fn nothing_is_signed_about_certificates_of_another_authority() {
    let (ours, other) = (Today::new(), Today::new());
    other.told(Standing::Good, other.now, &["-no_nonce"]);
    let request = read(&fs::read(other.dir.path().join("question")).unwrap()).unwrap();
    let answers: Vec<_> =
        request.asked.into_iter().map(|asked| Answer { asked, standing: Standing::Good }).collect();
    let refused = ours.signer().sign(&answers, None, ours.now);
    assert!(matches!(refused, Err(MintError::Ocsp(OcspError::Form(_)))));
}
