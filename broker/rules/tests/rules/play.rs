//! Stories as data: one line, one step.
//!
//! ```text
//! sam: request scope=db ttl=600      by a principal, with their first key unless key=SEED
//! ada: approve app-owner             about the newest request unless of=NUMBER
//! bot: request scope=open for=sam    on somebody's behalf, outermost first
//! liz: lock principal:sam until=60   a key by its seed, a grant by its number; without an end
//! liz: unlock                        the newest lock unless lock=NUMBER; or by the clock
//! caller: take-back                  a service, with the newest credential's serial
//! subject: collect                   by the subject key of the request
//! clock: lapse
//! liz: declare until=3600            that okta is down, unless it is named
//! probe: down | probe: up            what is measured of okta
//! pass 900                           seconds
//! policy bob-left                    a change of the base policy comes into force
//! law bob-left                       the same, and open requests are not looked at
//! again                              the statement before, once more
//! blind | sighted | forget           revocation fails, works; past policies are lost
//! keyless                            the broker has no key for any kind of credential
//! ```
//!
//! Every step but the last must succeed, unless its line begins with `!`.

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::statement::{
    About, Act, Approve, Ask, Collect, Declare, Lane, Lock, Pickup, Resolve, Review, Statement,
    Target, Unlock,
};
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{Command, Refusal, Request, SeenVerdict};

use crate::house::House;
use crate::law::{SUBJECT, key, log, seed_of};

/// The name of the last step's outcome, or of its refusal.
pub(crate) type Told = Result<String, &'static str>;

/// Plays a story and tells how it ended.
pub(crate) fn play(story: &str) -> Told {
    told(tell(story).1)
}

/// As [`play`], with the refusal in full.
pub(crate) fn refusal(story: &str) -> Refusal {
    tell(story).1.expect_err("the last step was not refused")
}

/// Plays a story and gives back the house as it stands.
pub(crate) fn tell(story: &str) -> (House, Result<String, Refusal>) {
    let mut player = Player { house: House::new(), last: None };
    let mut outcome = Ok("nothing".to_owned());
    let lines: Vec<&str> = story.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for (at, line) in lines.iter().enumerate() {
        let (line, refused) = line.strip_prefix('!').map_or((*line, false), |line| (line, true));
        outcome = player.step(line.trim());
        if at + 1 < lines.len() {
            assert_eq!(outcome.is_err(), refused, "{line}: {outcome:?}");
        }
    }
    (player.house, outcome)
}

fn told(outcome: Result<String, Refusal>) -> Told {
    outcome.map_err(|refusal| refusal.name())
}

pub(crate) struct Player {
    pub(crate) house: House,
    last: Option<(Statement, PublicKey)>,
}

/// The words after the verb: one bare, the others `name=value`.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.split_whitespace().filter_map(|word| word.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn bare(&self) -> Option<&'a str> {
        self.0.split_whitespace().find(|word| !word.contains('='))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
    }
}

impl Player {
    pub(crate) fn new() -> Self {
        Self { house: House::new(), last: None }
    }

    pub(crate) fn step(&mut self, line: &str) -> Result<String, Refusal> {
        if let Some((who, what)) = line.split_once(": ") {
            let (verb, words) = what.split_once(' ').unwrap_or((what, ""));
            let words = Words(words);
            if verb == "run-out" || who == "probe" {
                return self.outage(verb, &words);
            }
            if who == "clock" {
                return self.clock(verb, &words);
            }
            if who == "caller" {
                return self.take_back(&words);
            }
            return self.says(who, verb, &words);
        }
        match line.split_once(' ') {
            Some(("pass", seconds)) => {
                self.house.now = self.house.now.plus(seconds.parse().unwrap());
            }
            Some(("back", seconds)) => {
                self.house.now = self.house.now.minus(seconds.parse().unwrap());
            }
            Some(("policy", change)) => self.house.enact(change),
            Some(("law", change)) => self.house.lay_down(change),
            _ => match line {
                "blind" => self.house.can_revoke = false,
                "keyless" => self.house.mints.clear(),
                "sighted" => self.house.can_revoke = true,
                "forget" => self.house.forget(),
                "mismatch" => self.house.seen_ok = SeenVerdict::Mismatch,
                "future" => self.house.seen_ok = SeenVerdict::Future,
                "again" => {
                    let Some((statement, key)) = self.last.clone() else {
                        return Ok("nothing".to_owned());
                    };
                    return self.house.submit(&statement, &key);
                }
                other => panic!("no such step: {other}"),
            },
        }
        Ok("done".to_owned())
    }

