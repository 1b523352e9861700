//! Server-sent events out of bytes, as the HTML standard says a browser reads them, except that
//! what a browser would pass over in silence fails the test.

/// One event, or a comment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlainEvent {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: Option<String>,
    pub retry: Option<u64>,
    pub comment: bool,
}

/// Reads lines and makes events of them.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    event: PlainEvent,
}

impl Reader {
    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether it stands between two events.
    pub fn between(&self) -> bool {
        self.bytes.is_empty() && self.event == PlainEvent::default()
    }

    /// The next whole event.
    pub fn next(&mut self) -> Option<PlainEvent> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = std::str::from_utf8(&line[..end]).unwrap();
            assert!(!line.contains('\r'), "{line:?}");
            if line.starts_with(':') {
                assert_eq!(self.event.data, None, "a comment does not part an event");
                self.event.comment = true;
            } else if line.is_empty() {
                return Some(std::mem::take(&mut self.event));
            } else {
                self.field(line);
            }
        }
        None
    }

    fn field(&mut self, line: &str) {
        let (field, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => self.event.name = Some(value.to_owned()),
            "retry" => self.event.retry = Some(value.parse().unwrap()),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            _ => panic!("no browser knows {line:?}"),
        }
    }
}
