//! `policy test`: does the policy say what its authors meant?

use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::output::{Output, Table};
use crate::policy::cases::{self, Expected, Ran};
use crate::policy::folder;
use crate::policy::hearing::Said;
use crate::state::read_bounded;

pub(super) fn test(dir: &Path, cases: Option<&Path>, out: &mut Output) -> Result<Exit, Failure> {
    let policy = folder::policy(dir)?;
    let path = cases.map_or_else(|| dir.join(cases::FILE), Path::to_owned);
    let Some(bytes) = read_bounded(&path, cases::FILE_MAX_BYTES)? else {
        return Err(folder::unreadable(&path, "there is no such file"));
    };
    let text =
        String::from_utf8(bytes).map_err(|_| folder::unreadable(&path, "it is not UTF-8 text"))?;
    let cases = match cases::read(&text, &policy) {
        Ok(cases) => cases,
        Err(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            return Err(Failure::new(
                Exit::Malformed,
                lines.join("\n"),
                "a case that cannot mean what it says proves nothing; none was run",
                "correct these lines",
            ));
        }
    };
    let ran = cases::run(&policy, cases)?;
    let wrong = ran.iter().filter(|ran| ran.wrong.is_some()).count();
    let right = ran.len().saturating_sub(wrong);
    let rows: Vec<Value> = ran.iter().map(to_json).collect();
    let text = table(&ran).render(out.result_columns());
    out.result(&text, &json!({ "cases": rows, "passed": right, "failed": wrong }))?;
    if wrong == 0 {
        out.say_good(&format!("all {right} cases are as expected"));
        return Ok(Exit::Done);
    }
    out.say(&format!("{wrong} of {} cases are not as expected", ran.len()));
    Ok(Exit::Refused)
}

fn table(ran: &[Ran]) -> Table {
    let mut table = Table::new(&["", "LINE", "CASE", "OUTCOME", "BY"]);
    for ran in ran {
        let mark = if ran.wrong.is_some() { "FAIL" } else { "ok" };
        let (outcome, by) = outcome(ran);
        table.row(&[
            mark.to_owned(),
            ran.case.line.to_string(),
            ran.case.name.clone(),
            outcome,
            by,
        ]);
    }
    table
}

fn outcome(ran: &Ran) -> (String, String) {
    if let Some(wrong) = &ran.wrong {
        return (wrong.clone(), String::new());
    }
    match &ran.said {
        Said::Yes(yes) => ("allowed".to_owned(), yes.rules.join(", ")),
        Said::No(no) | Said::Before { refusal: no, .. } => {
            ("refused".to_owned(), format!("{} ({})", no.name(), no.number()))
        }
        Said::Hidden(why) => ("refused".to_owned(), (*why).to_owned()),
    }
}

fn to_json(ran: &Ran) -> Value {
    let (outcome, rules, refusal) = match &ran.said {
        Said::Yes(yes) => ("allow", yes.rules.as_slice(), None),
        Said::No(no) | Said::Before { refusal: no, .. } => ("refuse", [].as_slice(), Some(no)),
        Said::Hidden(_) => ("refuse", [].as_slice(), None),
    };
    let refusal = refusal
        .map(|no| json!({ "number": no.number(), "name": no.name(), "what": no.to_string() }));
    let expected = match ran.case.expected {
        Expected::Allow { .. } => "allow",
        Expected::Refuse { .. } => "refuse",
    };
    json!({
        "name": ran.case.name, "line": ran.case.line, "passed": ran.wrong.is_none(),
        "wrong": ran.wrong, "expected": expected, "outcome": outcome, "rules": rules,
        "refusal": refusal,
    })
}
