//! Parsing a request head, and refusing everything that two readers could read in two ways.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Uri, Version};
use martlet_core::model::{Code, Refusal};

use super::Head;

/// The limits of a request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// The longest head, in bytes, with its request line.
    pub bytes: usize,
    /// The most header fields.
    pub fields: usize,
    /// The longest address, in bytes.
    pub address: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024, fields: 64, address: 8 * 1024 }
    }
}

/// The most header fields that any configuration allows.
pub const MOST_FIELDS: usize = 128;

/// Parses the head at the beginning of the bytes. Returns it with its length, or `None` if there
/// is not enough of it yet.
pub fn parse_head(bytes: &[u8], limits: &HeadLimits) -> Result<Option<(Head, usize)>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let most = limits.fields.min(MOST_FIELDS);
    let mut request = httparse::Request::new(&mut fields[..most]);
    let within = &bytes[..bytes.len().min(limits.bytes)];
    // One empty line is read over, as RFC 9112 asks; a flood of them is not read again and again.
    if within.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count() > 2 {
        return Err(invalid("there are empty lines before the request"));
    }
    match request.parse(within) {
        Ok(httparse::Status::Complete(length)) => Ok(Some((head_of(&request, limits)?, length))),
        Ok(httparse::Status::Partial) if bytes.len() >= limits.bytes => {
            Err(too_large(within, limits))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            Err(Refusal::because(Code::HeadTooLarge, format!("more than {most} header fields")))
        }
        Err(error) => Err(Refusal::because(Code::RequestInvalid, error.to_string())),
    }
}

/// What to say about a head that has outgrown its limit.
fn too_large(bytes: &[u8], limits: &HeadLimits) -> Refusal {
    if bytes.contains(&b'\n') {
        let detail = format!("more than {} bytes", limits.bytes);
        Refusal::because(Code::HeadTooLarge, detail)
    } else {
        address_too_long(limits)
    }
}

fn address_too_long(limits: &HeadLimits) -> Refusal {
    Refusal::because(Code::AddressTooLong, format!("more than {} bytes", limits.address))
}

fn head_of(request: &httparse::Request<'_, '_>, limits: &HeadLimits) -> Result<Head, Refusal> {
    let version = if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let address = request.path.unwrap_or_default();
    if address.len() > limits.address {
        return Err(address_too_long(limits));
    }
    let method = parse_method(request.method.unwrap_or_default())?;
    let uri = parse_address(address)?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(invalid("a header field has a byte that is not allowed"));
        };
        headers.append(name, value);
    }
    let head = Head { method, uri, version, headers };
    check_host(&head.headers, version)?;
    check_length(&head.headers, version)?;
    Ok(head)
}

fn parse_method(method: &str) -> Result<Method, Refusal> {
    let method =
        Method::from_bytes(method.as_bytes()).map_err(|_| invalid("the method is not a word"))?;
    check_method(&method)?;
    Ok(method)
}

/// Refuses the methods that ask for a tunnel or an echo; this server is neither proxy nor mirror.
pub(crate) fn check_method(method: &Method) -> Result<(), Refusal> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let detail = format!("{method} is answered nowhere");
        return Err(Refusal::because(Code::MethodNotAllowed, detail));
    }
    Ok(())
}

fn parse_address(address: &str) -> Result<Uri, Refusal> {
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !plain {
        return Err(invalid("the address has a byte that is not allowed"));
    }
    address.parse().map_err(|_| invalid("the address cannot be read"))
}

/// Exactly one `Host` that could be one, as RFC 9112, 3.2 demands. HTTP/1.0 may leave it out.
pub(crate) fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        let needed = version == Version::HTTP_11;
        return if needed { Err(invalid("there is no Host")) } else { Ok(()) };
    };
    if hosts.next().is_some() {
        return Err(invalid("there are two Hosts"));
    }
    let bytes = host.as_bytes();
    let strange = bytes.iter().any(|byte| matches!(byte, b'@' | b','));
    let valid = bytes.is_empty() || (!strange && Authority::try_from(bytes).is_ok());
    if valid { Ok(()) } else { Err(invalid("the Host is not a name with or without a port")) }
}

/// A body length that can be read in one way only.
fn check_length(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(invalid("there are two Content-Lengths"));
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (length, encodings.next()) {
        (Some(_), Some(_)) => Err(invalid("there are Content-Length and Transfer-Encoding")),
        (Some(length), None) if !is_number(length.as_bytes()) => {
            Err(invalid("the Content-Length is not a number"))
        }
        (None, Some(_)) if version == Version::HTTP_10 => {
            Err(invalid("HTTP/1.0 has no Transfer-Encoding"))
        }
        (None, Some(encoding)) => {
            let chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
            if chunked && encodings.next().is_none() {
                Ok(())
            } else {
                Err(invalid("the Transfer-Encoding is not chunked alone"))
            }
        }
        _ => Ok(()),
    }
}

/// Digits only, and few enough for 64 bits. A sign or a blank is somebody's second reading.
fn is_number(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<u64>().is_ok())
}

fn invalid(detail: &str) -> Refusal {
    Refusal::because(Code::RequestInvalid, detail)
}
