use std::fs;
use std::process::Command;

use breakglass_ledger::key::{KeyError, KeyType};
use data_encoding::BASE64;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::entropy::{EntropyError, SeededEntropy};
use crate::mint::tests::{NOW, mint};
use crate::sshwire::put_string;

/// What a responder was cleared for; each test changes what it is about.
#[derive(Clone)]
struct Cleared {
    holder: PrincipalId,
    lane: Lane,
    on_behalf_of: Vec<PrincipalId>,
    subject: PublicKey,
    valid_after: Timestamp,
    valid_before: Timestamp,
    profile: SshProfile,
}

impl Cleared {
    fn plain() -> Self {
        Self {
            holder: "sam".parse().unwrap(),
            lane: Lane::Normal,
            on_behalf_of: Vec::new(),
            subject: subject(KeyType::Ed25519),
            valid_after: NOW.minus(60),
            valid_before: NOW.plus(1800),
            profile: SshProfile {
                principals: texts(&["bg-dba"]),
                source_address: vec![],
                force_command: None,
                extensions: vec![],
                hosts: vec![],
            },
        }
    }

    fn full() -> Self {
        Self {
            profile: SshProfile {
                principals: texts(&["bg-web", "bg-dba"]),
                source_address: texts(&["10.20.0.0/16", "2001:db8::/32", "192.0.2.7"]),
                force_command: Some("/usr/local/bin/repair --scope \"payments db\"".to_owned()),
                extensions: texts(&["permit-pty", "permit-agent-forwarding"]),
                hosts: vec![],
            },
            ..Self::plain()
        }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            request: RequestId::new(1_795_348_700_000, [7; 10]),
            holder: &self.holder,
            lane: self.lane,
            on_behalf_of: &self.on_behalf_of,
            subject: &self.subject,
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            profile: &self.profile,
        }
    }

    /// The plain one with another profile.
    fn with(change: impl FnOnce(&mut SshProfile)) -> Self {
        let mut cleared = Self::plain();
        change(&mut cleared.profile);
        cleared
    }

    fn sign(&self, mint: &Mint) -> Result<SshCredential, MintError> {
        mint.certify(&self.terms(), 42, &SeededEntropy::new(9))
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

/// A responder's public key of this type.
fn subject(key_type: KeyType) -> PublicKey {
    let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let rng = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let p256 = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
    let mut wire = Vec::new();
    put_string(&mut wire, key_type.name().as_bytes());
    match key_type {
        KeyType::Ed25519 | KeyType::SkEd25519 => {
            put_string(&mut wire, ed25519.public_key().as_ref());
        }
        KeyType::EcdsaP256 | KeyType::SkEcdsaP256 => {
            put_string(&mut wire, b"nistp256");
            put_string(&mut wire, p256.public_key().as_ref());
        }
    }
    if matches!(key_type, KeyType::SkEd25519 | KeyType::SkEcdsaP256) {
        put_string(&mut wire, b"ssh:");
    }
    PublicKey::from_wire(&wire).unwrap()
}

/// What `ssh-keygen -L` says of a certificate, in UTC.
fn shown(certificate: &str) -> String {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("cert.pub"), format!("{certificate}\n")).unwrap();
    let args = ["-L", "-f", "cert.pub"];
    let mut command = Command::new("ssh-keygen");
    let output = command.args(args).env("TZ", "UTC").current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// R35: every certificate is read back by the stock tool, field by field.
#[test]
fn the_stock_tool_reads_what_was_cleared_and_nothing_else() {
    let (_dir, mint) = mint(1);
    let credential = Cleared::full().sign(&mint).unwrap();
    let authority = mint.public().ssh_ca.fingerprint();
    let holder = subject(KeyType::Ed25519).fingerprint();
    let expected = [
        "cert.pub:".to_owned(),
        "        Type: ssh-ed25519-cert-v01@openssh.com user certificate".to_owned(),
        format!("        Public key: ED25519-CERT {holder}"),
        format!("        Signing CA: ED25519 {authority} (using ssh-ed25519)"),
        format!("        Key ID: \"{}\"", credential.key_id),
        "        Serial: 42".to_owned(),
        "        Valid: from 2026-11-22T11:59:00 to 2026-11-22T12:30:00".to_owned(),
        "        Principals: ".to_owned(),
        "                bg-web".to_owned(),
        "                bg-dba".to_owned(),
        "        Critical Options: ".to_owned(),
        "                force-command /usr/local/bin/repair --scope \"payments db\"".to_owned(),
        "                source-address 10.20.0.0/16,2001:db8::/32,192.0.2.7".to_owned(),
        "        Extensions: ".to_owned(),
        "                permit-agent-forwarding".to_owned(),
        "                permit-pty".to_owned(),
    ];
    assert_eq!(shown(&credential.certificate).lines().collect::<Vec<_>>(), expected);
    assert_eq!(credential.subject, subject(KeyType::Ed25519).digest());
    assert_eq!(credential.principals, ["bg-web", "bg-dba"]);
    assert_eq!(credential.serial, 42);
}

#[test]
fn a_scope_without_options_gives_a_certificate_without_any() {
    let (_dir, mint) = mint(1);
    let text = shown(&Cleared::plain().sign(&mint).unwrap().certificate);
    assert!(text.contains("Critical Options: (none)\n"), "{text}");
    assert!(text.contains("Extensions: (none)\n"), "{text}");
}

#[test]
fn the_key_id_names_request_and_holder_and_fits_a_log_line() {
    let (_dir, mint) = mint(1);
    let name = "a".repeat(64);
    let longest = name.parse().unwrap();
    let credential = Cleared { holder: longest, ..Cleared::plain() }.sign(&mint).unwrap();
    let request = Cleared::plain().terms().request;
    assert_eq!(credential.key_id, format!("bg:{request}:{name}"));
    assert!(credential.key_id.len() <= 128);
    assert!(!credential.key_id.contains(' '));
}

#[test]
fn the_key_id_says_that_it_is_a_drill_and_on_whose_behalf_it_was_asked() {
    let (_dir, mint) = mint(1);
    let request = Cleared::plain().terms().request;
    let chain = vec!["sam".parse().unwrap(), "bot".parse().unwrap()];
    let plain = Cleared { holder: "sub".parse().unwrap(), ..Cleared::plain() };
    let behalf = Cleared { on_behalf_of: chain, ..plain.clone() };
    assert_eq!(behalf.sign(&mint).unwrap().key_id, format!("bg:{request}:sub:for:sam,bot"));
    let drill = Cleared { lane: Lane::Drill, ..plain };
    assert_eq!(drill.sign(&mint).unwrap().key_id, format!("bg:{request}:sub:drill"));
    let both = Cleared { lane: Lane::Drill, ..behalf };
    let credential = both.sign(&mint).unwrap();
    assert_eq!(credential.key_id, format!("bg:{request}:sub:drill:for:sam,bot"));
    assert!(shown(&credential.certificate).contains(&credential.key_id));
}

/// A name that somebody might try: of the alphabet of names and of what separates them.
fn tried() -> impl Strategy<Value = String> {
    "[a-z0-9._:,>/ \\n-]{1,12}"
}

proptest! {
    /// R08: whatever is tried as a name, a key id has as many parts as it was made of, and each is
    /// one of them; a name that would bring a separator of its own is no name.
    #[test]
    fn a_key_id_is_taken_apart_in_one_way_only(
        holder in tried(),
        chain in prop::collection::vec(tried(), 0..4),
        drill: bool,
    ) {
        let names: Result<Vec<PrincipalId>, _> =
            chain.iter().chain([&holder]).map(|name| name.parse()).collect();
        let separates = |name: &String| name.contains([':', ',', ' ', '\n', '/', '>']);
        let Ok(mut names) = names else { return Ok(()) };
        prop_assert!(!chain.iter().chain([&holder]).any(separates));
        let holder = names.pop().unwrap();
        let lane = if drill { Lane::Drill } else { Lane::Normal };
        let cleared = Cleared { holder, lane, on_behalf_of: names.clone(), ..Cleared::plain() };
        let key_id = cleared.terms().key_id();
        let mut parts: Vec<&str> = key_id.split(':').collect();
        if !names.is_empty() {
            let hops: Vec<&str> = parts.pop().unwrap().split(',').collect();
            prop_assert_eq!(hops, names.iter().map(PrincipalId::as_str).collect::<Vec<_>>());
            prop_assert_eq!(parts.pop(), Some("for"));
        }
        if drill {
            prop_assert_eq!(parts.pop(), Some("drill"));
        }
        let request = cleared.terms().request.to_string();
        prop_assert_eq!(parts, ["bg", &request, cleared.holder.as_str()]);
    }
}

#[test]
fn every_allowed_type_of_key_can_be_certified() {
    let (_dir, mint) = mint(1);
    for key_type in KeyType::ALL {
        let subject = subject(key_type);
        let fingerprint = subject.fingerprint().to_string();
        let credential = Cleared { subject, ..Cleared::full() }.sign(&mint).unwrap();
        let text = shown(&credential.certificate);
        assert!(text.contains(&fingerprint), "{key_type}: {text}");
        assert!(text.contains("user certificate"), "{key_type}: {text}");
    }
}

/// R06: a certificate is never a subject key, and the broker's own keys are not either.
#[test]
fn neither_a_certificate_nor_a_key_of_the_broker_is_certified() {
    let (_dir, mint) = mint(1);
    let certificate = Cleared::plain().sign(&mint).unwrap().certificate;
    assert!(matches!(PublicKey::from_openssh(&certificate), Err(KeyError::Type(_))));
    let log = crate::mint::ssh_key_of(mint.public().log.public_key()).unwrap();
    for own in [mint.public().ssh_ca.clone(), mint.public().lists.clone(), log] {
        let refused = Cleared { subject: own, ..Cleared::plain() }.sign(&mint);
        assert!(matches!(refused, Err(MintError::OwnKey)));
    }
}

/// R40: serial 0 could never be revoked.
#[test]
fn serial_zero_is_never_signed() {
    let (_dir, mint) = mint(1);
    let refused = mint.certify(&Cleared::plain().terms(), 0, &SeededEntropy::new(1));
    assert!(matches!(refused, Err(MintError::SerialZero)));
}

#[test]
fn a_life_that_is_empty_or_over_the_cap_is_never_signed() {
    let (_dir, mint) = mint(1);
    let lives = |before| Cleared { valid_before: before, ..Cleared::plain() }.sign(&mint);
    let cap = u64::from(Ttl::MAX.seconds());
    assert!(lives(NOW.plus(cap)).is_ok());
    for wrong in [NOW.plus(cap + 1), NOW.minus(60), NOW.minus(61), Timestamp::MAX] {
        assert!(matches!(lives(wrong), Err(MintError::Lifetime)), "{wrong}");
    }
}

/// R07: no principals, a wildcard, a comma, white space, control characters.
#[test]
fn principals_that_could_mean_more_than_one_account_are_never_signed() {
    let (_dir, mint) = mint(1);
    let with = |names: &[&str]| Cleared::with(|profile| profile.principals = texts(names));
    assert_eq!(with(&[]).refused(&mint), "principals");
    let long = "a".repeat(65);
    for name in [
        "",
        "*",
        "?",
        "a*",
        "a,b",
        "a b",
        " a",
        "a ",
        "a\n",
        "a\0",
        "a\tb",
        "!a",
        "-a",
        "ä",
        "a\"b",
        "a/b",
        "a\\b",
        "$a",
        "%u",
        long.as_str(),
    ] {
        assert_eq!(with(&["ok", name]).refused(&mint), "principals", "{name:?}");
    }
    assert_eq!(with(&["a", "a"]).refused(&mint), "principals", "twice");
    // The policy lets these pass, so they must not fail at three in the morning.
    assert!(with(&["A_1:host.x-y@z", &"a".repeat(64)]).sign(&mint).is_ok());
    let many: Vec<String> = (0..65).map(|n| format!("p{n}")).collect();
    let many = Cleared::with(|profile| profile.principals = many);
    assert_eq!(many.refused(&mint), "principals", "too many");
}

#[test]
fn networks_that_sshd_would_read_otherwise_are_never_signed() {
    let (_dir, mint) = mint(1);
    for network in [
        "",
        "any",
        "*",
        "10.20.0.1/16",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/",
        "10.0.0.0/8,0.0.0.0/0",
        "!10.0.0.0/8",
        "2001:db8::1/32",
        "::/129",
        "10.0.0/8",
        " 10.0.0.1",
        "10.0.0.1\n",
    ] {
        let wrong = Cleared::with(|profile| profile.source_address = texts(&[network]));
        assert_eq!(wrong.refused(&mint), "source-address", "{network:?}");
    }
    for network in ["0.0.0.0/0", "10.0.0.1/32", "10.0.0.1", "::1", "::/0", "fe80::/10"] {
        let good = Cleared::with(|profile| profile.source_address = texts(&[network]));
        assert!(good.sign(&mint).is_ok(), "{network}");
    }
}

#[test]
fn unknown_extensions_and_commands_of_several_lines_are_never_signed() {
    let (_dir, mint) = mint(1);
    for name in ["", "permit-everything", "permit-pty ", "login@github.com", "force-command"] {
        let wrong = Cleared::with(|profile| profile.extensions = texts(&[name]));
        assert_eq!(wrong.refused(&mint), "extensions", "{name:?}");
    }
    for command in ["", "  ", "a\nb", "a\0", "é", &"x".repeat(1025)] {
        let wrong = Cleared::with(|profile| profile.force_command = Some(command.to_owned()));
        assert_eq!(wrong.refused(&mint), "force-command", "{command:?}");
    }
}

#[test]
fn nothing_is_signed_without_randomness() {
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _bytes: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }
    let (_dir, mint) = mint(1);
    let refused = mint.certify(&Cleared::plain().terms(), 1, &Dry);
    assert!(matches!(refused, Err(MintError::Entropy(_))));
}

