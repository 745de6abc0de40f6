//! What can be wrong with a policy: where, what happened, what to do.

use std::fmt;

use crate::key::Fingerprint;
use crate::policy::File;

/// Most faults reported of one bundle: more than anybody reads, and a bound on the answer.
pub const FAULTS_MAX: usize = 1000;

/// Longest piece of a faulty value that a message repeats, in characters.
const SHOWN_MAX: usize = 80;

/// One fault, as `scopes.toml:12: [quorum-zero] what happened; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file it is in.
    pub file: File,
    /// The line, from 1, where it can be known.
    pub line: Option<u32>,
    /// What is wrong.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " [{}] {}", self.kind.name(), self.kind)
    }
}

impl std::error::Error for Fault {}

/// A fault by name. Values taken from the file are shown quoted, escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message is its documentation")]
pub enum FaultKind {
    #[error("the file has {bytes} bytes; keep it within {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the file is not UTF-8 text; save it as UTF-8")]
    NotText,
    #[error("this is not TOML: {detail}; correct the line")]
    Syntax { detail: String },
    #[error("{table} has no field {field}; remove it or correct its spelling")]
    UnknownField { table: &'static str, field: String },
    #[error("{table} lacks {field}; add it")]
    MissingField { table: &'static str, field: &'static str },
    #[error("{field} is of type {found}; write {expected}")]
    WrongType { field: &'static str, expected: &'static str, found: &'static str },
    #[error("{field} cannot be {value}; write {rule}")]
    BadValue { field: &'static str, value: String, rule: &'static str },
    #[error("{field} is {value}; keep it from {min} to {max}")]
    OutOfRange { field: &'static str, value: i64, min: u32, max: u32 },
    #[error("{field} has {count} elements; keep to {limit}")]
    TooMany { field: &'static str, count: usize, limit: usize },
    #[error("{field} is empty; name at least one, or leave the field out")]
    EmptyList { field: &'static str },
    #[error("{field} names {value} twice; remove one")]
    Repeated { field: &'static str, value: String },
    #[error("{what} {id} is already defined on line {first}; an id is given once, for ever")]
    DuplicateId { what: &'static str, id: String, first: u32 },
    #[error("{what} {id} looks like {other} on line {first}; rename one of them")]
    LookAlike { what: &'static str, id: String, other: String, first: u32 },
    #[error("{value} is not an OpenSSH public key; paste the one line of a .pub file")]
    MalformedKey { value: String },
    #[error(
        "keys of type {found} are refused; use ssh-ed25519, ecdsa-sha2-nistp256 or their sk- forms, never a certificate"
    )]
    KeyType { found: String },
    #[error("the key is weak (small order): one signature would fit every message; make a new key")]
    WeakKey,
    #[error("key {key} of {holder} also belongs to {other}; one key belongs to one principal")]
    KeyOfTwo { key: Fingerprint, holder: String, other: String },
    #[error("group {group} is not defined; add [[group]] id = \"{group}\" or correct the name")]
    UnknownGroup { group: String },
    #[error("principal {principal} is not in people.toml; add it or correct the name")]
    UnknownPrincipal { principal: String },
    #[error("group {group} contains itself by way of {path}; take one link out")]
    GroupCycle { group: String, path: String },
    #[error("group {group} nests deeper than {limit} groups; flatten it")]
    GroupTooDeep { group: String, limit: usize },
    #[error("{kind} {principal} has no sponsor; name the human who answers for it")]
    NoSponsor { principal: String, kind: String },
    #[error("sponsor {sponsor} of {principal} is not human; name a human")]
    SponsorNotHuman { principal: String, sponsor: String },
    #[error("{of} has quorum 0, which everybody satisfies; write 1 or more")]
    QuorumZero { of: String },
    #[error(
        "the authority's quorum is {quorum} but it has {signers} signers; lower it or add signers"
    )]
    AuthorityQuorum { quorum: u32, signers: usize },
    #[error(
        "scope {scope} has no stage; add [[scope.stage]], or write approval = \"none\" if nobody has to agree"
    )]
    NoStages { scope: String },
    #[error("scope {scope} has stages and approval = \"none\"; remove one of the two")]
    ApprovalAndStages { scope: String },
    #[error("stage {stage} of {scope} has no approver: nobody could agree; name approvers")]
    EmptyApprovers { scope: String, stage: String },
    #[error("no approver of stage {stage} of {scope} is a human with a key; only people approve")]
    ApproversNotHuman { scope: String, stage: String },
    #[error(
        "scope {scope}: when {requester} asks, {stages} need {quorum} different people and {available} are left; add approvers or lower the quorum"
    )]
    Unsatisfiable { scope: String, stages: String, requester: String, quorum: u64, available: u64 },
    #[error(
        "scope {scope} lacks {field}; every scope names who is accountable, who operates it and who owns its credential"
    )]
    MissingOwner { scope: String, field: &'static str },
    #[error(
        "{field} is {seconds} s, over the cap of 12 h; whoever needs longer needs ordinary access"
    )]
    TtlOverCap { field: &'static str, seconds: u32 },
    #[error("{field} does nothing without {needed}; add that or remove this")]
    Needs { field: &'static str, needed: &'static str },
    #[error(
        "{field} is {seconds} s, and a request lapses after {limit} s (pending-max): it would never come to pass; make it shorter"
    )]
    NotBeforeLapse { field: &'static str, seconds: u32, limit: u32 },
    #[error(
        "ttl-max of the emergency lane is {seconds} s, over the scope's own {limit} s; with fewer eyes grant less, not more"
    )]
    EmergencyTtl { seconds: u32, limit: u32 },
    #[error("SSH principal {value} is refused: {rule}; name one role principal such as bg-dba")]
    SshPrincipal { value: String, rule: &'static str },
    #[error("source address {value} is refused: {rule}; write one network such as 10.20.0.0/16")]
    SourceAddress { value: String, rule: &'static str },
    #[error("force-command is refused: {rule}; write one printable line")]
    ForceCommand { rule: &'static str },
    #[error("{value} is not an OpenSSH extension we grant; choose from {known}")]
    SshExtension { value: String, known: String },
    #[error("scope {scope} offers no credential; add [scope.ssh], [scope.x509] or [scope.jwt]")]
    NoCredential { scope: String },
    #[error("{field} {value} is refused: {rule}; write a name that means one thing at the target")]
    CredentialName { field: &'static str, value: String, rule: &'static str },
    #[error(
        "ttl-max of a token is {seconds} s, over the scope's own {limit} s; a token ends with its grant at the latest"
    )]
    TokenTtl { seconds: u32, limit: u32 },
    #[error("require-incident {value} is refused: {rule}; write a pattern such as INC-[0-9]+")]
    IncidentPattern { value: String, rule: &'static str },
    #[error("{field} is not supported yet and would be silently ignored; remove it")]
    NotSupportedYet { field: String },
}

impl FaultKind {
    /// The name of the fault, stable, in kebab case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::NotText => "not-text",
            Self::Syntax { .. } => "syntax",
            Self::UnknownField { .. } => "unknown-field",
            Self::MissingField { .. } => "missing-field",
            Self::WrongType { .. } => "wrong-type",
            Self::BadValue { .. } => "bad-value",
            Self::OutOfRange { .. } => "out-of-range",
            Self::TooMany { .. } => "too-many",
            Self::EmptyList { .. } => "empty-list",
            Self::Repeated { .. } => "repeated",
            Self::DuplicateId { .. } => "duplicate-id",
            Self::LookAlike { .. } => "look-alike",
            Self::MalformedKey { .. } => "malformed-key",
            Self::KeyType { .. } => "key-type",
            Self::WeakKey => "weak-key",
            Self::KeyOfTwo { .. } => "key-of-two",
            Self::UnknownGroup { .. } => "unknown-group",
            Self::UnknownPrincipal { .. } => "unknown-principal",
            Self::GroupCycle { .. } => "group-cycle",
            Self::GroupTooDeep { .. } => "group-too-deep",
            Self::NoSponsor { .. } => "no-sponsor",
            Self::SponsorNotHuman { .. } => "sponsor-not-human",
            Self::QuorumZero { .. } => "quorum-zero",
            Self::AuthorityQuorum { .. } => "authority-quorum",
            Self::NoStages { .. } => "no-stages",
            Self::ApprovalAndStages { .. } => "approval-and-stages",
            Self::EmptyApprovers { .. } => "empty-approvers",
            Self::ApproversNotHuman { .. } => "approvers-not-human",
            Self::Unsatisfiable { .. } => "unsatisfiable",
            Self::MissingOwner { .. } => "missing-owner",
            Self::TtlOverCap { .. } => "ttl-over-cap",
            Self::Needs { .. } => "needs",
            Self::NotBeforeLapse { .. } => "not-before-lapse",
            Self::EmergencyTtl { .. } => "emergency-ttl",
            Self::SshPrincipal { .. } => "ssh-principal",
            Self::SourceAddress { .. } => "source-address",
            Self::ForceCommand { .. } => "force-command",
            Self::SshExtension { .. } => "ssh-extension",
            Self::NoCredential { .. } => "no-credential",
            Self::CredentialName { .. } => "credential-name",
            Self::TokenTtl { .. } => "token-ttl",
            Self::IncidentPattern { .. } => "incident-pattern",
            Self::NotSupportedYet { .. } => "not-supported-yet",
        }
    }
}

/// The faults found so far.
///
/// A reader that meets a fault adds it here, puts a placeholder in the value's stead and reads on,
/// so that one check tells everything; no placeholder leaves [`check`](super::check), because it
/// answers with these faults if there is one.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one, unless there are [`FAULTS_MAX`] already.
    pub(super) fn add(&mut self, file: File, line: impl Into<Option<u32>>, kind: FaultKind) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(Fault { file, line: line.into(), kind });
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// `value` if there are no faults, else all of them.
    pub(super) fn or<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.into_sorted()) }
    }

    /// All faults by file and line.
    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        self.0.sort_by_key(|fault| (fault.file, fault.line));
        self.0
    }
}

/// A value from the file as a message shows it: quoted, escaped (no terminal tricks) and cut.
pub(super) fn shown(value: &str) -> String {
    let cut: String = value.chars().take(SHOWN_MAX).collect();
    let more = if cut.len() < value.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}
