//! HTTP/1.1 as far as the front needs it: reading one request head strictly, its body within a
//! limit, and writing answers whole.
//!
//! Everything ordinary is left to hyper; this is for the requests that stay open and for those
//! that are refused before anybody else sees them.

use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};

pub mod body;
pub mod parse;
pub mod read;
pub mod write;

pub use body::read_body;
pub use parse::{HeadLimits, parse_head};
pub use read::read_head;
pub use write::{write_answer, write_head, write_whole};

/// The head of a request that kept all the rules of HTTP/1.1.
#[derive(Debug, Clone)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The address asked for.
    pub uri: Uri,
    /// `HTTP/1.0` or `HTTP/1.1` when read by [`parse_head`].
    pub version: Version,
    /// The header fields.
    pub headers: HeaderMap,
}

/// How the body of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// This many bytes.
    Exactly(u64),
    /// In chunks, the last of which is empty.
    Chunked,
}

impl Head {
    /// The head of a request that somebody else has read.
    pub fn of<B>(request: &http::Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
        }
    }

    /// The path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query's pairs, decoded one by one as they are asked for.
    pub fn pairs(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// The value of a header field, if it is there, once or first, and is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether a comma-separated header field holds this word, in any case.
    pub fn header_has(&self, name: &HeaderName, word: &str) -> bool {
        words(&self.headers, name).any(|found| found.eq_ignore_ascii_case(word))
    }

    /// Whether the client means to go on with this connection after the answer.
    pub fn keep_alive(&self) -> bool {
        match self.version {
            Version::HTTP_10 => self.header_has(&header::CONNECTION, "keep-alive"),
            _ => !self.header_has(&header::CONNECTION, "close"),
        }
    }

    /// How long the body is. Heads from [`parse_head`] have one and only one answer.
    pub fn body_length(&self) -> BodyLength {
        if self.headers.contains_key(header::TRANSFER_ENCODING) {
            return BodyLength::Chunked;
        }
        let length = self.header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        BodyLength::Exactly(length.unwrap_or(0))
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.version == Version::HTTP_11 && self.header_has(&header::EXPECT, "100-continue")
    }
}

/// The words of a comma-separated header field, over all its lines.
pub(crate) fn words<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|word| word.trim_matches([' ', '\t']))
        .filter(|word| !word.is_empty())
}

/// The `Date` of an answer made now.
pub fn date() -> HeaderValue {
    let text = httpdate::fmt_http_date(SystemTime::now());
    HeaderValue::try_from(text).expect("a date is made of letters, digits, commas and colons")
}

/// The standard phrase of a status, never empty.
fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Answer")
}

#[cfg(test)]
mod tests;