/// R09: limits are judged on the final certificate.
#[test]
fn a_certificate_that_differs_from_the_clearance_in_any_field_is_thrown_away() {
    let (_dir, mint) = mint(1);
    let full = Cleared::full();
    let signed = full.sign(&mint).unwrap().certificate;
    let authority = &mint.public().ssh_ca;
    let differs =
        |cleared: &Cleared, serial| match examine(&signed, &cleared.terms(), serial, authority) {
            Err(MintError::Mismatch { field }) => field,
            Err(other) => panic!("{other}"),
            Ok(()) => "",
        };
    assert_eq!(differs(&full, 42), "");
    assert_eq!(differs(&full, 43), "serial");
    let changed = |change: &dyn Fn(&mut Cleared)| {
        let mut cleared = full.clone();
        change(&mut cleared);
        differs(&cleared, 42)
    };
    assert_eq!(changed(&|c| c.holder = "ada".parse().unwrap()), "key id");
    assert_eq!(changed(&|c| c.subject = subject(KeyType::EcdsaP256)), "type");
    assert_eq!(changed(&|c| c.subject = mint.public().lists.clone()), "subject key");
    assert_eq!(changed(&|c| c.profile.principals.reverse()), "principals");
    assert_eq!(changed(&|c| c.profile.principals.truncate(1)), "principals");
    assert_eq!(changed(&|c| c.profile.principals.push("root".to_owned())), "principals");
    assert_eq!(changed(&|c| c.valid_after = c.valid_after.plus(1)), "start");
    assert_eq!(changed(&|c| c.valid_before = c.valid_before.minus(1)), "end");
    assert_eq!(changed(&|c| c.profile.force_command = None), "critical options");
    assert_eq!(changed(&|c| c.profile.source_address.truncate(1)), "critical options");
    assert_eq!(changed(&|c| c.profile.extensions.truncate(1)), "extensions");
    let (_other_dir, other) = crate::mint::tests::mint(2);
    let foreign = full.sign(&other).unwrap().certificate;
    let refused = examine(&foreign, &full.terms(), 42, authority);
    assert!(matches!(refused, Err(MintError::Mismatch { field: "authority" })));
}

