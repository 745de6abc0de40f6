//! nginx's configuration as `nginx -T` prints it, read into a tree.

use std::collections::BTreeMap;

/// One directive, with what is inside its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) inside: Vec<Self>,
}

impl Directive {
    /// The first argument; empty if there is none.
    pub(super) fn argument(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// The first directive of this name right inside.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.inside.iter().find(|directive| directive.name == name)
    }
}

/// The files of a dump, by path; the first one named is the main file.
///
/// `nginx -T` writes `# configuration file PATH:` before each (nginx(8)).
pub(super) fn files(dump: &str) -> (Option<String>, BTreeMap<String, String>) {
    let (mut first, mut files, mut current) = (None, BTreeMap::new(), None::<String>);
    for line in dump.lines() {
        let path = line.strip_prefix("# configuration file ").and_then(|l| l.strip_suffix(':'));
        if let Some(path) = path {
            first.get_or_insert_with(|| path.to_owned());
            files.insert(path.to_owned(), String::new());
            current = Some(path.to_owned());
        } else if let Some(text) = current.as_ref().and_then(|path| files.get_mut(path)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    (first, files)
}

/// The tree of the file at `path`, with what it includes in place; nothing of it is lost silently.
///
/// # Errors
///
/// What could not be read.
pub(super) fn read(
    path: &str,
    files: &BTreeMap<String, String>,
    depth: usize,
) -> Result<Vec<Directive>, String> {
    let text = files.get(path).ok_or_else(|| format!("{path} is not in the dump"))?;
    if depth == 0 {
        return Err(format!("{path} is included too deeply"));
    }
    let words = words(text).map_err(|why| format!("{path}: {why}"))?;
    let mut words = words.into_iter();
    let base = path.rsplit_once('/').map_or("", |(base, _)| base);
    block(&mut words, &Place { base, files, depth }, true)
}

/// Where included files are found.
struct Place<'a> {
    base: &'a str,
    files: &'a BTreeMap<String, String>,
    depth: usize,
}

/// A word, or one of the three signs that end one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Text(String),
    Semicolon,
    Open,
    Close,
}

fn block(
    words: &mut std::vec::IntoIter<Word>,
    place: &Place<'_>,
    is_outermost: bool,
) -> Result<Vec<Directive>, String> {
    let (mut directives, mut texts) = (Vec::new(), Vec::new());
    loop {
        let word = match words.next() {
            Some(word) => word,
            None if is_outermost && texts.is_empty() => return Ok(directives),
            None => return Err("ends within a block".to_owned()),
        };
        match word {
            Word::Text(text) => texts.push(text),
            Word::Close if !is_outermost && texts.is_empty() => return Ok(directives),
            Word::Close => return Err("a brace too many".to_owned()),
            Word::Open | Word::Semicolon => {
                let inside =
                    if word == Word::Open { block(words, place, false)? } else { Vec::new() };
                let mut texts = std::mem::take(&mut texts).into_iter();
                let name = texts.next().ok_or("a directive without a name")?;
                let arguments: Vec<String> = texts.collect();
                if name == "include" {
                    directives.extend(included(&arguments, place)?);
                } else {
                    directives.push(Directive { name, arguments, inside });
                }
            }
        }
    }
}

fn included(arguments: &[String], place: &Place<'_>) -> Result<Vec<Directive>, String> {
    let mut all = Vec::new();
    for pattern in arguments {
        let base = place.base;
        let pattern =
            if pattern.starts_with('/') { pattern.clone() } else { format!("{base}/{pattern}") };
        let is_pattern = pattern.contains(['*', '?', '[']);
        let found: Vec<&String> = place
            .files
            .keys()
            .filter(|path| matches(pattern.as_bytes(), path.as_bytes()))
            .collect();
        // A pattern may match nothing; a file that is named has to be there.
        if found.is_empty() && !is_pattern {
            return Err(format!("{pattern} is included and not in the dump"));
        }
        for path in found {
            all.extend(read(path, place.files, place.depth.saturating_sub(1))?);
        }
    }
    Ok(all)
}

