//! Writing an export: into a directory beside the wanted one, renamed when it is whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use breakglass_ledger::bundle::{
    BLOBS, CHECKPOINT, ENTRIES, OPENINGS, Opening, PROOFS, write_entry,
};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::check_form;
use breakglass_ledger::note::Checkpoint;
use breakglass_proto::v1;
use data_encoding::HEXLOWER;

use super::proofs::Proofs;
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::state::private_dir;
use crate::trust::Trust;

/// An export being written. Dropped before [`Export::finish`], it leaves nothing behind.
pub struct Export {
    out: PathBuf,
    beside: PathBuf,
    entries: BufWriter<File>,
    openings: BufWriter<File>,
    /// Only a case has them.
    proofs: Option<Proofs>,
    blobs: BTreeSet<Digest>,
    counts: Counts,
    note: Option<String>,
    is_finished: bool,
}

/// What an export holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Texts.
    pub openings: u64,
    /// Policy files.
    pub blobs: u64,
}

/// How much is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole ledger.
    Whole,
    /// One grant, each entry with its proof.
    Case,
}

impl Export {
    /// Begins an export that will be at `out`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn begin(out: &Path, extent: Extent) -> Result<Self, Failure> {
        if fs::symlink_metadata(out).is_ok() {
            return Err(Failure::usage(
                format!("{} exists already", out.display()),
                "name a new directory; an export is never written over another",
            ));
        }
        let random: [u8; 8] = entropy::bytes()?;
        let beside = out.with_extension(format!("{}.tmp", HEXLOWER.encode(&random)));
        private_dir(&beside.join(BLOBS))?;
        let create = |name: &str| {
            let path = beside.join(name);
            File::create_new(&path).map(BufWriter::new).map_err(|error| failed(&path, &error))
        };
        Ok(Self {
            out: out.to_owned(),
            entries: create(ENTRIES)?,
            openings: create(OPENINGS)?,
            proofs: match extent {
                Extent::Whole => None,
                Extent::Case => Some(Proofs::new(create(PROOFS)?)),
            },
            beside,
            blobs: BTreeSet::new(),
            counts: Counts::default(),
            note: None,
            is_finished: false,
        })
    }

    /// Takes one part, in the order in which the broker sends them.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not in form or cannot be written.
    pub fn take(&mut self, part: v1::export_part::Part) -> Result<(), Failure> {
        use v1::export_part::Part;
        match part {
            Part::Entries(entries) => self.entries(&entries),
            Part::Opening(opening) => self.opening(&opening),
            Part::Blob(blob) => self.blob(&blob),
            Part::Checkpoint(note) => {
                self.note = Some(note);
                Ok(())
            }
        }
    }

    /// Ends the export: its checkpoint is signed by the ledger, covers exactly these entries (of a
    /// case: each is proven to be below it), and is not behind `kept`. Only then is it there.
    ///
    /// # Errors
    ///
    /// [`Failure`]; then nothing is at `out`.
    pub fn finish(
        mut self,
        trust: &Trust,
        kept: Option<&Checkpoint>,
    ) -> Result<(Checkpoint, Counts), Failure> {
        let note = self.note.take().ok_or_else(|| malformed("it ended before its checkpoint"))?;
        let checkpoint = trust.open(&note)?;
        match &self.proofs {
            Some(proofs) if !proofs.lead_to(&checkpoint) => {
                return Err(malformed("an entry is not proven to be below its checkpoint"));
            }
            None if checkpoint.size != self.counts.entries => {
                return Err(malformed("its checkpoint covers another number of entries"));
            }
            Some(_) | None => {}
        }
        if let Some(kept) = kept.filter(|kept| kept.size > checkpoint.size) {
            let (kept, offered) = (kept.size, checkpoint.size);
            return Err(crate::trust::TrustError::Rollback { kept, offered }.into());
        }
        let path = self.beside.join(CHECKPOINT);
        fs::write(&path, note).map_err(|error| failed(&path, &error))?;
        let proofs = self.proofs.as_mut().map(Proofs::file);
        for file in [&mut self.entries, &mut self.openings].into_iter().chain(proofs) {
            let synced = file.flush().and_then(|()| file.get_ref().sync_all());
            synced.map_err(|error| failed(&self.beside, &error))?;
        }
        fs::rename(&self.beside, &self.out).map_err(|error| failed(&self.out, &error))?;
        self.is_finished = true;
        Ok((checkpoint, self.counts))
    }

    fn entries(&mut self, part: &v1::Entries) -> Result<(), Failure> {
        match (&mut self.proofs, part.entries.as_slice()) {
            (Some(proofs), [entry]) => {
                let seq = form(entry)?;
                proofs.take(seq, entry, &part.inclusion).map_err(|rule| malformed(&rule))?;
                self.entry(entry)
            }
            (Some(_), _) => Err(malformed("entries of a case come one by one")),
            (None, entries) => entries.iter().try_for_each(|entry| {
                if form(entry)? != self.counts.entries {
                    return Err(malformed("an entry is missing or out of order"));
                }
                self.entry(entry)
            }),
        }
    }

    fn entry(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.counts.entries = self.counts.entries.saturating_add(1);
        write_entry(&mut self.entries, bytes).map_err(|error| failed(&self.beside, &error))
    }

    fn opening(&mut self, opening: &v1::Opening) -> Result<(), Failure> {
        let salt = opening.salt.as_slice().try_into();
        let salt: &[u8; 32] = salt.map_err(|_| malformed("a text's salt has not 32 bytes"))?;
        let line = Opening::new(salt, &opening.text).to_line();
        let line = line.map_err(|error| malformed(&error.to_string()))?;
        self.counts.openings = self.counts.openings.saturating_add(1);
        // One line of one form, ended like an entry.
        write_entry(&mut self.openings, &line).map_err(|error| failed(&self.beside, &error))
    }

    fn blob(&mut self, blob: &v1::Blob) -> Result<(), Failure> {
        let digest = Digest::of(&blob.content);
        if digest.to_string() != blob.name {
            return Err(malformed("a policy file is not what its name says"));
        }
        if self.blobs.insert(digest) {
            self.counts.blobs = self.counts.blobs.saturating_add(1);
            // The name is a digest computed here, so it cannot leave the directory.
            let path = self.beside.join(BLOBS).join(digest.to_string());
            fs::write(&path, &blob.content).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_dir_all(&self.beside);
        }
    }
}

/// The number of an entry in form.
fn form(bytes: &[u8]) -> Result<u64, Failure> {
    check_form(bytes).map(|form| form.seq).map_err(|error| malformed(&error.to_string()))
}

fn malformed(rule: &str) -> Failure {
    Failure::new(
        Exit::Malformed,
        format!("the export cannot be used: {rule}"),
        "nothing was kept of it",
        "try again, perhaps with another --broker",
    )
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("{}: {error}", path.display()),
        "the export is not there",
        "check the disk",
    )
}

#[cfg(test)]
mod tests;
