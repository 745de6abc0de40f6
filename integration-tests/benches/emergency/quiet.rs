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
use crate::measure::{median, percentile};
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "quiet";

/// Between two acts: some fifty a second, far more than any emergency has and below what would only
/// measure how two processes share the machine.
const PAUSE: Duration = Duration::from_millis(15);

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let (rounds, emergencies) = if extent == Extent::Quick { (2, 60) } else { (7, 150) };
    let mut stage = Stage::new(House::Company, 0);
    let (scene, ca, state) = (stage.scene(), stage.ca(), stage.state());
    stage.house.stop();
    // Two ledgers with the same beginning, so that the same words are good for both.
    let other = copy(&state);
    let runtime = Runtime::new().expect("a runtime");
    let silent = Server::start(Role::Broker, &state);
    let telling = Server::start(Role::Telling, other.path());
    let seen = scene.seen;
    let (mut silents, mut tellings, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let messages = stage.messages(&scene, seen, emergencies);
        let mut one = |server: &Server| {
            let mut taken = runtime.block_on(paced(server.port, &ca, messages.clone()));
            percentile(&mut taken, 99)
        };
        // Whoever goes second finds a warmer machine.
        let (with, without) = if round % 2 == 0 {
            let with = one(&telling);
            (with, one(&silent))
        } else {
            let without = one(&silent);
            (one(&telling), without)
        };
        if round > 0 {
            silents.push(without);
            tellings.push(with);
            ratios.push(with / without);
        }
    }
    let limit = ("nobody to tell", Figure::Time(median(&mut silents)), median(&mut ratios));
    let name = "one act, p99, all channels down";
    let figure = Figure::Time(median(&mut tellings));
    report.paired(SECTION, name, figure, limit, Some(Aim::AtMost(1.1)));
}

/// One act after the other, at a person's pace many times over.
async fn paced(port: u16, ca: &str, emergencies: Vec<Messages>) -> Vec<f64> {
    let mut line = load::connect(port, ca).await;
    let mut latencies = Vec::new();
    for message in emergencies.into_iter().flatten() {
        let begun = Instant::now();
        line.submit(message).await.expect("an answer");
        latencies.push(begun.elapsed().as_secs_f64());
        tokio::time::sleep(PAUSE).await;
    }
    latencies
}
