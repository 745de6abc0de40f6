//! What an approver needs who reaches no broker: the request, what has happened to it, the policy.

use std::path::Path;

use breakglass_ledger::policy::Files;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use serde::{Deserialize, Serialize};

use super::{FileError, Text, is_format, load, save};
use crate::failure::Failure;

/// One request as a broker showed it, with the policy then in force. None of it is verified yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// When it was saved, as whoever saved it says.
    pub saved: Timestamp,
    /// The newest checkpoint then: a signed note.
    pub checkpoint: String,
    /// The request with its entries.
    pub view: v1::RequestView,
    /// The policy in force.
    pub policy: v1::GetPolicyAnswer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    log: Origin,
    saved: Timestamp,
    checkpoint: String,
    request: Request,
    policy: Policy,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    statement: String,
    signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Text>,
    /// Its entries in the ledger, in order, each exactly as stored.
    entries: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    manifest: String,
    signatures: Vec<String>,
    files: PolicyFiles,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFiles {
    #[serde(rename = "authority.toml")]
    authority: String,
    #[serde(rename = "people.toml")]
    people: String,
    #[serde(rename = "rules.cedar")]
    rules: String,
    #[serde(rename = "scopes.toml")]
    scopes: String,
}

impl Case {
    /// Writes it to the new file `path`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the file is there already or cannot be written, or something is no text.
    pub fn save(&self, path: &Path, log: &Origin) -> Result<(), Failure> {
        let file = |name: &str| {
            let blob = self.policy.files.iter().find(|blob| blob.name == name);
            blob.map_or_else(|| Ok(String::new()), |blob| text(&blob.content))
        };
        let view = &self.view;
        let reason =
            (!view.reason_text.is_empty()).then(|| Text::new(&view.reason_salt, &view.reason_text));
        save(
            path,
            &Written {
                format: FORMAT.to_owned(),
                log: log.clone(),
                saved: self.saved,
                checkpoint: self.checkpoint.clone(),
                request: Request {
                    statement: text(&view.statement)?,
                    signature: view.signature.clone(),
                    reason,
                    entries: view.entries.iter().map(|one| text(one)).collect::<Result<_, _>>()?,
                },
                policy: Policy {
                    manifest: text(&self.policy.manifest)?,
                    signatures: self.policy.signatures.clone(),
                    files: PolicyFiles {
                        authority: file("authority.toml")?,
                        people: file("people.toml")?,
                        rules: file("rules.cedar")?,
                        scopes: file("scopes.toml")?,
                    },
                },
            },
        )
    }

    /// Reads the file `path`, which is for the ledger `log`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not such a file, or for another ledger.
    pub fn load(path: &Path, log: &Origin) -> Result<Self, Failure> {
        let written: Written = load(path, MOST_BYTES)?;
        is_format(&written.format, FORMAT)?;
        if written.log != *log {
            let (found, expected) = (written.log.to_string(), log.to_string());
            return Err(FileError::OtherLog { found, expected }.into());
        }
        let (saved, checkpoint) = (written.saved, written.checkpoint);
        let (view, policy) = (view(written.request)?, policy(written.policy)?);
        Ok(Self { saved, checkpoint, view, policy })
    }
}

/// The id is read from the statement: the file has no second place to say it.
fn view(request: Request) -> Result<v1::RequestView, FileError> {
    let statement = Statement::parse(request.statement.as_bytes()).map_err(form)?;
    let Act::Request(ask) = statement.act() else {
        return Err(FileError::Form("its statement is no request".to_owned()));
    };
    let (reason_salt, reason_text) = match request.reason {
        Some(reason) => (reason.salt()?.to_vec(), reason.text),
        None => (Vec::new(), String::new()),
    };
    Ok(v1::RequestView {
        id: ask.id.to_string(),
        state: v1::State::Pending.into(),
        statement: request.statement.into_bytes(),
        signature: request.signature,
        reason_text,
        reason_salt,
        entries: request.entries.into_iter().map(String::into_bytes).collect(),
        ..v1::RequestView::default()
    })
}

/// Number and digest are the manifest's own.
fn policy(policy: Policy) -> Result<v1::GetPolicyAnswer, FileError> {
    let manifest = Statement::parse(policy.manifest.as_bytes()).map_err(form)?;
    let Act::Policy(listed) = manifest.act() else {
        return Err(FileError::Form("its manifest is no policy".to_owned()));
    };
    let PolicyFiles { authority, people, rules, scopes } = policy.files;
    let contents = [authority, people, rules, scopes];
    let blob = |(name, content): (&str, String)| v1::Blob {
        name: name.to_owned(),
        content: content.into_bytes(),
    };
    Ok(v1::GetPolicyAnswer {
        version: listed.version,
        digest: manifest.digest().as_bytes().to_vec(),
        manifest: policy.manifest.into_bytes(),
        signatures: policy.signatures,
        files: Files::NAMES.into_iter().zip(contents).map(blob).collect(),
    })
}

fn text(bytes: &[u8]) -> Result<String, Failure> {
    let text = String::from_utf8(bytes.to_vec());
    Ok(text.map_err(|_| FileError::Form("a part of it is no text".to_owned()))?)
}

fn form(error: breakglass_ledger::statement::StatementError) -> FileError {
    FileError::Form(error.to_string())
}

/// What such a file says of itself.
const FORMAT: &str = "breakglass-to-approve/v1";

/// A policy of 1 MiB, escaped, and a request with its entries.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
