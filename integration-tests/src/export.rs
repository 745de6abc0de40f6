//! The export of a house in this process, as files, in the form that `breakglass audit export` has.

use std::fs;
use std::path::Path;

use breakglass_ledger::bundle::{BLOBS, CHECKPOINT, ENTRIES, OPENINGS, Opening, write_entry};

use crate::desk::House;

impl House {
    /// Writes the whole ledger into the directory `dir`, which it makes.
    ///
    /// # Panics
    ///
    /// Panics if it cannot.
    pub fn export(&self, dir: &Path) {
        let reader = self.desk().reader().expect("a reader");
        let mut entries = Vec::new();
        for bytes in self.entries() {
            write_entry(&mut entries, &bytes).expect("memory");
        }
        let mut openings = Vec::new();
        for text in reader.texts(0, usize::MAX).expect("texts") {
            let line = Opening::new(&text.salt, &text.text).to_line().expect("a line");
            write_entry(&mut openings, &line).expect("memory");
        }
        fs::create_dir_all(dir.join(BLOBS)).expect("a directory");
        for digest in reader.blobs(None).expect("digests") {
            let blob = reader.blob(digest).expect("read").expect("there");
            fs::write(dir.join(BLOBS).join(digest.to_string()), blob).expect("written");
        }
        let note = reader.newest_checkpoint().expect("a checkpoint");
        for (name, content) in
            [(ENTRIES, entries.as_slice()), (OPENINGS, &openings), (CHECKPOINT, note.as_bytes())]
        {
            fs::write(dir.join(name), content).expect("written");
        }
    }
}
