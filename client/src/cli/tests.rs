use clap::CommandFactory;

use super::*;

const ID: &str = "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d";

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_worked_examples() {
    fn look(command: &clap::Command, path: &str) {
        for verb in command.get_subcommands() {
            let path = format!("{path} {}", verb.get_name());
            if verb.has_subcommands() {
                look(verb, &path);
                continue;
            }
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{path} has no examples");
            assert!(help.contains(path.trim()), "{path}: its examples never show it");
            // Help is at most this wide; what is wider is broken into lines that nobody can paste.
            let wide = help.lines().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None, "{path}");
        }
    }
    look(&Cli::command(), "breakglass");
}

#[test]
fn lengths_and_ids_are_checked_before_anything_is_sent() {
    let parse = |arguments: &[&str]| Cli::try_parse_from(arguments).map(drop);
    assert!(parse(&["breakglass", "request", "db", "--ttl", "30m"]).is_ok());
    assert!(parse(&["breakglass", "request", "db", "--ttl", "30"]).is_err());
    assert!(parse(&["breakglass", "request", "db", "--ttl", "13h"]).is_err());
    assert!(parse(&["breakglass", "request", "DB"]).is_err());
    assert!(parse(&["breakglass", "request", "db", "--deadline", "1m"]).is_err());
    assert!(parse(&["breakglass", "show", ID]).is_ok());
    assert!(parse(&["breakglass", "show", &ID.to_uppercase()]).is_err());
    assert!(parse(&["breakglass", "deny", ID]).is_err());
    assert!(parse(&["breakglass", "collect", ID, "--agent", "--out", "x"]).is_err());
}

#[test]
fn a_usage_error_ends_with_the_usage_code() {
    let error = Cli::try_parse_from(["breakglass", "frobnicate"]).unwrap_err();
    assert_eq!(error.exit_code(), i32::from(crate::failure::Exit::Usage.code()));
}
