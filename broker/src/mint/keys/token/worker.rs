//! What is done with a PKCS#11 library (OASIS PKCS #11 3.1): log in, find or make a key, sign.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;

use super::{Curve, Pkcs11Error, TokenPlace};

/// One library, and what is open in it.
pub(super) struct Worker {
    path: PathBuf,
    /// Never unloaded: libraries that bring a cryptographic library of their own do not survive it.
    library: Option<Pkcs11>,
    is_initialized: bool,
    /// By the token's label.
    sessions: BTreeMap<String, (Slot, Session)>,
    /// Tokens that refused a PIN.
    refused: BTreeSet<String>,
}

impl Worker {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            library: None,
            is_initialized: false,
            sessions: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    /// The public half of the key at `place`, if a private half that we may use is there too.
    pub(super) fn look(
        &mut self,
        place: &TokenPlace,
        curve: Curve,
    ) -> Result<Vec<u8>, Pkcs11Error> {
        self.using(place, |_, session| {
            private_key(session, place, curve)?;
            public_key(session, place, curve)
        })
    }

    /// As [`look`](Self::look); if there is no such key, it is made first.
    pub(super) fn find_or_make(
        &mut self,
        place: &TokenPlace,
        curve: Curve,
    ) -> Result<Vec<u8>, Pkcs11Error> {
        let library = self.library()?.clone();
        self.using(place, |slot, session| {
            if find(session, ObjectClass::PRIVATE_KEY, place)?.is_empty() {
                let session = failed("open a session", library.open_rw_session(slot))?;
                failed("make a key", make(&session, place, curve))?;
            }
            Ok(())
        })?;
        self.look(place, curve)
    }

    /// ECDSA over the SHA-256 of `message`, or EdDSA over `message`: 64 bytes.
    pub(super) fn sign(
        &mut self,
        place: &TokenPlace,
        curve: Curve,
        message: &[u8],
    ) -> Result<Vec<u8>, Pkcs11Error> {
        self.using(place, |_, session| {
            let key = private_key(session, place, curve)?;
            let signed = match curve {
                Curve::Ed25519 => {
                    let pure = EddsaParams::new(EddsaSignatureScheme::Pure);
                    session.sign(&Mechanism::Eddsa(pure), key, message)
                }
                Curve::P256 => {
                    // Not CKM_ECDSA_SHA256, which many tokens do not have.
                    let digest = breakglass_ledger::bytes::Digest::of(message);
                    session.sign(&Mechanism::Ecdsa, key, digest.as_bytes())
                }
            };
            failed("sign", signed)
        })
    }

    /// Does `work` in a session of the token. After any failure everything is closed, so that the next
    /// one begins from the start: that is how a token that was away is seen again.
    fn using<T>(
        &mut self,
        place: &TokenPlace,
        work: impl FnOnce(Slot, &Session) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        let done = self.log_in(place).and_then(|()| {
            let (slot, session) = self.sessions.get(&place.token).ok_or(Pkcs11Error::Silent)?;
            work(*slot, session)
        });
        if done.is_err() {
            self.close();
        }
        done
    }

    fn log_in(&mut self, place: &TokenPlace) -> Result<(), Pkcs11Error> {
        if self.sessions.contains_key(&place.token) {
            return Ok(());
        }
        if self.refused.contains(&place.token) {
            return Err(Pkcs11Error::Pin);
        }
        let library = self.library()?;
        let slot = slot_of(library, &place.token)?;
        let session = failed("open a session", library.open_ro_session(slot))?;
        match session.login(UserType::User, Some(&place.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked,
                _,
            )) => {
                self.refused.insert(place.token.clone());
                return Err(Pkcs11Error::Pin);
            }
            Err(source) => return Err(Pkcs11Error::Failed { doing: "log in", source }),
        }
        self.sessions.insert(place.token.clone(), (slot, session));
        Ok(())
    }

    fn library(&mut self) -> Result<&Pkcs11, Pkcs11Error> {
        if self.library.is_none() {
            self.library = Some(failed("load the library", Pkcs11::new(&self.path))?);
        }
        let library = self.library.as_ref().ok_or(Pkcs11Error::Silent)?;
        if !self.is_initialized {
            let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
            failed("initialize the library", library.initialize(args))?;
            self.is_initialized = true;
        }
        Ok(library)
    }

    fn close(&mut self) {
        self.sessions.clear();
        if let (Some(library), true) = (&self.library, self.is_initialized) {
            // What it says about its end is of no use to anybody: the next thing is a beginning.
            let _ = library.clone().finalize();
            self.is_initialized = false;
        }
    }
}

