//! Requests that publish by HTTP, one publication or a batch of them, as each server's API takes
//! them.

use std::io::Write as _;

use crate::command::bench::dialect::Kind;
use crate::command::bench::door::Door;

/// How one kind of server takes them.
struct Form {
    /// Where one goes, and where many do.
    paths: [&'static str; 2],
    /// What a key comes as.
    key: &'static str,
    /// What is around the publications of a batch.
    batch: [&'static str; 2],
    /// What is around each of them.
    each: [&'static str; 2],
}

const MARTLET: Form = Form {
    paths: ["/v1/publish", "/v1/batch"],
    key: "Authorization: Bearer",
    batch: [r#"{"publish":["#, "]}"],
    each: ["", ""],
};

/// As https://centrifugal.dev/docs/server/server_api has it. In parallel, because publications in
/// several channels need not wait for each other.
const CENTRIFUGO: Form = Form {
    paths: ["/api/publish", "/api/batch"],
    key: "X-API-Key:",
    batch: [r#"{"commands":["#, r#"],"parallel":true}"#],
    each: [r#"{"publish":"#, "}"],
};

/// Writes a request that publishes these, each a channel and data that needs no escaping.
pub fn write<N: AsRef<str>, D: AsRef<[u8]>>(
    door: &Door,
    key: Option<&str>,
    all: &[(N, D)],
    out: &mut Vec<u8>,
) {
    let form = if door.kind == Kind::Centrifugo { CENTRIFUGO } else { MARTLET };
    let mut body = Vec::new();
    let [before, after] = form.batch;
    match all {
        [(channel, data)] => publication(channel.as_ref(), data.as_ref(), &mut body),
        many => {
            body.extend_from_slice(before.as_bytes());
            for (i, (channel, data)) in many.iter().enumerate() {
                body.extend_from_slice(if i > 0 { b"," } else { b"" });
                body.extend_from_slice(form.each[0].as_bytes());
                publication(channel.as_ref(), data.as_ref(), &mut body);
                body.extend_from_slice(form.each[1].as_bytes());
            }
            body.extend_from_slice(after.as_bytes());
        }
    }
    let (path, host) = (form.paths[usize::from(all.len() > 1)], &door.host);
    let key = key.map(|key| format!("{} {key}\r\n", form.key)).unwrap_or_default();
    let length = body.len();
    // A vector takes everything.
    let _ = write!(
        out,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{key}\r\n"
    );
    out.append(&mut body);
}

fn publication(channel: &str, data: &[u8], out: &mut Vec<u8>) {
    for part in [br#"{"channel":""#, channel.as_bytes(), br#"","data":""#, data, br#""}"#] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
