//! PKCS#11 tokens in software (softhsm2), and deployments whose keys are in one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::daemon::{Daemon, run};
use crate::site::{ROOMY, Site};

/// What opens every token.
pub const PIN: &str = "canary-pin-1234";
/// The library, as Debian installs it.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The first token.
pub const TOKEN: &str = "breakglass";

/// Tokens in a directory of their own; removed when dropped.
pub struct Hsm(tempfile::TempDir);

impl Default for Hsm {
    fn default() -> Self {
        Self::new()
    }
}

impl Hsm {
    /// One token, [`TOKEN`].
    ///
    /// # Panics
    ///
    /// Panics if there is no softhsm2.
    #[must_use]
    pub fn new() -> Self {
        let hsm = Self(tempfile::tempdir().expect("a directory"));
        std::fs::create_dir(hsm.tokens()).expect("made");
        let config = format!("directories.tokendir = {}\n", hsm.tokens().display());
        std::fs::write(hsm.conf(), config).expect("written");
        hsm.write_pin(PIN);
        hsm.add(TOKEN);
        hsm
    }

    /// Another token, with this label.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be made.
    pub fn add(&self, label: &str) {
        let mut init = Command::new("softhsm2-util");
        init.args(["--init-token", "--free", "--label", label]);
        init.args(["--pin", PIN, "--so-pin", "officer"]);
        let done = init.env("SOFTHSM2_CONF", self.conf()).output().expect("softhsm2-util");
        assert!(done.status.success(), "{done:?}");
    }

    /// The token with this label is no more, and neither are its keys.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub fn destroy(&self, label: &str) {
        let mut delete = Command::new("softhsm2-util");
        delete.args(["--delete-token", "--token", label]).env("SOFTHSM2_CONF", self.conf());
        let done = delete.output().expect("softhsm2-util");
        assert!(done.status.success(), "{done:?}");
    }

    /// A P-256 key of this label in the first token, which can be copied out of it.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be made.
    pub fn make_movable(&self, label: &str) {
        let mut tool = Command::new("pkcs11-tool");
        tool.args(["--module", MODULE, "--token-label", TOKEN, "--login", "--pin", PIN]);
        tool.args(["--keypairgen", "--key-type", "EC:prime256v1", "--extractable"]);
        tool.args(["--label", label]).env("SOFTHSM2_CONF", self.conf());
        let done = tool.output().expect("pkcs11-tool");
        assert!(done.status.success(), "{done:?}");
    }

    fn tokens(&self) -> PathBuf {
        self.0.path().join("tokens")
    }

    /// Where the library reads of its tokens.
    #[must_use]
    pub fn conf(&self) -> PathBuf {
        self.0.path().join("softhsm2.conf")
    }

    fn pin(&self) -> PathBuf {
        self.0.path().join("pin")
    }

    /// The file with the PIN says this from here on.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be written.
    pub fn write_pin(&self, pin: &str) {
        std::fs::write(self.pin(), format!("{pin}\n")).expect("written");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.pin(), mode).expect("its owner's");
    }

    /// What a process needs in its environment to see the tokens.
    #[must_use]
    pub fn environment(&self) -> String {
        format!("SOFTHSM2_CONF={}", self.conf().display())
    }

    /// The place of a key, as the configuration says it.
    #[must_use]
    pub fn place(&self, token: &str, key: &str) -> String {
        self.place_through(MODULE, token, key)
    }

    fn place_through(&self, module: &str, token: &str, key: &str) -> String {
        let pin = self.pin();
        format!(
            "{{ module = \"{module}\", token = \"{token}\", key = \"{key}\", pin = \"{}\" }}",
            pin.display()
        )
    }

    /// All three keys in the token, through the library `module`.
    #[must_use]
    pub fn keys(&self, module: &str) -> String {
        let one = |role: &str| {
            format!("[keys.{role}]\npkcs11 = {}\n", self.place_through(module, TOKEN, role))
        };
        ["ssh-ca", "x509-ca", "jwt-key"].map(one).concat()
    }

    /// Every token is pulled out.
    ///
    /// # Panics
    ///
    /// Panics if they are out already.
    pub fn remove(&self) {
        std::fs::rename(self.tokens(), self.0.path().join("away")).expect("moved");
        std::fs::create_dir(self.tokens()).expect("made");
    }

    /// And put back; what was made meanwhile is gone.
    ///
    /// # Panics
    ///
    /// Panics if they are not out.
    pub fn put_back(&self) {
        std::fs::remove_dir_all(self.tokens()).expect("removed");
        std::fs::rename(self.0.path().join("away"), self.tokens()).expect("moved");
    }

    /// A deployment whose keys were made in the token, where this is planned.
    ///
    /// # Panics
    ///
    /// Panics if `init` does not end as it should.
    #[must_use]
    pub fn found(&self, site: Site) -> Site {
        let config = site.config(&self.keys(MODULE));
        let init = || {
            run(site.initialising().arg("--config").arg(&config).env("SOFTHSM2_CONF", self.conf()))
        };
        let first = init();
        assert_eq!(first.code, Some(3), "{first:?}");
        site.sign();
        let second = init();
        assert_eq!(second.code, Some(0), "{second:?}");
        site
    }

    /// The daemon of `site`, which sees the tokens through `module`, with `more` in its configuration.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn serve(&self, site: &Site, module: &str, more: &str) -> Daemon {
        let more = format!("{ROOMY}{more}{}", self.keys(module));
        site.serve_with(&more, &["env", &self.environment()]).expect("the daemon starts")
    }
}
