//! Golden transcripts: the parser of the files in `vectors/`, whose format is described in
//! `vectors/README.md`. It says who said what and when; replaying is for tests.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// A remark, or an empty line.
    Remark,
    /// `given …`: how the server is set up before anything happens.
    Given(&'a str),
    /// `open`: a connection is opened.
    Open(u32),
    /// `cut`: a connection breaks without a word.
    Cut(u32),
    /// `+25s`: time passes.
    Wait(Duration),
    /// `hub …`: something happens behind the connection.
    Hub(&'a str),
    /// `> …`: the client sends a frame.
    Client(u32, &'a str),
    /// `>> …`: the frame before goes on, after a line feed.
    ClientMore(u32, &'a str),
    /// `< …`: the server sends an event.
    Server(u32, &'a str),
}

/// One thing that happens, and the number of the line where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// What happens in a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The server is set up.
    Given(String),
    /// A connection is opened.
    Open(u32),
    /// A connection breaks.
    Cut(u32),
    /// Time passes.
    Wait(Duration),
    /// Something happens behind the connection.
    Hub(String),
    /// The client sends a frame on a connection.
    Client(u32, String),
    /// The server sends an event on a connection.
    Server(u32, String),
}

/// A line that is not of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TranscriptError {
    line: usize,
    why: &'static str,
}

/// Reads a transcript.
pub fn parse(text: &str) -> Result<Vec<Step>, TranscriptError> {
    let mut steps: Vec<Step> = Vec::new();
    for (i, text) in text.lines().enumerate() {
        let line = i + 1;
        let action = match parse_line(text).map_err(|why| TranscriptError { line, why })? {
            Line::Remark => continue,
            Line::ClientMore(connection, more) => {
                let last = steps.last_mut().map(|step| &mut step.action);
                let Some(Action::Client(of, frame)) = last else {
                    return Err(TranscriptError { line, why: "nothing to go on with" });
                };
                if *of != connection {
                    return Err(TranscriptError { line, why: "goes on with another connection" });
                }
                frame.push('\n');
                frame.push_str(more);
                continue;
            }
            Line::Given(words) => Action::Given(words.into()),
            Line::Open(connection) => Action::Open(connection),
            Line::Cut(connection) => Action::Cut(connection),
            Line::Wait(duration) => Action::Wait(duration),
            Line::Hub(words) => Action::Hub(words.into()),
            Line::Client(connection, frame) => Action::Client(connection, frame.into()),
            Line::Server(connection, event) => Action::Server(connection, event.into()),
        };
        steps.push(Step { line, action });
    }
    Ok(steps)
}

/// Reads one line.
pub fn parse_line(line: &str) -> Result<Line<'_>, &'static str> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Remark);
    }
    if let Some(duration) = line.strip_prefix('+') {
        return parse_duration(duration).map(Line::Wait).ok_or("not a time such as +25s");
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = line.split_at(digits);
    let connection = if digits.is_empty() { Ok(1) } else { digits.parse() };
    let connection = connection.map_err(|_| "the number of a connection is too large")?;
    let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match (word, digits.is_empty()) {
        (">", _) => Ok(Line::Client(connection, text)),
        (">>", _) => Ok(Line::ClientMore(connection, text)),
        ("<", _) => Ok(Line::Server(connection, text)),
        ("given", true) => Ok(Line::Given(text)),
        ("hub", true) => Ok(Line::Hub(text)),
        ("open", _) => Ok(Line::Open(connection)),
        ("cut", _) => Ok(Line::Cut(connection)),
        _ => Err("a line begins with #, +, >, >>, <, open, cut, given or hub"),
    }
}

/// Reads a duration such as `350ms`, `25s`, `5m` or `1h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}
