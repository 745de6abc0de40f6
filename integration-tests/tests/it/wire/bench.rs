//! A served deployment, and what it is expected to answer to bad input.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::{Files, sample};
use breakglass_proto::v1;
use tonic::Code;

use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::grant::scope;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::{Exported, rows};
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, refusal};

/// What is expected of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// A rule said no: this code and this refusal, written down.
    Written(Code, &'static str),
    /// A rule said no: this code and this refusal, not written down because anybody who once saw the
    /// bytes could cause it.
    Unwritten(Code, &'static str),
    /// It did not get as far as the rules: this code, and these words.
    Stopped(Code, &'static str),
}

pub(super) struct Bench {
    pub(super) site: Site,
    pub(super) daemon: Daemon,
    pub(super) wire: Wire,
}

/// The sample policy: sam (two keys), tom and kim ask, ada (two keys) leads, bob and eve are security.
/// Of `solo` one may be alive.
pub(super) fn files() -> Files {
    let people = ["pia", "sam", "tom", "kim", "ada", "bob", "eve"].map(Person::named);
    let second = ["sam", "ada"].map(|name| Person::numbered(name, 1));
    let all = people.iter().chain(&second);
    let listed: Vec<_> = all.map(|one| (one.name.as_str(), one.key())).collect();
    let mut files = sample(&listed);
    let scopes = String::from_utf8(files.scopes).unwrap();
    let (hosts, rest) = scopes.split_once("id = \"quick\"").unwrap();
    let (quick, solo) = rest.split_once("id = \"solo\"").unwrap();
    let solo = solo.replace("live-max = 10\n", "live-max = 1\n");
    files.scopes = format!("{hosts}id = \"quick\"{quick}id = \"solo\"{solo}").into_bytes();
    files
}

/// The same, but requests of `quick` lapse after two seconds.
fn hasty() -> Files {
    let mut files = files();
    let scopes = String::from_utf8(files.scopes).unwrap();
    let (before, quick) = scopes.split_once("id = \"quick\"").unwrap();
    let quick = quick.replacen("pending-max = \"10m\"", "pending-max = \"2s\"", 1);
    files.scopes = format!("{before}id = \"quick\"{quick}").into_bytes();
    files
}

/// A configuration in which tokens are minted.
pub(super) fn with_tokens() -> String {
    format!("{ROOMY}[jwt]\nissuer = \"https://bg.example.com\"\n")
}

/// [`files`], and a scope of each kind that needs nobody's word.
pub(super) fn all_kinds() -> Files {
    let mut files = files();
    for (id, more) in [
        ("host", ""),
        ("database", "[scope.x509]\norganizations = [\"dba\"]\n"),
        ("cluster", "[scope.jwt]\naudience = \"payments-api\"\ngroups = [\"dba\"]\n"),
        ("gateway", "[scope.jwt]\naudience = \"payments-api\"\nbearer = true\n"),
    ] {
        let of_kind = scope(id, "principals = [\"bg-root\"]");
        files.scopes.extend(format!("\n{of_kind}\n{more}").into_bytes());
    }
    files
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::limited(ROOMY).await
    }

    /// Where requests of `quick` lapse after two seconds.
    pub(super) async fn hasty() -> Self {
        Self::under(hasty(), ROOMY).await
    }

    /// Where sam may ask alone for what `host` opens by SSH, `database` by certificate, `cluster` by
    /// token, and `gateway` by a token that is bound to nothing.
    pub(super) async fn kinds() -> Self {
        Self::under(all_kinds(), &with_tokens()).await
    }

    pub(super) async fn limited(limits: &str) -> Self {
        Self::under(files(), limits).await
    }

    /// Under these files, with this configuration.
    pub(super) async fn under(files: Files, limits: &str) -> Self {
        let site = Site::under(files);
        let daemon = site.serve_with(limits, &[]).unwrap();
        let wire = Wire::to(&site, &daemon).await;
        Self { site, daemon, wire }
    }

    pub(super) fn rows(&self) -> Vec<Vec<u8>> {
        rows(&self.site.ledger())
    }

    /// Gives `act` in, and sees that it is answered and recorded as it should be.
    #[track_caller]
    pub(super) fn expect(
        &self,
        what: &'static str,
        act: v1::SubmitRequest,
        told: Told,
    ) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let before = self.rows();
            let answer = self.wire.submit(act).await;
            let after = self.rows();
            let said = format!("{what} ({caller}): {answer:?}");
            let status = answer.expect_err(&said);
            let (code, name) = match told {
                Told::Written(code, name) | Told::Unwritten(code, name) => (code, Some(name)),
                Told::Stopped(code, words) => {
                    assert!(status.message().contains(words), "{said}");
                    (code, None)
                }
            };
            assert_eq!(status.code(), code, "{said}");
            let detail = refusal(&status);
            assert_eq!(detail.as_ref().map(|detail| detail.name.as_str()), name, "{said}");
            assert!(!status.message().is_empty(), "{said}");
            assert_eq!(after[..before.len()], before, "{said}");
            let Told::Written(_, name) = told else {
                assert_eq!(after.len(), before.len(), "{said}");
                assert_eq!(detail.and_then(|detail| detail.seq), None, "{said}");
                return;
            };
            assert_eq!(after.len(), before.len() + 1, "{said}");
            let entry = Entry::parse(after.last().unwrap()).unwrap();
            assert_eq!(detail.unwrap().seq, Some(entry.seq), "{said}");
            let Body::Refused(refused) = entry.body else { panic!("{said}") };
            assert_eq!(refused.refusal.name, name, "{said}");
        }
    }

    /// Gives `act` in, which must succeed.
    #[track_caller]
    pub(super) fn good(
        &self,
        act: v1::SubmitRequest,
    ) -> impl Future<Output = v1::SubmitAnswer> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.wire.submit(act).await;
            answer.unwrap_or_else(|status| panic!("{caller}: {status:?}"))
        }
    }

    /// `who` asks for `scope`: the digest of the request, and its subject.
    pub(super) async fn asked(&self, who: &Person, scope: &str) -> (Digest, Person) {
        let subject = Person::numbered(&format!("subject of {} for {scope}", who.name), 0);
        let asking = self.wire.ask(who, scope, 600, &subject);
        let request = Digest::of(&asking.statement);
        self.good(asking).await;
        (request, subject)
    }

    pub(super) async fn policy(&self) -> Digest {
        self.wire.policy().await.unwrap()
    }

    /// Waits until the ledger's newest entry is of this type.
    pub(super) fn comes(&self, type_name: &str) {
        until("the clock's entry", SOON, || {
            let rows = self.rows();
            let newest = Entry::parse(rows.last()?).ok()?;
            (newest.body.type_name() == type_name).then_some(())
        });
    }

    /// The end of every test here: the ledger is sound, over the wire and at rest.
    pub(super) async fn close(self) {
        let export = Exported::over(&self.wire, &Person::named("bob")).await;
        export.assert_sound(&self.site.trust());
        assert_eq!(self.daemon.stop().code, Some(0));
        Exported::at_rest(&self.site).assert_sound(&self.site.trust());
    }
}
