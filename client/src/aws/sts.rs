//! A session for a token: `AssumeRoleWithWebIdentity` of AWS STS (API version 2011-06-15).

use std::time::Duration;

use reqwest::Url;
use roxmltree::{Document, Node};
use zeroize::Zeroizing;

use super::{Arn, Session, http, not_understood, refused};
use crate::failure::Failure;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct WebIdentity<'a> {
    /// Where to ask; by itself the service of the region.
    pub endpoint: Option<&'a str>,
    /// Which region's service is asked.
    pub region: &'a str,
    /// The role.
    pub role: &'a Arn,
    /// What the session is called in every log there: 2 to 64 of `A-Z a-z 0-9 + = , . @ _ -`.
    pub name: &'a str,
    /// How long it lives, in seconds.
    pub seconds: u64,
}

impl WebIdentity<'_> {
    /// Gives `token` for a session.
    ///
    /// # Errors
    ///
    /// [`Failure`]: not reached, refused, not understood.
    pub fn session(&self, token: &str, within: Duration) -> Result<Session, Failure> {
        let (region, domain) = (self.region, self.role.domain());
        let url = self
            .endpoint
            .map_or_else(|| format!("https://sts.{region}.{domain}/"), ToOwned::to_owned);
        let form = [("Content-Type", "application/x-www-form-urlencoded".to_owned())];
        let answer = http::post(&url, &form, self.form(token), within)?;
        match (answer.status, read(&answer.body)) {
            (200, Some(session)) => Ok(session),
            (200, None) => Err(not_understood(SERVICE)),
            (status, _) => Err(refused(SERVICE, status, &complaint(&answer.body))),
        }
    }

    /// The form, escaped by the same rules as an address's query.
    fn form(&self, token: &str) -> Zeroizing<String> {
        let pairs = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", self.role.as_str()),
            ("RoleSessionName", self.name),
            ("WebIdentityToken", token),
            ("DurationSeconds", &self.seconds.to_string()),
        ];
        let escaped = Url::parse_with_params("https://x/", pairs);
        let query = escaped.ok().and_then(|url| url.query().map(ToOwned::to_owned));
        Zeroizing::new(query.unwrap_or_default())
    }
}

/// The four values, wherever in the answer they stand.
fn read(body: &str) -> Option<Session> {
    let document = Document::parse(body).ok()?;
    let credentials = document.descendants().find(|node| is(node, "Credentials"))?;
    let value = |name: &str| {
        let node = credentials.children().find(|node| is(node, name))?;
        node.text().map(ToOwned::to_owned).filter(|text| !text.is_empty())
    };
    Some(Session {
        access_key_id: value("AccessKeyId")?,
        secret_access_key: Zeroizing::new(value("SecretAccessKey")?),
        session_token: Zeroizing::new(value("SessionToken")?),
        expiration: value("Expiration")?,
    })
}

/// The message of an error; what is no error of theirs is not repeated.
fn complaint(body: &str) -> String {
    let Ok(document) = Document::parse(body) else { return "nothing that is understood".into() };
    let texts = ["Code", "Message"].map(|name| {
        let node = document.descendants().find(|node| is(node, name));
        node.and_then(|node| node.text()).unwrap_or_default().to_owned()
    });
    texts.join(": ")
}

/// By name without its space, which has the API's version in it.
fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

const SERVICE: &str = "AWS STS";

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<AssumeRoleWithWebIdentityResponse \
        xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
        <Credentials><SessionToken>t/+=</SessionToken><SecretAccessKey>s</SecretAccessKey>\
        <Expiration>2026-01-02T03:04:05Z</Expiration><AccessKeyId>ASIA</AccessKeyId></Credentials>\
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

    #[test]
    fn the_four_values_are_read_and_none_may_be_missing() {
        let session = read(ANSWER).unwrap().to_json();
        assert_eq!(session["SessionToken"], "t/+=");
        for name in ["SessionToken", "SecretAccessKey", "Expiration", "AccessKeyId"] {
            assert!(read(&ANSWER.replace(name, "Other")).is_none(), "{name}");
        }
        assert!(read("").is_none());
        assert!(read("<Credentials>").is_none());
    }

    #[test]
    fn an_error_is_told_in_their_words_and_a_page_of_somebody_else_is_not() {
        let body = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>\
                    <Message>no provider</Message></Error></ErrorResponse>";
        assert_eq!(complaint(body), "InvalidIdentityToken: no provider");
        assert_eq!(complaint("<html"), "nothing that is understood");
    }

    #[test]
    fn what_is_sent_is_escaped() {
        let role: Arn = "arn:aws:iam::1:role/x".parse().unwrap();
        let ask = WebIdentity {
            endpoint: None,
            region: "eu-west-1",
            role: &role,
            name: "bg-req-1",
            seconds: 900,
        };
        assert_eq!(
            *ask.form("a.b&c=d"),
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3A\
             role%2Fx&RoleSessionName=bg-req-1&WebIdentityToken=a.b%26c%3Dd&DurationSeconds=900"
        );
    }
}
