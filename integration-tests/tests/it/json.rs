//! `-o json`: one value on stdout for every verb that is done, and nothing beside it.

use breakglass_integration_tests::dev::Dev;

#[test]
fn every_verb_that_is_done_prints_one_json_value() {
    let dev = Dev::start();
    let done = |who: &str, words: &[&str]| {
        assert!(dev.json(who, words).is_object(), "{words:?}");
    };
    let ask = |scope: &str, more: &[&str]| {
        let words = ["request", scope, "--reason", "disk full", "--incident", "INC-1", "--ttl=10m"];
        let id = dev.json("sam", &[&words[..], more].concat())["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("req-"), "{id}");
        id
    };
    let path = |name: &str| dev.path(name).to_str().unwrap().to_owned();
    let id = ask("quick", &[]);
    for words in [vec!["pending"], vec!["show", &id], vec!["approve", &id, "--yes"]] {
        done("ada", &words);
    }
    done("sam", &["status", &id]);
    done("sam", &["collect", &id, "--out", &path("credential")]);
    done("sam", &["grants"]);
    done("sam", &["drop", &id]);
    // Waiting, too, comes to one value, which has the id.
    let waited = ask("solo", &["--wait", "--out", &path("solo")]);
    done("ada", &["cancel", &waited, "--reason", "enough", "--yes"]);
    done("sam", &["withdraw", &ask("quick", &[])]);
    done("ada", &["deny", &ask("quick", &[]), "--reason", "not now", "--yes"]);
    let (export, trust, policy) =
        (path("export"), path("broker/trust.toml"), path("broker/policy"));
    done("sam", &["audit", "export", "--out", &export]);
    done("sam", &["audit", "verify", &export, "--trust", &trust]);
    done("sam", &["audit", "show", &export]);
    done("pia", &["policy", "check", &policy]);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/sample-policy");
    done("pia", &["policy", "test", sample]);
    done("pia", &["policy", "diff", sample, sample]);
    let ask = ["policy", "explain", sample, "--scope=payments-logs", "--who=sam"];
    done("pia", &ask);
    done("pia", &["policy", "sign", &policy]);
    done("sam", &["completions", "bash"]);
    done("sam", &["man", "approve"]);
}
