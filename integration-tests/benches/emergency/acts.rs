//! Durable acts through the real door: many at once, one alone, on old and on new connections.

use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::Extent;
use crate::cast::{House, Scene};
use crate::child::{Role, Server};
use crate::filling::Stage;
use crate::load::{self, Messages, Ran};
use crate::measure::{median, percentile, seconds};
use crate::parts::{scratch, verification};
use crate::report::{Aim, Figure, Report};
use crate::rows;

const SECTION: &str = "acts";

/// The best unapproved-certificate rate among the peers of the design's table (cfssl without a
/// database): a whole emergency should be at least as frequent as that, on that machine. Shown as
/// a count, because the peer does not run here.
const PEER: f64 = 1400.0;

/// Both servers, and what is needed to speak to them.
struct Theatre {
    runtime: Runtime,
    stage: Stage,
    scene: Scene,
    ca: String,
    broker: Server,
    echo: Server,
    state: PathBuf,
}

/// One round of both servers under the same load.
struct Round {
    broker: Ran,
    broker_cpu: f64,
    echo_rate: f64,
    echo_cpu: f64,
}

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let mut theatre = Theatre::open();
    theatre.round(64, 16);
    let quick = extent == Extent::Quick;
    for (in_flight, emergencies) in [(1, 150), (16, 1500), (64, 2500), (256, 3000)] {
        let emergencies = if quick { emergencies / 5 } else { emergencies };
        theatre.throughput(in_flight, emergencies, if quick { 1 } else { 3 }, report);
    }
    theatre.alone(if quick { 60 } else { 250 }, report);
    theatre.newly_connected(if quick { 40 } else { 200 }, report);
    drop((theatre.broker, theatre.echo));
}

impl Theatre {
    fn open() -> Self {
        let mut stage = Stage::new(House::Company, 0);
        let (scene, ca, state) = (stage.scene(), stage.ca(), stage.state());
        stage.house.stop();
        let runtime = Runtime::new().expect("a runtime");
        let broker = Server::start(Role::Broker, &state);
        let echo = Server::start(Role::Echo, &state);
        Self { runtime, stage, scene, ca, broker, echo, state }
    }

    fn messages(&mut self, count: u64) -> Vec<Messages> {
        let seen = self.runtime.block_on(async {
            load::seen(&mut load::connect(self.broker.port, &self.ca).await).await
        });
        self.stage.messages(&self.scene, seen, count)
    }

    fn round(&mut self, emergencies: u64, in_flight: usize) -> Round {
        let messages = self.messages(emergencies);
        let begun = self.echo.cpu();
        let echoed = load::run(self.echo.port, &self.ca, messages.clone(), in_flight);
        let echoed = self.runtime.block_on(echoed);
        let echo_cpu = (self.echo.cpu() - begun) / echoed.calls as f64;
        let begun = self.broker.cpu();
        let broker = load::run(self.broker.port, &self.ca, messages, in_flight);
        let broker = self.runtime.block_on(broker);
        let broker_cpu = (self.broker.cpu() - begun) / broker.calls as f64;
        Round { broker, broker_cpu, echo_rate: echoed.rate(), echo_cpu }
    }

