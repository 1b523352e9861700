//! An incremental reader of event streams (`text/event-stream`): bytes in, in whatever pieces the
//! network cuts them, events out. It reads what martlet writes and whatever else the format
//! allows; it knows nothing of HTTP.

use bytes::Bytes;

/// What is in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The data of one event, its lines joined by line feeds.
    Data(Bytes),
    /// A comment: a sign of life.
    Comment,
}

/// An event is larger than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The reader of one stream.
#[derive(Debug)]
pub struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether the event has a `data` line, which may be empty.
    has_data: bool,
    /// Whether the last byte was a CR: a LF after it belongs to the same line end.
    after_cr: bool,
    /// Whether anything was read, since only the first bytes can be a byte order mark.
    begun: bool,
    limit: usize,
}

impl Events {
    /// A reader of events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            begun: false,
            limit,
        }
    }

    /// Reads the next piece; what it completes goes to `take`.
    pub fn read(&mut self, mut piece: &[u8], mut take: impl FnMut(Item)) -> Result<(), TooLarge> {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_cr) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let end = piece.iter().position(|b| matches!(b, b'\r' | b'\n'));
            let (text, rest) = piece.split_at(end.unwrap_or(piece.len()));
            if self.line.len() + self.data.len() + text.len() > self.limit {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(text);
            if let Some((ending, rest)) = rest.split_first() {
                self.after_cr = *ending == b'\r';
                self.end_line().into_iter().for_each(&mut take);
                piece = rest;
            } else {
                piece = rest;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Option<Item> {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        }
        let item = match text.iter().position(|b| *b == b':') {
            _ if text.is_empty() => self.end_event(),
            Some(0) => Some(Item::Comment),
            Some(colon) => {
                let value = &text[colon + 1..];
                self.field(&text[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => self.field(text, b""),
        };
        // The line's room is used again, unless one long line made it large.
        if line.capacity() <= 64 * 1024 {
            self.line = line;
            self.line.clear();
        }
        item
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> Option<Item> {
        if name == b"data" {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
        None
    }

    fn end_event(&mut self) -> Option<Item> {
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| Item::Data(data.into()))
    }
}

#[cfg(test)]
mod tests;
