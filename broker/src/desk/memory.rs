//! What the sequencer remembers between batches. All of it is a fold over the ledger: it is thrown
//! away after any failed transaction and read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry, Issued, Revoked};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{Origin, ScopeId};
use breakglass_ledger::statement::{Kind, Lane, List};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::eligibility::Rules;
use breakglass_rules::{Pending, Request, World};

use super::DeskError;
use super::agenda::Agenda;
use super::folded::Folded;
use super::live::Live;
use super::published::Lists;
use super::recall::{self, Recall};
use super::reread::{compile, fold, read_policy, read_world, unreadable};
use super::tokens::Tokens;
use super::vouch::News;
use crate::crl::{Digests, Entries, KEPT_SECONDS, Line};
use crate::deny;
use crate::mint::{MintError, SignedList};
use crate::store::{Anchored, RevokedX509};

/// Heads kept with their root, so that a recent `seen` line costs no reads. 72 bytes each.
const ROOTS_MAX: usize = 65_536;

/// Policies kept ready. Open requests are minutes old, so more than a few are never in use.
const POLICIES_MAX: usize = 16;

pub(super) struct Memory {
    log: Origin,
    in_force: Arc<Policy>,
    rules: Arc<Rules>,
    policies: HashMap<Digest, Arc<Policy>>,
    requests: Folded,
    roots: BTreeMap<u64, Digest>,
    recall: Recall,
    revoked: BTreeSet<u64>,
    /// Revoked X.509 certificates, as their list has them.
    entries: Entries,
    /// What has become of certificates since this was last asked.
    certificate_news: Vec<News>,
    world: Arc<World>,
    pub(super) drains: BTreeSet<(Timestamp, RequestId)>,
    lists_changed: bool,
    /// Scopes with an emergency that ended and was not reviewed, and maybe some whose was.
    emergencies: BTreeSet<ScopeId>,
    /// Deadlines beyond the store's.
    pub(super) agenda: Agenda,
    /// Which lists were published.
    pub(super) lists: Lists,
    /// Whether any host ever reported.
    pub(super) has_targets: bool,
    /// What is alive, whatever the database says by now.
    pub(super) live: Live,
    /// Which tokens count, and which are denied.
    pub(super) tokens: Tokens,
}

impl Memory {
    /// Reads what must be known before the first command: the policy in force and what is revoked.
    pub(super) fn load(store: &impl Anchored, log: Origin) -> Result<Self, DeskError> {
        let newest =
            store.read().newest_policy()?.ok_or(DeskError::Ledger { what: "it has no policy" })?;
        let in_force = Arc::new(read_policy(store, &log, newest.digest)?);
        recall::is_in_force(store, newest.digest)?;
        let mut memory = Self {
            log,
            policies: HashMap::from([(newest.digest, Arc::clone(&in_force))]),
            rules: Arc::new(compile(&in_force)),
            in_force,
            requests: Folded::default(),
            roots: BTreeMap::new(),
            world: Arc::new(read_world(store)?),
            recall: Recall::since(store.head()),
            revoked: store.read().revoked_serials()?.into_iter().collect(),
            entries: Entries::default(),
            certificate_news: Vec::new(),
            drains: BTreeSet::new(),
            lists_changed: true,
            emergencies: store.read().unreviewed_emergencies()?.into_iter().collect(),
            agenda: Agenda::default(),
            lists: Lists::default(),
            has_targets: false,
            live: Live::load(store)?,
            tokens: Tokens::load(store.read().tokens(denied_since(store.head().time.second()))?),
        };
        memory.plan(store)?;
        let horizon = store.head().time.second().minus(KEPT_SECONDS);
        memory.enlist_x509(&store.read().revoked_x509(horizon)?)?;
        let live = store.read().live_x509(horizon)?.into_iter();
        memory.certificate_news.extend(live.map(|(number, ends)| News::issued(number, ends)));
        Ok(memory)
    }

    /// Whether an emergency of `scope` may wait for its review.
    pub(super) fn had_emergency(&self, scope: &ScopeId) -> bool {
        self.emergencies.contains(scope)
    }

    /// The policy in force.
    pub(super) const fn in_force(&self) -> &Arc<Policy> {
        &self.in_force
    }

    /// Its rules, compiled.
    pub(super) const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What is locked and what is down.
    pub(super) const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The policy with this digest, if the ledger ever had it.
    pub(super) fn policy(
        &mut self,
        store: &impl Anchored,
        digest: Digest,
    ) -> Result<Arc<Policy>, DeskError> {
        if let Some(policy) = self.policies.get(&digest) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(read_policy(store, &self.log, digest)?);
        if self.policies.len() >= POLICIES_MAX {
            self.policies.clear();
        }
        self.policies.insert(digest, Arc::clone(&policy));
        Ok(policy)
    }

