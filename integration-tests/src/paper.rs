//! Documents whose commands are run: which blocks of a Markdown file are what.
//!
//! `runbooks/README.md` tells writers the convention that is read here. A block that is neither run
//! nor known to be no command is an error, so nothing in a document can go untried unnoticed.

/// A document, cut into what happens in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paper {
    /// Who the reader is: `<!-- reader: sam -->`. Nobody in particular if empty.
    pub reader: String,
    /// Headings of the second level, in order.
    pub headings: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What stands in backquotes under "How you know it worked", with the line it stands in.
    pub signs: Vec<(usize, String)>,
    /// The text of blocks that are no commands, with their language: configuration files.
    pub files: Vec<(String, String)>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line in the document, from 1.
    pub line: usize,
    /// What it is.
    pub what: What,
    /// Its text, each line with its line feed.
    pub text: String,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `NAME=value` lines that readers fill in.
    Set,
    /// Commands that have to end with this exit code.
    Run {
        /// 0 unless the block says `exit=N`.
        exit: i32,
    },
    /// A command that goes on running until the document ends.
    Serve,
    /// Commands that readers do not see: what somebody else does meanwhile.
    Aside {
        /// Who; the reader if empty.
        who: String,
    },
    /// What the step before printed: these lines in this order, others may stand between them.
    Output,
}

impl Paper {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// The line and what is wrong with it, in a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut paper = Self::default();
        let mut lines = (1..).zip(text.lines());
        while let Some((at, line)) = lines.next() {
            if let Some(info) = line.trim_start().strip_prefix("```") {
                let body = until(&mut lines, |line| line.trim() == "```")
                    .ok_or(format!("line {at}: the block never ends"))?;
                let indent = line.len() - line.trim_start().len();
                paper.block(at, info.trim(), &unindented(&body, indent))?;
            } else if let Some(comment) = line.trim().strip_prefix("<!--") {
                let comment = match comment.strip_suffix("-->") {
                    Some(whole) => whole.to_owned(),
                    None => {
                        let rest = until(&mut lines, |line| line.trim() == "-->");
                        let rest = rest.ok_or(format!("line {at}: the comment never ends"))?;
                        format!("{comment}\n{rest}")
                    }
                };
                paper.comment(at, comment.trim())?;
            } else if let Some(heading) = line.strip_prefix("## ") {
                paper.headings.push(heading.trim().to_owned());
            } else if paper.headings.last().is_some_and(|heading| heading == SIGNS) {
                paper.signs.extend(spans(line).map(|span| (at, span.to_owned())));
            }
        }
        Ok(paper)
    }

    fn block(&mut self, line: usize, info: &str, text: &str) -> Result<(), String> {
        let what = match info {
            "sh set" => What::Set,
            "sh run" => What::Run { exit: 0 },
            "sh serve" => What::Serve,
            "text" => What::Output,
            "text figure" => return Ok(()),
            _ if info.starts_with("sh run exit=") => {
                let exit = info.trim_start_matches("sh run exit=").parse();
                What::Run { exit: exit.map_err(|_| format!("line {line}: `{info}`"))? }
            }
            _ if FILES.contains(&info) => {
                self.files.push((info.to_owned(), text.to_owned()));
                return Ok(());
            }
            _ => return Err(format!("line {line}: nothing runs a block of `{info}`")),
        };
        let is_after = self.steps.last().is_some_and(|step| step.what.prints());
        if what == What::Output && !is_after {
            return Err(format!("line {line}: this output belongs to no command"));
        }
        let is_setting = |line: &str| line.split_once('=').is_some_and(|(name, _)| is_name(name));
        if what == What::Set && !text.lines().all(is_setting) {
            return Err(format!("line {line}: `sh set` takes NAME=value lines only"));
        }
        self.steps.push(Step { line, what, text: text.to_owned() });
        Ok(())
    }

    fn comment(&mut self, line: usize, comment: &str) -> Result<(), String> {
        let (head, text) = comment.split_once(':').unwrap_or((comment, ""));
        let mut words = head.split_whitespace();
        let who = match (words.next(), words.next(), words.next()) {
            (Some("reader"), None, None) => {
                text.trim().clone_into(&mut self.reader);
                return Ok(());
            }
            (Some("meanwhile"), None, None) => String::new(),
            (Some("meanwhile"), Some("as"), Some(who)) => who.to_owned(),
            _ => return Err(format!("line {line}: the comment `{head}` means nothing here")),
        };
        let text = format!("{}\n", text.trim());
        self.steps.push(Step { line, what: What::Aside { who }, text });
        Ok(())
    }
}

