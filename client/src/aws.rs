//! AWS: a session of a role for the credential of a live grant, as `credential_process` prints it.
//!
//! Two ways, neither of which needs a secret kept at AWS's side: a certificate with IAM Roles
//! Anywhere, a token with `AssumeRoleWithWebIdentity`. A session lives at least a quarter of an hour
//! and nothing here can end it: that is what a deny on the role's side is for.

mod anywhere;
mod arn;
mod http;
mod sts;

use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use anywhere::Anywhere;
pub use arn::{Arn, ArnError};
pub use sts::WebIdentity;

use crate::failure::{Exit, Failure};

/// What AWS lent.
pub struct Session {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Zeroizing<String>,
    expiration: String,
}

impl Session {
    /// What the SDKs read from a `credential_process`.
    ///
    /// Without `Expiration` they would never ask again; an unknown `Version` is an error to them.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": *self.secret_access_key,
            "SessionToken": *self.session_token,
            "Expiration": self.expiration,
        })
    }
}

/// How long a session to ask for, in seconds, for a grant that has `left`: AWS gives no less than a
/// quarter of an hour and no more than twelve (STS, `AssumeRoleWithWebIdentity`, `DurationSeconds`).
#[must_use]
pub fn duration(left: u64) -> u64 {
    left.clamp(SESSION_SECONDS.0, SESSION_SECONDS.1)
}

/// Least and most.
const SESSION_SECONDS: (u64, u64) = (900, 43_200);

/// AWS said no, or said what is not understood. What it said is shown: it names the rule.
fn refused(service: &str, status: u16, said: &str) -> Failure {
    let said: String = said.chars().take(SAID_MAX).collect();
    Failure::new(
        Exit::Refused,
        format!("{service} answered {status}: {said}"),
        "no session was given",
        "compare the role's trust policy with the certificate's or token's issuer and names",
    )
}

fn not_understood(service: &str) -> Failure {
    let what = format!("{service} answered in a form that is not understood");
    Failure::new(Exit::Internal, what, "no session was given", "look at --endpoint")
}

/// Enough of an error to know what it is.
const SAID_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_never_asked_for_shorter_or_longer_than_aws_gives() {
        assert_eq!([0, 899, 900, 1800, 99_999].map(duration), [900, 900, 900, 1800, 43_200]);
    }

    #[test]
    fn what_is_printed_has_the_five_members_of_version_1() {
        let session = Session {
            access_key_id: "A".into(),
            secret_access_key: Zeroizing::new("B".into()),
            session_token: Zeroizing::new("C".into()),
            expiration: "2026-01-02T03:04:05Z".into(),
        };
        let expected = json!({
            "Version": 1, "AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": "C",
            "Expiration": "2026-01-02T03:04:05Z",
        });
        assert_eq!(session.to_json(), expected);
    }
}
