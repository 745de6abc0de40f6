//! A runbook that nobody ran is a rumour: every command in `README.md` and `runbooks/` is run here,
//! against the real programs, and has to print what the document says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use breakglass_broker::config::Config;
use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::paper::{Paper, SIGNS, missing};
use breakglass_integration_tests::rehearsal::{Rehearsal, programs};
use breakglass_integration_tests::sshd::{listening, make_privilege_separation_directory, said};
use breakglass_integration_tests::wait::{SOON, until};

/// What every runbook consists of, in this order (style: runbooks).
const HEADINGS: [&str; 5] =
    ["When", "Before you start", "Steps", SIGNS, "What the ledger now says"];

#[test]
fn break_glass_is_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    let _broker = broker(&place);
    let host = Host::start(&place.dir().join(BROKER), &place.dir().join("host"));
    // What a person's ~/.ssh/config says about a host; ssh itself is the real one.
    let ssh = format!("#!/bin/sh\nexec /usr/bin/ssh -F '{}' \"$@\"\n", host.client().display());
    place.program("ssh", &ssh);
    rehearse(&mut place, "break-glass.md");
    until("sshd logs whose key it accepted", SOON, || {
        let log = host.log();
        ["Accepted publickey", "ID bg:req-"].iter().all(|part| log.contains(part)).then_some(())
    });
}

#[test]
fn approving_at_3_am_is_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    let _broker = broker(&place);
    rehearse(&mut place, "approve-at-3am.md");
}

#[test]
fn an_outage_is_declared_and_resolved_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    let _broker = broker(&place);
    rehearse(&mut place, "outage.md");
}

#[test]
fn a_host_is_set_up_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    let broker = broker(&place);
    place.set("BROKER_WEB", broker.web.to_string());
    rehearse(&mut place, "hosts.md");
}

#[test]
fn a_cluster_is_wired_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    // The page starts the broker itself, with the configuration that it has changed.
    broker(&place).stop();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    place.set("API_PORT", port.to_string());
    rehearse(&mut place, "kubernetes.md");
}

#[test]
fn the_ledger_is_verified_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    let _broker = broker(&place);
    rehearse(&mut place, "verify-the-ledger.md");
}

#[test]
fn keys_are_kept_as_their_runbook_says() {
    let mut place = Rehearsal::new();
    let _broker = broker(&place);
    rehearse(&mut place, "keys.md");
}

#[test]
fn a_key_is_replaced_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    // Its steps need a stopped daemon.
    broker(&place).stop();
    rehearse(&mut place, "rotation.md");
}

#[test]
fn a_key_goes_into_a_token_as_its_runbook_says() {
    let mut place = Rehearsal::new();
    // Its steps need a stopped daemon.
    broker(&place).stop();
    rehearse(&mut place, "tokens.md");
}

#[test]
fn every_runbook_is_in_the_index_and_rehearsed() {
    let index = fs::read_to_string(runbooks().join("README.md")).unwrap();
    let this = include_str!("runbooks.rs");
    for name in names() {
        assert!(index.contains(&format!("]({name})")), "{name} is not in runbooks/README.md");
        assert!(
            this.contains(&format!("rehearse(&mut place, \"{name}\")")),
            "nothing rehearses {name}"
        );
    }
}

#[test]
fn every_runbook_has_the_five_headings_and_signs_of_success() {
    for name in names() {
        let paper = read(&runbooks().join(&name));
        assert_eq!(paper.headings, HEADINGS, "{name}");
        assert!(!paper.signs.is_empty(), "{name}: nothing quoted tells that it worked");
        assert!(!paper.reader.is_empty(), "{name} does not say who its reader is");
    }
}

#[test]
fn the_readme_does_what_it_says() {
    let mut place = Rehearsal::new();
    let root = root();
    let target = place.dir().join("target");
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(programs(), target.join("release")).unwrap();
    std::os::unix::fs::symlink(root.join("runbooks"), place.dir().join("runbooks")).unwrap();
    // The programs are built, or this test would not run; in this profile, which is as good here.
    place.program("cargo", "#!/bin/sh\n[ \"$*\" = 'build --release' ]\n");
    let paper = read(&root.join("README.md"));
    place.run(&paper).unwrap_or_else(|faults| panic!("README.md\n{}", faults.join("\n")));
    // The lines for sshd are in form, and so are the files that the commands put where they point.
    let etc = place.dir().join("etc");
    let config = configure(&etc, &place.dir().join("sshd"), 1);
    make_privilege_separation_directory();
    let tried = Command::new(SSHD).arg("-t").arg("-f").arg(&config).output().unwrap();
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    for name in ["ssh-ca.pub", "krl", "principals/root"] {
        assert!(etc.join(name).metadata().unwrap().len() > 0, "{name}");
    }
}

#[test]
fn the_example_configuration_is_one() {
    let config = Config::read(&runbooks().join("breakglassd.example.toml")).unwrap();
    assert_eq!(config.state, Path::new("/var/lib/breakglass"));
}

