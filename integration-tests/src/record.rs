//! A ledger as outsiders see it: its rows read by a connection of our own, or an export, verified.

use std::collections::BTreeMap;
use std::path::Path;

use breakglass_broker::mint::Mint;
use breakglass_broker::store::{GuardPolicy, Store};
use breakglass_ledger::audit::{Report, TrustFile, verify};
use breakglass_ledger::bundle::{Bundle, Opening, write_entry};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Entry;
use breakglass_proto::v1;
use breakglass_proto::v1::export_part::Part;
use breakglass_rules::eligibility::CedarJudge;
use rusqlite::{Connection, OpenFlags};

use crate::people::Person;
use crate::site::{NAME, Site};
use crate::wire::{Wire, now};

/// The bytes of every entry in the database in `ledger`, in order, whoever else has it open.
///
/// # Panics
///
/// Panics if it cannot be read or an entry is missing.
#[must_use]
pub fn rows(ledger: &Path) -> Vec<Vec<u8>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database =
        Connection::open_with_flags(ledger.join("ledger.db"), flags).expect("a database");
    let mut select =
        database.prepare("SELECT seq, bytes FROM entry ORDER BY seq").expect("a table");
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, usize>(0)?, row.get(1)?));
    let rows = select.query_map((), row).expect("rows");
    let numbered = rows.map(|row| row.expect("a row"));
    let in_place = numbered.enumerate().map(|(place, (seq, bytes))| {
        assert_eq!(seq, place, "no entry is missing");
        bytes
    });
    in_place.collect()
}

/// An export, in memory.
#[derive(Default)]
pub struct Exported {
    /// Every entry's bytes, in order.
    pub entries: Vec<Vec<u8>>,
    checkpoint: String,
    openings: Vec<u8>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Exported {
    /// What the daemon at the other end exports to `who`.
    ///
    /// # Panics
    ///
    /// Panics if it does not.
    pub async fn over(wire: &Wire, who: &Person) -> Self {
        let session = Some(wire.session(who));
        let request = v1::ExportRequest { session, from: 0, request_id: String::new() };
        let mut parts = wire.client.clone().export(request).await.expect("an export").into_inner();
        let mut export = Self::default();
        while let Some(part) = parts.message().await.expect("a part") {
            export.take(part.part.expect("something"));
        }
        export
    }

    /// What the ledger of `site`, which nobody serves, holds. A copy of it is opened, so that
    /// nothing is made good that the daemon itself has to make good; everything derived in it is
    /// derived again and compared.
    ///
    /// # Panics
    ///
    /// Panics if it is not whole.
    #[must_use]
    pub fn at_rest(site: &Site) -> Self {
        let copy = tempfile::tempdir().expect("a directory");
        copy_files(&site.ledger(), copy.path());
        let mint = Mint::open(&site.state(), NAME).expect("keys");
        let store = Store::open(copy.path(), &mint.public().log, GuardPolicy::Require);
        let reader = store.expect("a ledger").reader().expect("a reader");
        reader.rebuild_and_compare().expect("what is derived says what the entries say");
        let mut export = Self {
            entries: rows(copy.path()),
            checkpoint: reader.newest_checkpoint().expect("a checkpoint").to_owned(),
            ..Self::default()
        };
        let mut after = 0;
        while let Some((last, page)) = page_of(&reader, after) {
            page.iter().for_each(|text| export.open(&text.salt, &text.text));
            after = last;
        }
        let mut after = None;
        loop {
            let page = reader.blobs(after).expect("blobs");
            let Some(last) = page.last() else { return export };
            after = Some(*last);
            for digest in page {
                let content = reader.blob(digest).expect("read").expect("a blob");
                export.blobs.insert(digest, content);
            }
        }
    }

    /// The verdict over it.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be read.
    #[must_use]
    pub fn verify(&self, trust: &TrustFile) -> Report {
        let mut entries = Vec::new();
        for entry in &self.entries {
            write_entry(&mut entries, entry).expect("written to memory");
        }
        let bundle = Bundle {
            entries: &mut entries.as_slice(),
            checkpoint: &self.checkpoint,
            openings: &mut self.openings.as_slice(),
            blobs: &|digest| self.blobs.get(&digest).cloned(),
        };
        verify(bundle, trust, Some(now()), Some(&CedarJudge::default())).expect("read from memory")
    }

    /// Nothing whatever is wrong with it.
    ///
    /// # Panics
    ///
    /// Panics if something is.
    pub fn assert_sound(&self, trust: &TrustFile) {
        let report = self.verify(trust);
        assert!(report.findings.is_empty(), "{:?}: {:#?}", report.verdict, report.findings);
        assert_eq!(usize::try_from(report.entries).expect("small"), self.entries.len());
    }

    fn take(&mut self, part: Part) {
        match part {
            Part::Entries(entries) => self.entries.extend(entries.entries),
            Part::Opening(opening) => {
                self.open(&opening.salt.try_into().expect("32 bytes"), &opening.text);
            }
            Part::Blob(blob) => {
                self.blobs.insert(blob.name.parse().expect("a digest"), blob.content);
            }
            Part::Checkpoint(checkpoint) => self.checkpoint = checkpoint,
        }
    }

    fn open(&mut self, salt: &[u8; 32], text: &str) {
        let line = Opening::new(salt, text).to_line().expect("in form");
        self.openings.extend(line);
        self.openings.push(b'\n');
    }
}

/// The newest entry of `site`, parsed.
///
/// # Panics
///
/// Panics if there is none.
#[must_use]
pub fn newest(site: &Site) -> Entry {
    Entry::parse(rows(&site.ledger()).last().expect("an entry")).expect("in form")
}

/// Copies the files of `from` into `to`.
///
/// # Panics
///
/// Panics if one cannot be copied.
pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for file in std::fs::read_dir(from).expect("a directory") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

fn page_of(
    reader: &breakglass_broker::store::Reader,
    after: u64,
) -> Option<(u64, Vec<breakglass_broker::store::Opening>)> {
    let page = reader.texts(after, 1000).expect("texts");
    Some((page.last()?.number, page))
}
