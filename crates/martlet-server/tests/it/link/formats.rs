//! Events out of bytes, in each of the layouts of a response that does not end, read by other code
//! than they were written with.

use serde_json::Value;

use super::events::{self, PlainEvent};

/// A reader of one layout.
pub enum Format {
    Events(events::Reader),
    Lines(Text),
    Scripts(Text),
    Parts(Text),
}

/// What has come and is not read yet, and whether its beginning was.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    begun: bool,
    native: bool,
}

impl Format {
    pub fn events() -> Self {
        Self::Events(events::Reader::default())
    }

    pub fn lines(native: bool) -> Self {
        Self::Lines(Text { native, ..Text::default() })
    }

    pub fn scripts(native: bool) -> Self {
        Self::Scripts(Text { native, ..Text::default() })
    }

    pub fn parts() -> Self {
        Self::Parts(Text::default())
    }

    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Events(_) => "text/event-stream",
            Self::Lines(_) => "application/x-ndjson",
            Self::Scripts(_) => "text/html",
            Self::Parts(_) => "multipart/mixed; boundary=",
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Events(reader) => reader.push(bytes),
            Self::Lines(text) | Self::Scripts(text) | Self::Parts(text) => {
                text.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Whether it stands between two events.
    pub fn between(&self) -> bool {
        match self {
            Self::Events(reader) => reader.between(),
            Self::Lines(text) | Self::Scripts(text) => text.bytes.is_empty(),
            Self::Parts(text) => text.bytes == b"--\r\n",
        }
    }

    /// The next whole event.
    pub fn next(&mut self) -> Option<PlainEvent> {
        match self {
            Self::Events(reader) => reader.next(),
            Self::Lines(text) => text.line().map(|line| text.event(&line)),
            Self::Scripts(text) => text.script(),
            Self::Parts(text) => text.part(),
        }
    }
}

impl Text {
    fn line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8(line[..end].to_vec()).unwrap())
    }

    fn event(&self, json: &str) -> PlainEvent {
        if json.is_empty() || json == "{}" {
            return PlainEvent { comment: true, ..PlainEvent::default() };
        }
        match self.native {
            true => PlainEvent { data: Some(json.to_owned()), ..PlainEvent::default() },
            false => whole(&serde_json::from_str(json).unwrap()),
        }
    }

    fn script(&mut self) -> Option<PlainEvent> {
        while let Some(line) = self.line() {
            let Some(script) = line.strip_prefix("<script>m(") else {
                assert!(!self.begun, "a page goes on with scripts: {line}");
                continue;
            };
            self.begun = true;
            let json = script.strip_suffix(");</script>").expect("a script is one line");
            assert!(!json.contains(['<', '>', '\u{2028}']), "{json}");
            return Some(self.event(json));
        }
        None
    }

    fn part(&mut self) -> Option<PlainEvent> {
        if !self.begun {
            let end = self.bytes.windows(2).position(|two| two == b"\r\n")?;
            assert!(self.bytes.starts_with(b"--martlet-"));
            self.bytes.drain(..end);
            self.begun = true;
        }
        let blanks = self.bytes.iter().take_while(|byte| **byte == b' ').count();
        if blanks > 0 {
            self.bytes.drain(..blanks);
            return Some(PlainEvent { comment: true, ..PlainEvent::default() });
        }
        let head_end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&self.bytes[..head_end]).unwrap().to_owned();
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start_matches(": ").to_owned())
        };
        let length: usize = field("Content-Length").expect("a part has a length").parse().unwrap();
        let after = self.bytes.get(head_end + length..)?;
        let boundary = after.strip_prefix(b"\r\n--martlet-")?.get(..16)?.len();
        let body = self.bytes[head_end..head_end + length].to_vec();
        self.bytes.drain(..head_end + length + 12 + boundary);
        let data = Some(String::from_utf8(body).unwrap()).filter(|body| !body.is_empty());
        let name = field("Martlet-Event");
        Some(PlainEvent { id: field("Martlet-Cursor"), name, data, retry: None, comment: false })
    }
}

/// A plain object with one event and its cursor.
pub fn whole(object: &Value) -> PlainEvent {
    let object = object.as_object().unwrap();
    let id = object.get("cursor").map(|cursor| cursor.as_str().unwrap().to_owned());
    let event = object.iter().find(|(name, _)| *name != "cursor");
    let Some((name, event)) = event else { return PlainEvent { id, ..PlainEvent::default() } };
    let (name, data) = match name.as_str() {
        "publication" => (None, &event["data"]),
        name => (Some(name.to_owned()), event),
    };
    PlainEvent { id, name, data: Some(data.to_string()), retry: None, comment: false }
}
