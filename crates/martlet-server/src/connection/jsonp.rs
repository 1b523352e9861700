//! JSONP: polls whose answers are scripts, for pages that can do nothing but load scripts. The way
//! up is a script too.
//!
//! A page cannot see the status of a script, so whatever is to be said is said to its function.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use martlet_core::model::{Code, Refusal, SessionKey};
use martlet_transport::http1::Head;
use martlet_transport::layout::{Callback, live_headers, write_script_json};

use super::stream::callback;
use super::{parameter, poll};
use crate::api;
use crate::doors::Site;
use crate::worker::Worker;

/// What a script asks for.
pub struct Asked {
    callback: Callback,
    what: Result<What, Refusal>,
}

enum What {
    Poll(poll::Asked),
    Send(SessionKey, String),
}

/// Reads a request. Only a callback that is none is refused here; anything else is told to it.
pub fn read(head: &Head, worker: &Worker) -> Result<Asked, Refusal> {
    if head.method != Method::GET {
        return Err(Refusal::because(Code::MethodNotAllowed, "scripts are loaded by GET"));
    }
    let callback = callback(head)?;
    let what = match parameter(head, "send") {
        Some(frame) => {
            let key = parameter(head, "session").and_then(|key| SessionKey::parse(&key));
            key.map(|key| What::Send(key, frame)).ok_or(Code::UnknownSession.into())
        }
        None => poll::read(head, b"", worker).map(What::Poll),
    };
    Ok(Asked { callback, what })
}

/// Waits for the answer: a script, always with status 200.
pub async fn answer(
    worker: Rc<Worker>,
    site: Arc<Site>,
    asked: Asked,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let Asked { callback, what } = asked;
    let said = match what {
        Ok(What::Poll(asked)) => poll::answer(worker, site, asked, elements).await,
        Ok(What::Send(key, frame)) => {
            let sent = site.reach.frame(key, frame.into()).await;
            sent.map(|()| Vec::new())
        }
        Err(refusal) => Err(refusal),
    };
    let elements = said.unwrap_or_else(|refusal| error(&refusal));
    (StatusCode::OK, headers(), script(&callback, &elements))
}

fn elements(answer: poll::Answer) -> Vec<u8> {
    let lines = answer.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut elements = Vec::new();
    for line in lines.chain([answer.end.as_bytes()]) {
        if !elements.is_empty() {
            elements.extend_from_slice(b",\n");
        }
        write_script_json(line, &mut elements);
    }
    elements
}

fn error(refusal: &Refusal) -> Vec<u8> {
    let mut safe = Vec::new();
    write_script_json(&api::refusal_json(refusal), &mut safe);
    [b"{\"error\":", safe.as_slice(), b"}"].concat()
}

/// The comment in front keeps the first bytes from being what somebody chose.
fn script(callback: &Callback, elements: &[u8]) -> Vec<u8> {
    [b"/**/", callback.as_str().as_bytes(), b"([", elements, b"]);\n"].concat()
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    live_headers(&mut headers);
    let script = HeaderValue::from_static("application/javascript; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, script);
    let download = HeaderValue::from_static("attachment; filename=f.txt");
    headers.insert(header::CONTENT_DISPOSITION, download);
    headers
}
