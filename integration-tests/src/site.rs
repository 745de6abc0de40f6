//! A deployment on disk, made by the real `breakglassd init`, for the real daemon to serve.

use std::path::{Path, PathBuf};

use breakglass_ledger::audit::TrustFile;
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::Statement;

use crate::daemon::{Daemon, Ended, breakglassd, breakglassd_through, run};
use crate::people::Person;

/// Name of the deployment.
pub const NAME: &str = "payments";

/// Limits that no test runs into unless it wants to.
pub const ROOMY: &str = "[limits]\nconnections = 8192\nconnections-per-address = 8192\n\
connects = { per-second = 1000000, burst = 1000000 }\n\
calls-per-address = { per-second = 1000000, burst = 1000000 }\n\
acts-per-principal = { per-second = 1000000, burst = 1000000 }\n\
reads-per-principal = { per-second = 1000000, burst = 1000000 }\n";

/// A policy directory and a state directory; removed when dropped.
pub struct Site {
    dir: tempfile::TempDir,
    /// The policy's files as they were written.
    pub files: Files,
}

impl Site {
    /// A founded deployment under the sample policy: sam, ada, bob, eve, and pia who signs it.
    #[must_use]
    pub fn sample() -> Self {
        Self::of(&["pia", "sam", "ada", "bob", "eve"])
    }

    /// A founded deployment under the sample policy for these people.
    #[must_use]
    pub fn of(people: &[&str]) -> Self {
        Self::founded(Self::planned(people))
    }

    /// A founded deployment under `files`, which pia signs with her own key.
    #[must_use]
    pub fn under(files: Files) -> Self {
        Self::founded(Self::written(files))
    }

    fn founded(site: Self) -> Self {
        site.found();
        site
    }

    /// Both runs of `init`, and pia's signature between them.
    ///
    /// # Panics
    ///
    /// Panics if one of them does not end as it should.
    pub fn found(&self) {
        let first = self.init();
        assert_eq!(first.code, Some(3), "a signature is missing: {first:?}");
        self.sign();
        let second = self.init();
        assert_eq!(second.code, Some(0), "{second:?}");
    }

    /// A policy directory, and no state yet.
    ///
    /// # Panics
    ///
    /// Panics if files cannot be written.
    #[must_use]
    pub fn planned(people: &[&str]) -> Self {
        let people: Vec<Person> = people.iter().map(|name| Person::named(name)).collect();
        let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
        Self::written(sample(&listed))
    }

    /// The same for these files.
    ///
    /// # Panics
    ///
    /// Panics if files cannot be written.
    #[must_use]
    pub fn written(files: Files) -> Self {
        let site = Self { dir: tempfile::tempdir().expect("a directory"), files };
        std::fs::create_dir_all(site.policy().join("signatures")).expect("a directory");
        for name in Files::NAMES {
            write(&site.policy().join(name), site.files.get(name).expect("a file"));
        }
        site
    }

    /// The directory that holds everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The policy directory.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.dir().join("policy")
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// The database, its guard and its lock.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state().join("ledger")
    }

    /// One run of `breakglassd init`.
    #[must_use]
    pub fn init(&self) -> Ended {
        run(&mut self.initialising())
    }

    /// `breakglassd init`, not yet started.
    #[must_use]
    pub fn initialising(&self) -> std::process::Command {
        let mut command = breakglassd();
        command.arg("init").arg("--state").arg(self.state()).arg("--policy").arg(self.policy());
        command.args(["--name", NAME]);
        command
    }

    /// pia signs the manifest that `init` wrote.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub fn sign(&self) {
        let manifest = std::fs::read(self.policy().join("manifest")).expect("a manifest");
        let manifest = Statement::parse(&manifest).expect("a statement");
        let signature = Person::named("pia").sign(&manifest);
        let path = self.policy().join("signatures").join("pia.sig");
        write(&path, signature.armored().as_bytes());
    }

    /// Writes a configuration for ports of the system's choice, with `more` at its end.
    #[must_use]
    pub fn config(&self, more: &str) -> PathBuf {
        let path = self.dir().join("breakglassd.toml");
        let state = self.state();
        let text = format!(
            "state = \"{}\"\nlisten = \"127.0.0.1:0\"\nweb = \"127.0.0.1:0\"\n{more}",
            state.display()
        );
        write(&path, text.as_bytes());
        path
    }

    /// The daemon, with limits that nobody runs into.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn serve(&self) -> Daemon {
        self.serve_with(ROOMY, &[]).expect("the daemon starts")
    }

    /// The daemon, with `more` in its configuration, started through the program `before`.
    ///
    /// # Errors
    ///
    /// [`Ended`] if it does not start.
    pub fn serve_with(&self, more: &str, before: &[&str]) -> Result<Daemon, Ended> {
        let config = self.config(more);
        Daemon::start(breakglassd_through(before).arg("serve").arg("--config").arg(config))
    }

    /// One run of `breakglassd check`: everything derived is derived again and compared.
    #[must_use]
    pub fn check(&self) -> Ended {
        run(breakglassd().arg("check").arg("--state").arg(self.state()))
    }

    /// What `init` wrote for reviewers.
    ///
    /// # Panics
    ///
    /// Panics if it did not.
    #[must_use]
    pub fn trust(&self) -> TrustFile {
        let text = std::fs::read_to_string(self.state().join("trust.toml")).expect("a trust file");
        TrustFile::parse(&text).expect("in form")
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.trust().log
    }

    /// The certificate that clients pin, PEM.
    ///
    /// # Panics
    ///
    /// Panics if there are no keys.
    #[must_use]
    pub fn ca(&self) -> String {
        std::fs::read_to_string(self.state().join("keys").join("tls-ca.crt"))
            .expect("a certificate")
    }
}

fn write(path: &Path, content: &[u8]) {
    std::fs::write(path, content).expect("written");
}
