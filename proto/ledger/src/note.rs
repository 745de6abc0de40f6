//! Checkpoints: the ledger's size and root, signed with the log's key as a note.
//!
//! C2SP `tlog-checkpoint` without extension lines, in a C2SP `signed-note`, Ed25519 (type 0x01).
//! Signatures of keys that the reader does not know are passed over; a malformed line is not.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::bytes::Digest;
use crate::principal::Origin;

/// Largest note: a checkpoint with a hundred witnesses is below 16 KiB.
pub const NOTE_MAX: usize = 16_384;
/// Largest tree size: what a JSON number carries exactly (2^53 - 1).
pub const SIZE_MAX: u64 = 9_007_199_254_740_991;

/// Signature type 0x01 of C2SP `signed-note`: Ed25519 over the note's text.
const ED25519: u8 = 1;
/// What a signature line begins with: an em dash (U+2014) and a space.
const DASH: &str = "\u{2014} ";

/// A key that signs notes, with the name it signs under. Text form: `name+8 hex+base64`.
///
/// For a ledger's own key the name is the log origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: Box<str>,
    public_key: [u8; 32],
}

impl VerifierKey {
    /// The key of the ledger `origin`.
    ///
    /// # Errors
    ///
    /// [`NoteError::Key`] if the bytes are not a good Ed25519 point, or if `origin` was made from
    /// another key.
    pub fn of_log(origin: &Origin, public_key: &[u8; 32]) -> Result<Self, NoteError> {
        if !origin.matches(public_key) {
            return Err(NoteError::Key);
        }
        Self::new(origin.as_str(), public_key)
    }

    /// The key `public_key` (32 raw bytes) under `name`.
    ///
    /// # Errors
    ///
    /// [`NoteError::Key`] if the name is empty or holds a plus, a blank or anything beyond
    /// printable ASCII, or if the bytes are not a point or one of small order.
    pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, NoteError> {
        let is_name = |b: u8| b.is_ascii_graphic() && b != b'+';
        let point = VerifyingKey::from_bytes(public_key).map_err(|_| NoteError::Key)?;
        if name.is_empty() || !name.bytes().all(is_name) || point.is_weak() {
            return Err(NoteError::Key);
        }
        Ok(Self { name: name.into(), public_key: *public_key })
    }

    /// The name it signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 raw bytes.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The first four bytes of `SHA-256(name ‖ LF ‖ 0x01 ‖ public key)` (C2SP `signed-note`).
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = Digest::of_parts(&[self.name.as_bytes(), b"\n", &[ED25519], &self.public_key]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    fn verify(&self, text: &str, signature: &[u8; 64]) -> bool {
        let Ok(point) = VerifyingKey::from_bytes(&self.public_key) else { return false };
        point.verify_strict(text.as_bytes(), &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(&self.public_key);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // The base64 may hold a plus, the name and the id may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let typed = BASE64.decode(typed.as_bytes()).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, raw)) = typed.split_first() else { return Err(NoteError::Key) };
        let key = Self::new(name, raw.try_into().map_err(|_| NoteError::Key)?)?;
        // One spelling only, and with it the check of the id.
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Key) }
    }
}

