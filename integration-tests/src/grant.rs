//! Grants without their story: everybody who has to say yes says it at once.

use std::path::{Path, PathBuf};

use breakglass_broker::desk::{DeskError, Incoming, Receipt};
use breakglass_broker::publish::{Published, Publisher};
use breakglass_client::state::SubjectKey;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Approval, Files};
use breakglass_ledger::sshsig::{assemble, to_be_signed};
use breakglass_ledger::statement::{About, Act, Approve, Ask, Collect, Kind};
use breakglass_ledger::time::{Moment, Ttl};

use crate::desk::{House, sample_files};
use crate::people::{Person, ask};
use crate::sshd::{Lets, Sshd};

/// A credential in somebody's hands.
pub struct Grant {
    /// Who has the private half of the certified key.
    pub subject: Person,
    /// The request's id.
    pub id: RequestId,
    /// Digest of the request statement.
    pub request: Digest,
    /// The certificate, one line.
    pub certificate: String,
    /// Its serial.
    pub serial: u64,
}

impl Grant {
    /// Writes key and certificate below `dir`; returns the key's path.
    #[must_use]
    pub fn write(&self, dir: &Path) -> PathBuf {
        self.subject.write(&dir.join(self.serial.to_string()), &self.certificate)
    }
}

/// The sample policy with `scopes` added to it.
#[must_use]
pub fn files_with(scopes: &str) -> Files {
    let mut files = sample_files();
    files.scopes.push(b'\n');
    files.scopes.extend(scopes.as_bytes());
    files
}

/// A scope that sam may use alone, for certificates of both kinds.
#[must_use]
pub fn tls_scope(id: &str) -> String {
    let ssh = scope(id, "principals = [\"bg-root\"]");
    format!("{ssh}\n[scope.x509]\norganizations = [\"breakglass:tests\"]\n")
}

/// A scope that sam may use alone, with `ssh` as the lines of its `[scope.ssh]`.
#[must_use]
pub fn scope(id: &str, ssh: &str) -> String {
    format!(
        "[[scope]]\nid = \"{id}\"\ntitle = \"{id}\"\npurpose = \"tests\"\n\
         business-owner = \"group:leads\"\ntechnical-owner = \"group:oncall\"\n\
         identity-owner = \"group:security\"\nsensitivity = \"low\"\nttl-max = \"12h\"\n\
         pending-max = \"10m\"\nlive-max = 1000\nrequesters = \"group:oncall\"\n\
         kinds = [\"human\"]\nlanes = [\"normal\"]\napproval = \"none\"\n\n[scope.ssh]\n{ssh}\n"
    )
}

impl House {
    /// A house under `files` whose clock stands at this machine's time, as hosts see it.
    #[must_use]
    pub fn today(files: Files) -> Self {
        Self::begun(files, now())
    }

    /// sam asks for `scope`, whoever has to agrees, and sam collects.
    pub fn grant(&mut self, scope: &str, ttl: u32, number: u64) -> Grant {
        let subject = Person::named(&format!("subject {number}"));
        let asked = self.statement(Act::Request(ask("sam", scope, ttl, number, subject.key())));
        let request = asked.digest();
        self.submit(&Person::named("sam"), asked).expect("asked");
        for (who, stage) in self.approvers(scope) {
            self.approve(&who, &stage, request).expect("approved");
        }
        let collect = Act::Collect(Collect { request, kind: Kind::Ssh });
        let receipt = self.act(&subject, collect).expect("collected");
        let id = receipt.request.expect("about a request");
        let certificate = receipt.credential.expect("a certificate");
        let Body::Issued(issued) = Entry::parse(&receipt.entry).expect("an entry").body else {
            unreachable!("a credential comes with its `issued` entry")
        };
        Grant { subject, id, request, certificate, serial: issued.serial }
    }

    /// sam asks for `scope`, where nobody has to agree, and collects credentials of these kinds: the
    /// request, and the serial of each.
    ///
    /// # Panics
    ///
    /// Panics if the desk says no.
    pub fn grant_of(
        &mut self,
        scope: &str,
        ttl: u32,
        number: u64,
        kinds: &[Kind],
    ) -> (Digest, Vec<u64>) {
        let key = SubjectKey::generate(kinds).expect("a key");
        let asked = Ask { kinds: kinds.to_vec(), ..ask("sam", scope, ttl, number, key.public()) };
        let asked = self.statement(Act::Request(asked));
        let request = asked.digest();
        self.submit(&Person::named("sam"), asked).expect("asked");
        let mut collected = |kind| {
            let statement = self.statement(Act::Collect(Collect { request, kind }));
            let namespace = statement.act().kind().namespace();
            let blob = key.sign(&to_be_signed(&namespace, statement.text().as_bytes()));
            let signature = assemble(key.public(), &namespace, &blob.expect("signs"));
            let signature = signature.expect("assembles");
            let (user_verified, text, bundle) = (false, None, None);
            let incoming = Incoming { statement, signature, user_verified, text, bundle };
            let receipt = self.give(incoming).expect("collected");
            let Body::Issued(issued) = Entry::parse(&receipt.entry).expect("an entry").body else {
                unreachable!("a credential comes with its `issued` entry")
            };
            issued.serial
        };
        (request, kinds.iter().map(|kind| collected(*kind)).collect())
    }

