//! An approval that was signed away from the broker, complete with its comment.

use std::path::Path;

use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Approve, Statement, commitment};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use serde::{Deserialize, Serialize};

use super::{FileError, Text, is_format, load, save};
use crate::client::Opening;
use crate::failure::Failure;

/// A signed approval whose signature and comment hold. Whether it counts is for the broker to say.
#[derive(Clone, Debug)]
pub struct Approval {
    statement: Statement,
    signature: SshSig,
    comment: Option<Text>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    statement: String,
    signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<Text>,
}

impl Approval {
    /// What was just signed.
    #[must_use]
    pub fn new(statement: Statement, signature: SshSig, comment: Option<&Opening>) -> Self {
        let comment = comment.map(|comment| Text::new(comment.salt(), comment.text()));
        Self { statement, signature, comment }
    }

    /// Writes it to the new file `path`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the file is there already or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let written = Written {
            format: FORMAT.to_owned(),
            statement: self.statement.text().to_owned(),
            signature: self.signature.armored().to_owned(),
            comment: self.comment.clone(),
        };
        save(path, &written)
    }

    /// Reads the file `path` and verifies all that can be verified without a broker: it is an
    /// approval for the ledger `log`, signed, not over at `now`, and its comment is the one signed.
    ///
    /// # Errors
    ///
    /// [`Failure`] naming what does not hold.
    pub fn load(path: &Path, log: &Origin, now: Timestamp) -> Result<Self, Failure> {
        let written: Written = load(path, MOST_BYTES)?;
        is_format(&written.format, FORMAT)?;
        let approval = Self::check(written)?;
        let statement = &approval.statement;
        if statement.log() != log {
            let (found, expected) = (statement.log().to_string(), log.to_string());
            return Err(FileError::OtherLog { found, expected }.into());
        }
        if let Some(expires) = statement.expires().filter(|expires| *expires < now) {
            return Err(FileError::Expired(expires).into());
        }
        Ok(approval)
    }

    fn check(written: Written) -> Result<Self, FileError> {
        let statement = Statement::parse(written.statement.as_bytes())
            .map_err(|error| FileError::Form(error.to_string()))?;
        let Act::Approve(approve) = statement.act() else {
            let act = statement.act().kind();
            let rule = format!("it carries the act `{act}`, and only approvals travel in files");
            return Err(FileError::Form(rule));
        };
        let signature = SshSig::parse(&written.signature)
            .map_err(|error| FileError::Form(error.to_string()))?;
        signature
            .verify(&statement.act().kind().namespace(), statement.text().as_bytes())
            .map_err(|error| FileError::Edited(error.to_string()))?;
        let opened = written.comment.as_ref().map(|comment| {
            let salt = comment.salt()?;
            Ok::<_, FileError>(commitment(&salt, &comment.text))
        });
        if opened.transpose()? != approve.comment {
            return Err(FileError::Edited("its comment is not the one signed".to_owned()));
        }
        Ok(Self { statement, signature, comment: written.comment })
    }

    /// What it says.
    #[must_use]
    pub fn approve(&self) -> Option<&Approve> {
        if let Act::Approve(approve) = self.statement.act() { Some(approve) } else { None }
    }

    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Which key signed.
    #[must_use]
    pub const fn signature(&self) -> &SshSig {
        &self.signature
    }

    /// The act as it is sent.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the comment's salt is none, which was checked when it was read.
    pub fn to_wire(&self) -> Result<v1::SubmitRequest, Failure> {
        let text = self.comment.as_ref().map(|comment| {
            let salt = comment.salt()?.to_vec();
            Ok::<_, FileError>(v1::Text { salt, text: comment.text.clone() })
        });
        Ok(v1::SubmitRequest {
            statement: self.statement.text().as_bytes().to_vec(),
            signature: self.signature.armored().to_owned(),
            text: text.transpose()?,
            more_signatures: Vec::new(),
            blobs: Vec::new(),
        })
    }
}

/// What such a file says of itself.
const FORMAT: &str = "breakglass-approval/v1";

/// A statement of 4 KiB, a signature of 8 KiB and a comment of 2,000 bytes, escaped.
const MOST_BYTES: u64 = 64 * 1024;
