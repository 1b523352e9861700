//! Requests as a browser or as little more than nothing writes them, and answers as far as their
//! length and the place of the next poll.

use crate::command::bench::dialect::martlet;
use crate::command::bench::door::Door;

/// What Chromium says of itself with every request of a page (version 131 on Linux, over HTTP).
const CHROMIUM: &str = "Connection: keep-alive\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/131.0.0.0 Safari/537.36\r\nAccept: */*\r\nSec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: http://localhost:8000/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n";

/// A whole request.
pub fn request(door: &Door, path: &str, body: Option<&[u8]>, lean: bool) -> Vec<u8> {
    let browser = if lean { "" } else { CHROMIUM };
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{browser}", door.host);
    if let Some(body) = body {
        let kind = "Content-Type: text/plain;charset=UTF-8\r\n";
        request.push_str(&format!("{kind}Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(body.unwrap_or_default());
    request
}

/// The handshake of a WebSocket.
pub fn handshake(door: &Door, lean: bool) -> Vec<u8> {
    let mut request = martlet::handshake(door);
    if !lean {
        let end = request.len() - 2;
        request.splice(end..end, CHROMIUM.replace("Connection: keep-alive\r\n", "").into_bytes());
    }
    request
}

/// The status and the body of the first answer, and where it ends, once it is there as a whole.
pub fn answer(bytes: &[u8]) -> Option<(u16, &str, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let body = bytes.get(head_end..head_end + length)?;
    Some((status, std::str::from_utf8(body).ok()?, head_end + length))
}

/// The text of a field of JSON; of several, the last.
pub fn text_of<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let begin = body.rfind(&format!("\"{name}\":\""))? + name.len() + 4;
    let length = body[begin..].find('"')?;
    Some(&body[begin..begin + length])
}

/// The number of a field of JSON; of several, the last.
pub fn number_of(body: &str, name: &str) -> Option<u64> {
    let begin = body.rfind(&format!("\"{name}\":"))? + name.len() + 3;
    let digits = body[begin..].bytes().take_while(u8::is_ascii_digit).count();
    body[begin..begin + digits].parse().ok()
}