/// How far a ledger reaches, and the root that commits to every entry up to there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Which ledger.
    pub origin: Origin,
    /// Number of entries, at most [`SIZE_MAX`].
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed: three lines, each with its line feed.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Parses what [`Checkpoint::body`] writes, that spelling only.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`], naming the rule.
    pub fn parse_body(text: &str) -> Result<Self, NoteError> {
        let malformed = |rule| NoteError::Malformed { rule };
        let lines = text.strip_suffix('\n').ok_or(malformed("the text ends with a line feed"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("a checkpoint has exactly three lines"));
        };
        let checkpoint = Self {
            origin: origin.parse().map_err(|_| malformed("line 1 is a log origin"))?,
            size: size.parse().map_err(|_| malformed("line 2 is a decimal size"))?,
            root: Digest::from_base64(root).map_err(|_| malformed("line 3 is a base64 root"))?,
        };
        if checkpoint.size > SIZE_MAX {
            return Err(malformed("the size is at most 2^53 - 1"));
        }
        if checkpoint.body() != text {
            return Err(malformed("the size has no sign and no leading zero"));
        }
        Ok(checkpoint)
    }
}

/// A checkpoint in its note, with all its signature lines, of known and unknown keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What the note says.
    pub checkpoint: Checkpoint,
    signatures: Vec<Line>,
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    /// Key id (4 bytes) and signature.
    blob: Vec<u8>,
}

impl SignedCheckpoint {
    /// The note's text with `signature` (64 raw bytes over [`Checkpoint::body`]) by `key`.
    #[must_use]
    pub fn assemble(checkpoint: &Checkpoint, key: &VerifierKey, signature: &[u8; 64]) -> String {
        let mut blob = key.id().to_vec();
        blob.extend_from_slice(signature);
        format!("{}\n{DASH}{} {}\n", checkpoint.body(), key.name, BASE64.encode(&blob))
    }

    /// Parses a note; its signatures are not yet checked.
    ///
    /// # Errors
    ///
    /// [`NoteError::TooLarge`] or [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_MAX {
            return Err(NoteError::TooLarge);
        }
        let malformed = |rule| NoteError::Malformed { rule };
        let (text, lines) =
            note.rsplit_once("\n\n").ok_or(malformed("an empty line follows the text"))?;
        let lines =
            lines.strip_suffix('\n').ok_or(malformed("the last line ends with a line feed"))?;
        let checkpoint = Checkpoint::parse_body(&format!("{text}\n"))?;
        let signatures = lines.split('\n').map(Line::parse).collect::<Result<_, _>>()?;
        Ok(Self { checkpoint, signatures })
    }

    /// The signed text, and the signature lines without their dash (`name base64`): all ASCII, as
    /// an `anchor` entry carries them.
    #[must_use]
    pub fn to_parts(&self) -> (String, Vec<String>) {
        let line = |line: &Line| format!("{} {}", line.name, BASE64.encode(&line.blob));
        (self.checkpoint.body(), self.signatures.iter().map(line).collect())
    }

    /// The note of these parts, which is again read strictly.
    ///
    /// # Errors
    ///
    /// As [`SignedCheckpoint::parse`].
    pub fn from_parts(text: &str, lines: &[String]) -> Result<Self, NoteError> {
        let lines: String = lines.iter().map(|line| format!("{DASH}{line}\n")).collect();
        Self::parse(&format!("{text}\n{lines}"))
    }

    /// Whether `key` signed it.
    ///
    /// # Errors
    ///
    /// [`NoteError::Unsigned`] if no line is by `key`, [`NoteError::Signature`] if one is and does
    /// not verify.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let (text, id) = (self.checkpoint.body(), key.id());
        let mut found = false;
        for line in self.signatures.iter().filter(|line| *line.name == *key.name) {
            let Some(signature) = line.blob.strip_prefix(&id) else { continue };
            let signature = signature.try_into().map_err(|_| NoteError::Signature)?;
            if !key.verify(&text, signature) {
                return Err(NoteError::Signature);
            }
            found = true;
        }
        if found { Ok(()) } else { Err(NoteError::Unsigned) }
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = || NoteError::Malformed { rule: "a signature line is: dash, name, base64" };
        let rest = line.strip_prefix(DASH).ok_or_else(malformed)?;
        let (name, blob) = rest.split_once(' ').ok_or_else(malformed)?;
        let blob = BASE64.decode(blob.as_bytes()).map_err(|_| malformed())?;
        let is_name = name.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if name.is_empty() || !is_name || blob.len() < 5 {
            return Err(malformed());
        }
        Ok(Self { name: name.to_owned(), blob })
    }
}

/// The checkpoint in `note`, if `key` signed it.
///
/// # Errors
///
/// [`NoteError`]: not a note, not signed by `key`, or badly signed.
pub fn open_checkpoint(note: &str, key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let signed = SignedCheckpoint::parse(note)?;
    signed.verify(key)?;
    Ok(signed.checkpoint)
}

/// Why a note or a key of notes is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a good verifier key.
    #[error("not a verifier key (name+8 hex digits+base64, Ed25519, with the right key id)")]
    Key,
    /// More than [`NOTE_MAX`] bytes.
    #[error("the note has more than {NOTE_MAX} bytes")]
    TooLarge,
    /// The text breaks a rule of the format.
    #[error("not a checkpoint: {rule}")]
    Malformed {
        /// The rule, as a sentence that should have been true.
        rule: &'static str,
    },
    /// No line is by the key that was asked for.
    #[error("the checkpoint is not signed by the expected key")]
    Unsigned,
    /// A line by that key does not verify.
    #[error("the checkpoint's signature is wrong")]
    Signature,
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn public(seed: u8) -> [u8; 32] {
        pair(seed).public_key().as_ref().try_into().unwrap()
    }

    fn log(seed: u8) -> (Origin, VerifierKey) {
        let origin = Origin::new("test", &public(seed)).unwrap();
        let key = VerifierKey::of_log(&origin, &public(seed)).unwrap();
        (origin, key)
    }

    fn sign(checkpoint: &Checkpoint, seed: u8) -> [u8; 64] {
        pair(seed).sign(checkpoint.body().as_bytes()).as_ref().try_into().unwrap()
    }

    fn note() -> (String, VerifierKey, Checkpoint) {
        let (origin, key) = log(1);
        let checkpoint = Checkpoint { origin, size: 42, root: Digest::of(b"root") };
        let note = SignedCheckpoint::assemble(&checkpoint, &key, &sign(&checkpoint, 1));
        (note, key, checkpoint)
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_signed() {
        let (note, key, checkpoint) = note();
        assert_eq!(open_checkpoint(&note, &key), Ok(checkpoint));
    }

    /// The example key of the C2SP `signed-note` specification and of Go's `sumdb/note`.
    #[test]
    fn the_example_key_of_the_specification_is_read() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerifierKey = text.parse().unwrap();
        assert_eq!((key.name(), key.to_string().as_str()), ("PeterNeumann", text));
        let signed = "If you think cryptography is the answer to your problem,\n\
                      then you don't know what your problem is.\n";
        let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let blob = Line::parse(line).unwrap().blob;
        let signature = blob.strip_prefix(&key.id()).unwrap().try_into().unwrap();
        assert!(key.verify(signed, signature));
        assert!(!key.verify("If you think\n", signature));
    }

    #[test]
    fn a_key_with_another_id_or_spelling_is_refused() {
        for text in [
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3",
            "",
        ] {
            assert_eq!(text.parse::<VerifierKey>(), Err(NoteError::Key), "{text}");
        }
    }

    /// The identity point signs everything, so a log "key" of small order proves nothing.
    #[test]
    fn a_small_order_log_key_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(VerifierKey::new("test", &identity), Err(NoteError::Key));
    }

    #[test]
    fn a_log_key_belongs_to_its_origin() {
        let (origin, _) = log(1);
        assert_eq!(VerifierKey::of_log(&origin, &public(2)), Err(NoteError::Key));
    }

    #[test]
    fn every_flipped_bit_of_a_note_is_caught() {
        let (note, key, checkpoint) = note();
        for byte in 0..note.len() {
            for bit in 0..8 {
                let mut bad = note.clone().into_bytes();
                bad[byte] ^= 1 << bit;
                let Ok(bad) = String::from_utf8(bad) else { continue };
                assert_ne!(open_checkpoint(&bad, &key), Ok(checkpoint.clone()), "{bad}");
            }
        }
    }

    #[test]
    fn signatures_of_strangers_are_passed_over_but_never_enough() {
        let (note, key, checkpoint) = note();
        let (_, stranger) = log(2);
        let line = SignedCheckpoint::assemble(&checkpoint, &stranger, &sign(&checkpoint, 2));
        let (_, line) = line.split_once("\n\n").unwrap();
        assert_eq!(open_checkpoint(&format!("{note}{line}"), &key), Ok(checkpoint.clone()));
        let alone = format!("{}\n{line}", checkpoint.body());
        assert_eq!(open_checkpoint(&alone, &key), Err(NoteError::Unsigned));
    }

    #[test]
    fn a_note_is_put_together_from_its_parts() {
        let (note, key, checkpoint) = note();
        let (text, lines) = SignedCheckpoint::parse(&note).unwrap().to_parts();
        assert!(text.is_ascii() && lines.iter().all(|line| line.is_ascii()));
        let again = SignedCheckpoint::from_parts(&text, &lines).unwrap();
        assert_eq!((again.verify(&key), again.checkpoint), (Ok(()), checkpoint));
        assert!(SignedCheckpoint::from_parts(&text, &[]).is_err());
        assert!(SignedCheckpoint::from_parts(&text, &["a b\nc d".to_owned()]).is_err());
    }

    #[test]
    fn a_wrong_signature_under_our_name_is_not_passed_over() {
        let (note, key, checkpoint) = note();
        let bad = SignedCheckpoint::assemble(&checkpoint, &key, &sign(&checkpoint, 2));
        let (_, line) = bad.split_once("\n\n").unwrap();
        assert_eq!(open_checkpoint(&format!("{note}{line}"), &key), Err(NoteError::Signature));
    }

    #[test]
    fn malformed_notes_are_refused() {
        let (note, key, _) = note();
        let swap = |from: &str, to: &str| note.replacen(from, to, 1);
        for bad in [
            String::new(),
            swap("\n42\n", "\n042\n"),
            swap("\n42\n", "\n+42\n"),
            swap("\n42\n", "\n9007199254740992\n"),
            swap("\n42\n", "\n-1\n"),
            swap("\n\n", "\nextension\n\n"),
            swap("\n\n", "\n"),
            swap("=\n\n", "\n\n"),
            swap("\u{2014} ", "- "),
            format!("{note}\n"),
            format!("{note}{}", "x".repeat(NOTE_MAX)),
            note.trim_end().to_owned(),
            note.replace('\n', "\r\n"),
        ] {
            let answer = open_checkpoint(&bad, &key);
            assert!(
                matches!(answer, Err(NoteError::Malformed { .. } | NoteError::TooLarge)),
                "{bad:?}: {answer:?}"
            );
        }
    }
}
