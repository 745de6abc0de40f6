mod lists;
mod ocsp;

use std::fs;
use std::process::{Command, Output};

use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::crl::{Line, SignedCrl};
use crate::entropy::{EntropyError, SeededEntropy};
use crate::mint::tests::{NOW, mint};

/// What a responder was cleared for; each test changes what it is about.
#[derive(Clone)]
struct Cleared {
    holder: PrincipalId,
    lane: Lane,
    subject: PublicKey,
    valid_after: Timestamp,
    valid_before: Timestamp,
    profile: X509Profile,
}

impl Cleared {
    fn plain() -> Self {
        Self {
            holder: "sam".parse().unwrap(),
            lane: Lane::Normal,
            subject: subject(),
            valid_after: NOW.minus(60),
            valid_before: NOW.plus(1800),
            profile: X509Profile {
                organizations: texts(&["breakglass"]),
                organizational_units: vec![],
                uri: None,
                svid: false,
            },
        }
    }

    fn full() -> Self {
        Self {
            profile: X509Profile {
                organizations: texts(&["breakglass:prod", "payments DBA", "ops"]),
                organizational_units: texts(&["eu", "on call"]),
                uri: Some("spiffe://example.org/breakglass/db".to_owned()),
                svid: true,
            },
            ..Self::plain()
        }
    }

    /// The plain one with another profile.
    fn with(change: impl FnOnce(&mut X509Profile)) -> Self {
        let mut cleared = Self::plain();
        change(&mut cleared.profile);
        cleared
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            request: RequestId::new(1_795_348_700_000, [7; 10]),
            holder: &self.holder,
            lane: self.lane,
            subject: &self.subject,
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            profile: &self.profile,
        }
    }

    fn sign(&self, mint: &Mint) -> Result<X509Credential, MintError> {
        mint.certify_x509(&self.terms(), 42, &SeededEntropy::new(9))
    }

    /// The field that is refused before anything is signed.
    fn refused(&self, mint: &Mint) -> &'static str {
        match self.sign(mint) {
            Err(MintError::Value { field, .. }) => field,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("signed"),
        }
    }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A responder's P-256 key.
fn subject() -> PublicKey {
    let (algorithm, rng) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
    ssh_form(pair.public_key().as_ref()).unwrap()
}