/// systemd passes over a key that it does not know, with a word and without an error.
#[test]
fn systemd_has_nothing_to_say_about_the_example_unit() {
    let installed = "/usr/local/bin/breakglassd";
    let unit = fs::read_to_string(runbooks().join("breakglassd.service")).unwrap();
    assert!(unit.contains(installed));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("breakglassd.service");
    let ours = programs().join("breakglassd").display().to_string();
    fs::write(&path, unit.replace(installed, &ours)).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let told = verify.args(["verify", "--man=no"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.is_empty(), "{said}");
}

/// The example says of each key that it is optional what the default is; so it may be uncommented.
#[test]
fn every_line_that_the_example_leaves_out_may_be_put_in() {
    let text = fs::read_to_string(runbooks().join("breakglassd.example.toml")).unwrap();
    let put_in: String = text.lines().map(|line| format!("{}\n", uncommented(line))).collect();
    assert_ne!(text, put_in);
    let dir = tempfile::tempdir().unwrap();
    let (given, all) = (dir.path().join("given.toml"), dir.path().join("all.toml"));
    fs::write(&given, &text).unwrap();
    fs::write(&all, &put_in).unwrap();
    let (given, all) = (Config::read(&given).unwrap(), Config::read(&all).unwrap());
    assert_eq!(all.limits, given.limits, "the defaults in the example are not the defaults");
    assert_eq!((all.listen, all.web), (given.listen, given.web));
}

/// `#key = value` without its mark; comments for people have a blank after it.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        Some(_) | None => line,
    }
}

/// `breakglassd dev`, with everything in a directory of the rehearsal.
fn broker(place: &Rehearsal) -> Daemon {
    Daemon::dev(&place.dir().join(BROKER)).unwrap()
}

fn rehearse(place: &mut Rehearsal, name: &str) {
    let paper = read(&runbooks().join(name));
    let broker = place.dir().join(BROKER);
    let config = broker.join("config").join(format!("{}.toml", paper.reader));
    place.set("BREAKGLASS_CONFIG", config);
    place.set("DIR", broker);
    place.run(&paper).unwrap_or_else(|faults| panic!("{name}\n{}", faults.join("\n")));
    let printed = place.printed(&paper);
    for (line, sign) in &paper.signs {
        let is_there = missing(&format!("…{sign}…"), &printed).is_none();
        assert!(is_there, "{name}, line {line}: `{sign}` was never printed:\n{printed}");
    }
}

/// A host whose sshd is configured by the lines in `README.md`.
struct Host {
    child: Child,
    dir: PathBuf,
}

impl Host {
    fn start(broker: &Path, dir: &Path) -> Self {
        let etc = dir.join("etc");
        fs::create_dir_all(etc.join("principals")).unwrap();
        let state = broker.join("state");
        fs::copy(state.join("ssh-ca.pub"), etc.join("ssh-ca.pub")).unwrap();
        let login = said(Command::new("id").arg("-un"));
        fs::write(etc.join("principals").join(&login), "bg-root\n").unwrap();
        std::os::unix::fs::symlink(state.join("lists/current/krl"), etc.join("krl")).unwrap();
        let (child, port) = listening(dir, |port| drop(configure(&etc, dir, port)));
        let public = fs::read_to_string(dir.join("key.pub")).unwrap();
        fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        let client = format!(
            "Match originalhost db1.example.com\n  HostName 127.0.0.1\n  Port {port}\n  \
             User {login}\n  UserKnownHostsFile {}\n  BatchMode yes\n",
            dir.join("known_hosts").display(),
        );
        fs::write(dir.join("client"), client).unwrap();
        Self { child, dir: dir.to_owned() }
    }

    fn client(&self) -> PathBuf {
        self.dir.join("client")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The README's lines for sshd, pointed at `etc`, and what a test host needs besides.
fn configure(etc: &Path, dir: &Path, port: u16) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    let key = dir.join("key");
    if !key.exists() {
        said(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    }
    let readme = read(&root().join("README.md"));
    let lines = readme.files.iter().filter(|(language, _)| language == "sshd_config");
    let lines: String = lines.map(|(_, text)| text.as_str()).collect();
    assert!(lines.contains("RevokedKeys /etc/ssh/breakglass/krl"), "{lines}");
    let lines = lines.replace("/etc/ssh/breakglass", &etc.display().to_string());
    let dir = dir.display();
    // As root, sshd wants this directory, which distributions make when the service starts.
    if said(Command::new("id").arg("-u")) == "0" {
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let path = PathBuf::from(format!("{dir}/sshd_config"));
    let rest = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/key\nPidFile none\nUsePAM no\n\
         StrictModes no\nLogLevel VERBOSE\n"
    );
    fs::write(&path, lines + &rest).unwrap();
    path
}

fn read(path: &Path) -> Paper {
    let text = fs::read_to_string(path).unwrap();
    Paper::read(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// Every runbook's file name.
fn names() -> Vec<String> {
    let files = fs::read_dir(runbooks()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".md") && name != "README.md").collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    names
}

fn runbooks() -> PathBuf {
    root().join("runbooks")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Where the rehearsal's broker is.
const BROKER: &str = "broker";

/// sshd wants to be called by its full name, because it runs itself again for each connection.
const SSHD: &str = "/usr/sbin/sshd";
