//! `policy check`: every fault, where it is.

use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::policy::folder::{self, Wrong};

pub(super) fn check(dir: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let faults = folder::faults(&folder::files(dir)?);
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let objects: Vec<Value> = faults.iter().map(to_json).collect();
    out.result(&lines.join("\n"), &json!({ "faults": objects }))?;
    match lines.len() {
        0 => {
            out.say("no faults");
            return Ok(Exit::Done);
        }
        1 => out.say("1 fault: this policy would not be put into force"),
        count => out.say(&format!("{count} faults: this policy would not be put into force")),
    }
    Ok(Exit::Refused)
}

fn to_json(wrong: &Wrong) -> Value {
    json!({
        "file": wrong.file.name(), "line": wrong.line, "column": wrong.column, "name": wrong.name,
        "what": wrong.what, "text": wrong.to_string(),
    })
}