/// glob(7) with `*` and `?`, which pass no slash.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => matches(rest, text),
        (Some((b'*', rest)), Some((byte, after))) => {
            matches(rest, text) || (*byte != b'/' && matches(pattern, after))
        }
        (Some((b'?', rest)), Some((byte, after))) => *byte != b'/' && matches(rest, after),
        (Some((a, rest)), Some((b, after))) => a == b && matches(rest, after),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn words(text: &str) -> Result<Vec<Word>, &'static str> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let sign = match letter {
            ';' => Some(Word::Semicolon),
            '}' => Some(Word::Close),
            // `${name}` is a variable, not a block.
            '{' if !word.ends_with('$') => Some(Word::Open),
            _ => None,
        };
        let is_inside_variable = word.contains("${") && !word.ends_with('}');
        if let Some(sign) = sign.filter(|sign| !(is_inside_variable && *sign == Word::Close)) {
            finish(&mut words, &mut word);
            words.push(sign);
        } else if letter.is_whitespace() {
            finish(&mut words, &mut word);
        } else if letter == '#' && word.is_empty() {
            letters.by_ref().find(|letter| *letter == '\n');
        } else if matches!(letter, '"' | '\'') && word.is_empty() {
            words.push(Word::Text(quoted(&mut letters, letter)?));
        } else if letter == '\\' {
            word.push(letter);
            word.extend(letters.next());
        } else {
            word.push(letter);
        }
    }
    finish(&mut words, &mut word);
    Ok(words)
}

fn quoted(letters: &mut impl Iterator<Item = char>, quote: char) -> Result<String, &'static str> {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter == quote => return Ok(text),
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
    Err("ends within quotes")
}

fn finish(words: &mut Vec<Word>, word: &mut String) {
    if !word.is_empty() {
        words.push(Word::Text(std::mem::take(word)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Result<Vec<Directive>, String> {
        let dump = format!("# configuration file /etc/nginx/nginx.conf:\n{text}\n");
        let (first, files) = files(&dump);
        read(&first.unwrap(), &files, 4)
    }

    #[test]
    fn blocks_quotes_comments_and_variables_are_told_apart() {
        let text = "user a; # b; {\nhttp {\n log_format x '$a; {' \"\\\"q\";\n\
                    server { listen 1; return 200 ${host}x; }\n}";
        let tree = tree(text).unwrap();
        assert_eq!(tree.len(), 2);
        let http = &tree[1];
        assert_eq!(http.get("log_format").unwrap().arguments, ["x", "$a; {", "\"q"]);
        let server = http.get("server").unwrap();
        assert_eq!(server.get("return").unwrap().arguments, ["200", "${host}x"]);
    }

    #[test]
    fn included_files_stand_where_they_are_included() {
        let dump = "# configuration file /e/nginx.conf:\nhttp { include conf.d/*.conf; }\n\
                    # configuration file /e/conf.d/a.conf:\nserver { listen 1; }\n\
                    # configuration file /e/conf.d/b.conf:\nserver { listen 2; }\n\
                    # configuration file /e/conf.d/x/c.conf:\nserver { listen 3; }\n";
        let (first, files) = files(dump);
        let tree = read(&first.unwrap(), &files, 4).unwrap();
        let listens: Vec<&str> =
            tree[0].inside.iter().map(|s| s.get("listen").unwrap().argument()).collect();
        assert_eq!(listens, ["1", "2"]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_nothing_is_guessed() {
        assert!(tree("http {").unwrap_err().contains("within a block"));
        assert!(tree("}").unwrap_err().contains("brace too many"));
        assert!(tree("a 'b").unwrap_err().contains("within quotes"));
        assert!(tree("include x.conf;").unwrap_err().contains("not in the dump"));
        assert!(tree("include nginx.conf;").unwrap_err().contains("too deeply"));
        assert!(tree("a b").unwrap_err().contains("within a block"));
    }
}
