//! What ends a command early: the exit codes, and one sentence each for what happened, what it
//! means and what to do.

use std::fmt;

/// How a command ended, as its exit code.
///
/// Scripts branch on these numbers: they are written out and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or granted.
    Done,
    /// A fault of the program or of this machine.
    Internal,
    /// The command line or the configuration is wrong.
    Usage,
    /// Still waiting for somebody.
    Pending,
    /// Somebody said no.
    Denied,
    /// The rules say no.
    Refused,
    /// Too late: lapsed, expired, ended.
    Lapsed,
    /// No broker answered.
    Unreachable,
    /// The broker does not recognise the key or the session.
    Unrecognised,
    /// The record was changed.
    Tampered,
    /// The record cannot be read.
    Malformed,
    /// Nothing wrong was found, but outside evidence is missing.
    Unproven,
    /// Verified, with findings.
    Suspect,
    /// A program that was run with a credential ended with this code.
    Child(u8),
}

impl Exit {
    /// Every way in which our own verbs end, in the order of the codes.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Pending,
        Self::Denied,
        Self::Refused,
        Self::Lapsed,
        Self::Unreachable,
        Self::Unrecognised,
        Self::Tampered,
        Self::Malformed,
        Self::Unproven,
        Self::Suspect,
    ];

    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::Denied => 4,
            Self::Refused => 5,
            Self::Lapsed => 6,
            Self::Unreachable => 7,
            Self::Unrecognised => 8,
            Self::Tampered => 10,
            Self::Malformed => 11,
            Self::Unproven => 12,
            Self::Suspect => 13,
            Self::Child(code) => code,
        }
    }

    /// One word for it, as in `-o json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Pending => "pending",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
            Self::Unreachable => "unreachable",
            Self::Unrecognised => "unrecognised",
            Self::Tampered => "tampered",
            Self::Malformed => "malformed",
            Self::Unproven => "unproven",
            Self::Suspect => "suspect",
            Self::Child(_) => "child",
        }
    }
}

/// Why a command did not do what was asked: what happened, what it means, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    exit: Exit,
    what: String,
    meaning: String,
    remedy: String,
    rule: Option<Rule>,
}

/// The rule behind a refusal, as the ledger names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The refusal's number; never reused.
    pub number: u32,
    /// Its name, kebab-case.
    pub name: String,
    /// Position of the `refused` entry, if one was written.
    pub seq: Option<u64>,
    /// For a duplicate: the request that is open already.
    pub first_request: Option<String>,
}

impl Failure {
    /// A failure that ends with `exit`. The three texts are sentences without a final full stop;
    /// `meaning` and `remedy` may be empty.
    #[must_use]
    pub fn new(
        exit: Exit,
        what: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            exit,
            what: what.into(),
            meaning: meaning.into(),
            remedy: remedy.into(),
            rule: None,
        }))
    }

    /// A wrong command line: nothing was sent, nothing has changed.
    #[must_use]
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, "nothing was sent and nothing has changed", remedy)
    }

    /// The same failure, naming the rule behind it.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.0.rule = Some(rule);
        self
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// What happened.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// What to do; may be empty.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }

    /// The rule that said no, if one did.
    #[must_use]
    pub fn rule(&self) -> Option<&Rule> {
        self.0.rule.as_ref()
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let rule = self.0.rule.as_ref().map(|rule| {
            serde_json::json!({
                "number": rule.number, "name": rule.name, "seq": rule.seq,
                "first_request": rule.first_request,
            })
        });
        serde_json::json!({
            "error": {
                "exit": self.0.exit.code(), "kind": self.0.exit.name(), "what": self.0.what,
                "meaning": self.0.meaning, "remedy": self.0.remedy, "rule": rule,
            }
        })
    }
}

/// Up to three lines: what happened, what it means, what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        if let Some(rule) = &self.0.rule {
            write!(f, " (rule {}: {})", rule.number, rule.name)?;
        }
        if !self.0.meaning.is_empty() {
            write!(f, "\n  meaning: {}", self.0.meaning)?;
        }
        if !self.0.remedy.is_empty() {
            write!(f, "\n  do:      {}", self.0.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the command line's contract; a script somewhere depends on each number.
    #[test]
    fn every_exit_code_is_the_published_one() {
        let codes: Vec<(u8, &str)> = Exit::ALL.iter().map(|e| (e.code(), e.name())).collect();
        assert_eq!(
            codes,
            [
                (0, "done"),
                (1, "internal"),
                (2, "usage"),
                (3, "pending"),
                (4, "denied"),
                (5, "refused"),
                (6, "lapsed"),
                (7, "unreachable"),
                (8, "unrecognised"),
                (10, "tampered"),
                (11, "malformed"),
                (12, "unproven"),
                (13, "suspect"),
            ]
        );
    }

    #[test]
    fn a_failure_says_what_happened_then_what_it_means_then_what_to_do() {
        let failure =
            Failure::new(Exit::Refused, "refused", "you hold two", "drop one").with_rule(Rule {
                number: 7,
                name: "too-many-alive".into(),
                seq: Some(4),
                first_request: None,
            });
        assert_eq!(
            failure.to_string(),
            "refused (rule 7: too-many-alive)\n  meaning: you hold two\n  do:      drop one"
        );
        assert_eq!(failure.to_json()["error"]["rule"]["seq"], 4);
    }
}