impl What {
    /// Whether output may be quoted after it.
    #[must_use]
    pub const fn prints(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::Serve)
    }
}

/// The first line of `expected` that `output` does not have after those before it.
///
/// `…` stands for anything, runs of white space are one blank, and lines may be left out.
#[must_use]
pub fn missing<'e>(expected: &'e str, output: &str) -> Option<&'e str> {
    let mut lines = output.lines();
    let wanted = expected.lines().filter(|line| !line.replace('…', "").trim().is_empty());
    let mut left = wanted.filter(|line| !lines.any(|printed| fits(line, printed)));
    left.next()
}

/// Whether `printed` is `wanted`, in which `…` stands for anything.
fn fits(wanted: &str, printed: &str) -> bool {
    let (wanted, printed) = (single_blanks(wanted), single_blanks(printed));
    let mut parts = wanted.split('…').map(str::trim).peekable();
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

fn single_blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn until<'t>(
    lines: &mut impl Iterator<Item = (usize, &'t str)>,
    is_end: impl Fn(&str) -> bool,
) -> Option<String> {
    let mut body = String::new();
    for (_, line) in lines {
        if is_end(line) {
            return Some(body);
        }
        body.push_str(line);
        body.push('\n');
    }
    None
}

/// Without the blanks that a block in a list is indented by.
fn unindented(body: &str, indent: usize) -> String {
    let cut = |line: &str| line.get(indent.min(line.len())..).unwrap_or_default().to_owned() + "\n";
    body.lines().map(cut).collect()
}

fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'_' || b.is_ascii_uppercase())
}

/// The heading under which backquoted words are what a command has to have printed.
pub const SIGNS: &str = "How you know it worked";

/// Languages of blocks that are files, not commands.
const FILES: [&str; 3] = ["toml", "sshd_config", "mermaid"];

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Vec<What> {
        Paper::read(text).unwrap().steps.into_iter().map(|step| step.what).collect()
    }

    #[test]
    fn every_kind_of_step_is_known_by_its_mark() {
        let text = "```sh set\nID=req-1\n```\n```sh serve\nx\n```\n```sh run exit=3\ny\n```\n\
                    ```text\nz\n```\n<!-- meanwhile as ada: approve -->\n<!-- meanwhile:\na\nb\n-->\n";
        let aside = |who: &str| What::Aside { who: who.to_owned() };
        assert_eq!(
            what(text),
            [What::Set, What::Serve, What::Run { exit: 3 }, What::Output, aside("ada"), aside("")]
        );
    }

    #[test]
    fn a_command_that_nothing_runs_is_an_error() {
        for info in ["sh", "bash", "console", "", "sh runs", "sh run exit=x", "python"] {
            let text = format!("# T\n```{info}\nrm -r /\n```\n");
            assert!(Paper::read(&text).unwrap_err().starts_with("line 2: "), "{info}");
        }
    }

    #[test]
    fn what_is_left_open_or_belongs_to_nothing_is_an_error() {
        for text in ["```sh run\nx\n", "<!-- meanwhile:\nx\n", "```text\nx\n```\n", "<!-- hm -->"] {
            assert!(Paper::read(text).is_err(), "{text}");
        }
        assert!(Paper::read("```sh set\nrm -r /\n```\n").is_err());
    }

    #[test]
    fn signs_are_what_stands_in_backquotes_under_their_heading() {
        let paper =
            Paper::read("`no`\n## How you know it worked\nIt says `a b` and `c`.\n## X\n`d`");
        let paper = paper.unwrap();
        assert_eq!(paper.signs, [(3, "a b".to_owned()), (3, "c".to_owned())]);
        assert_eq!(paper.headings, [SIGNS, "X"]);
    }

    #[test]
    fn a_block_in_a_list_loses_its_indent() {
        let paper = Paper::read("1. so:\n   ```sh run\n   if a; then\n     b\n   fi\n   ```\n");
        assert_eq!(paper.unwrap().steps[0].text, "if a; then\n  b\nfi\n");
    }

    #[test]
    fn output_may_be_abridged_but_not_changed_or_reordered() {
        let printed = "ID    WHO\nreq-1 sam  for 30 m\nend 5\n";
        for good in ["", "…", "ID WHO\n…\nend 5", "req-… sam for …", "… sam …", "end …"]
        {
            assert_eq!(missing(good, printed), None, "{good}");
        }
        for bad in ["ID", "req-… ada …", "end 5\nID WHO", "end 5\nend 5", "… 6", "req-1 …sam… 31 m"]
        {
            assert!(missing(bad, printed).is_some(), "{bad}");
        }
    }
}
