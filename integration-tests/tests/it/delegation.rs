//! An agent of a person, with the programs that both run.

use std::fs;
use std::process::Command;

use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::sshd::said;

/// Enrols `deploy-bot`, an agent that sam answers for and that may ask for `quick`.
fn enrol(dev: &Dev) {
    let key = dev.path("broker/keys/deploy-bot");
    said(Command::new("ssh-keygen").args(["-qt", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key));
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let policy = dev.path("broker/policy");
    let people = fs::read_to_string(policy.join("people.toml")).unwrap();
    let bot = format!(
        "\n[[principal]]\nid = \"deploy-bot\"\nkind = \"agent\"\nname = \"Deployments\"\n\
         groups = [\"oncall\"]\nsponsor = \"sam\"\nkeys = [\"{}\"]\n",
        public.trim()
    );
    fs::write(policy.join("people.toml"), people + &bot).unwrap();
    let scopes = fs::read_to_string(policy.join("scopes.toml")).unwrap();
    let (before, quick) = scopes.split_once("id = \"quick\"").unwrap();
    let quick = quick.replacen("kinds = [\"human\"]", "kinds = [\"human\", \"agent\"]", 1);
    fs::write(policy.join("scopes.toml"), format!("{before}id = \"quick\"{quick}")).unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    let config = fs::read_to_string(dev.path("broker/config/sam.toml")).unwrap();
    let config = config.replace("\"sam\"", "\"deploy-bot\"").replace("/sam\"", "/deploy-bot\"");
    fs::write(dev.path("broker/config/deploy-bot.toml"), config).unwrap();
}

#[test]
fn an_agent_asks_for_a_person_who_is_seen_at_every_step() {
    let dev = Dev::start();
    enrol(&dev);
    let ask = ["request", "quick", "--reason", "sam wants to know", "--ttl", "10m"];
    let alone = dev.says("deploy-bot", &ask);
    assert_eq!(alone.code, 5, "{alone:?}");
    assert!(alone.err.contains("delegation-missing"), "{alone:?}");
    let for_another = dev.says("deploy-bot", &[&ask[..], &["--on-behalf-of", "ada"]].concat());
    assert!(for_another.err.contains("delegation-not-sponsored"), "{for_another:?}");
    let person = dev.says("sam", &[&ask[..], &["--on-behalf-of", "ada"]].concat());
    assert_eq!(person.code, 5, "a person asks for themselves: {person:?}");

    let asked = dev.done("deploy-bot", &[&ask[..], &["--on-behalf-of", "sam"]].concat());
    let id = asked.lines().next().unwrap();
    assert!(dev.done("ada", &["pending"]).contains("deploy-bot for sam"));
    assert!(dev.done("ada", &["show", id]).contains("on behalf of sam"));
    assert_eq!(dev.says("deploy-bot", &["approve", id, "--yes"]).code, 5);
    dev.done("ada", &["approve", id, "--yes"]);
    dev.done("deploy-bot", &["collect", id, "--out", "credential"]);
    let certificate = dev.path("credential/id-cert.pub");
    let shown = Command::new("ssh-keygen").arg("-Lf").arg(certificate).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("Key ID: \"bg:{id}:deploy-bot:for:sam\"")), "{shown}");
    // Whoever locks the person stops the agent too.
    dev.done("bob", &["lock", "principal:sam", "--message", "on leave", "--yes"]);
    assert_eq!(dev.says("deploy-bot", &["status", id]).code, 6);
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
}
