//! What `sshd` waits for at each log-in by certificate: the roles of an account, as the host alone knows
//! them. A process each time, so starting one is most of it.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use breakglass_broker::entropy::SystemEntropy;
use breakglass_broker::mint::Mint;
use breakglass_client::cli::Cli;
use breakglass_client::output::Output;
use breakglass_client::verbs;
use breakglass_integration_tests::agent::{Pins, Told};
use breakglass_ledger::time::Timestamp;
use clap::Parser as _;

use crate::Extent;
use crate::measure::{percentile, seconds};
use crate::parts::scratch;
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "principals";

/// Set for this program started again as the client.
const CLIENT: &str = "BREAKGLASS_BENCH_CLIENT";

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

/// What a log-in may wait for the answer.
const AIM_SECONDS: f64 = 0.010;

/// As the client, if this is it: how it ended.
pub(crate) fn client() -> Option<ExitCode> {
    std::env::var_os(CLIENT)?;
    let cli = Cli::parse();
    let mut out = Output::of_process(cli.common.output);
    let exit = verbs::run(&cli, &mut out).unwrap_or_else(|failure| failure.exit());
    Some(ExitCode::from(exit.code()))
}

/// With a list of nobody and with one of many.
pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let (runs, revoked) = if extent == Extent::Quick { (50, 20_000_u64) } else { (500, 100_000) };
    let mut start = times(runs, || Command::new("/bin/true"));
    let start = percentile(&mut start, 50);
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    Mint::create(dir.path(), "bench", &SystemEntropy::new(), NOW).expect("keys");
    let mint = Mint::open(dir.path(), "bench").expect("keys");
    let told = Told::new("db-1", &pins(&mint, dir.path().join("keys").join("tls-ca.crt")));
    std::fs::create_dir(told.path("lists")).expect("a directory");
    for count in [0, revoked] {
        let serials: Vec<u64> = (1..=count).map(|n| 3 * n).collect();
        let list = mint.krl(&serials, count + 1, NOW).expect("a list");
        std::fs::write(told.list(), &list.krl).expect("written");
        std::fs::write(told.path("lists/krl.sig"), &list.signature).expect("written");
        let mut taken = times(runs, || asked(&told, "8"));
        let limit = ("starting /bin/true", Figure::Time(start));
        let (p50, p99) = (percentile(&mut taken, 50), percentile(&mut taken, 99));
        let what = format!("principals, {count} revoked: p50");
        report.held(SECTION, what, Figure::Time(p50), limit, None);
        let limit = ("what a log-in may wait", Figure::Time(AIM_SECONDS));
        let what = format!("principals, {count} revoked: p99");
        report.held(SECTION, what, Figure::Time(p99), limit, Some(Aim::AtMost(1.0)));
    }
    let refused = asked(&told, "9").output().expect("runs").stdout;
    assert!(refused.is_empty(), "what is revoked opens nothing");
}

/// Nobody listens there: this is what a host says by itself.
fn pins(mint: &Mint, tls_ca: PathBuf) -> Pins {
    let public = mint.public();
    let nobody = ([127, 0, 0, 1], 9).into();
    Pins {
        rpc: nobody,
        web: nobody,
        log: public.origin.to_string(),
        log_key: public.log.to_string(),
        tls_ca,
        ssh_ca: public.ssh_ca.to_openssh(),
        lists_key: public.lists.to_openssh(),
    }
}

/// The question of `sshd` about the certificate with this `serial`.
fn asked(told: &Told, serial: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env_clear().env(CLIENT, "1").env("HOME", told.dir.path());
    command.args(["host", "principals", "--config"]).arg(told.config());
    command.args(["root", "bg:req-1:sam", serial]);
    command
}

/// Seconds of each of `runs` runs. The first is not counted: it brings the program into memory.
fn times(runs: usize, command: impl Fn() -> Command) -> Vec<f64> {
    let run = || {
        let mut command = command();
        let (taken, ended) = seconds(|| command.stdin(Stdio::null()).output().expect("runs"));
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        taken
    };
    (0..=runs).map(|_| run()).skip(1).collect()
}
