//! How `martlet sub` writes what it is told: for people, for programs, or the data alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use martlet_client::{ChannelName, Data, Member, Publication, UnixMillis};
use serde::Serialize;
use serde_json::value::RawValue;

/// How publications are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Time (UTC), channel, event name and data, and who comes and goes
    Pretty,
    /// Everything, as one JSON object a line
    Json,
    /// The data only, one line each; a text without quotes, bytes as base64
    Data,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colour: bool,
    channels: bool,
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Colours that can be read on black and on white.
const COLOURS: [&str; 5] = ["\x1b[36m", "\x1b[35m", "\x1b[32m", "\x1b[34m", "\x1b[33m"];

impl Style {
    /// Colours for a terminal, unless the person wants none; names of channels if there are
    /// several.
    pub fn new(terminal: bool, channels: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: terminal && wanted && !dumb, channels }
    }

    /// Writes a publication as one line.
    pub fn publication(self, format: Format, publication: &Publication, out: &mut String) {
        match format {
            Format::Pretty => self.pretty(publication, out),
            Format::Json => out.push_str(&json(publication)),
            Format::Data => out.push_str(&data(&publication.data)),
        }
        out.push('\n');
    }

    /// Writes that somebody came or went, for people only.
    pub fn member(
        self,
        format: Format,
        channel: &ChannelName,
        sign: char,
        member: &Member,
        out: &mut String,
    ) {
        if format == Format::Pretty {
            let who = member.user.as_ref().map_or("somebody", |user| user.as_str());
            let text = format!("         {channel} {sign} {who} ({})", member.client);
            out.push_str(&self.paint(DIM, &harmless(&text)));
            out.push('\n');
        }
    }

    fn pretty(self, publication: &Publication, out: &mut String) {
        out.push_str(&self.paint(DIM, &time_of_day(publication.time)));
        out.push(' ');
        if self.channels {
            let channel = publication.channel.as_str();
            out.push_str(&self.paint(colour(channel), &harmless(channel)));
            out.push(' ');
        }
        if let Some(name) = &publication.name {
            out.push_str(&self.paint(BOLD, &harmless(name)));
            out.push(' ');
        }
        out.push_str(&match &publication.data {
            Data::Json(_) => harmless(&data(&publication.data)),
            Data::Bytes(bytes) => {
                self.paint(DIM, &format!("{} bytes ", bytes.len())) + &data(&publication.data)
            }
        });
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{PLAIN}") } else { text.into() }
    }
}

/// A channel's colour: always the same.
fn colour(channel: &str) -> &'static str {
    let sum = channel.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
    COLOURS[sum % COLOURS.len()]
}

fn time_of_day(UnixMillis(time): UnixMillis) -> String {
    let seconds = time / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The data as one line. A text is written as it is, unless it has control characters.
fn data(data: &Data) -> String {
    let json = match data {
        Data::Bytes(bytes) => return STANDARD.encode(bytes),
        Data::Json(json) => json,
    };
    match serde_json::from_slice::<String>(json) {
        Ok(text) if !text.chars().any(char::is_control) => text,
        _ => String::from_utf8_lossy(json).replace(['\r', '\n'], " "),
    }
}

/// Text that can do nothing to a terminal: control characters, and those that turn the reading
/// direction round, are shown as their numbers.
pub fn harmless(text: &str) -> String {
    let strange = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if strange(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[derive(Serialize)]
struct Sender {
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    channel: &'a str,
    id: String,
    epoch: String,
    offset: u64,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    tags: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Sender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// Everything about a publication, named as in the protocol.
fn json(publication: &Publication) -> String {
    let (data, bytes) = match &publication.data {
        Data::Json(json) => (serde_json::from_slice(json).ok(), None),
        Data::Bytes(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    let tags = publication.tags.iter();
    let line = Line {
        channel: publication.channel.as_str(),
        id: publication.id.to_string(),
        epoch: publication.position.epoch.to_string(),
        offset: publication.position.offset,
        time: publication.time.0,
        name: publication.name.as_deref(),
        reference: publication.reference.as_deref(),
        tags: tags.map(|(name, value)| (name.to_string(), value.to_string().into())).collect(),
        from: publication.from.as_ref().map(|from| Sender {
            client: from.client.to_string(),
            user: from.user.as_ref().map(ToString::to_string),
        }),
        data,
        bytes,
    };
    serde_json::to_string(&line).expect("texts, numbers and checked JSON can always be written")
}

#[cfg(test)]
mod tests;
