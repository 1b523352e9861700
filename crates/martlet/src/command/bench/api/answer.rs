//! Answers to requests, as far as whether they are whole, and no refusals. What else they say is
//! not looked at.

use crate::command::bench::dialect::head;
use crate::failure::Failure;

/// The longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Whether so many commands of Redis have been answered, each by a line.
pub fn counted(answer: &[u8], commands: usize) -> Result<bool, Failure> {
    if answer.starts_with(b"-") || answer.windows(2).any(|two| two == b"\n-") {
        let why = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
        return Err(Failure::failed(format!("the server refused: {}", why.trim_end())));
    }
    Ok(answer.iter().filter(|byte| **byte == b'\n').count() >= commands)
}

/// Whether an answer of HTTP is whole, which may not be a refusal.
pub fn answered(answer: &[u8]) -> Result<bool, Failure> {
    match answer_length(answer)?.filter(|length| answer.len() >= *length) {
        None => Ok(false),
        Some(length) => check_results(&answer[..length]).map(|()| true),
    }
}

/// How long an answer is, once its head is there; where it comes in chunks, once it is whole.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let foreign = |why: &str| Failure::failed(format!("the answer cannot be measured: {why}"));
    if !bytes.starts_with(&b"HTTP/1.1 "[..bytes.len().min(9)]) {
        return Err(foreign("it is not HTTP"));
    }
    let length = match head(bytes) {
        None if bytes.len() > ANSWER_BYTES_MAX => return Err(foreign("no head")),
        None => return Ok(None),
        Some(head) if head.chunked() => head.end(bytes),
        Some(head) => {
            let length = head.field("content-length").and_then(|it| it.parse::<usize>().ok());
            let length = length.ok_or_else(|| foreign("it has no length"))?;
            Some(length.saturating_add(head.length))
        }
    };
    if length.unwrap_or(bytes.len()) > ANSWER_BYTES_MAX {
        return Err(foreign("it is too long"));
    }
    check_status(bytes, length)?;
    Ok(length)
}

fn check_status(bytes: &[u8], length: Option<usize>) -> Result<(), Failure> {
    let Some(head) = head(bytes).filter(|head| head.status != 200) else { return Ok(()) };
    match length.and_then(|length| bytes.get(head.length..length)) {
        None => Ok(()),
        Some(body) => {
            let (status, body) = (head.status, String::from_utf8_lossy(body));
            Err(Failure::failed(format!("the server refused ({status}): {body}")))
        }
    }
}

/// In a batch, each publication may be refused by itself.
fn check_results(answer: &[u8]) -> Result<(), Failure> {
    let refused = br#"{"error":"#;
    match answer.windows(refused.len()).position(|bytes| bytes == refused) {
        None => Ok(()),
        Some(at) => {
            let why = String::from_utf8_lossy(&answer[at..]).chars().take(300).collect::<String>();
            Err(Failure::failed(format!("the server refused a publication: {why}")))
        }
    }
}

#[cfg(test)]
mod tests;