#[test]
fn no_flipped_bit_and_no_missing_or_added_byte_is_passed() {
    let (_dir, mint) = mint(1);
    let cleared = Cleared::full();
    let signed = cleared.sign(&mint).unwrap().certificate;
    let (name, encoded) = signed.split_once(' ').unwrap();
    let blob = BASE64.decode(encoded.as_bytes()).unwrap();
    let passes = |blob: &[u8]| {
        let line = format!("{name} {}", BASE64.encode(blob));
        examine(&line, &cleared.terms(), 42, &mint.public().ssh_ca).is_ok()
    };
    assert!(passes(&blob));
    for bit in 0..blob.len() * 8 {
        let mut flipped = blob.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!passes(&flipped), "bit {bit}");
    }
    for length in 0..blob.len() {
        assert!(!passes(&blob[..length]), "{length} bytes");
    }
    assert!(!passes(&[blob, vec![0]].concat()));
    assert!(examine(&format!("{signed} x"), &cleared.terms(), 42, &mint.public().ssh_ca).is_err());
}

/// R36: a minted certificate is found revoked by the list of its mint, by the stock tool.
#[test]
fn the_mints_list_revokes_the_mints_certificate() {
    let (dir, mint) = mint(1);
    let credential = Cleared::plain().sign(&mint).unwrap();
    fs::write(dir.path().join("cert.pub"), credential.certificate).unwrap();
    let query = |revoked: &[u64]| {
        fs::write(dir.path().join("krl"), mint.krl(revoked, 1, NOW).unwrap().krl).unwrap();
        let args = ["-Q", "-f", "krl", "cert.pub"];
        let status = Command::new("ssh-keygen").args(args).current_dir(dir.path()).output();
        status.unwrap().status.code()
    };
    assert_eq!(query(&[41, 42, 43]), Some(1));
    assert_eq!(query(&[41, 43]), Some(0));
    assert_eq!(query(&[]), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// R08: a value with a separator in it never becomes two values.
    #[test]
    fn whatever_is_put_into_a_profile_is_one_atom_or_refused(
        name in atom("[a-z]{1,4}"), address in atom("10\\.[0-9]\\.0\\.0/16"),
    ) {
        thread_local!(static MINT: (TempDir, Mint) = mint(1));
        MINT.with(|(_dir, mint)| {
            let principals = vec!["first".to_owned(), name];
            let source_address = vec![address];
            let cleared = Cleared::with(|profile| {
                profile.principals = principals;
                profile.source_address = source_address;
            });
            if let Ok(credential) = cleared.sign(mint) {
                let text = shown(&credential.certificate);
                let atoms: Vec<&str> = text.split_whitespace().collect();
                let principals = format!("first {}", cleared.profile.principals[1]);
                let source = format!("source-address {}", cleared.profile.source_address[0]);
                let expected = format!("Principals: {principals} Critical Options: {source} Ext");
                assert!(atoms.join(" ").contains(&expected), "{text}");
            }
        });
    }
}

/// A good value, alone or with a separator and another one: as likely as not.
fn atom(good: &'static str) -> impl Strategy<Value = String> {
    let more = ("[,;: \\n\\t\"'|&!*?=]{1,2}", good).prop_map(|(separator, next)| separator + &next);
    (good, proptest::option::weighted(0.3, more))
        .prop_map(|(one, more)| one + &more.unwrap_or_default())
}