    /// The request as its entries leave it; `None` if there is none with this id.
    pub(super) fn request(
        &mut self,
        store: &impl Anchored,
        id: RequestId,
    ) -> Result<Option<&Request>, DeskError> {
        if !self.requests.holds(id) {
            let Some(request) = fold(store, id)? else { return Ok(None) };
            self.nothing_hidden(store, &request)?;
            self.requests.keep(request.id(), request);
        }
        Ok(self.requests.get(id))
    }

    /// Whether the request is in memory.
    pub(super) fn holds(&self, id: RequestId) -> bool {
        self.requests.holds(id)
    }

    /// A request that waits may have been denied, or collected, in an entry that the database hides;
    /// one whose time is over as well: it must not end a second time.
    fn nothing_hidden(
        &mut self,
        store: &impl Anchored,
        request: &Request,
    ) -> Result<(), DeskError> {
        let Request::Pending(Pending { asked, .. }) = request else { return Ok(()) };
        let newest = request.next_link().gseq.saturating_sub(1);
        self.recall.check(store.read(), request.id(), asked.seq, newest)
    }

    /// The root that the ledger had at `size`, if it was a head lately.
    pub(super) fn root_at(&self, size: u64) -> Option<Digest> {
        self.roots.get(&size).copied()
    }

    /// A head has become durable.
    pub(super) fn head(&mut self, size: u64, root: Digest) {
        self.roots.insert(size, root);
        while self.roots.len() > ROOTS_MAX {
            self.roots.pop_first();
        }
    }

    /// A policy has come into force, with its rules.
    pub(super) fn enforce(&mut self, policy: Arc<Policy>, rules: Rules) {
        self.rules = Arc::new(rules);
        self.policies.insert(policy.digest, Arc::clone(&policy));
        self.in_force = policy;
    }

    /// An entry has been appended; `digest` is SHA-256 of its bytes.
    pub(super) fn note(
        &mut self,
        store: &impl Anchored,
        entry: &Entry,
        digest: Digest,
    ) -> Result<(), DeskError> {
        if World::follows(&entry.body) {
            return Arc::make_mut(&mut self.world).apply(entry).map_err(unreadable);
        }
        if let Body::Closed(closed) = &entry.body {
            let began = self.forget(store, closed.link.grant)?;
            self.recall.note(entry, began);
            return Ok(());
        }
        self.recall.note(entry, None);
        self.has_targets |= matches!(entry.body, Body::Applied(_));
        if let Body::Revoked(revoked) = &entry.body {
            self.live.ended(revoked.link.grant);
            self.take_back(store, revoked, entry.time.second())?;
            let request = self.request(store, revoked.link.grant)?;
            let kinds: BTreeSet<Kind> = request
                .into_iter()
                .flat_map(|request| request.credentials().map(|issued| issued.kind))
                .collect();
            self.expect_landing(entry.time.second(), entry.seq, kinds);
            if revoked.decision.context.lane == Some(Lane::Emergency) {
                let request = self.request(store, revoked.link.grant)?;
                let scope = request.map(|request| request.asked().ask.scope.clone());
                self.emergencies.extend(scope);
            }
        }
        let Some(link) = entry.grant() else { return Ok(()) };
        if let Body::Requested(_) = &entry.body {
            let request = Request::begin_hashed(entry, digest).map_err(unreadable)?;
            self.agenda.expect_answers(&self.in_force, request.asked());
            self.requests.keep(request.id(), request);
            return Ok(());
        }
        // Not in memory: the next command folds it from the ledger, this entry included.
        if let Some(request) = self.requests.take(link.grant) {
            let request = request.apply_hashed(entry, digest).map_err(unreadable)?;
            self.requests.keep(link.grant, request);
        }
        if let Body::Issued(issued) = &entry.body {
            if issued.kind == Kind::X509 {
                let missing = DeskError::Ledger { what: "a certificate is missing" };
                let one = store.read().x509(issued.serial)?.ok_or(missing)?;
                self.certificate_news.push(News::issued(one.number, one.ends));
            }
            self.hand_out(store, issued)?;
            let request = self.request(store, link.grant)?;
            let scope = request.map(|request| request.asked().ask.scope.clone());
            scope.into_iter().for_each(|scope| self.live.began(link.grant, scope));
        }
        Ok(())
    }

