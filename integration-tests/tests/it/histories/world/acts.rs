//! What is about more than one request: locks, outages, reviews, and asking in any lane.

use std::rc::Rc;
use std::sync::mpsc::channel;

use breakglass_broker::desk::Probed;
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::entry::Evidence as Seen;
use breakglass_ledger::statement::{
    Act, Ask, Declare, Kind, Lane, Lock, Resolve, Review, ReviewVerdict, Target, Unlock,
};

use super::super::step::{self, CHAINS, Found, Twist, What};
use super::{Fresh, Signer, World};

impl World {
    pub(super) fn ask_in(
        &mut self,
        (who, key): (&'static str, u32),
        scope: &str,
        ttl: u32,
        lane: step::Lane,
        chain: usize,
    ) {
        let subject = Signer::numbered("subject", u32::try_from(self.asked.len()).unwrap());
        let chain = CHAINS[chain].iter().map(|name| name.parse().unwrap()).collect();
        let ask = self.asking(who, scope, ttl, lane, &subject);
        self.request((who, key), Ask { on_behalf_of: chain, ..ask }, subject);
    }

    /// For `kinds` of the scope that has all of them.
    pub(super) fn ask_for(
        &mut self,
        who: &'static str,
        kinds: &[Kind],
        ttl: u32,
        lane: step::Lane,
    ) {
        let subject = Signer::Fresh(Rc::new(Fresh::fresh()));
        let ask = self.asking(who, "trio", ttl, lane, &subject);
        self.request((who, 0), Ask { kinds: kinds.to_vec(), ..ask }, subject);
    }

    fn asking(&self, who: &str, scope: &str, ttl: u32, lane: step::Lane, subject: &Signer) -> Ask {
        let number = u64::try_from(self.asked.len()).unwrap();
        let lane = match lane {
            step::Lane::Normal => Lane::Normal,
            step::Lane::Outage => Lane::Outage,
            step::Lane::Emergency => Lane::Emergency,
            step::Lane::Drill => Lane::Drill,
        };
        Ask { lane, ..ask(who, scope, ttl, number, subject.key()) }
    }

    fn request(&mut self, (who, key): (&'static str, u32), ask: Ask, subject: Signer) {
        let id = ask.id;
        let statement = self.say(Act::Request(ask), Twist::Nothing);
        let digest = statement.digest();
        self.send(&Signer::numbered(who, key), statement);
        self.asked.push(super::Asked { digest, id, by: who, subject, issued: None });
    }

    pub(super) fn lock(&mut self, who: &'static str, what: What, seconds: Option<u64>) {
        let target = match what {
            What::Principal(name) => Target::Principal(name.parse().unwrap()),
            What::Key(name, number) => {
                Target::Key(Person::numbered(name, number).key().fingerprint())
            }
            What::Scope(scope) => Target::Scope(scope.parse().unwrap()),
            What::Host(host) => Target::Host(host.parse().unwrap()),
            What::Subject(_) | What::Grant(_) if self.asked.is_empty() => return,
            What::Subject(of) => {
                Target::Key(self.asked[self.index(of)].subject.key().fingerprint())
            }
            What::Grant(of) => Target::Grant(self.asked[self.index(of)].id),
        };
        let until = seconds.map(|seconds| self.house.now().plus(seconds));
        let by = who.parse().unwrap();
        let statement =
            self.say(Act::Lock(Lock { by, target, until, comment: None }), Twist::Nothing);
        self.locks.push(statement.digest());
        self.send(&Signer::numbered(who, 0), statement);
    }

    pub(super) fn unlock(&mut self, who: &'static str, of: usize) {
        let Some(last) = self.locks.len().checked_sub(1) else { return };
        let (lock, by) = (self.locks[of.min(last)], who.parse().unwrap());
        self.say_and_send(who, Act::Unlock(Unlock { by, lock, comment: None }), Twist::Nothing);
    }

    pub(super) fn declare(&mut self, who: &'static str, what: &str, seconds: Option<u64>) {
        let until = seconds.map(|seconds| self.house.now().plus(seconds));
        let (by, dependency) = (who.parse().unwrap(), what.parse().unwrap());
        let act = Act::Declare(Declare { by, dependency, until, comment: None });
        self.say_and_send(who, act, Twist::Nothing);
    }

    pub(super) fn resolve(&mut self, who: &'static str, what: &str) {
        let (by, dependency) = (who.parse().unwrap(), what.parse().unwrap());
        let act = Act::Resolve(Resolve { by, dependency, comment: None });
        self.say_and_send(who, act, Twist::Nothing);
    }

    pub(super) fn probe(&self, down: bool) {
        let saw = if down { "timeout" } else { "up" };
        let evidence = vec![Seen {
            probe: "discovery".parse().unwrap(),
            rounds: 3,
            saw: saw.parse().unwrap(),
            since: self.house.now(),
        }];
        let dependency = "okta".parse().unwrap();
        let (reply, told) = channel();
        let probed = Probed::Measured { dependency, down, evidence };
        self.house.desk().probed(probed, Box::new(move |said| drop(reply.send(said)))).unwrap();
        told.recv().unwrap().unwrap();
    }

    pub(super) fn review(&mut self, of: usize, who: &'static str, verdict: Found) {
        let Some(request) = self.about(of, Twist::Nothing) else { return };
        let verdict = match verdict {
            Found::Justified => ReviewVerdict::Justified,
            Found::Unjustified => ReviewVerdict::Unjustified,
            Found::Inconclusive => ReviewVerdict::Inconclusive,
        };
        let act = Act::Review(Review { request, by: who.parse().unwrap(), verdict, comment: None });
        self.say_and_send(who, act, Twist::Nothing);
    }

    /// The desk starts again on what was on the disk while the one before was at work: what a kill
    /// leaves.
    pub(super) fn kill(&mut self) {
        let parent = self.house.dir.path().parent().unwrap();
        let left = tempfile::tempdir_in(parent).unwrap();
        copy_all(self.house.dir.path(), left.path());
        self.house.stop();
        self.house.dir = left;
        self.house.start();
        self.recheck();
    }

    /// As the daemon does after each start.
    pub(super) fn recheck(&self) {
        self.house.desk().recheck(&|| false).unwrap();
        assert!(self.house.desk().minting(), "what is derived contradicts the ledger");
    }
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    let (folders, files): (Vec<_>, Vec<_>) = std::fs::read_dir(from)
        .unwrap()
        .map(|found| found.unwrap())
        .partition(|found| found.file_type().unwrap().is_dir());
    for folder in folders {
        let inner = to.join(folder.file_name());
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(&inner, folder.metadata().unwrap().permissions()).unwrap();
        copy_all(&folder.path(), &inner);
    }
    for file in files {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