    /// `who` approves `request` for `stage`.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn approve(
        &mut self,
        who: &str,
        stage: &str,
        request: Digest,
    ) -> Result<Receipt, DeskError> {
        let approve = Approve {
            request,
            by: who.parse().expect("a name"),
            stage: stage.parse().expect("a name"),
            policy: self.desk().policy().digest,
            ttl_max: Ttl::MAX,
            comment: None,
        };
        self.act(&Person::named(who), Act::Approve(approve))
    }

    /// sam gives a credential back.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn give_back(&mut self, request: Digest) -> Result<Receipt, DeskError> {
        let about = About { request, by: "sam".parse().expect("a name"), comment: None };
        self.act(&Person::named("sam"), Act::Drop(about))
    }

    /// Where hosts find the revocation list: [`House::publish`] puts it there.
    #[must_use]
    pub fn revoked(&self) -> PathBuf {
        self.dir.path().join("lists/current/krl")
    }

    /// The house's publisher of revocation lists.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        let public = self.desk().public();
        let dir = self.dir.path().join("lists");
        Publisher::open(
            &dir,
            public.ssh_ca.clone(),
            public.lists.clone(),
            public.x509_ca.as_deref(),
        )
        .expect("a publisher")
    }

    /// Publishes the newest list, as the daemon does after each batch.
    pub fn publish(&self) -> Published {
        self.publisher().publish(&self.desk().lists()).expect("published")
    }

    /// For each stage of `scope` one person who may approve in it, no person twice.
    fn approvers(&self, scope: &str) -> Vec<(String, String)> {
        let policy = self.desk().policy();
        let scope = policy.scope(&scope.parse().expect("a name")).expect("a scope");
        let Approval::Stages(stages) = &scope.approval else { return Vec::new() };
        let mut asked = vec!["sam"];
        let mut approvers = Vec::new();
        for stage in stages {
            let can = ["ada", "bob", "eve"].into_iter().find(|who| {
                let id = who.parse().expect("a name");
                let is_member = stage.approvers.iter().any(|of| policy.is_member(&id, of));
                is_member && !asked.contains(who)
            });
            let who = can.expect("an approver");
            asked.push(who);
            approvers.push((who.to_owned(), stage.name.to_string()));
        }
        approvers
    }
}

/// A house of today and a host that trusts its authority, reads its list and knows `bg-root`.
pub struct Hosted {
    /// The house.
    pub house: House,
    /// The host.
    pub host: Sshd,
    /// Where credentials are kept.
    pub keys: tempfile::TempDir,
    given: u64,
}

impl Hosted {
    /// Both, under the sample policy with [`scope`] `host`, which opens it, and `scopes`.
    #[must_use]
    pub fn with(scopes: &str) -> Self {
        let host = scope("host", "principals = [\"bg-root\"]");
        let house = House::today(files_with(&format!("{host}\n{scopes}")));
        house.publish();
        let host = Sshd::start(&Lets {
            authorities: vec![house.desk().public().ssh_ca.to_openssh()],
            revoked: Some(house.revoked()),
            principals: vec!["bg-root".to_owned()],
        });
        Self { house, host, keys: tempfile::tempdir().expect("a directory"), given: 0 }
    }

    /// Both, without further scopes.
    #[must_use]
    pub fn new() -> Self {
        Self::with("")
    }

    /// A credential for `scope`, made now, and the path of its key.
    pub fn grant(&mut self, scope: &str, ttl: u32) -> (Grant, PathBuf) {
        self.house.clock.set(now());
        self.given += 1;
        let grant = self.house.grant(scope, ttl, self.given);
        let key = grant.write(self.keys.path());
        (grant, key)
    }

    /// sam gives the credential back, and the list says so.
    pub fn take_back(&mut self, grant: &Grant) {
        self.house.give_back(grant.request).expect("given back");
        self.house.publish();
    }
}

impl Default for Hosted {
    fn default() -> Self {
        Self::new()
    }
}

/// What the machine's clock says, which is also sshd's.
#[must_use]
pub fn now() -> Moment {
    use breakglass_broker::clock::{Clock as _, SystemClock};
    SystemClock.now()
}