    fn throughput(&mut self, in_flight: usize, count: u64, rounds: usize, report: &mut Report) {
        let (mut rates, mut floors, mut of_floor) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cpus, mut cpu_floors, mut of_cpu) = (Vec::new(), Vec::new(), Vec::new());
        let (mut echoes, mut batches, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let verify = verification();
            let round = self.round(count, in_flight);
            let size = round.broker.entry_bytes / round.broker.calls;
            let row = rows::cost(&scratch(), round.broker.batch(), size, 0.3);
            let floor = 1.0 / (1.0 / round.echo_rate + verify + row.row);
            let cpu_floor = round.echo_cpu + verify + row.cpu;
            rates.push(round.broker.rate());
            floors.push(floor);
            of_floor.push(round.broker.rate() / floor);
            cpus.push(round.broker_cpu);
            cpu_floors.push(cpu_floor);
            of_cpu.push(round.broker_cpu / cpu_floor);
            echoes.push(round.echo_rate);
            batches.push(round.broker.batch() as f64);
            sizes.push(size as f64);
        }
        let rate = median(&mut rates);
        let name = format!("{in_flight} in flight");
        report.part(SECTION, format!("{name}: echo"), Figure::Rate(median(&mut echoes)));
        report.part(
            SECTION,
            format!("{name}: acts per commit"),
            Figure::Count(median(&mut batches)),
        );
        report.part(
            SECTION,
            format!("{name}: bytes of an entry"),
            Figure::Bytes(median(&mut sizes)),
        );
        let limit = ("floor", Figure::Rate(median(&mut floors)), median(&mut of_floor));
        let aim = (in_flight >= 64).then_some(Aim::AtLeast(0.7));
        report.paired(SECTION, format!("{name}: durable acts"), Figure::Rate(rate), limit, aim);
        let limit = ("floor", Figure::Time(median(&mut cpu_floors)), median(&mut of_cpu));
        let aim = (in_flight >= 64).then_some(Aim::AtMost(1.5));
        let cpu = Figure::Time(median(&mut cpus));
        report.paired(SECTION, format!("{name}: server CPU per act"), cpu, limit, aim);
        let aim = (in_flight >= 64).then_some(Aim::AtLeast(1.0));
        let limit = ("best peer's certificates, elsewhere", Figure::Rate(PEER));
        report.held(
            SECTION,
            format!("{name}: whole emergencies"),
            Figure::Rate(rate / 4.0),
            limit,
            aim,
        );
    }

    /// One call after the other on an open connection.
    fn alone(&mut self, emergencies: u64, report: &mut Report) {
        let messages = self.messages(emergencies);
        let echoed = load::run(self.echo.port, &self.ca, messages.clone(), 1);
        let mut echoed = self.runtime.block_on(echoed).latencies;
        let ran = load::run(self.broker.port, &self.ca, messages, 1);
        let mut ran = self.runtime.block_on(ran);
        let commit = self.commit(&ran);
        let (echo, verify) = (percentile(&mut echoed, 50), verification());
        let p50 = percentile(&mut ran.latencies, 50);
        let p99 = percentile(&mut ran.latencies, 99);
        let name = "alone, open connection";
        report.part(SECTION, format!("{name}: echo, p50"), Figure::Time(echo));
        report.part(
            SECTION,
            format!("{name}: echo, p99"),
            Figure::Time(percentile(&mut echoed, 99)),
        );
        report.part(SECTION, "one raw commit, p50", Figure::Time(commit));
        let floor = ("floor", Figure::Time(echo + verify + commit));
        let aim = Some(Aim::AtMost(1.5));
        report.held(SECTION, format!("{name}: one act, p50"), Figure::Time(p50), floor, aim);
        let aim = Some(Aim::AtMost(3.0));
        report.held(
            SECTION,
            format!("{name}: p99"),
            Figure::Time(p99),
            ("p50", Figure::Time(p50)),
            aim,
        );
        let limit = ("10 ms", Figure::Time(0.01));
        let aim = Some(Aim::AtMost(1.0));
        report.held(
            SECTION,
            "a whole emergency alone, p50 of four acts",
            Figure::Time(4.0 * p50),
            limit,
            aim,
        );
    }

    /// TCP, TLS and one call, each time again.
    fn newly_connected(&mut self, calls: u64, report: &mut Report) {
        let messages: Vec<_> = self.messages(calls.div_ceil(4)).into_iter().flatten().collect();
        let mut echoed = self.each_on_its_own(self.echo.port, messages.clone());
        let mut ran = self.each_on_its_own(self.broker.port, messages);
        let commit = rows::cost(&scratch(), 1, crate::parts::ENTRY_BYTES, 0.3).commit;
        let echo = percentile(&mut echoed, 50);
        let (p50, p99) = (percentile(&mut ran, 50), percentile(&mut ran, 99));
        let name = "alone, new connection";
        report.part(SECTION, format!("{name}: echo, p50"), Figure::Time(echo));
        report.part(
            SECTION,
            format!("{name}: echo, p99"),
            Figure::Time(percentile(&mut echoed, 99)),
        );
        let floor = ("floor", Figure::Time(echo + verification() + commit));
        let aim = Some(Aim::AtMost(1.5));
        report.held(SECTION, format!("{name}: one act, p50"), Figure::Time(p50), floor, aim);
        let aim = Some(Aim::AtMost(3.0));
        report.held(
            SECTION,
            format!("{name}: p99"),
            Figure::Time(p99),
            ("p50", Figure::Time(p50)),
            aim,
        );
    }

    fn each_on_its_own(
        &self,
        port: u16,
        messages: Vec<breakglass_proto::v1::SubmitRequest>,
    ) -> Vec<f64> {
        let call = |message| {
            self.runtime.block_on(async {
                load::connect(port, &self.ca).await.submit(message).await.expect("an answer");
            });
        };
        messages.into_iter().map(|message| seconds(|| call(message)).0).collect()
    }

    fn commit(&self, ran: &Ran) -> f64 {
        // Beside the ledger, on the same disk.
        rows::cost(&self.state, 1, ran.entry_bytes / ran.calls, 0.5).commit
    }
}
