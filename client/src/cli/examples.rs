//! Worked examples, one block per verb, shown under `--help`.

pub(super) const ALL: &str = "\
Configuration: ~/.config/breakglass/config.toml
  brokers = [\"10.0.0.5:7443\", \"broker.example.com:7443\"]
  tls-ca  = \"ca.pem\"                       # the brokers' own CA, a file or the PEM text
  log     = \"payments/3f9a1c0e5b7d2a44\"    # the ledger, and the key that signs it
  log-key = \"payments/3f9a1c0e5b7d2a44+…\"
  by      = \"sam\"
  key     = \"SHA256:…\"                     # or a key file, or ssh-keygen:PATH

Exit codes: 0 done or granted, 1 internal, 2 usage, 3 still pending, 4 denied, 5 refused by policy,
6 lapsed or expired, 7 broker unreachable, 8 not recognised, 10 tampered, 11 malformed,
12 unproven, 13 suspect

Examples:
  breakglass demo
  breakglass request payments-db-admin --incident INC-4711 --reason 'ledger is down' --wait
  breakglass pending
  breakglass approve req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
  breakglass drop req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d";

pub(super) const REQUEST: &str = "\
Examples:
  Ask, wait for the approvers, and log in:
    breakglass request payments-db-admin --incident INC-4711 \\
        --reason 'replication is stuck, need to promote the standby' --ttl 30m --wait
  Ask now, collect later; stdout is the id alone:
    id=$(breakglass request payments-db-admin --incident INC-4711 --reason 'as agreed')
    breakglass collect \"$id\" --wait --deadline 10m
  An agent names the person behind it, and every agent in between, outermost first:
    breakglass request payments-logs --reason 'sam asked for a summary' --on-behalf-of sam";

pub(super) const STATUS: &str = "\
Examples:
  breakglass status req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
  Stdout is one word: pending, approved, live, ended or closed. Exit code 0 for approved and live,
  3 while pending, 4 if denied or withdrawn, 6 if lapsed or ended. After a revocation stderr says
  for each target when it was applied, verified, and how many sessions ended; for programs:
  breakglass status req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d -o json | jq '.landings[].targets'";

pub(super) const COLLECT: &str = "\
Examples:
  Into ssh-agent, for the rest of its life; stdout is the ssh command without the host:
    ssh=$(breakglass collect req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d)
    $ssh root@db1.example.com
  Into files of mode 0600:
    breakglass collect req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --out ./key
    ssh -i ./key/id root@db1.example.com";

pub(super) const SSH: &str = "\
Examples:
  By the one grant you hold; what comes after the host goes to ssh as it is:
    breakglass ssh root@db1.example.com
    breakglass ssh --drop root@db1.example.com systemctl restart postgresql
  Of several grants, one by its scope, or by its id:
    breakglass ssh --scope payments-db-admin root@db1.example.com -p 2222
    breakglass ssh req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d root@db1.example.com
  It never asks for a grant: without one it ends with code 6 and prints the command to type, with
  code 3 while one is pending. Otherwise the code is that of ssh.";

pub(super) const EXEC: &str = "\
Examples:
  breakglass exec -- sh -c 'scp -i \"$BREAKGLASS_SSH_KEY\" dump.sql root@db1.example.com:'
  breakglass exec req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --drop -- ./repair --all
  The program has BREAKGLASS_REQUEST, BREAKGLASS_SCOPE and BREAKGLASS_EXPIRES_AT (seconds since
  1970), and the paths of what was collected: BREAKGLASS_SSH_KEY, BREAKGLASS_SSH_CERTIFICATE,
  BREAKGLASS_X509_KEY, BREAKGLASS_X509_CERTIFICATE, BREAKGLASS_X509_CA, BREAKGLASS_TOKEN_FILE.
  The code is that of the program, 127 if there is none of that name, 126 if it cannot be run.";

pub(super) const AWS: &str = "\
Examples:
  In ~/.aws/config, all on one line; the SDKs run it whenever the session they have is over:
    [profile emergency]
    credential_process = breakglass aws --role ARN --trust-anchor ARN --profile ARN
  That is by certificate, with IAM Roles Anywhere; by token, with an OIDC provider of the account:
    credential_process = breakglass aws --role ARN --region eu-west-1
  It never asks for a grant: without one it ends with code 6. A session lives 15 minutes at least,
  and breakglass cannot end it: put `aws:TokenIssueTime` into a deny on the role when a grant is
  revoked.";

pub(super) const DOCTOR: &str = "\
Examples:
  Before you need it, and when nothing seems to work:
    breakglass doctor
  On a host, as root: do its settings let a revoked certificate in?
    breakglass doctor --target sshd --account root --account postgres
    breakglass doctor --target nginx
    breakglass doctor --target postgresql --connect 'host=/run/postgresql user=postgres' \\
        --account admin
  Code 13 if there is a fault, 0 otherwise; what was not looked at is said to be not-tried.";

pub(super) const PG: &str = "\
Examples:
  breakglass request payments-db --kind x509 --incident INC-4711 --reason 'locks' --wait
  breakglass pg --server-ca server-ca.pem --drop -- psql 'host=db1.example.com dbname=payments'
  For programs that are started otherwise:
    eval \"$(breakglass pg --server-ca server-ca.pem)\"
  It sets PGSSLCERT, PGSSLKEY, PGSSLMODE=verify-full and, with --server-ca, PGSSLROOTCERT.";

pub(super) const CURL: &str = "\
Examples:
  breakglass curl -- -fsS https://admin.example.com/queue
  breakglass curl --scope payments-admin --drop -- -X POST https://admin.example.com/queue/restart";

pub(super) const TOKEN: &str = "\
Examples:
  breakglass request cluster --kind jwt --incident INC-4711 --reason 'drain a node' --wait
  curl -H \"Authorization: Bearer $(breakglass token)\" https://admin.example.com/queue
  vault write auth/jwt/login role=breakglass jwt=\"$(breakglass token --scope cluster)\"
  A token lives for minutes. In its last minute, and after it, a fresh one of the same grant is
  fetched, and the one before is taken back. Without a live grant it ends with code 6, and asks
  for none.";

pub(super) const KUBE: &str = "\
Examples:
  breakglass kube --scope cluster-admin
  In a kubeconfig, for a user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: breakglass
      args: [kube, --scope, cluster-admin, --server, \"https://k8s.example.com:6443\"]
      interactiveMode: Never
      provideClusterInfo: true
  It asks nobody anything and opens no request: without a grant it ends with code 6, and the command
  to type is on stderr.";

pub(super) const DROP: &str = "\
Examples:
  breakglass drop req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
  breakglass drop req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --reason 'standby promoted'";

pub(super) const WITHDRAW: &str = "\
Examples:
  breakglass withdraw req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --reason 'wrong cluster'";

pub(super) const PENDING: &str = "\
Examples:
  breakglass pending
  breakglass pending --watch
  breakglass pending -o json | jq -r '.requests[].id'";

pub(super) const WATCH: &str = "\
Examples:
  breakglass watch
  Arrow keys choose; Enter or `a` shows the approval screen, where `y` signs; `d` denies with a
  reason; `q` ends it. Lines instead of the table, for a log or another program:
    breakglass watch | tee -a watched.log
    breakglass watch -o json | jq -r 'select(.kind == \"requested\") | .request.id'
  A broker that goes away is looked for again; nothing is lost in between.";

pub(super) const SHOW: &str = "\
Examples:
  breakglass show req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
  What is shown is checked on this machine: the requester's signature against people.toml, the
  reason against its commitment, each approval. Nothing is taken from the broker's word.
  For an approver who reaches no broker, into a file to be carried by any means:
    breakglass show req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --save case";

pub(super) const APPROVE: &str = "\
Examples:
  breakglass approve req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
  breakglass approve req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --stage security --yes
  The screen comes first, then one question, then the key is touched.
  Away from the broker, with what somebody saved for you (`show ID --save case`):
    breakglass approve case --offline approval
    Send the file `approval` back by any means; whoever reaches a broker runs `submit` with it.";

pub(super) const SUBMIT: &str = "\
Examples:
  breakglass submit approval
  The file says who approves, and is signed; it does not matter who sends it. The broker judges it
  as of its arrival: an approval that is late, or was given under another policy, does not count.";

pub(super) const DENY: &str = "\
Examples:
  breakglass deny req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --reason 'the standby is healthy'";

pub(super) const ESCALATE: &str = "\
Examples:
  breakglass escalate req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --reason 'nobody picks up'";

pub(super) const REVIEW: &str = "\
Examples:
  breakglass review req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --verdict justified \\
      --comment 'fits the incident; session log read'";

pub(super) const LOCK: &str = "\
Examples:
  A laptop is lost: its owner does nothing more, and loses what they hold, for two hours:
    breakglass lock principal:sam --until 2h --message 'laptop lost, call security on 1234'
  breakglass lock key:SHA256:1w0R… --message 'key seen on a stranger'
  breakglass lock host:db-1 --message 'under forensics'
  Stdout is the lock's number, for `breakglass unlock`.";

pub(super) const UNLOCK: &str = "\
Examples:
  breakglass unlock 41 --reason 'laptop found'
  Nobody lifts a lock that is on themselves.";

pub(super) const LOCKS: &str = "\
Examples:
  breakglass locks
  Owners of a scope see every lock, everybody else those on themselves.";

pub(super) const HOST: &str = "\
Examples:
  breakglass host install --config /etc/breakglass/host.toml
  sudo breakglass host install --write && sudo systemctl enable --now breakglass-host";

pub(super) const HOST_RUN: &str = "\
Examples:
  breakglass host run --config /etc/breakglass/host.toml
  journalctl -fu breakglass-host
  It says when a list is in place, when one is refused and why, and how many sessions it ended.";

pub(super) const HOST_INSTALL: &str = "\
Examples:
  breakglass host install --config /etc/breakglass/host.toml
  sudo breakglass host install --write";

pub(super) const HOST_STATUS: &str = "\
Examples:
  breakglass host status --config /etc/breakglass/host.toml
  breakglass host status -o json | jq '.targets[] | select(.trouble)'
  Ends with 13 if something is in the way anywhere.";

pub(super) const HOST_PRINCIPALS: &str = "\
Examples:
  breakglass host principals --config /etc/breakglass/host.toml root bg:req-…:sam 41
  Prints one role a line, or nothing: then sshd lets nobody in by certificate.";

pub(super) const CANCEL: &str = "\
Examples:
  breakglass cancel req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --reason 'laptop was stolen'";

pub(super) const GRANTS: &str = "\
Examples:
  breakglass grants
  breakglass grants -o json | jq '.requests[] | {who, scope, expires_at}'
  Revocations that some host has not reported, on stderr and in `.unlanded`:
  breakglass grants -o json | jq '.unlanded[] | {id, missing}'
  Where lists are in force, and hosts that are behind:
  breakglass grants --targets";

pub(super) const OUTAGE_STATUS: &str = "\
Examples:
  breakglass outage status
  Stdout is a table of the dependencies; it ends with exit code 0 whether anything is down or not.";

pub(super) const OUTAGE_DECLARE: &str = "\
Examples:
  One person says so, then a second one, each with their own key:
    breakglass outage declare okta --reason 'log-ins time out everywhere'
    breakglass outage declare okta --for 2h --reason 'seen from the other site too'";

pub(super) const OUTAGE_RESOLVE: &str = "\
Examples:
  breakglass outage resolve okta --reason 'log-ins work again'";

pub(super) const AUDIT_EXPORT: &str = "\
Examples:
  breakglass audit export --out ./bundle
  breakglass audit export --request req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d --out ./case
  The directory holds entries.jsonl, checkpoint, openings.jsonl and blobs/, of one request
  also proofs.jsonl; it appears whole or not at all.";

pub(super) const AUDIT_VERIFY: &str = "\
Examples:
  breakglass audit verify ./bundle --trust ./trust.toml
  breakglass audit verify ./case --trust ./trust.toml
  Needs no broker. Stdout is the verdict; over the export of one request followed by its id, and
  stderr says what such a part of the record cannot show. Exit code 0 verified, 10 tampered,
  11 malformed, 12 unproven, 13 suspect.";

pub(super) const AUDIT_SHOW: &str = "\
Examples:
  breakglass audit show ./bundle
  breakglass audit show ./bundle --request req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d";

pub(super) const POLICY_CHECK: &str = "\
Examples:
  breakglass policy check ./policy
  Every fault is said, not only the first. Exit code 5 if there is one. Needs no broker.";

pub(super) const POLICY_TEST: &str = "\
Examples:
  breakglass policy test ./policy
  breakglass policy test ./policy -o json | jq -r '.cases[] | select(.passed | not) | .name'
  A case of tests.toml; more in the sample policy:
    [[case]]
    name = \"nobody approves what they asked for\"
    who = \"ada\"
    action = \"approve\"
    scope = \"payments-logs\"
    requester = \"ada\"
    expect = \"refuse\"
    refusal = \"self-approval\"
  The broker's own rules answer. Exit code 5 if a case is not as expected. Needs no broker.";

pub(super) const POLICY_EXPLAIN: &str = "\
Examples:
  May sam ask for this now, and what would it take?
    breakglass policy explain ./policy --who sam --scope payments-db-admin
  May ada approve it at night, when bob has?
    breakglass policy explain ./policy --who ada --action approve --stage app-owner \\
        --scope payments-db-admin --requester sam --approved security=bob --hour 3
  A request that was made: what happened, by which rules, what is missing:
    breakglass policy explain req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d
    breakglass policy explain ./case
  The broker's own rules answer. Exit code 0 for yes, 5 for no. Only a request's id needs a
  broker.";

pub(super) const POLICY_DIFF: &str = "\
Examples:
  git worktree add ../before main
  breakglass policy diff ../before/policy ./policy
  breakglass policy diff in-force ./policy --live
  breakglass grants -o json > grants.json
  breakglass policy diff ../before/policy ./policy --grants grants.json
  Rights are asked of the rules on the best terms. Two directories need no broker.";

pub(super) const POLICY_SIGN: &str = "\
Examples:
  The next policy after the one in force:
    breakglass policy sign ./policy
  The first of a new deployment, in the directory where `breakglassd init` left the manifest:
    breakglass policy sign ./policy --key ~/.ssh/id_ed25519
  The same where there is no manifest yet:
    breakglass policy sign ./policy --log payments/3f9a1c0e5b7d2a44 --policy-version 1 \\
        --previous 0000000000000000000000000000000000000000000000000000000000000000
  Each member of the authority runs this on the same files and the same manifest, in any order.
  Stdout is the file with the signature: it may travel by any means, and is taken in with
    breakglass policy sign ./policy --add ./from-quinn.sig
    breakglass policy sign ./policy --list";

pub(super) const POLICY_PUSH: &str = "\
Examples:
  breakglass policy push ./policy";

pub(super) const DEMO: &str = "\
Examples:
  breakglass demo
  breakglass demo --keep --dir ./demo
  Starts `breakglassd dev` from beside this program, on loopback, and ends it again.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  breakglass completions bash > /etc/bash_completion.d/breakglass
  breakglass completions zsh > ~/.zfunc/_breakglass";

pub(super) const MAN: &str = "\
Examples:
  breakglass man | man -l -
  breakglass man > /usr/local/share/man/man1/breakglass.1
  breakglass man audit verify > /usr/local/share/man/man1/breakglass-audit-verify.1";
