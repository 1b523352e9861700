//! Reading TOML into the tree of given values, with the line of each.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault, Source};
use super::given::{Given, Raw};

/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Given, Vec<ConfigError>> {
    let text = text_of(path, FILE_BYTES_MAX).map_err(|fault| {
        let path = path.display().to_string();
        let fault = Fault { message: format!("{path}: {}", fault.message), ..fault };
        vec![ConfigError { source: None, path: String::new(), fault }]
    })?;
    parse(&text, path)
}

/// The text of the file at `path`, if it is no longer than `limit` bytes.
pub fn text_of(path: &Path, limit: u64) -> Result<String, Fault> {
    use std::io::Read;
    let cannot = |error: std::io::Error| Fault::new(format!("the file cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        return Err(Fault::new(format!("the file is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Fault::new("the file is not UTF-8 text"))
}

/// Reads TOML `text`; `path` is named in messages. All errors of grammar are returned at once.
pub fn parse(text: &str, path: &Path) -> Result<Given, Vec<ConfigError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text, path);
    if errors.is_empty() {
        return Ok(lines.table(table.span(), table.get_ref()));
    }
    let error = |error: &toml::de::Error| ConfigError {
        source: Some(lines.source(error.span().unwrap_or_default())),
        path: String::new(),
        fault: Fault::new(format!("this is not TOML: {}", error.message())),
    };
    Err(errors.iter().map(error).collect())
}

/// Reads one TOML value given in the environment or on the command line.
pub fn parse_value(text: &str, source: &Source) -> Result<Given, Fault> {
    let value = DeValue::parse(text)
        .map_err(|error| Fault::new(format!("this is not a TOML value: {}", error.message())))?;
    let mut given = Lines::new("", Path::new("")).value(value.span(), value.get_ref());
    given.relocate(source);
    Ok(given)
}

impl Given {
    fn relocate(&mut self, source: &Source) {
        self.source = source.clone();
        match &mut self.raw {
            Raw::List(list) => list.iter_mut().for_each(|given| given.relocate(source)),
            Raw::Table(table) => table.values_mut().for_each(|given| given.relocate(source)),
            _ => {}
        }
    }
}

/// Turns places in a text into lines.
struct Lines {
    path: Arc<PathBuf>,
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str, path: &Path) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { path: Arc::new(path.to_owned()), starts }
    }

    fn source(&self, span: Range<usize>) -> Source {
        let line = self.starts.partition_point(|start| *start <= span.start) + 1;
        Source::File { path: self.path.clone(), line }
    }

    /// The line of a key is where its value is found, so a table that is only a header of
    /// others is found too.
    fn table(&self, span: Range<usize>, table: &DeTable<'_>) -> Given {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let mut given = self.value(value.span(), value.get_ref());
            given.source = self.source(key.span());
            (std::borrow::Cow::to_string(key.get_ref()), given)
        };
        Given { raw: Raw::Table(table.iter().map(entry).collect()), source: self.source(span) }
    }

    fn value(&self, span: Range<usize>, value: &DeValue<'_>) -> Given {
        let raw = match value {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Boolean(boolean) => Raw::Boolean(*boolean),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Raw::Foreign("a number out of range"), Raw::Integer),
            DeValue::Float(_) => Raw::Foreign("a number with a fraction"),
            DeValue::Datetime(_) => Raw::Foreign("a date"),
            DeValue::Array(list) => {
                Raw::List(list.iter().map(|v| self.value(v.span(), v.get_ref())).collect())
            }
            DeValue::Table(table) => return self.table(span, table),
        };
        Given { raw, source: self.source(span) }
    }
}
