//! Telling people and watching the outside are in nobody's way: the same acts with everything that tells people
//! broken and every watched dependency dead, and with nothing to tell or to watch.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::Extent;
use crate::cast::House;
use crate::child::{Role, Server};
use crate::dead::{self, Dead};
use crate::filling::Stage;
use crate::growth::copy;
use crate::load::{self, Messages};
use crate::measure::percentile;
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "quiet";

/// After each act: some twenty a second at each server, far more than any emergency has and below what would only
/// measure how three processes share the machine.
const PAUSE: Duration = Duration::from_millis(10);

/// Connections that each target must have seen for a measurement to count: rounds begin every second or two.
const ASKED_LEAST: usize = 5;

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let emergencies = if extent == Extent::Quick { 200 } else { 1000 };
    let mut stage = Stage::new(House::Company, 0);
    let (scene, ca, state) = (stage.scene(), stage.ca(), stage.state());
    stage.house.stop();
    // Three ledgers with the same beginning, so that the same words are good for all.
    let (other, third) = (copy(&state), copy(&state));
    let runtime = Runtime::new().expect("a runtime");
    let dead = Dead::new(&runtime);
    let silent = Server::start(Role::Broker, &state);
    let twin = Server::start(Role::Broker, third.path());
    let laden = Server::watching(Role::Laden, other.path(), &dead.watches());
    let ports = [laden.port, silent.port, twin.port];
    let mut say = |count| {
        let messages = stage.messages(&scene, scene.seen, count);
        runtime.block_on(paced(ports, &ca, messages))
    };
    say(20);
    let before = dead.asked();
    let [mut with, mut without, mut again] = say(emergencies);
    dead.assert_asked_since(before, ASKED_LEAST);
    drop(laden);
    dead::assert_measured(other.path());
    for percent in [50, 99] {
        let limit = ("nothing to tell or watch", Figure::Time(percentile(&mut without, percent)));
        let name = format!("one act, p{percent}, channels down, dependencies dead");
        let figure = Figure::Time(percentile(&mut with, percent));
        let aim = (percent == 99).then_some(Aim::AtMost(1.1));
        report.held(SECTION, name, figure, limit, aim);
        // What the machine alone makes of two brokers that do the same.
        let name = format!("one act, p{percent}, a second broker with nothing to do");
        let figure = Figure::Time(percentile(&mut again, percent));
        report.held(SECTION, name, figure, limit, None);
    }
}

/// One act after the other, at a person's pace many times over; each at every server, which take turns
/// in going first and in following each other, so that whatever else the machine does, and what one of
/// them still does after it has answered, falls on all.
async fn paced(ports: [u16; 3], ca: &str, emergencies: Vec<Messages>) -> [Vec<f64>; 3] {
    let mut lines = Vec::new();
    for port in ports {
        lines.push(load::connect(port, ca).await);
    }
    let mut latencies = [Vec::new(), Vec::new(), Vec::new()];
    for (number, message) in emergencies.into_iter().flatten().enumerate() {
        for step in 0..ports.len() {
            let is_forward = (number / ports.len()).is_multiple_of(2);
            let step = if is_forward { step } else { ports.len() - step };
            let turn = (number + step) % ports.len();
            let begun = Instant::now();
            lines[turn].submit(message.clone()).await.expect("an answer");
            latencies[turn].push(begun.elapsed().as_secs_f64());
            tokio::time::sleep(PAUSE).await;
        }
    }
    latencies
}
