//! The table, and the same as JSON.

use std::fmt;

use crate::Extent;

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Aim {
    fn is_hit(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(limit) => ratio <= limit,
            Self::AtLeast(limit) => ratio >= limit,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
        }
    }
}

/// What was measured: a time in seconds, a rate per second, or bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    /// Seconds.
    Time(f64),
    /// Per second.
    Rate(f64),
    /// Bytes.
    Bytes(f64),
    /// A number of things.
    Count(f64),
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Time(value) | Self::Rate(value) | Self::Bytes(value) | Self::Count(value) => {
                value
            }
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Time(_) => "s",
            Self::Rate(_) => "per s",
            Self::Bytes(_) => "bytes",
            Self::Count(_) => "",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(seconds) if seconds < 1e-3 => write!(f, "{:.1} µs", seconds * 1e6),
            Self::Time(seconds) if seconds < 1.0 => write!(f, "{:.2} ms", seconds * 1e3),
            Self::Time(seconds) => write!(f, "{seconds:.2} s"),
            Self::Rate(rate) if rate >= 1e8 => write!(f, "{:.2} G/s", rate / 1e9),
            Self::Rate(rate) => write!(f, "{rate:.0}/s"),
            Self::Bytes(bytes) if bytes < 10_240.0 => write!(f, "{bytes:.0} B"),
            Self::Bytes(bytes) if bytes < 10_485_760.0 => write!(f, "{:.1} KiB", bytes / 1024.0),
            Self::Bytes(bytes) => write!(f, "{:.1} MiB", bytes / 1_048_576.0),
            Self::Count(count) => write!(f, "{count:.1}"),
        }
    }
}

/// One line.
struct Row {
    section: &'static str,
    what: String,
    figure: Figure,
    /// What it is held against, how that came out, and their ratio, which is not always the
    /// quotient of the two: where rounds were interleaved it is the median of theirs.
    limit: Option<(String, Figure, f64)>,
    aim: Option<Aim>,
}

/// What was measured so far.
pub(crate) struct Report {
    extent: Extent,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) const fn new(extent: Extent) -> Self {
        Self { extent, rows: Vec::new() }
    }

    /// A raw part: a limit for other figures.
    pub(crate) fn part(&mut self, section: &'static str, what: impl Into<String>, figure: Figure) {
        self.add(Row { section, what: what.into(), figure, limit: None, aim: None });
    }

    /// A figure held against a limit.
    pub(crate) fn held(
        &mut self,
        section: &'static str,
        what: impl Into<String>,
        figure: Figure,
        limit: (&str, Figure),
        aim: Option<Aim>,
    ) {
        let ratio = figure.value() / limit.1.value();
        self.paired(section, what, figure, (limit.0, limit.1, ratio), aim);
    }

    /// The same, with a ratio that was taken otherwise.
    pub(crate) fn paired(
        &mut self,
        section: &'static str,
        what: impl Into<String>,
        figure: Figure,
        limit: (&str, Figure, f64),
        aim: Option<Aim>,
    ) {
        let limit = Some((limit.0.to_owned(), limit.1, limit.2));
        self.add(Row { section, what: what.into(), figure, limit, aim });
    }

    fn add(&mut self, row: Row) {
        eprintln!("  {}", line(&row));
        self.rows.push(row);
    }

    /// One object with one object per line.
    pub(crate) fn to_json(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(Row::to_json).collect();
        let extent = format!("{:?}", self.extent).to_lowercase();
        let whole = serde_json::json!({ "extent": extent, "rows": rows });
        serde_json::to_string_pretty(&whole).expect("plain values") + "\n"
    }
}

impl Row {
    fn to_json(&self) -> serde_json::Value {
        let limit = self.limit.as_ref();
        serde_json::json!({
            "section": self.section,
            "what": self.what,
            "value": self.figure.value(),
            "unit": self.figure.unit(),
            "limit": limit.map(|(name, _, _)| name),
            "limit_value": limit.map(|(_, figure, _)| figure.value()),
            "ratio": limit.map(|(_, _, ratio)| ratio),
            "aim": self.aim.map(|aim| aim.to_string()),
            "hit": limit.zip(self.aim).map(|((_, _, ratio), aim)| aim.is_hit(*ratio)),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for row in &self.rows {
            if row.section != section {
                section = row.section;
                writeln!(f, "\n{section}")?;
            }
            writeln!(f, "  {}", line(row))?;
        }
        Ok(())
    }
}

fn line(row: &Row) -> String {
    let figure = row.figure.to_string();
    let mut text = format!("{:<62} {figure:>12}", row.what);
    if let Some((name, limit, ratio)) = &row.limit {
        text += &format!("   {ratio:>7.3} × {name} ({limit})");
        if let Some(aim) = row.aim {
            let hit = if aim.is_hit(*ratio) { "hit" } else { "MISSED" };
            text += &format!("   aim {aim}: {hit}");
        }
    }
    text
}
