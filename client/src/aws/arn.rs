//! Names of AWS resources: `arn:partition:service:region:account:resource`.

use std::str::FromStr;

/// A resource's name, checked for its form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn {
    text: String,
    partition: String,
    region: String,
}

/// Not a name of an AWS resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE of at most 2048 printable characters")]
pub struct ArnError;

impl Arn {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it is; empty for what is everywhere, a role for example.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What the names of services end in, in its part of AWS.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let printable = text.len() <= ARN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (arn, partition, service, region) = (part(), part(), part(), part());
        let (_account, resource) = (part(), part());
        // It becomes part of a host's name.
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let whole = arn == "arn" && partition.starts_with("aws") && !service.is_empty();
        if !printable || !whole || resource.is_empty() || !region.bytes().all(is_name) {
            return Err(ArnError);
        }
        Ok(Self { text: text.to_owned(), partition, region })
    }
}

/// IAM, `arnType`.
const ARN_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_region_and_nothing_else_is_one() {
        let arn: Arn = "arn:aws:rolesanywhere:eu-west-1:1:trust-anchor/x".parse().unwrap();
        assert_eq!((arn.region(), arn.domain()), ("eu-west-1", "amazonaws.com"));
        let china: Arn = "arn:aws-cn:iam::1:role/x".parse().unwrap();
        assert_eq!((china.region(), china.domain()), ("", "amazonaws.com.cn"));
        for bad in [
            "",
            "arn:aws:iam::1",
            "arn:aws:iam::1:",
            "arn:other:iam::1:role/x",
            "arn:aws:iam:evil.example/?:1:role/x",
            "arn:aws:iam::1:role/x y",
        ] {
            assert_eq!(bad.parse::<Arn>(), Err(ArnError), "{bad}");
        }
    }
}
