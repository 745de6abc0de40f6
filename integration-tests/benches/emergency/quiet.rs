//! Telling people is in nobody's way: the same acts, with everything that tells people broken and with
//! nothing to tell.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::Extent;
use crate::cast::House;
use crate::child::{Role, Server};
use crate::filling::Stage;
use crate::growth::copy;
use crate::load::{self, Messages};
use crate::measure::percentile;
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "quiet";

/// After each act: some twenty a second at each server, far more than any emergency has and below what would only
/// measure how two processes share the machine.
const PAUSE: Duration = Duration::from_millis(15);

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let emergencies = if extent == Extent::Quick { 200 } else { 1000 };
    let mut stage = Stage::new(House::Company, 0);
    let (scene, ca, state) = (stage.scene(), stage.ca(), stage.state());
    stage.house.stop();
    // Two ledgers with the same beginning, so that the same words are good for both.
    let other = copy(&state);
    let runtime = Runtime::new().expect("a runtime");
    let silent = Server::start(Role::Broker, &state);
    let telling = Server::start(Role::Telling, other.path());
    let mut say = |count| {
        let messages = stage.messages(&scene, scene.seen, count);
        runtime.block_on(paced([telling.port, silent.port], &ca, messages))
    };
    say(20);
    let [mut with, mut without] = say(emergencies);
    for percent in [50, 99] {
        let limit = ("nobody to tell", Figure::Time(percentile(&mut without, percent)));
        let name = format!("one act, p{percent}, all channels down");
        let figure = Figure::Time(percentile(&mut with, percent));
        let aim = (percent == 99).then_some(Aim::AtMost(1.1));
        report.held(SECTION, name, figure, limit, aim);
    }
}

/// One act after the other, at a person's pace many times over; each at both servers, which take turns
/// in going first, so that whatever else the machine does falls on both.
async fn paced(ports: [u16; 2], ca: &str, emergencies: Vec<Messages>) -> [Vec<f64>; 2] {
    let mut lines = [load::connect(ports[0], ca).await, load::connect(ports[1], ca).await];
    let mut latencies = [Vec::new(), Vec::new()];
    for (number, message) in emergencies.into_iter().flatten().enumerate() {
        for turn in [number % 2, (number + 1) % 2] {
            let begun = Instant::now();
            lines[turn].submit(message.clone()).await.expect("an answer");
            latencies[turn].push(begun.elapsed().as_secs_f64());
            tokio::time::sleep(PAUSE).await;
        }
    }
    latencies
}
