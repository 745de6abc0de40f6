//! From bytes to an act whose form and signature are right. Nothing here looks anything up.

use std::collections::BTreeMap;

use breakglass_ledger::policy::Files;
use breakglass_ledger::sshsig::{SshSig, SshSigError, Verified};
use breakglass_ledger::statement::{Act, Statement, StatementError, TEXT_MAX, commitment};
use breakglass_proto::v1;

use crate::desk::{Incoming, PolicyBundle, Text};

/// Most signatures beside the first on a policy: more than any authority needs for its quorum, and
/// few enough to verify at once.
pub(super) const MORE_SIGNATURES_MAX: usize = 31;

/// What is wrong with the form of a call: which field, which rule, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// The statement breaks a rule of its grammar.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The signature is not one, or not over this.
    #[error("`{field}`: {source}")]
    Signature {
        /// Which field of the message.
        field: &'static str,
        /// Which rule.
        source: SshSigError,
    },
    /// A session is shown, not submitted.
    #[error("`statement`: a session changes nothing; show it with a read instead of submitting it")]
    Session,
    /// The statement commits to a text that did not come.
    #[error("`text`: missing, though the statement commits to one; send it with its salt")]
    TextMissing,
    /// A text came that the statement does not know.
    #[error("`text`: the statement commits to none; leave it out, or sign a statement with it")]
    TextUnwanted,
    /// The salt has the wrong size.
    #[error("`text.salt`: must be 32 random bytes; compose the statement with a client")]
    TextSalt,
    /// The text is empty or too long.
    #[error("`text.text`: must have 1 to {TEXT_MAX} bytes; shorten it and sign again")]
    TextLength,
    /// The text could deceive whoever reads it on a terminal.
    #[error(
        "`text.text`: holds a control character or a change of direction; only line feeds \
             are allowed, sign it without"
    )]
    TextCharacter,
    /// The text is not the one that was committed to.
    #[error("`text`: not what the statement commits to; it was changed after signing")]
    TextMismatch,
    /// Parts that only a policy has.
    #[error("`{field}`: only a `policy` statement has any; leave it out")]
    OnlyPolicy {
        /// Which field of the message.
        field: &'static str,
    },
    /// Too many signatures.
    #[error("`more_signatures`: at most {MORE_SIGNATURES_MAX}; the quorum is enough")]
    ManySignatures,
    /// A policy file is missing, doubled, or one too many.
    #[error("`blobs`: {name:?} is {what}; send each of the four policy files once")]
    Files {
        /// Name of the file.
        name: String,
        /// `missing`, `doubled` or `unknown`.
        what: &'static str,
    },
}

/// Reads a submitted act: strict in every part, the signature verified in the act's namespace.
///
/// # Errors
///
/// [`FormError`]: the first rule that is broken, cheap checks first.
pub(super) fn act(request: v1::SubmitRequest) -> Result<Incoming, FormError> {
    let statement = Statement::parse(&request.statement)?;
    if matches!(statement.act(), Act::Session(_)) {
        return Err(FormError::Session);
    }
    let is_policy = matches!(statement.act(), Act::Policy(_));
    if !is_policy {
        refuse_policy_parts(&request)?;
    }
    let text = opening(&statement, request.text)?;
    let (signature, verified) = signed("signature", &statement, &request.signature)?;
    let bundle = if is_policy {
        Some(bundle(&statement, &signature, &request.more_signatures, request.blobs)?)
    } else {
        None
    };
    let user_verified = verified.user_verified;
    Ok(Incoming { statement, signature, user_verified, text, bundle })
}

/// A signature over `statement` in the namespace of its act.
pub(super) fn signed(
    field: &'static str,
    statement: &Statement,
    armored: &str,
) -> Result<(SshSig, Verified), FormError> {
    let broken = |source| FormError::Signature { field, source };
    let signature = SshSig::parse(armored).map_err(broken)?;
    let namespace = statement.act().kind().namespace();
    let verified = signature.verify(&namespace, statement.text().as_bytes()).map_err(broken)?;
    Ok((signature, verified))
}

fn refuse_policy_parts(request: &v1::SubmitRequest) -> Result<(), FormError> {
    if !request.more_signatures.is_empty() {
        return Err(FormError::OnlyPolicy { field: "more_signatures" });
    }
    if !request.blobs.is_empty() {
        return Err(FormError::OnlyPolicy { field: "blobs" });
    }
    Ok(())
}

/// The text that came with `statement`, compared with its commitment.
fn opening(statement: &Statement, came: Option<v1::Text>) -> Result<Option<Text>, FormError> {
    let (committed, came) = match (statement.act().text(), came) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(FormError::TextUnwanted),
        (Some(_), None) => return Err(FormError::TextMissing),
        (Some(committed), Some(came)) => (committed, came),
    };
    let salt: [u8; 32] = came.salt.try_into().map_err(|_| FormError::TextSalt)?;
    let text = came.text;
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(FormError::TextLength);
    }
    if text.chars().any(deceives) {
        return Err(FormError::TextCharacter);
    }
    if commitment(&salt, &text) != committed {
        return Err(FormError::TextMismatch);
    }
    Ok(Some(Text { salt, text }))
}

fn bundle(
    statement: &Statement,
    first: &SshSig,
    more: &[String],
    blobs: Vec<v1::Blob>,
) -> Result<PolicyBundle, FormError> {
    if more.len() > MORE_SIGNATURES_MAX {
        return Err(FormError::ManySignatures);
    }
    let files = files(blobs)?;
    let mut signatures = vec![first.clone()];
    for armored in more {
        signatures.push(signed("more_signatures", statement, armored)?.0);
    }
    Ok(PolicyBundle { signatures, files })
}

fn files(blobs: Vec<v1::Blob>) -> Result<Files, FormError> {
    let mut contents = BTreeMap::new();
    for v1::Blob { name, content } in blobs {
        if !Files::NAMES.contains(&name.as_str()) {
            return Err(FormError::Files { name: printable(&name), what: "unknown" });
        }
        if contents.insert(name.clone(), content).is_some() {
            return Err(FormError::Files { name, what: "doubled" });
        }
    }
    Files::gather(|name| contents.remove(name))
        .map_err(|name| FormError::Files { name: name.to_owned(), what: "missing" })
}

/// Whether a terminal would act on it instead of showing it: control characters, and those that
/// reverse the order of what follows (Unicode Standard Annex 9, 2.1 and 2.2).
fn deceives(one: char) -> bool {
    matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || (one.is_control() && one != '\n')
}

/// The start of a stranger's name for something, short enough to be told back.
fn printable(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
#[path = "form/tests.rs"]
mod tests;
