//! The request for a plain stream: which channels, from where, as whom.

use std::borrow::Cow;

use martlet_core::model::{CURSOR_BYTES_MAX, ChannelName, Code, Cursor, Limits, UnixMillis};
use martlet_core::session::{Connect, Start, Subscribe};
use percent_encoding::percent_decode_str;

use crate::Refused;
use crate::error::clip;
use crate::native::check;

/// The parts of an HTTP request that say what is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// What stands after the `?` of the address, as it was sent.
    pub query: &'a str,
    /// The header `Last-Event-ID`.
    pub last_event_id: Option<&'a [u8]>,
    /// The header `Authorization`.
    pub authorization: Option<&'a [u8]>,
}

/// What a plain reader asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The same, as a native client would say it.
    pub connect: Connect,
    /// Whether each publication comes as a whole rather than its data alone.
    pub envelope: bool,
}

/// The query's parameters as they stand; empty ones count as absent.
#[derive(Default)]
struct Parameters<'a> {
    channels: Vec<Cow<'a, str>>,
    cursor: Option<Cow<'a, str>>,
    last_event_id: Option<Cow<'a, str>>,
    since: Option<Cow<'a, str>>,
    token: Option<Cow<'a, str>>,
    envelope: Option<Cow<'a, str>>,
}

impl Query {
    /// Reads a request. `now` is what an age in `since` counts back from.
    pub fn parse(request: Request<'_>, limits: &Limits, now: UnixMillis) -> Result<Self, Refused> {
        let parameters = Parameters::parse(request.query, limits)?;
        let cursor = cursor(&parameters, request.last_event_id)?;
        let since = parameters.since.as_deref().map(|since| self::since(since, now)).transpose()?;
        let channels = channels(&parameters.channels, limits)?;
        let subscribe = channels.into_iter().map(|channel| {
            let start = match (cursor.position(&channel), since) {
                (Some(position), _) => Start::After(position),
                (None, Some(since)) => Start::Since(since),
                (None, None) => Start::Now,
            };
            Subscribe { channel, token: None, start }
        });
        let subscribe = subscribe.collect();
        let connect = Connect {
            token: token(&parameters, request.authorization),
            subscribe,
            cursor,
            ..Connect::default()
        };
        Ok(Self { connect, envelope: envelope(parameters.envelope.as_deref())? })
    }
}

impl<'a> Parameters<'a> {
    fn parse(query: &'a str, limits: &Limits) -> Result<Self, Refused> {
        let mut parameters = Self::default();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.is_empty() && key != "channel" {
                continue;
            }
            match key {
                "channel" => {
                    let channel = decoded(value, Code::ChannelInvalid)?;
                    check::channel_count(parameters.channels.len() + 1, limits)?;
                    if !parameters.channels.contains(&channel) {
                        parameters.channels.push(channel);
                    }
                }
                "cursor" => parameters.cursor = Some(decoded(value, Code::CursorInvalid)?),
                "lastEventId" | "last_event_id" => {
                    parameters.last_event_id = Some(decoded(value, Code::CursorInvalid)?);
                }
                "since" => parameters.since = Some(decoded(value, Code::SinceInvalid)?),
                "token" => parameters.token = Some(decoded(value, Code::TokenInvalid)?),
                "envelope" => parameters.envelope = Some(decoded(value, Code::Malformed)?),
                _ => {}
            }
        }
        Ok(parameters)
    }
}

/// Undoes the encoding of a query: `+` is a space, `%` and two digits a byte of UTF-8.
fn decoded(text: &str, code: Code) -> Result<Cow<'_, str>, Refused> {
    let unreadable = |_| Refused::because(code, "it is not UTF-8");
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().map_err(unreadable)?;
        return Ok(Cow::Owned(decoded.into_owned()));
    }
    percent_decode_str(text).decode_utf8().map_err(unreadable)
}

fn cursor(parameters: &Parameters<'_>, header: Option<&[u8]>) -> Result<Cursor, Refused> {
    let header = header.filter(|header| !header.is_empty()).map(std::str::from_utf8).transpose();
    let header = header.map_err(|_| Refused::because(Code::CursorInvalid, "it is not UTF-8"))?;
    let given = header.or(parameters.cursor.as_deref()).or(parameters.last_event_id.as_deref());
    Cursor::parse(given.unwrap_or_default())
        .map_err(|error| Refused::because(Code::CursorInvalid, error.to_string()))
}

/// The channels, by name. Together they have to fit one cursor, else the reader could not come
/// back.
fn channels(names: &[Cow<'_, str>], limits: &Limits) -> Result<Vec<ChannelName>, Refused> {
    if names.is_empty() {
        return Err(Refused::because(Code::ChannelInvalid, "name a channel: ?channel=NAME"));
    }
    check::channel_count(names.len(), limits)?;
    let channels = names.iter().map(|name| check::channel(name)).collect::<Result<Vec<_>, _>>()?;
    let longest: usize = channels.iter().map(part_bytes_max).sum();
    if longest > CURSOR_BYTES_MAX {
        let detail = "their names together are too long for one cursor; use several streams";
        return Err(Refused::because(Code::TooManyChannels, detail));
    }
    Ok(channels)
}

/// The most bytes that a channel's part of a cursor can have: twenty digits of offset, eight of
/// epoch, three separators and the name, of which any byte may need three.
fn part_bytes_max(channel: &ChannelName) -> usize {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    let name = channel.as_str().as_bytes();
    let plain = name.iter().filter(|byte| plain(byte)).count();
    31 + plain + 3 * (name.len() - plain)
}

/// A time: Unix milliseconds, or an age.
fn since(text: &str, now: UnixMillis) -> Result<UnixMillis, Refused> {
    let unreadable = || Refused::because(Code::SinceInvalid, format!("{:?}", clip(text)));
    let (digits, unit) = match text.char_indices().last() {
        Some((i, unit)) if !unit.is_ascii_digit() => (&text[..i], Some(unit)),
        _ => (text, None),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    let number: u64 = digits.parse().map_err(|_| unreadable())?;
    let unit_ms = match unit {
        None => return Ok(UnixMillis(number)),
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        Some(_) => return Err(unreadable()),
    };
    Ok(now.minus_ms(number.saturating_mul(unit_ms)))
}

/// The token of the header, or else of the query.
fn token(parameters: &Parameters<'_>, authorization: Option<&[u8]>) -> Option<Box<str>> {
    let header = authorization.and_then(bearer);
    header.map(Into::into).or_else(|| parameters.token.as_deref().map(Into::into))
}

fn bearer(header: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn envelope(text: Option<&str>) -> Result<bool, Refused> {
    match text {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => {
            let detail = format!("envelope is true or false, not {:?}", clip(other));
            Err(Refused::because(Code::Malformed, detail))
        }
    }
}
