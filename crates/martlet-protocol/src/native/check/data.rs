//! The data of a publication: JSON that any reader can read, or bytes. JSON is never parsed into
//! a tree here and never written anew; it is looked over once and copied once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use martlet_core::model::{Code, Data, Limits};
use serde_json::value::RawValue;

use crate::Refused;

/// How deep data may be nested. Common JSON readers stop at 128, and in a page of history the
/// data lies four levels inside the frame.
const DEPTH_MAX: usize = 120;

/// Data from JSON text that a JSON reader has found sound.
pub(crate) fn json(text: &str, limits: &Limits) -> Result<Data, Refused> {
    fits(text.len(), limits)?;
    if is_flat(text.as_bytes()) {
        return Ok(Data::Json(Bytes::copy_from_slice(text.as_bytes())));
    }
    let shape = Shape::of(text.as_bytes());
    if shape.depth > DEPTH_MAX {
        let detail = format!("nested {} deep, the limit is {DEPTH_MAX}", shape.depth);
        return Err(Refused::because(Code::DataInvalid, detail));
    }
    if shape.line_breaks {
        return Ok(Data::Json(one_line(text).into()));
    }
    Ok(Data::Json(Bytes::copy_from_slice(text.as_bytes())))
}

/// Data from bytes that should be one JSON text.
pub(crate) fn json_bytes(bytes: &[u8], limits: &Limits) -> Result<Data, Refused> {
    fits(bytes.len(), limits)?;
    let text: &RawValue = serde_json::from_slice(bytes).map_err(|error| {
        Refused::because(Code::DataInvalid, format!("json is not JSON: {error}"))
    })?;
    json(text.get(), limits)
}

/// Data from base64.
pub(crate) fn base64(text: &str, limits: &Limits) -> Result<Data, Refused> {
    fits((text.len() / 4 * 3).saturating_sub(2), limits)?;
    let bytes = STANDARD.decode(text).map_err(|error| {
        Refused::because(Code::DataInvalid, format!("bytes is not base64: {error}"))
    })?;
    self::bytes(bytes.into(), limits)
}

/// Data from bytes.
pub(crate) fn bytes(bytes: Bytes, limits: &Limits) -> Result<Data, Refused> {
    fits(bytes.len(), limits)?;
    Ok(Data::Bytes(bytes))
}

fn fits(len: usize, limits: &Limits) -> Result<(), Refused> {
    if len <= limits.data_bytes {
        return Ok(());
    }
    let detail = format!("{len} bytes, the limit is {}", limits.data_bytes);
    Err(Refused::because(Code::DataTooLarge, detail))
}

/// Whether it has no line breaks and too few brackets, in strings or not, to be nested too deep.
/// Most data is like that, and counting is many times faster than following the nesting.
fn is_flat(json: &[u8]) -> bool {
    let brackets = count(json, |byte| matches!(byte, b'{' | b'['));
    brackets <= DEPTH_MAX && count(json, |byte| matches!(byte, b'\n' | b'\r')) == 0
}

/// How many bytes are such. Counts of few bytes fit in a byte, and a processor adds up many of
/// those at once.
fn count(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    let few = bytes.chunks(usize::from(u8::MAX));
    few.map(|few| usize::from(few.iter().map(|byte| u8::from(is_such(*byte))).sum::<u8>())).sum()
}

/// What has to be known of a JSON text before it is passed on.
struct Shape {
    depth: usize,
    line_breaks: bool,
}

impl Shape {
    /// Looks over a sound JSON text.
    fn of(json: &[u8]) -> Self {
        let mut shape = Self { depth: 0, line_breaks: false };
        let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
        for &byte in json {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = in_string,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'\n' | b'\r' => shape.line_breaks = true,
                _ => {}
            }
            shape.depth = shape.depth.max(depth);
        }
        shape
    }
}

/// The text with its line breaks, which in JSON are only blanks between tokens, made spaces.
fn one_line(json: &str) -> Vec<u8> {
    json.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect()
}
