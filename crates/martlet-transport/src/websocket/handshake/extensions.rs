//! Agreeing on permessage-deflate (RFC 7692, 7.1), in one pass over the header.
//!
//! The server never keeps a context, so that a compressed frame can be shared, and asks the same
//! of the client, so that an idle connection keeps nothing. It compresses with the full window:
//! an offer that demands a smaller one is declined rather than answered with a promise that is
//! not kept. Offers that are malformed are declined, never an error.

use http::header::{self, HeaderMap};

/// What was agreed on about compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deflate {
    /// The client demanded to be told of the server's window.
    names_window: bool,
}

impl Deflate {
    /// The answer's `Sec-WebSocket-Extensions`.
    pub(super) fn answer(self) -> &'static str {
        if self.names_window {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=15"
        } else {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        }
    }
}

/// The first offer that can be accepted.
pub(super) fn choose_deflate(headers: &HeaderMap) -> Option<Deflate> {
    headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| split_outside_quotes(line, ','))
        .find_map(parse_offer)
}

fn parse_offer(offer: &str) -> Option<Deflate> {
    let mut parts = split_outside_quotes(offer, ';').map(|part| part.trim_matches([' ', '\t']));
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut seen = Seen::default();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start()))),
            None => (part, None),
        };
        seen.take(name, value)?;
    }
    Some(Deflate { names_window: seen.server_window })
}

/// The parameters of one offer; a second one of the same name spoils it.
#[derive(Default)]
struct Seen {
    server_context: bool,
    client_context: bool,
    server_window: bool,
    client_window: bool,
}

impl Seen {
    fn take(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        let (slot, valid) = match name {
            "server_no_context_takeover" => (&mut self.server_context, value.is_none()),
            "client_no_context_takeover" => (&mut self.client_context, value.is_none()),
            "server_max_window_bits" => (&mut self.server_window, value == Some("15")),
            "client_max_window_bits" => (&mut self.client_window, value.is_none_or(is_window_bits)),
            _ => return None,
        };
        let first = !std::mem::replace(slot, true);
        (valid && first).then_some(())
    }
}

fn is_window_bits(value: &str) -> bool {
    matches!(value, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |found: char| {
        quoted ^= found == '"';
        found == separator && !quoted
    })
}
