//! The opening handshake: from a request head to `101 Switching Protocols`, over HTTP/2 to `200`
//! (RFC 8441), or to a refusal.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Version};
use martlet_core::model::{Code, Refusal};
use sha1_smol::Sha1;

use crate::cors::Origins;
use crate::http1::{Head, words, write_head};
use extensions::Deflate;

mod extensions;

/// What RFC 6455 has a server append to the key.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the server is ready to agree on.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The subprotocols there are, each a header-safe word.
    pub subprotocols: &'a [&'static str],
    /// Whether messages may be compressed.
    pub deflate: bool,
    /// The pages that may connect.
    pub origins: &'a Origins,
}

/// What was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The subprotocol, or `None` if the client asked for none.
    pub protocol: Option<&'static str>,
    deflate: Option<Deflate>,
    /// What proves that the client's key was read. HTTP/2 has no keys.
    key: Option<HeaderValue>,
}

/// Whether this request asks to become a WebSocket, well or badly.
pub fn wants_websocket(head: &Head) -> bool {
    head.header_has(&header::UPGRADE, "websocket")
}

/// Checks a request head and agrees on a subprotocol and on compression.
pub fn accept(head: &Head, offer: &Offer<'_>) -> Result<Accepted, Refusal> {
    if head.method != Method::GET {
        return Err(Refusal::because(Code::MethodNotAllowed, "a WebSocket is opened by GET"));
    }
    if head.version != Version::HTTP_11 {
        return Err(Refusal::because(Code::RequestInvalid, "a WebSocket needs HTTP/1.1"));
    }
    if !wants_websocket(head) || !head.header_has(&header::CONNECTION, "upgrade") {
        return Err(Code::UpgradeRequired.into());
    }
    check_version(&head.headers)?;
    let key = check_key(&head.headers)?;
    agree(&head.headers, offer, Some(key))
}

/// The same for a `CONNECT` of HTTP/2 whose `:protocol` is `websocket`.
pub fn accept_http2(head: &Head, offer: &Offer<'_>) -> Result<Accepted, Refusal> {
    check_version(&head.headers)?;
    agree(&head.headers, offer, None)
}

fn agree(
    headers: &HeaderMap,
    offer: &Offer<'_>,
    key: Option<HeaderValue>,
) -> Result<Accepted, Refusal> {
    offer.origins.check(headers)?;
    Ok(Accepted {
        protocol: choose_protocol(headers, offer.subprotocols)?,
        deflate: if offer.deflate { extensions::choose_deflate(headers) } else { None },
        key,
    })
}

impl Accepted {
    /// Whether messages may be compressed.
    pub fn deflate(&self) -> bool {
        self.deflate.is_some()
    }

    /// The fields of the answer.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        if let Some(key) = &self.key {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, key.clone());
        }
        if let Some(protocol) = self.protocol {
            let value = HeaderValue::from_static(protocol);
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(deflate) = self.deflate {
            let value = HeaderValue::from_static(deflate.answer());
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        headers
    }

    /// Writes the whole `101` answer.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_head(out, Version::HTTP_11, StatusCode::SWITCHING_PROTOCOLS, &self.headers());
    }
}

/// The fields that the answer to a refused handshake needs beside its body.
pub fn refusal_headers(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match refusal.code {
        Code::UpgradeRequired => {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        Code::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        _ => {}
    }
    headers
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION).iter();
    let version = versions.next().map(HeaderValue::as_bytes);
    if version != Some(b"13") || versions.next().is_some() {
        return Err(Refusal::because(Code::UpgradeRequired, "another version was asked for"));
    }
    Ok(())
}

/// Checks the key, which is 16 bytes in base64, and makes what proves that it was read.
fn check_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Refusal::because(Code::RequestInvalid, "Sec-WebSocket-Key is not there once"));
    };
    if !BASE64_STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16) {
        let detail = "Sec-WebSocket-Key is not 16 bytes in base64";
        return Err(Refusal::because(Code::RequestInvalid, detail));
    }
    let mut proof = Sha1::new();
    proof.update(key.as_bytes());
    proof.update(KEY_SUFFIX);
    let text = BASE64_STANDARD.encode(proof.digest().bytes());
    Ok(HeaderValue::try_from(text).expect("base64 holds no byte that a header may not"))
}

/// The first of the client's subprotocols that the server has.
fn choose_protocol(
    headers: &HeaderMap,
    ours: &[&'static str],
) -> Result<Option<&'static str>, Refusal> {
    let mut asked = false;
    for word in words(headers, &header::SEC_WEBSOCKET_PROTOCOL) {
        asked = true;
        if let Some(found) = ours.iter().find(|protocol| **protocol == word) {
            return Ok(Some(found));
        }
    }
    if asked { Err(Code::UnsupportedProtocol.into()) } else { Ok(None) }
}

#[cfg(test)]
mod tests;