    /// A grant has closed: its serial, if it has one, leaves the list. Answers the `seq` of its request.
    fn forget(&mut self, store: &impl Anchored, id: RequestId) -> Result<Option<u64>, DeskError> {
        let request = self.request(store, id)?;
        let began = request.map(|request| request.asked().seq);
        if let Some(Request::Ended(ended)) = request {
            let serials: Vec<u64> = ended.credentials().map(|issued| issued.serial).collect();
            for serial in serials {
                self.lists_changed |= self.revoked.remove(&serial);
            }
        }
        self.requests.take(id);
        Ok(began)
    }

    /// The revoked serials, ascending, if they changed since this was last asked.
    pub(super) fn changed_lists(&mut self) -> Option<Vec<u64>> {
        let changed = std::mem::take(&mut self.lists_changed);
        changed.then(|| self.revoked.iter().copied().collect())
    }

    /// The revoked X.509 certificates.
    pub(super) const fn entries(&self) -> &Entries {
        &self.entries
    }

    /// What has become of certificates since this was last asked; to be told once it is durable.
    pub(super) fn certificate_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.certificate_news)
    }

    /// Forgets certificates that ended long ago for every clock.
    pub(super) fn forget_entries(&mut self, now: Timestamp) {
        self.entries.forget(now);
    }

    /// These lists are published.
    pub(super) fn note_lists(&mut self, lists: &SignedList) {
        self.lists.note(List::Krl, lists.version, Digests::of(&lists.krl));
        self.note_crl(lists);
        if let Some(deny) = &lists.deny {
            self.lists.note(List::Deny, lists.version, Digests::of(deny.json.as_bytes()));
        }
    }

    /// This list for TLS servers is published: as PEM, which is the file that they read. Under its own
    /// version, which is an older one while its key is away.
    pub(super) fn note_crl(&mut self, lists: &SignedList) {
        if let Some(crl) = &lists.crl {
            self.lists.note(List::Crl, crl.number.version(), crl.digests().clone());
        }
    }

    /// A token was handed out; the one before, if there is one, goes on the list of denied ones.
    fn hand_out(&mut self, store: &impl Anchored, issued: &Issued) -> Result<(), DeskError> {
        let Some(request) = self.request(store, issued.link.grant)?.cloned() else { return Ok(()) };
        self.tokens.issued(&request, issued);
        self.lists_changed |= issued.replaces.is_some();
        Ok(())
    }

    /// A grant has ended: its credentials go on the lists of their kinds.
    fn take_back(
        &mut self,
        store: &impl Anchored,
        revoked: &Revoked,
        at: Timestamp,
    ) -> Result<(), DeskError> {
        self.lists_changed = true;
        let Some(request) = self.request(store, revoked.link.grant)?.cloned() else {
            return Ok(());
        };
        let of_ssh = request.credentials().filter(|one| one.kind == Kind::Ssh);
        self.revoked.extend(of_ssh.map(|one| one.serial));
        self.tokens.revoked(&request, revoked);
        let of_tls = request.credentials().filter(|one| one.kind == Kind::X509);
        let serials: Vec<u64> = of_tls.map(|one| one.serial).collect();
        for serial in serials {
            let missing = DeskError::Ledger { what: "a revoked certificate is missing" };
            let one = store.read().x509(serial)?.ok_or(missing)?;
            self.enlist_x509(&[RevokedX509 { revoked: at, ..one }])?;
        }
        Ok(())
    }

    /// These certificates are revoked, whatever was read at the start.
    pub(super) fn enlist_x509(&mut self, revoked: &[RevokedX509]) -> Result<(), DeskError> {
        for one in revoked {
            let line = Line::new(one.number, one.revoked).map_err(MintError::from)?;
            self.entries.add(&line, one.ends).map_err(MintError::from)?;
            let news = News::issued(one.number, one.ends);
            self.certificate_news.push(News { revoked: Some(one.revoked), ..news });
            self.lists_changed = true;
        }
        Ok(())
    }

    /// These serials are revoked, whatever was read at the start.
    pub(super) fn enlist(&mut self, serials: &[u64]) {
        self.revoked.extend(serials);
        self.lists_changed = true;
    }

    /// The lists were not signed: they are still to be.
    pub(super) const fn lists_failed(&mut self) {
        self.lists_changed = true;
    }
}

/// Tokens that ended before are forgotten.
fn denied_since(now: Timestamp) -> Timestamp {
    now.minus(deny::KEPT_SECONDS)
}
