//! The certificate itself.

use ssh_key::certificate::Certificate;

use super::Eye;
use super::grant::Grant;

impl Eye {
    pub(super) fn certificate(&self, grant: &Grant, certificate: &str, ends: u64) {
        let (ask, certificate) =
            (&grant.ask.lines, Certificate::from_openssh(certificate).unwrap());
        let authority = ssh_key::PublicKey::from_openssh(&self.authority).unwrap();
        let trusted = authority.fingerprint(ssh_key::HashAlg::Sha256);
        certificate.validate_at(self.now, [&trusted]).unwrap();
        assert_eq!(certificate.serial(), self.seq);
        let (is_drill, behind) = (grant.lane() == "drill", grant.behind());
        let mut name = format!("bg:{}:{}", ask["id"], ask["by"]);
        if is_drill {
            name += ":drill";
        }
        if !behind.is_empty() {
            name += &format!(":for:{}", behind.join(","));
        }
        assert_eq!(certificate.key_id(), name);
        assert_eq!(certificate.valid_after(), self.now - 60);
        assert_eq!(certificate.valid_before(), ends);
        let subject = ssh_key::PublicKey::from_openssh(&ask["key"]).unwrap();
        assert_eq!(certificate.public_key(), subject.key_data());
        let scope = self.scope_of(grant).unwrap();
        let principal = format!("{}{}", if is_drill { "drill-" } else { "" }, scope.principal);
        assert_eq!(certificate.valid_principals(), [principal], "opens something else");
        assert_eq!(certificate.critical_options().len(), usize::from(scope.command.is_some()));
    }
}
