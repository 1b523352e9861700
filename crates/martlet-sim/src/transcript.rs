//! Replays golden transcripts (`vectors/`) through a real worker: one node, one worker, a store
//! that answers at once, and time that passes only where the transcript says so.

use std::collections::BTreeMap;
use std::fmt;

use martlet_protocol::vectors::{Line, parse_line};

mod names;
mod setting;
mod stage;

use stage::Stage;

/// What the frames of a transcript are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// `martlet.v1.json`, as it is.
    Json,
    /// `martlet.v1.proto`, in hexadecimal.
    Proto,
    /// Requests and lines of plain streams.
    Plain,
}

/// Why a transcript was not replayed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptError {
    line: usize,
    why: String,
}

impl fmt::Display for TranscriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// One thing that is done, the lines that say so, and what is said to follow.
#[derive(Default)]
struct Group<'a> {
    line: usize,
    done: Vec<&'a str>,
    /// Everything up to the next thing done: what the server says, and remarks.
    after: Vec<&'a str>,
}

/// What the server said on each connection.
type Said = BTreeMap<u32, Vec<String>>;

/// Replays a transcript and gives it back with the lines that the server really said. Where they
/// are those of the transcript, it comes back as it is.
pub fn replay(text: &str, grammar: Grammar) -> Result<String, TranscriptError> {
    let groups = groups(text)?;
    let given = groups.iter().flat_map(|group| &group.done);
    let given = given.filter_map(|line| line.strip_prefix("given "));
    let setting = setting::Setting::parse(given).map_err(|why| TranscriptError { line: 1, why })?;
    let mut stage = Stage::new(setting, grammar);
    let mut out = Vec::new();
    for group in groups {
        let fail = |why| TranscriptError { line: group.line, why };
        let said = stage.act(&group.done).map_err(fail)?;
        out.extend(group.done.iter().map(ToString::to_string));
        if said == expected(&group.after) {
            out.extend(group.after.iter().map(ToString::to_string));
        } else {
            out.extend(said.iter().flat_map(|(connection, lines)| written(*connection, lines)));
            let remarks = group.after.iter().filter(|line| server_line(line).is_none());
            out.extend(remarks.map(ToString::to_string));
        }
    }
    Ok(out.join("\n") + "\n")
}

fn groups(text: &str) -> Result<Vec<Group<'_>>, TranscriptError> {
    let mut groups = vec![Group::default()];
    for (index, line) in text.lines().enumerate() {
        let fail = |why: &str| TranscriptError { line: index + 1, why: why.into() };
        let parsed = parse_line(line).map_err(fail)?;
        let last = groups.last_mut().ok_or_else(|| fail("nothing before"))?;
        match parsed {
            Line::Remark | Line::Server(..) => last.after.push(line),
            Line::ClientMore(..) => last.done.push(line),
            _ => groups.push(Group { line: index + 1, done: vec![line], after: Vec::new() }),
        }
    }
    Ok(groups)
}

fn server_line(line: &str) -> Option<(u32, &str)> {
    match parse_line(line) {
        Ok(Line::Server(connection, text)) => Some((connection, text)),
        _ => None,
    }
}

fn expected(after: &[&str]) -> Said {
    let mut expected = Said::new();
    for (connection, text) in after.iter().filter_map(|line| server_line(line)) {
        expected.entry(connection).or_default().push(text.into());
    }
    expected
}

fn written(connection: u32, lines: &[String]) -> impl Iterator<Item = String> {
    let number = if connection == 1 { String::new() } else { connection.to_string() };
    lines.iter().map(move |line| format!("{number}< {line}").trim_end().to_owned())
}
