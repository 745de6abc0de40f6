//! Hosts that report.

use super::House;
use super::files_of;
use crate::bytes::Digest;
use crate::entry::{Applied, Reconciled, Used};
use crate::id::RequestId;
use crate::statement::{self, Act, Canary, List, Maybe, Serial, Use};
use crate::time::Timestamp;

impl House {
    /// A house whose policy also has the service `db-1`, which ann answers for: three entries.
    #[must_use]
    pub fn hosted() -> Self {
        let mut house = Self::new();
        let mut files = files_of(&house.keys, &super::PEOPLE);
        let key = house.keys.public("db-1").to_openssh();
        let host = format!(
            "\n[[principal]]\nid = \"db-1\"\nkind = \"service\"\nname = \"agent of db-1\"\n\
             sponsor = \"ann\"\nkeys = [{key:?}]\n"
        );
        files.people.extend_from_slice(host.as_bytes());
        house.enact(&files, "pia");
        house
    }

    /// `by` says that the KRL of this version is in force at `target`.
    pub fn applied(&mut self, by: &str, target: &str, version: u64, canary: Canary) -> u64 {
        self.applied_by(by, by, target, version, canary)
    }

    /// The same, signed by `signer`.
    pub fn applied_by(
        &mut self,
        signer: &str,
        by: &str,
        target: &str,
        version: u64,
        canary: Canary,
    ) -> u64 {
        let applied = statement::Applied {
            by: by.parse().expect("good"),
            target: target.parse().expect("good"),
            list: List::Krl,
            version,
            digest: Digest::of(b"krl"),
            canary,
            latency: Maybe(Some(12)),
            ended: Maybe(None),
        };
        let signed = self.said(signer, Act::Applied(applied));
        self.record(Applied { signed })
    }

    /// `by` says that it saw `serial` used at `at`; recorded with the grant.
    pub fn used(&mut self, id: RequestId, by: &str, serial: u64, at: Timestamp) -> u64 {
        let signed = self.said(by, saw(by, serial, at));
        self.record(Used { link: self.link(id), signed })
    }

    /// The same, recorded with no grant: the ledger knows `matched` such credentials.
    pub fn reconciled(&mut self, by: &str, serial: u64, matched: u64, at: Timestamp) -> u64 {
        let signed = Some(self.said(by, saw(by, serial, at)));
        let unlogged = if matched == 0 { vec![serial] } else { Vec::new() };
        let target = by.parse().expect("good");
        self.record(Reconciled { signed, target, matched, unlogged })
    }
}

fn saw(by: &str, serial: u64, at: Timestamp) -> Act {
    let (by, target) = (by.parse().expect("good"), by.parse().expect("good"));
    Act::Use(Use { by, target, serial: Serial(serial), at })
}
