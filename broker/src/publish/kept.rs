//! What still lies there of the lists that were in place before.

use std::fs;

use super::{PublishError, Publisher, failed, numbers_of};
use crate::krl::SignedList;

impl Publisher {
    /// The lists that were in place lately and still lie here, and the one that is, oldest first. What is
    /// not whole, or not signed by us, is left out: it was never in place, or was spoilt since.
    ///
    /// # Errors
    ///
    /// [`PublishError::Io`] if the directory cannot be read.
    pub fn kept(&self) -> Result<Vec<SignedList>, PublishError> {
        let entries = fs::read_dir(&self.dir).map_err(failed("read", &self.dir))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbered: Vec<((u64, u64), String)> =
            names.filter_map(|name| Some((numbers_of(&name)?, name))).collect();
        numbered.sort_unstable();
        let lists = numbered.iter().filter_map(|((version, _), name)| {
            let list = self.load(*version, name).ok()?;
            self.read(&list).ok().map(|_| list)
        });
        Ok(lists.collect())
    }
}
