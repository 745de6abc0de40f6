//! Hosts that report.

use breakglass_broker::desk::{DeskError, Receipt};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Files;
use breakglass_ledger::statement::{Act, Applied, Canary, List, Maybe, Serial, Use};
use breakglass_ledger::time::Timestamp;

use crate::desk::{House, sample_files};
use crate::people::Person;

/// The sample policy with a service of each of these names, which sam answers for.
#[must_use]
pub fn files_with_hosts(hosts: &[&str]) -> Files {
    let mut files = sample_files();
    for host in hosts {
        files
            .people
            .extend_from_slice(enrolled(host, &Person::named(host).key().to_openssh()).as_bytes());
    }
    files
}

/// The lines of `people.toml` that enrol a host with this key.
#[must_use]
pub fn enrolled(host: &str, key: &str) -> String {
    format!(
        "\n[[principal]]\nid = \"{host}\"\nkind = \"service\"\nname = \"agent of {host}\"\n\
         sponsor = \"sam\"\nkeys = [{key:?}]\n"
    )
}

impl House {
    /// `host` says that the newest KRL is in force there.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn applied_newest(&mut self, host: &str, canary: Canary) -> Result<Receipt, DeskError> {
        let list = self.desk().lists();
        self.applied(host, host, list.version, Digest::of(&list.krl), canary)
    }

    /// `host` says that the newest CRL is in force at `target`.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub fn applied_crl(
        &mut self,
        host: &str,
        target: &str,
        canary: Canary,
    ) -> Result<Receipt, DeskError> {
        let list = self.desk().lists();
        let digest = Digest::of(list.crl.as_ref().expect("an X.509 authority").pem().as_bytes());
        self.applied_list(host, (target, List::Crl), list.version, digest, canary)
    }

    /// `host` says that the KRL of this version and digest is in force at `target`.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn applied(
        &mut self,
        host: &str,
        target: &str,
        version: u64,
        digest: Digest,
        canary: Canary,
    ) -> Result<Receipt, DeskError> {
        self.applied_list(host, (target, List::Krl), version, digest, canary)
    }

    /// `host` says that this list of this version and digest is in force at the target.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn applied_list(
        &mut self,
        host: &str,
        (target, list): (&str, List),
        version: u64,
        digest: Digest,
        canary: Canary,
    ) -> Result<Receipt, DeskError> {
        let applied = Applied {
            by: host.parse().expect("a name"),
            target: target.parse().expect("a name"),
            list,
            version,
            digest,
            canary,
            latency: Maybe(Some(40)),
            ended: Maybe(Some(0)),
        };
        self.act(&Person::named(host), Act::Applied(applied))
    }

    /// `host` says that it saw `serial` used at `at`.
    ///
    /// # Errors
    ///
    /// What the desk answers.
    pub fn used(&mut self, host: &str, serial: u64, at: Timestamp) -> Result<Receipt, DeskError> {
        let (by, target) = (host.parse().expect("a name"), host.parse().expect("a name"));
        let used = Use { by, target, serial: Serial(serial), at };
        self.act(&Person::named(host), Act::Use(used))
    }
}
