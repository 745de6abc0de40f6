//! TOML, read strictly: every value has one type, every field is known, every fault has its line.
//!
//! Not serde: serde stops at the first fault, and a policy author wants all of them at once.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{FaultKind, Faults, shown};
use crate::policy::File;

/// A file's name and where its lines begin.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    line_starts: Vec<usize>,
}

impl Source {
    /// The line, from 1, of the byte at `offset`.
    fn line(&self, offset: usize) -> u32 {
        let before = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(before).unwrap_or(u32::MAX).max(1)
    }
}

/// One file that is TOML.
#[derive(Debug)]
pub(super) struct Document<'i> {
    source: Source,
    root: Spanned<DeTable<'i>>,
}

impl<'i> Document<'i> {
    /// Parses `bytes`; `None` after adding faults if they are too many, not text or not TOML.
    pub(super) fn parse(file: File, bytes: &'i [u8], faults: &mut Faults) -> Option<Self> {
        let text = text_of(file, bytes, faults)?;
        let starts = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        let source = Source { file, line_starts: std::iter::once(0).chain(starts).collect() };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map(|span| source.line(span.start));
            faults.add(file, line, FaultKind::Syntax { detail: error.message().to_owned() });
        }
        errors.is_empty().then_some(Self { source, root })
    }

    /// The whole file as a table.
    pub(super) fn table(&self) -> Table<'_> {
        let fields = self.root.get_ref();
        Table { source: &self.source, line: 1, name: "the file", fields, asked: Vec::new() }
    }
}

/// `bytes` as text within the file's size limit.
pub(super) fn text_of<'i>(file: File, bytes: &'i [u8], faults: &mut Faults) -> Option<&'i str> {
    let limit = file.size_limit_bytes();
    if bytes.len() > limit {
        faults.add(file, None, FaultKind::TooLarge { bytes: bytes.len(), limit });
        return None;
    }
    let text = std::str::from_utf8(bytes).ok();
    if text.is_none() {
        faults.add(file, None, FaultKind::NotText);
    }
    text
}

/// A table whose fields are asked for by name; [`Table::finish`] reports those nobody asked for.
#[derive(Debug)]
pub(super) struct Table<'d> {
    source: &'d Source,
    line: u32,
    name: &'static str,
    fields: &'d DeTable<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    /// The line of the table's header.
    pub(super) const fn line(&self) -> u32 {
        self.line
    }

    /// Adds a fault at the table's header.
    pub(super) fn fault(&self, kind: FaultKind, faults: &mut Faults) {
        faults.add(self.source.file, self.line, kind);
    }

    /// The field, if it is there.
    pub(super) fn take(&mut self, field: &'static str) -> Option<Value<'d>> {
        self.asked.push(field);
        let value = self.fields.get(field)?;
        let line = self.source.line(value.span().start);
        Some(Value { source: self.source, line, field, value: value.get_ref() })
    }

    /// The field; a fault if it is not there.
    pub(super) fn need(&mut self, field: &'static str, faults: &mut Faults) -> Option<Value<'d>> {
        let value = self.take(field);
        if value.is_none() {
            self.fault(FaultKind::MissingField { table: self.name, field }, faults);
        }
        value
    }

    /// The tables `[[field]]`, at most `limit`; none if the field is not there.
    pub(super) fn tables(
        &mut self,
        field: &'static str,
        limit: usize,
        faults: &mut Faults,
    ) -> Vec<Self> {
        let elements = self.take(field).and_then(|value| value.elements(limit, faults));
        elements.unwrap_or_default().into_iter().filter_map(|value| value.table(faults)).collect()
    }

    /// Reports every field that nobody asked for.
    pub(super) fn finish(self, faults: &mut Faults) {
        for key in self.fields.keys() {
            if !self.asked.iter().any(|asked| *asked == key.get_ref().as_ref()) {
                let line = self.source.line(key.span().start);
                let field = shown(key.get_ref());
                let kind = FaultKind::UnknownField { table: self.name, field };
                faults.add(self.source.file, line, kind);
            }
        }
    }
}

/// One value and the field it stands in.
#[derive(Clone, Debug)]
pub(super) struct Value<'d> {
    source: &'d Source,
    line: u32,
    field: &'static str,
    value: &'d DeValue<'d>,
}

