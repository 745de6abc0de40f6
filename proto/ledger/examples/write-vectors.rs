//! Writes the vectors of `FORMAT.md`, sections 3 to 8, into the directory that is named.
//!
//! Needed only when the format changes, which is to say never; a test compares the files with what
//! this would write.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use breakglass_ledger::testing::vectors;

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: write-vectors DIRECTORY"));
    };
    for (path, content) in vectors() {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, content)?;
    }
    Ok(())
}