    fn clock(&mut self, verb: &str, words: &Words<'_>) -> Result<String, Refusal> {
        let command = match verb {
            "lapse" => Command::Lapse,
            "expire" => Command::Expire,
            "close" => Command::Close,
            "drain" => Command::Drain,
            "rejudge" => Command::Rejudge,
            "escalate" => Command::Escalate,
            "enforce" => Command::Enforce,
            "unlock" => return self.house.unlock(),
            other => panic!("no such call: {other}"),
        };
        if self.house.requests.is_empty() {
            return Ok("nothing".to_owned());
        }
        self.house.clock(self.position(words), command)
    }

    /// A service that shows what it takes for a token.
    fn take_back(&mut self, words: &Words<'_>) -> Result<String, Refusal> {
        let at = self.position(words);
        let serial = self.house.requests[at].credentials().last().map_or(1, |one| one.serial);
        let caller = &"gateway".parse().unwrap();
        self.house.clock(at, Command::TakeBack { serial, caller })
    }

    fn outage(&mut self, verb: &str, words: &Words<'_>) -> Result<String, Refusal> {
        let dependency = &words.bare().unwrap_or("okta").parse().unwrap();
        self.house.call(match verb {
            "down" => Command::Measured { dependency, down: true },
            "up" => Command::Measured { dependency, down: false },
            "run-out" => Command::RunOut { dependency },
            other => panic!("no such word of the probes: {other}"),
        })
    }

    fn says(&mut self, who: &str, verb: &str, words: &Words<'_>) -> Result<String, Refusal> {
        let act = self.act(who, verb, words);
        let mut statement = match words.number("expires") {
            Some(seconds) => {
                let expires = Timestamp::from_unix_seconds(
                    self.house.now.unix_seconds().checked_add_signed(seconds).unwrap(),
                );
                self.house.compose_until(act, expires)
            }
            None => self.house.compose(act),
        };
        if let Some(other) = words.get("log") {
            let text = statement.text().replace(log().as_str(), other);
            statement = Statement::parse(text.as_bytes()).unwrap();
        }
        let seed = words.number("key").unwrap_or_else(|| match who {
            "subject" => SUBJECT + u8::try_from(self.position(words)).unwrap() + 1,
            who => seed_of(who),
        });
        let key = key(seed);
        self.last = Some((statement.clone(), key.clone()));
        self.house.submit(&statement, &key)
    }

    /// Which request a step is about, counted from 0.
    fn position(&self, words: &Words<'_>) -> usize {
        let last = self.house.requests.len().saturating_sub(1);
        words.number::<usize>("of").map_or(last, |of| of - 1).min(last)
    }

    fn digest(&self, words: &Words<'_>) -> Digest {
        let request = self.house.requests.get(self.position(words));
        request.map_or(Digest::of(b"no request"), |request| request.asked().statement)
    }