impl<'d> Value<'d> {
    /// The value's line.
    pub(super) const fn line(&self) -> u32 {
        self.line
    }

    /// The field's name.
    pub(super) const fn field(&self) -> &'static str {
        self.field
    }

    /// Adds a fault at this value.
    pub(super) fn fault(&self, kind: FaultKind, faults: &mut Faults) {
        faults.add(self.source.file, self.line, kind);
    }

    /// Adds the fault that this does nothing without `needed`.
    pub(super) fn needs(&self, needed: &'static str, faults: &mut Faults) {
        self.fault(FaultKind::Needs { field: self.field, needed }, faults);
    }

    /// Whether this is a list; if not, it is one value.
    pub(super) const fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// A string.
    pub(super) fn text(&self, faults: &mut Faults) -> Option<&'d str> {
        let DeValue::String(text) = self.value else {
            return self.wrong_type("a string", faults);
        };
        Some(text)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, faults: &mut Faults) -> Option<bool> {
        let DeValue::Boolean(flag) = self.value else {
            return self.wrong_type("true or false", faults);
        };
        Some(*flag)
    }

    /// A whole number from `min` to `max`.
    pub(super) fn number(&self, min: u32, max: u32, faults: &mut Faults) -> Option<u32> {
        let DeValue::Integer(digits) = self.value else {
            return self.wrong_type("a whole number", faults);
        };
        let value = i64::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i64::MAX);
        let number = u32::try_from(value).ok().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.fault(FaultKind::OutOfRange { field: self.field, value, min, max }, faults);
        }
        number
    }

    /// A list of at most `limit` elements. A bare value where a list belongs is a fault (R38).
    pub(super) fn elements(&self, limit: usize, faults: &mut Faults) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            return self.wrong_type("a list", faults);
        };
        let count = array.len();
        if count > limit {
            self.fault(FaultKind::TooMany { field: self.field, count, limit }, faults);
            return None;
        }
        let element = |value: &'d Spanned<DeValue<'d>>| Value {
            source: self.source,
            line: self.source.line(value.span().start),
            field: self.field,
            value: value.get_ref(),
        };
        Some(array.iter().map(element).collect())
    }

    /// A list of at least one and at most `limit` elements.
    pub(super) fn some_elements(&self, limit: usize, faults: &mut Faults) -> Option<Vec<Self>> {
        let elements = self.elements(limit, faults)?;
        if elements.is_empty() {
            self.fault(FaultKind::EmptyList { field: self.field }, faults);
            return None;
        }
        Some(elements)
    }

    /// A table.
    pub(super) fn table(&self, faults: &mut Faults) -> Option<Table<'d>> {
        let DeValue::Table(fields) = self.value else {
            return self.wrong_type("a table", faults);
        };
        let (source, line, name) = (self.source, self.line, self.field);
        Some(Table { source, line, name, fields, asked: Vec::new() })
    }

    /// What `parse` makes of the string; a fault with `rule` if nothing.
    pub(super) fn parsed<T>(
        &self,
        rule: &'static str,
        faults: &mut Faults,
        parse: impl FnOnce(&'d str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(faults)?;
        let parsed = parse(text);
        if parsed.is_none() {
            let kind = FaultKind::BadValue { field: self.field, value: shown(text), rule };
            self.fault(kind, faults);
        }
        parsed
    }

    fn wrong_type<T>(&self, expected: &'static str, faults: &mut Faults) -> Option<T> {
        let found = self.value.type_str();
        self.fault(FaultKind::WrongType { field: self.field, expected, found }, faults);
        None
    }
}
