//! Keys of one purpose: one, and while it gives way to the next both.

use breakglass_ledger::key::PublicKey;

/// Most keys of one purpose: current, next, and old ones in a hurry.
const KEYS_MAX: usize = 8;

/// Keys that are trusted for one purpose, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted(Vec<PublicKey>);

impl Trusted {
    /// Reads one key for each line, in OpenSSH's form.
    ///
    /// # Errors
    ///
    /// What is wrong, in one clause.
    pub fn read(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let keys: Result<Vec<_>, _> = lines.map(PublicKey::from_openssh).collect();
        let keys = keys.map_err(|error| error.to_string())?;
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(format!("1 to {KEYS_MAX} keys, each on its own line"));
        }
        Ok(Self(keys))
    }

    /// Whether `key` is one of them.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Their wire forms.
    #[must_use]
    pub fn wires(&self) -> Vec<&[u8]> {
        self.0.iter().map(PublicKey::wire).collect()
    }

    /// Their lines, in OpenSSH's form.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        self.0.iter().map(PublicKey::to_openssh).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::testing::Keys;

    use super::*;

    #[test]
    fn one_key_or_several_are_read_and_nothing_else_beside_them() {
        let keys = Keys::new();
        let line = |name| keys.public(name).to_openssh();
        let both = format!("{}\n{}\n", line("ssh-ca"), line("next"));
        let trusted = Trusted::read(&both).unwrap();
        assert!(trusted.contains(&keys.public("next")) && !trusted.contains(&keys.public("sam")));
        assert_eq!(format!("{}\n", trusted.to_openssh()), both);
        for bad in [String::new(), "\n".to_owned(), format!("{both}x"), both.repeat(5)] {
            assert!(Trusted::read(&bad).is_err(), "{bad}");
        }
    }
}
