//! `[keys.<role>] pkcs11 = { … }`: where a key is that stays in a token; with several, where its
//! successors are as well.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{CustodyError, read_bounded};
use crate::mint::{Custody, Passphrase, Role, TokenPlace};

/// The table `keys`: by role, for those that are in a token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// Signs SSH certificates: Ed25519.
    ssh_ca: Option<Held>,
    /// Signs X.509 certificates and their list: P-256.
    x509_ca: Option<Held>,
    /// Signs tokens: P-256.
    jwt_key: Option<Held>,
}

/// Where the keys of one role are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    /// One place, or several from the oldest key's on.
    #[serde(deserialize_with = "one_or_more")]
    pkcs11: Vec<Pkcs11>,
}

/// A key in a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with module, token, key and pin")]
struct Pkcs11 {
    /// The library: an absolute path.
    module: PathBuf,
    /// Label of the token.
    token: String,
    /// Label of the key.
    key: String,
    /// What the PIN is in: the absolute path of a file of mode 0600, or the name of a systemd
    /// credential.
    pin: PathBuf,
}

impl Keys {
    /// How the keys are kept, with every PIN that is needed.
    ///
    /// # Errors
    ///
    /// [`CustodyError`] naming the file of the PIN or the role.
    pub fn custody(
        &self,
        passphrase: Option<Passphrase>,
        credentials: Option<&Path>,
    ) -> Result<Custody, CustodyError> {
        let mut custody = Custody::of(passphrase);
        let mut places: Vec<TokenPlace> = Vec::new();
        for (role, held) in [
            (Role::SshCa, &self.ssh_ca),
            (Role::X509Ca, &self.x509_ca),
            (Role::JwtKey, &self.jwt_key),
        ] {
            let wrong = |rule| CustodyError::Setting { role: role.name(), rule };
            let Some(Held { pkcs11 }) = held else { continue };
            if pkcs11.is_empty() || pkcs11.len() > PLACES_MAX {
                return Err(wrong("its `pkcs11` has to name one place, and at most eight"));
            }
            for one in pkcs11 {
                let place = one.place(role, credentials)?;
                if places.iter().any(|other| other.is_same_as(&place)) {
                    return Err(wrong("one of its places is named twice, here or for another key"));
                }
                places.push(place.clone());
                custody = custody.with_token(role, place);
            }
        }
        Ok(custody)
    }
}

impl Pkcs11 {
    fn place(&self, role: Role, credentials: Option<&Path>) -> Result<TokenPlace, CustodyError> {
        let wrong = |rule| CustodyError::Setting { role: role.name(), rule };
        if !self.module.is_absolute() {
            return Err(wrong("its `module` has to be an absolute path"));
        }
        if self.token.is_empty() || self.key.is_empty() {
            return Err(wrong("its `token` and its `key` have to be labels"));
        }
        let path = if self.pin.is_absolute() {
            self.pin.clone()
        } else if self.pin.components().count() == 1 {
            let directory = credentials.ok_or_else(|| {
                wrong(
                    "its `pin` names a systemd credential, and there are no credentials here; by hand, \
                     CREDENTIALS_DIRECTORY=DIR says where the file of that name is",
                )
            })?;
            directory.join(&self.pin)
        } else {
            return Err(wrong("its `pin` has to be an absolute path, or the name of a credential"));
        };
        let unreadable = |source| CustodyError::Unreadable { path: path.clone(), source };
        let file = File::open(&path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        // systemd's credentials are 0400 or 0440, in a directory for the unit alone.
        if self.pin.is_absolute() && mode & 0o077 != 0 {
            return Err(CustodyError::Mode { path, mode });
        }
        let text = read_bounded(file).map_err(unreadable)?;
        let pin = Passphrase::of(&text)
            .map_err(|source| CustodyError::Form { path: path.clone(), source })?;
        let (module, token, key) = (self.module.clone(), self.token.clone(), self.key.clone());
        TokenPlace::new(module, token, key, &pin)
            .map_err(|source| CustodyError::Form { path, source })
    }
}

/// One table, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Pkcs11>, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Vec<Pkcs11>;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("a table with module, token, key and pin, or a list of such tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Ok(vec![Pkcs11::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, all: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(all))
        }
    }
    input.deserialize_any(Either)
}