fn slot_of(library: &Pkcs11, label: &str) -> Result<Slot, Pkcs11Error> {
    let slots = failed("list the slots", library.get_slots_with_initialized_token())?;
    // A token that cannot even be asked for its name is not the one.
    let is_it = |slot: &Slot| {
        let told = library.get_token_info(*slot);
        told.is_ok_and(|info| info.label() == label)
    };
    let found: Vec<Slot> = slots.into_iter().filter(is_it).collect();
    match found.as_slice() {
        [slot] => Ok(*slot),
        other => Err(Pkcs11Error::Tokens(other.len())),
    }
}

/// The one private key at `place`, if it cannot leave the token.
fn private_key(
    session: &Session,
    place: &TokenPlace,
    curve: Curve,
) -> Result<ObjectHandle, Pkcs11Error> {
    let found = find(session, ObjectClass::PRIVATE_KEY, place)?;
    let [key] = found.as_slice() else { return Err(Pkcs11Error::Keys(found.len(), "private")) };
    let asked = [
        AttributeType::KeyType,
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::Sign,
    ];
    let told = failed("read a key's attributes", session.get_attributes(*key, &asked))?;
    let kind = match curve {
        Curve::Ed25519 => KeyType::EC_EDWARDS,
        Curve::P256 => KeyType::EC,
    };
    if !told.contains(&Attribute::KeyType(kind)) {
        return Err(Pkcs11Error::Key("is of another type"));
    }
    let stays =
        told.contains(&Attribute::Sensitive(true)) && told.contains(&Attribute::Extractable(false));
    if !stays {
        return Err(Pkcs11Error::Key(
            "may leave the token; make one that is sensitive and not extractable",
        ));
    }
    if told.contains(&Attribute::Sign(true)) {
        Ok(*key)
    } else {
        Err(Pkcs11Error::Key("may not sign"))
    }
}

/// The public half: 32 bytes, or an uncompressed point of 65.
fn public_key(session: &Session, place: &TokenPlace, curve: Curve) -> Result<Vec<u8>, Pkcs11Error> {
    let found = find(session, ObjectClass::PUBLIC_KEY, place)?;
    let [key] = found.as_slice() else { return Err(Pkcs11Error::Keys(found.len(), "public")) };
    let told = failed(
        "read a key's point",
        session.get_attributes(*key, &[AttributeType::EcParams, AttributeType::EcPoint]),
    )?;
    let (mut parameters, mut point) = (Vec::new(), Vec::new());
    for attribute in told {
        if let Attribute::EcParams(bytes) = attribute {
            parameters = bytes;
        } else if let Attribute::EcPoint(bytes) = attribute {
            point = bytes;
        }
    }
    let (curves, header): (&[&[u8]], &[u8]) = match curve {
        Curve::Ed25519 => (&[ED25519_OID, ED25519_NAME], &[4, 32]),
        Curve::P256 => (&[P256_OID], &[4, 65]),
    };
    if !curves.contains(&parameters.as_slice()) {
        return Err(Pkcs11Error::Key("is on another curve"));
    }
    // PKCS #11 3.1, 6.3.3: the DER of an octet string, around the point itself.
    let length = header.last().map_or(0, |length| usize::from(*length));
    let raw = point.strip_prefix(header).filter(|raw| raw.len() == length);
    raw.map(<[u8]>::to_vec).ok_or(Pkcs11Error::Key("has a point in another form"))
}

fn find(
    session: &Session,
    class: ObjectClass,
    place: &TokenPlace,
) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
    let wanted = [
        Attribute::Token(true),
        Attribute::Class(class),
        Attribute::Label(place.key.as_bytes().to_vec()),
    ];
    failed("look for a key", session.find_objects(&wanted))
}

fn make(session: &Session, place: &TokenPlace, curve: Curve) -> Result<(), Error> {
    let (mechanism, curves): (_, &[&[u8]]) = match curve {
        // Some take the curve's identifier, some its name.
        Curve::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, &[ED25519_OID, ED25519_NAME]),
        Curve::P256 => (Mechanism::EccKeyPairGen, &[P256_OID]),
    };
    let label = || Attribute::Label(place.key.as_bytes().to_vec());
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label(),
    ];
    let mut outcome = Err(Error::NotSupported);
    for parameters in curves {
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(parameters.to_vec()),
            label(),
        ];
        outcome = session.generate_key_pair(&mechanism, &public, &private).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn failed<T>(doing: &'static str, done: Result<T, Error>) -> Result<T, Pkcs11Error> {
    done.map_err(|source| Pkcs11Error::Failed { doing, source })
}

/// DER of 1.2.840.10045.3.1.7 (RFC 5480, 2.1.1.1).
const P256_OID: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// DER of 1.3.101.112 (RFC 8410, 3).
const ED25519_OID: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
/// DER of the printable string `edwards25519` (PKCS #11 3.1, 6.3.5).
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
