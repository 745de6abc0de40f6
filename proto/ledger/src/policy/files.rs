//! The four files of a policy, their names and their sizes.

use std::fmt;

use crate::bytes::Digest;
use crate::statement::Manifest;

/// One of the four files. Their order is the order of their names, as a manifest lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// `authority.toml`: who signs the policy, and how many of them it takes.
    Authority,
    /// `people.toml`: who is who, with keys and groups.
    People,
    /// `rules.cedar`: who may, beyond what the scopes say.
    Rules,
    /// `scopes.toml`: what can be asked for, how many say yes, for how long.
    Scopes,
}

impl File {
    /// All four, in name order.
    pub const ALL: [Self; 4] = [Self::Authority, Self::People, Self::Rules, Self::Scopes];

    /// The file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority.toml",
            Self::People => "people.toml",
            Self::Rules => "rules.cedar",
            Self::Scopes => "scopes.toml",
        }
    }

    /// Most bytes this file may have.
    ///
    /// A hostile file costs milliseconds to refuse. Together they
    /// fit one message of 1 MiB, so that what can be put into force first can also be pushed later.
    /// The people file is the big one: some 2,000 people at about 300 bytes.
    #[must_use]
    pub const fn size_limit_bytes(self) -> usize {
        match self {
            Self::Authority => 64 * 1024,
            Self::People => 640 * 1024,
            Self::Rules => 64 * 1024,
            Self::Scopes => 208 * 1024,
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The contents of the four files, byte for byte as they are signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// `authority.toml`.
    pub authority: Vec<u8>,
    /// `people.toml`.
    pub people: Vec<u8>,
    /// `rules.cedar`.
    pub rules: Vec<u8>,
    /// `scopes.toml`.
    pub scopes: Vec<u8>,
}

impl Files {
    /// The names of the files, ascending: the exact set that a manifest lists.
    pub const NAMES: [&'static str; 4] =
        [File::Authority.name(), File::People.name(), File::Rules.name(), File::Scopes.name()];

    /// The contents of `file`.
    #[must_use]
    pub fn content(&self, file: File) -> &[u8] {
        match file {
            File::Authority => &self.authority,
            File::People => &self.people,
            File::Rules => &self.rules,
            File::Scopes => &self.scopes,
        }
    }

    /// The contents of the file of this name, if it is one of the four.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let file = File::ALL.into_iter().find(|file| file.name() == name)?;
        Some(self.content(file))
    }

    /// Puts the four files together from what `content` answers for each name.
    ///
    /// # Errors
    ///
    /// The first name for which `content` answers `None`.
    pub fn gather(mut content: impl FnMut(&str) -> Option<Vec<u8>>) -> Result<Self, &'static str> {
        let mut fetch = |file: File| content(file.name()).ok_or(file.name());
        Ok(Self {
            authority: fetch(File::Authority)?,
            people: fetch(File::People)?,
            rules: fetch(File::Rules)?,
            scopes: fetch(File::Scopes)?,
        })
    }

    /// What the policy authority signs for these files: `version`, and the digest of the manifest
    /// before it ([`Digest::ZERO`] for version 1).
    #[must_use]
    pub fn manifest(&self, version: u64, previous: Digest) -> Manifest {
        let digest = |file: File| (file.name().to_owned(), Digest::of(self.content(file)));
        Manifest { version, previous, files: File::ALL.map(digest).to_vec() }
    }
}
