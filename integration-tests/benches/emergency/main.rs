//! What an emergency costs, beside the parts it is made of, measured in the same run.
//!
//! `cargo bench -p breakglass-integration-tests -- [--quick|--full] [--json FILE] [SECTION…]`; how
//! to read it is in `../README.md`. Every figure worth repeating is a ratio: machines are noisy.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on must stop, and its sums are small"
)]

mod acts;
mod bare;
mod cast;
mod child;
mod dead;
mod decide;
mod due;
mod echo;
mod filling;
mod growth;
mod issue;
mod landing;
mod lists;
mod load;
mod measure;
mod parts;
mod principals;
mod proof;
mod quiet;
mod report;
mod revoked;
mod rows;

use std::path::PathBuf;
use std::process::ExitCode;

use report::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// About a minute: to see whether anything broke.
    Quick,
    /// Some minutes.
    Usual,
    /// Also ten million entries.
    Full,
}

/// A part of the report, by the name it is asked for, in the order it is measured.
type Section = (&'static str, fn(Extent, &mut Report));

const SECTIONS: [Section; 11] = [
    ("parts", parts::measure),
    ("decide", decide::measure),
    ("acts", acts::measure),
    ("quiet", quiet::measure),
    ("due", due::measure),
    ("issue", issue::measure),
    ("lists", lists::measure),
    ("landing", landing::measure),
    ("principals", principals::measure),
    ("proof", proof::measure),
    ("growth", growth::measure),
];

fn main() -> ExitCode {
    if let Some(part) = child::asked() {
        child::play(&part);
        return ExitCode::SUCCESS;
    }
    if let Some(ended) = principals::client() {
        return ended;
    }
    let mut arguments = std::env::args().skip(1);
    let (mut extent, mut json, mut wanted, mut is_bench) = (Extent::Usual, None, Vec::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => is_bench = true,
            "--quick" => extent = Extent::Quick,
            "--full" => extent = Extent::Full,
            "--json" => json = arguments.next().map(PathBuf::from),
            name if SECTIONS.iter().any(|(section, _)| *section == name) => {
                wanted.push(name.to_owned());
            }
            other => return usage(&format!("unknown argument {other:?}")),
        }
    }
    if !is_bench {
        // As `cargo test --all-targets` starts it: unoptimised, so there is nothing to learn.
        return usage("to be run by `cargo bench`");
    }
    let mut report = Report::new(extent);
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            eprintln!("measuring {name} …");
            measure(extent, &mut report);
        }
    }
    print!("{report}");
    if let Some(path) = json {
        std::fs::write(&path, report.to_json()).expect("the JSON file can be written");
    }
    ExitCode::SUCCESS
}

fn usage(why: &str) -> ExitCode {
    eprintln!(
        "{why}
usage: [--quick|--full] [--json FILE] [parts|decide|acts|quiet|due|issue|lists|landing|principals|proof|growth]…"
    );
    ExitCode::SUCCESS
}