    fn act(&self, who: &str, verb: &str, words: &Words<'_>) -> Act {
        let request = self.digest(words);
        if verb == "collect" {
            let kind = words.get("kind").unwrap_or("ssh").parse().unwrap();
            return Act::Collect(Collect { request, kind });
        }
        if verb == "pickup" {
            let issued = match self.house.requests.get(self.position(words)) {
                Some(Request::Live(live)) if words.bare().is_none() => live.issued.entry,
                _ => Digest::of(b"another entry"),
            };
            return Act::Pickup(Pickup { request, issued });
        }
        let by = words.get("by").unwrap_or(who).parse().unwrap();
        if verb == "lock" {
            let target = self.target(words.bare().unwrap());
            let until = words.number::<i64>("until").map(|seconds| {
                let until = self.house.now.unix_seconds().checked_add_signed(seconds);
                Timestamp::from_unix_seconds(until.unwrap())
            });
            let comment = Some(Digest::of(b"a message"));
            return Act::Lock(Lock { by, target, until, comment });
        }
        if verb == "unlock" {
            let last = self.house.locks.len();
            let at = words.number::<usize>("lock").unwrap_or(last).min(last);
            let lock = at.checked_sub(1).map(|at| self.house.locks[at]);
            let lock = lock.unwrap_or_else(|| Digest::of(b"no lock"));
            return Act::Unlock(Unlock { by, lock, comment: None });
        }
        let about = About { request, by, comment: None };
        match verb {
            "request" => Act::Request(self.ask(who, words)),
            "declare" => Act::Declare(Declare {
                by: about.by,
                dependency: words.bare().unwrap_or("okta").parse().unwrap(),
                until: self.declared_until(words),
                comment: None,
            }),
            "resolve" => Act::Resolve(Resolve {
                by: about.by,
                dependency: words.bare().unwrap_or("okta").parse().unwrap(),
                comment: None,
            }),
            "approve" => Act::Approve(Approve {
                request,
                by: about.by,
                stage: words.bare().unwrap().parse().unwrap(),
                policy: words.number("policy").map_or_else(
                    || self.house.policy().digest,
                    |version| self.house.policy_named(version),
                ),
                ttl_max: ttl(words.number("ttl-max").unwrap_or(43_200)),
                comment: None,
            }),
            "deny" => Act::Deny(about),
            "withdraw" => Act::Withdraw(about),
            "drop" => Act::Drop(about),
            "cancel" => Act::Cancel(about),
            "escalate" => Act::Escalate(about),
            "review" => {
                let verdict = words.bare().unwrap().parse().unwrap();
                Act::Review(Review { request, by: about.by, verdict, comment: None })
            }
            other => panic!("no such act: {other}"),
        }
    }

    /// An hour from now, unless the words say otherwise; `-` for ever.
    fn declared_until(&self, words: &Words<'_>) -> Option<Timestamp> {
        let seconds = words.get("until").unwrap_or("3600");
        (seconds != "-").then(|| self.house.now.plus(seconds.parse().unwrap()))
    }

    /// `principal:sam`, `scope:db`, `host:db-1`; keys by seed and grants by number.
    fn target(&self, text: &str) -> Target {
        match text.split_once(':').unwrap() {
            ("key", seed) => Target::Key(key(seed.parse().unwrap()).fingerprint()),
            ("grant", number) => {
                let at = number.parse::<usize>().unwrap() - 1;
                let request = self.house.requests.get(at).map(Request::id);
                Target::Grant(request.unwrap_or_else(|| RequestId::new(0, [0; 10])))
            }
            _ => text.parse().unwrap(),
        }
    }

    fn ask(&self, who: &str, words: &Words<'_>) -> Ask {
        let number = u8::try_from(self.house.requests.len()).unwrap() + 1;
        let scope = words.get("scope").unwrap_or("db");
        let id = words.number("id").unwrap_or(number);
        let key = match words.get("subject") {
            Some("none") => None,
            Some(seed) => Some(key(seed.parse().unwrap())),
            None => Some(key(SUBJECT + number)),
        };
        let given = |name, default: &str| match words.get(name) {
            Some("-") => None,
            Some(value) => Some(value.to_owned()),
            None => Some(default.to_owned()),
        };
        Ask {
            id: RequestId::new(self.house.now.unix_seconds() * 1000, [id; 10]),
            by: words.get("by").unwrap_or(who).parse().unwrap(),
            scope: scope.parse().unwrap(),
            kinds: vec![words.get("kind").unwrap_or("ssh").parse().unwrap()],
            lane: words.get("lane").map_or(Lane::Normal, |lane| lane.parse().unwrap()),
            ttl: ttl(words.number("ttl").unwrap_or(600)),
            incident: given("incident", "INC-1"),
            reason: given("reason", "because").map(|text| Digest::of(text.as_bytes())),
            key,
            on_behalf_of: words.get("for").map_or_else(Vec::new, |chain| {
                chain.split(',').map(|hop| hop.parse().unwrap()).collect()
            }),
        }
    }
}

fn ttl(seconds: u32) -> Ttl {
    Ttl::from_seconds(seconds).unwrap()
}

/// A nonce, for tests that compose by hand.
pub(crate) fn nonce(byte: u8) -> Salt {
    Salt::from_bytes([byte; 16])
}