/// Most places of one role: the key of now, the next, and those of before that still count. A start looks
/// at every place until it has found its keys, which may take seconds each.
const PLACES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PLACE: &str = r#"{ module = "/m.so", token = "hsm", key = "one", pin = "PIN" }"#;

    fn read(text: &str) -> Result<Custody, String> {
        let dir = tempfile::tempdir().unwrap();
        let pin = dir.path().join("pin");
        std::fs::write(&pin, "1234\n").unwrap();
        std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = text.replace("PIN", pin.to_str().unwrap());
        let keys: Keys = toml::from_str(&text).map_err(|error| error.to_string())?;
        keys.custody(None, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_role_has_one_place_or_a_list_of_them() {
        let (two, three) = (PLACE.replace("one", "two"), PLACE.replace("one", "three"));
        assert!(read(&format!("[ssh-ca]\npkcs11 = {PLACE}\n")).is_ok());
        assert!(read(&format!("[ssh-ca]\npkcs11 = [{PLACE}, {two}]\n")).is_ok());
        let both = format!("[ssh-ca]\npkcs11 = [{PLACE}, {two}]\n[jwt-key]\npkcs11 = {three}\n");
        assert!(read(&both).is_ok());
        let of = |count: usize| {
            let all: Vec<_> = (0..count).map(|at| PLACE.replace("one", &at.to_string())).collect();
            read(&format!("[x509-ca]\npkcs11 = [{}]\n", all.join(", ")))
        };
        assert!(of(PLACES_MAX).is_ok());
        for count in [0, PLACES_MAX + 1] {
            let error = of(count).err().unwrap();
            assert!(error.contains("[keys.x509-ca]"), "{error}");
            assert!(error.contains("one place, and at most eight"), "{error}");
        }
    }

    #[test]
    fn a_place_serves_one_key_only() {
        for (first, second) in [("ssh-ca", "jwt-key"), ("x509-ca", "jwt-key")] {
            let text = format!("[{first}]\npkcs11 = {PLACE}\n[{second}]\npkcs11 = {PLACE}\n");
            let error = read(&text).err().unwrap();
            assert!(error.contains(second) && error.contains("named twice"), "{error}");
        }
        let error = read(&format!("[ssh-ca]\npkcs11 = [{PLACE}, {PLACE}]\n")).err().unwrap();
        assert!(error.contains("named twice"), "{error}");
        let elsewhere = PLACE.replace("hsm", "other");
        assert!(read(&format!("[ssh-ca]\npkcs11 = [{PLACE}, {elsewhere}]\n")).is_ok());
    }

    #[test]
    fn a_pin_is_in_a_file_or_in_a_credential() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token-pin"), "1234\n").unwrap();
        let held = |pin: &str, credentials| {
            let text = format!("[ssh-ca]\npkcs11 = {}\n", PLACE.replace("PIN", pin));
            let keys: Keys = toml::from_str(&text).unwrap();
            keys.custody(None, credentials).err().map(|error| error.to_string())
        };
        assert_eq!(held("token-pin", Some(dir.path())), None);
        for (pin, credentials, words) in [
            ("token-pin", None, "there are no credentials here"),
            ("other-pin", Some(dir.path()), "other-pin"),
            ("a/token-pin", Some(dir.path()), "an absolute path, or the name of a credential"),
        ] {
            let error = held(pin, credentials).unwrap();
            assert!(error.contains(words), "{error}");
        }
        let shared = dir.path().join("shared");
        std::fs::write(&shared, "1234\n").unwrap();
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = held(shared.to_str().unwrap(), None).unwrap();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_no_place_is_named_with_its_line() {
        for (bad, word) in [
            (PLACE.replace("token", "tokne"), "tokne"),
            (PLACE.replace("key = \"one\", ", ""), "key"),
            ("7".to_owned(), "a list of such tables"),
            (format!("[{PLACE}, 7]"), "expected a table with module"),
        ] {
            let error = read(&format!("[ssh-ca]\npkcs11 = {bad}\n")).err().unwrap();
            assert!(error.contains(word) && error.contains("line 2"), "{error}");
        }
    }
}