/// Runs `openssl` on files of these names and contents.
fn openssl(args: &[&str], files: &[(&str, &[u8])]) -> Output {
    let dir = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    Command::new("openssl").args(args).current_dir(dir.path()).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What `openssl verify` says as a server would ask, at `at`: 0 for yes, or the number of its error.
fn verdict(at: Timestamp, ca: &str, crl: Option<&str>, leaf: &str) -> u32 {
    verdict_for("sslclient", at, ca, crl, leaf)
}

fn verdict_for(purpose: &str, at: Timestamp, ca: &str, crl: Option<&str>, leaf: &str) -> u32 {
    let at = at.unix_seconds().to_string();
    let mut args = vec!["verify", "-attime", &at, "-purpose", purpose, "-CAfile", "ca"];
    args.extend(["-crl_check", "-crl_check_all"]);
    if crl.is_some() {
        args.extend(["-CRLfile", "crl"]);
    }
    args.push("leaf");
    let files = [
        ("ca", ca.as_bytes()),
        ("crl", crl.unwrap_or_default().as_bytes()),
        ("leaf", leaf.as_bytes()),
    ];
    let output = openssl(&args, &files);
    if output.status.success() {
        return 0;
    }
    let told = String::from_utf8(output.stderr).unwrap();
    let number = told.split("error ").nth(1).and_then(|rest| rest.split_whitespace().next());
    number.unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

fn ca(mint: &Mint) -> String {
    mint.public().x509_ca.clone().unwrap()
}

fn crl(mint: &Mint, revoked: &[&X509Credential], at: Timestamp) -> SignedCrl {
    let line = |one: &&X509Credential| Line::new(one.serial_number, NOW.plus(10)).unwrap();
    let lines: Vec<_> = revoked.iter().map(line).collect();
    mint.crl(lines.iter(), 43, at).unwrap().unwrap()
}

/// R35: every certificate is read back by the stock tool, field by field.
#[test]
fn the_stock_tool_reads_the_certificate_that_was_cleared_and_nothing_else() {
    let (_dir, mint) = mint(1);
    let cleared = Cleared::full();
    let credential = cleared.sign(&mint).unwrap();
    let certificate = credential.certificate.as_bytes();
    let args = ["x509", "-in", "leaf", "-noout", "-text", "-nameopt", "RFC2253", "-certopt"];
    let args: Vec<&str> = args.into_iter().chain(["no_pubkey,no_sigdump"]).collect();
    let text = said(&openssl(&args, &[("leaf", certificate)]));
    let key_id = |point: &[u8]| {
        let hex = ca::key_identifier(point).map(|byte| format!("{byte:02X}"));
        hex.join(":")
    };
    let authority = mint.x509.as_ref().unwrap();
    let issuer_id = authority.key_id().map(|byte| format!("{byte:02X}")).join(":");
    let short = data_encoding::HEXLOWER.encode(&authority.key_id()[..4]);
    let serial = credential.serial_number.to_string().to_ascii_lowercase();
    let pairs: Vec<_> =
        serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    let expected = [
        "Certificate:".to_owned(),
        "    Data:".to_owned(),
        "        Version: 3 (0x2)".to_owned(),
        "        Serial Number:".to_owned(),
        format!("            {}", pairs.join(":")),
        "        Signature Algorithm: ecdsa-with-SHA256".to_owned(),
        format!("        Issuer: CN=breakglass payments X.509 CA {short}"),
        "        Validity".to_owned(),
        "            Not Before: Nov 22 11:59:00 2026 GMT".to_owned(),
        "            Not After : Nov 22 12:30:00 2026 GMT".to_owned(),
        format!(
            "        Subject: CN=bg-{}-sam,OU=on call,OU=eu,O=ops,O=payments DBA,O=breakglass:prod",
            cleared.terms().request
        ),
        "        X509v3 extensions:".to_owned(),
        "            X509v3 Basic Constraints: critical".to_owned(),
        "                CA:FALSE".to_owned(),
        "            X509v3 Key Usage: critical".to_owned(),
        "                Digital Signature".to_owned(),
        "            X509v3 Extended Key Usage: ".to_owned(),
        "                TLS Web Client Authentication, TLS Web Server Authentication".to_owned(),
        "            X509v3 Subject Key Identifier: ".to_owned(),
        format!("                {}", key_id(&point(&cleared.subject).unwrap())),
        "            X509v3 Authority Key Identifier: ".to_owned(),
        format!("                {issuer_id}"),
        "            X509v3 Subject Alternative Name: ".to_owned(),
        "                URI:spiffe://example.org/breakglass/db".to_owned(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let key =
        said(&openssl(&["x509", "-in", "leaf", "-noout", "-pubkey"], &[("leaf", certificate)]));
    let der = pem::decode("PUBLIC KEY", key.as_bytes()).unwrap();
    assert!(der.ends_with(&point(&cleared.subject).unwrap()));
}

#[test]
fn the_authority_signs_itself_and_is_an_authority_over_leaves_and_lists_alone() {
    let (_dir, mint) = mint(1);
    let ca = ca(&mint);
    let args = ["x509", "-in", "ca", "-noout", "-ext", "basicConstraints,keyUsage", "-enddate"];
    let text = said(&openssl(&args, &[("ca", ca.as_bytes())]));
    for line in
        ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "notAfter=Nov 19 12:00:00 2036"]
    {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(text.matches("critical").count(), 2, "{text}");
    let args = ["verify", "-attime", "1795348800", "-check_ss_sig", "-CAfile", "ca", "ca"];
    said(&openssl(&args, &[("ca", ca.as_bytes())]));
}

/// The numbers that the stock tool gives, as servers ask it.
#[test]
fn the_stock_tool_says_yes_and_no_for_the_right_reasons() {
    let (_dir, ours) = mint(1);
    let (_other_dir, other) = mint(2);
    let (good, ended) = (Cleared::plain().sign(&ours).unwrap(), Cleared::plain());
    let ended = ours.certify_x509(&ended.terms(), 43, &SeededEntropy::new(8)).unwrap();
    let (at, foreign_ca, ca) = (NOW.plus(20), ca(&other), ca(&ours));
    let list = crl(&ours, &[&ended], at).pem().to_owned();
    let leaf = good.certificate.as_str();
    assert_eq!(verdict(at, &ca, Some(&list), leaf), 0, "good");
    assert_eq!(verdict(at, &ca, Some(&list), &ended.certificate), 23, "revoked");
    assert_eq!(verdict(at, &ca, None, leaf), 3, "no list");
    let foreign = crl(&other, &[], at).pem().to_owned();
    assert_eq!(verdict(at, &ca, Some(&foreign), leaf), 3, "a list of another authority");
    let stale = crl(&ours, &[], NOW.minus(8 * 86_400)).pem().to_owned();
    assert_eq!(verdict(at, &ca, Some(&stale), leaf), 12, "an expired list");
    let early = crl(&ours, &[], at.plus(61)).pem().to_owned();
    assert_eq!(verdict(at, &ca, Some(&early), leaf), 11, "a list of the future");
    assert_eq!(verdict(at, &foreign_ca, Some(&list), leaf), 20, "unknown issuer");
    assert_eq!(verdict_for("sslserver", at, &ca, Some(&list), leaf), 26, "purpose");
    let fresh = crl(&ours, &[], NOW.minus(120)).pem().to_owned();
    assert_eq!(verdict(NOW.minus(61), &ca, Some(&fresh), leaf), 9, "not yet valid");
    assert_eq!(verdict(NOW.minus(60), &ca, Some(&fresh), leaf), 0, "its first second");
    assert_eq!(verdict(NOW.plus(1801), &ca, Some(&list), leaf), 10, "expired");
}

/// R08, R09: the last look is at the final bytes, whatever made them.
#[test]
fn a_certificate_that_differs_from_the_clearance_in_any_field_is_thrown_away() {
    let (_dir, mint) = mint(1);
    let (_other_dir, other) = self::mint(2);
    let cleared = Cleared::full();
    let terms = cleared.terms();
    let authority = mint.x509.as_ref().unwrap();
    let names = Names::of(&terms).unwrap();
    let point = point(&cleared.subject).unwrap();
    let serial = SerialNumber::new(42, [1; 8]).unwrap();
    let der = build(&terms, &names, &point, serial, authority).unwrap();
    let judge = |der: &[u8]| match examine::examine(der, &terms, &names, &point, serial, authority)
    {
        Ok(()) => "",
        Err(MintError::Mismatch { field }) => field,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(judge(&der), "");
    let remade = |change: &dyn Fn(&mut Cleared, &mut Names)| {
        let (mut cleared, mut names) = (cleared.clone(), names.clone());
        change(&mut cleared, &mut names);
        let point = super::point(&cleared.subject).unwrap();
        judge(&build(&cleared.terms(), &names, &point, serial, authority).unwrap())
    };
    assert_eq!(remade(&|it, _| it.valid_after = NOW.minus(61)), "start");
    assert_eq!(remade(&|it, _| it.valid_before = NOW.plus(1801)), "end");
    assert_eq!(remade(&|it, _| it.subject = subject()), "subject key");
    assert_eq!(remade(&|_, names| names.organizations.swap(0, 1)), "subject");
    assert_eq!(remade(&|_, names| names.organizations.truncate(2)), "subject");
    assert_eq!(remade(&|_, names| names.organizational_units.push("more".into())), "subject");
    assert_eq!(remade(&|_, names| names.common_name.push('x')), "subject");
    assert_eq!(remade(&|_, names| names.uri = None), "extensions");
    assert_eq!(remade(&|_, names| names.uri = Some("spiffe://example.org/x".into())), "extensions");
    assert_eq!(remade(&|it, _| it.profile.svid = false), "extensions");
    let otherwise = SerialNumber::new(43, [1; 8]).unwrap();
    assert_eq!(judge(&build(&terms, &names, &point, otherwise, authority).unwrap()), "serial");
    let foreign = build(&terms, &names, &point, serial, other.x509.as_ref().unwrap()).unwrap();
    assert_eq!(judge(&foreign), "issuer");
    for place in 0..der.len() {
        let mut flipped = der.clone();
        flipped[place] ^= 1;
        assert_ne!(judge(&flipped), "", "byte {place}");
    }
    assert_ne!(judge(&[der.as_slice(), &[0]].concat()), "");
}

#[test]
fn values_that_could_mean_more_are_refused() {
    let (_dir, mint) = mint(1);
    let long = "x".repeat(59);
    for bad in [
        "",
        " ops",
        "ops ",
        "a,CN=root",
        "a/CN=root",
        "a+b",
        "a\\b",
        "a=b",
        "a\nb",
        "é",
        "a\0b",
        "system:masters",
        "System:masters",
        "drill-dba",
        "#04",
        long.as_str(),
    ] {
        let organization = Cleared::with(|profile| profile.organizations = texts(&[bad]));
        assert_eq!(organization.refused(&mint), "organizations", "{bad:?}");
        let unit = Cleared::with(|profile| profile.organizational_units = texts(&[bad]));
        assert_eq!(unit.refused(&mint), "organizational-units", "{bad:?}");
    }
    for bad in [
        "",
        "x",
        "://x",
        "spiffe:",
        "spiffe://a b",
        "spiffe://a\n",
        "1a://b",
        "urn:uuid:1",
        "https://",
        "https:///x",
        "https://a?b",
        "https://a,URI:b",
    ] {
        let uri = Cleared::with(|profile| profile.uri = Some(bad.to_owned()));
        assert_eq!(uri.refused(&mint), "uri", "{bad:?}");
    }
    let nobody = Cleared::with(|profile| profile.organizations.clear());
    assert_eq!(nobody.refused(&mint), "organizations");
    let twice = Cleared::with(|profile| profile.organizations = texts(&["a", "a"]));
    assert_eq!(twice.refused(&mint), "organizations");
    let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
    let many = Cleared::with(|profile| profile.organizations = many);
    assert_eq!(many.refused(&mint), "organizations");
}

#[test]
fn a_drill_is_marked_in_every_part_that_opens_something() {
    let (_dir, mint) = mint(1);
    let mut drill = Cleared { lane: Lane::Drill, ..Cleared::full() };
    assert_eq!(drill.refused(&mint), "organizations", "what the rules did not mark");
    let mark =
        |names: &mut Vec<String>| names.iter_mut().for_each(|name| name.insert_str(0, "drill-"));
    mark(&mut drill.profile.organizations);
    mark(&mut drill.profile.organizational_units);
    assert_eq!(drill.refused(&mint), "uri", "what the rules did not mark");
    drill.profile.uri = Some("spiffe://example.org/drill/breakglass/db".to_owned());
    let credential = drill.sign(&mint).unwrap();
    let args = ["x509", "-in", "leaf", "-noout", "-subject", "-nameopt", "RFC2253", "-ext"];
    let args: Vec<&str> = args.into_iter().chain(["subjectAltName"]).collect();
    let text = said(&openssl(&args, &[("leaf", credential.certificate.as_bytes())]));
    let request = drill.terms().request;
    let subject = format!(
        "subject=CN=drill-bg-{request}-sam,OU=drill-on call,OU=drill-eu,O=drill-ops,\
         O=drill-payments DBA,O=drill-breakglass:prod"
    );
    assert!(text.contains(&subject), "{text}");
    assert!(text.contains("URI:spiffe://example.org/drill/breakglass/db"), "{text}");
}

#[test]
fn the_request_is_whole_in_a_common_name_whoever_holds_it() {
    let (_dir, mint) = mint(1);
    let holder: PrincipalId =
        "a-very-long-name-of-a-person.who-has.many-names-in-all".parse().unwrap();
    for (lane, mark, left) in [(Lane::Normal, "bg-", 20), (Lane::Drill, "drill-bg-", 14)] {
        let mut cleared = Cleared { holder: holder.clone(), lane, ..Cleared::plain() };
        if lane == Lane::Drill {
            cleared.profile.organizations = texts(&["drill-breakglass"]);
        }
        let name = cleared.sign(&mint).unwrap().common_name;
        assert_eq!(name.len(), 64);
        let request = cleared.terms().request;
        assert_eq!(name, format!("{mark}{request}-{}", &holder.as_str()[..left]));
    }
}

/// R06: a key of ours is never the subject of a certificate.
#[test]
fn a_key_of_our_own_is_never_the_subject() {
    let (_dir, mint) = mint(1);
    let authority = mint.x509.as_ref().unwrap().ssh_form().unwrap();
    let cleared = Cleared { subject: authority, ..Cleared::plain() };
    assert!(matches!(cleared.sign(&mint), Err(MintError::OwnKey)));
    assert!(mint.own.iter().filter(|key| key.key_type() == KeyType::EcdsaP256).count() == 3);
}

#[test]
fn only_a_p256_key_becomes_a_subject() {
    let (_dir, mint) = mint(1);
    let (_other_dir, other) = self::mint(2);
    let ed25519 = Cleared { subject: other.public().ssh_ca.clone(), ..Cleared::plain() };
    assert!(matches!(ed25519.sign(&mint), Err(MintError::SubjectType)));
}

#[test]
fn a_life_over_the_cap_and_serial_zero_are_not_signed() {
    let (_dir, mint) = mint(1);
    let longest = u64::from(Ttl::MAX.seconds());
    let life = |end| Cleared { valid_before: end, ..Cleared::plain() }.sign(&mint);
    assert!(life(NOW.plus(longest)).is_ok());
    assert!(matches!(life(NOW.plus(longest + 1)), Err(MintError::Lifetime)));
    assert!(matches!(life(NOW.minus(60)), Err(MintError::Lifetime)));
    let zero = mint.certify_x509(&Cleared::plain().terms(), 0, &SeededEntropy::new(9));
    assert!(matches!(zero, Err(MintError::SerialZero)));
}

#[test]
fn without_randomness_nothing_is_signed() {
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _bytes: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }
    let (_dir, mint) = mint(1);
    let signed = mint.certify_x509(&Cleared::plain().terms(), 42, &Dry);
    assert!(matches!(signed, Err(MintError::Entropy(_))));
}

#[test]
fn keys_of_before_sign_no_x509_and_say_why() {
    let (dir, _mint) = mint(1);
    for name in ["x509-ca.pem", "x509-ca.crt"] {
        fs::remove_file(dir.path().join("keys").join(name)).unwrap();
    }
    let old = Mint::open(dir.path(), "payments").unwrap();
    assert_eq!(old.public().x509_ca, None);
    assert!(matches!(Cleared::plain().sign(&old), Err(MintError::NoX509)));
    assert!(old.crl([].iter(), 1, NOW).unwrap().is_none());
}

#[test]
fn half_an_authority_or_a_foreign_certificate_is_refused() {
    let (dir, _mint) = mint(1);
    let (other, _) = mint(2);
    let file = |dir: &TempDir, name: &str| dir.path().join("keys").join(name);
    fs::copy(file(&other, "x509-ca.crt"), file(&dir, "x509-ca.crt")).unwrap();
    assert!(matches!(Mint::open(dir.path(), "payments").err(), Some(MintError::Authority)));
    fs::remove_file(file(&dir, "x509-ca.crt")).unwrap();
    assert!(matches!(Mint::open(dir.path(), "payments").err(), Some(MintError::Io { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// R08: whatever the policy lets through, the stock tool reads one atom for each value.
    #[test]
    fn every_name_is_one_atom(names in prop::collection::vec("[ -~]{1,12}", 1..4)) {
        let (_dir, mint) = mint(1);
        let cleared = Cleared::with(|profile| profile.organizations.clone_from(&names));
        if let Ok(credential) = cleared.sign(&mint) {
            let args = ["x509", "-in", "leaf", "-noout", "-subject", "-nameopt", "compat"];
            let text = said(&openssl(&args, &[("leaf", credential.certificate.as_bytes())]));
            let parts = names.iter().map(|name| format!("O = {name}")).collect::<Vec<_>>();
            let expected = format!("/{}/", parts.join("/").replace("O = ", "O="));
            prop_assert!(text.contains(&expected), "{text} {expected}");
        }
    }
}
