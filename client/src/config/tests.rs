use super::*;

fn written(text: &str) -> (tempfile::TempDir, Given) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (dir, Given { config: Some(path), ..Given::default() })
}

/// R29: unknown input is never ignored.
#[test]
fn an_unknown_key_is_refused_with_its_name_and_line() {
    let (_dir, given) = written("by = \"sam\"\nbroker = [\"a:1\"]\n");
    let error = Config::load(&given).unwrap_err();
    let ConfigError::Line { line, rule, .. } = &error else { panic!("{error}") };
    assert_eq!(*line, 2);
    assert!(rule.contains("`broker`"), "{rule}");
    assert_eq!(crate::failure::Failure::from(error).exit(), crate::failure::Exit::Usage);
}

/// R38: a list is never read out of a bare string.
#[test]
fn a_bare_string_is_not_a_list_of_brokers() {
    let (_dir, given) = written("brokers = \"a:1\"\n");
    assert!(matches!(Config::load(&given), Err(ConfigError::Line { line: 1, .. })));
}

#[test]
fn a_flag_beats_the_file() {
    let (_dir, mut given) = written("by = \"sam\"\nbrokers = [\"a:1\"]\n");
    given.by = Some("ada".to_owned());
    given.brokers = vec!["b:2".to_owned(), "[::1]:3".to_owned()];
    let config = Config::load(&given).unwrap();
    assert_eq!(config.by().unwrap().as_str(), "ada");
    assert_eq!(config.brokers().unwrap(), ["b:2", "[::1]:3"]);
}

#[test]
fn what_is_missing_is_named_with_its_flag_and_variable() {
    let (_dir, given) = written("");
    let config = Config::load(&given).unwrap();
    let failure = crate::failure::Failure::from(config.brokers().unwrap_err());
    let text = failure.to_string();
    for word in ["`brokers`", "--broker", "BREAKGLASS_BROKERS"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_file_that_was_named_must_exist() {
    let given = Given { config: Some("/nonexistent/x.toml".into()), ..Given::default() };
    assert!(matches!(Config::load(&given), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn an_address_needs_a_port_and_nothing_odd() {
    for good in ["10.0.0.5:7700", "broker.example.com:7700", "[::1]:1", "localhost:65535"] {
        assert!(is_address(good), "{good}");
    }
    for bad in ["10.0.0.5", "host:0", "host:65536", ":1", "http://host:1", "a b:1", "[x]:1", "h:"] {
        assert!(!is_address(bad), "{bad}");
    }
}

#[test]
fn a_relative_path_counts_from_the_file() {
    let (dir, given) = written("tls-ca = \"ca.pem\"\nkey = \"keys/sam\"\nstate-dir = \"state\"\n");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
    let config = Config::load(&given).unwrap();
    assert_eq!(config.tls_ca().unwrap(), pem);
    assert_eq!(config.key().unwrap(), KeyChoice::File(dir.path().join("keys/sam")));
    assert_eq!(config.state_dir().unwrap(), dir.path().join("state"));
}

#[test]
fn a_ca_without_a_certificate_is_refused() {
    let (_dir, given) = written("tls-ca = \"-----BEGIN PUBLIC KEY-----\"\n");
    let config = Config::load(&given).unwrap();
    assert!(matches!(config.tls_ca(), Err(ConfigError::Value { key: "tls-ca", .. })));
}

#[test]
fn the_three_kinds_of_key_are_told_apart() {
    let print = format!("SHA256:{}", "A".repeat(43));
    assert_eq!(KeyChoice::parse(&print).unwrap(), KeyChoice::Agent(print));
    assert_eq!(KeyChoice::parse("ssh-keygen:/k").unwrap(), KeyChoice::SshKeygen("/k".into()));
    assert_eq!(KeyChoice::parse("/k").unwrap(), KeyChoice::File("/k".into()));
    assert!(KeyChoice::parse("SHA256:short").is_err());
    assert!(KeyChoice::parse("").is_err());
}
