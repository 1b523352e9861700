//! What a plain reader asks and sees, and that the transcripts in `vectors/plain/` say so.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::*;
use martlet_core::session::{Event, Start, Subscribed};
use proptest::prelude::*;

use super::*;
use crate::Refused;
use crate::native::{json, samples};
use crate::vectors::{self, Action};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn parse(query: &str) -> Result<Query, Refused> {
    Query::parse(Request { query, ..Request::default() }, &Limits::default(), NOW)
}

fn code(query: &str) -> Code {
    parse(query).unwrap_err().refusal.code
}

/// Each channel with where it starts.
fn starts(query: Query) -> Vec<(String, Start)> {
    let subscribe = query.connect.subscribe.into_iter();
    subscribe.map(|it| (it.channel.to_string(), it.start)).collect()
}

fn after(epoch: &str, offset: u64) -> Start {
    Start::After(Position { epoch: Epoch::parse(epoch).unwrap(), offset })
}

#[test]
fn channels_come_in_order_and_once() {
    let query = parse("channel=a&x=1&channel=r%C3%B6m:1&channel=a&channel=c%2Bd").unwrap();
    let names: Vec<_> = starts(query).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "röm:1", "c+d"]);
}

#[test]
fn a_cursor_says_where_each_channel_goes_on() {
    let query = parse("channel=news&channel=new&since=5&cursor=42.k3f9x2ab.news~7.0a1b2c3d.gone");
    let expected = [
        ("news".to_owned(), after("k3f9x2ab", 42)),
        ("new".to_owned(), Start::Since(UnixMillis(5))),
    ];
    assert_eq!(starts(query.unwrap()), expected);
}

#[test]
fn the_header_wins_over_the_query() {
    let query = "channel=a&lastEventId=1.k3f9x2ab.a&cursor=2.k3f9x2ab.a";
    assert_eq!(starts(parse(query).unwrap())[0].1, after("k3f9x2ab", 2));
    let request = Request { query, last_event_id: Some(b"3.k3f9x2ab.a"), ..Request::default() };
    let query = Query::parse(request, &Limits::default(), NOW).unwrap();
    assert_eq!(starts(query)[0].1, after("k3f9x2ab", 3));
    for name in ["lastEventId", "last_event_id"] {
        let query = parse(&format!("channel=a&{name}=1.k3f9x2ab.a&cursor=")).unwrap();
        assert_eq!(starts(query)[0].1, after("k3f9x2ab", 1), "{name}");
    }
}

#[test]
fn since_is_a_time_or_an_age() {
    let since = |text: &str| match starts(parse(&format!("channel=a&since={text}")).unwrap())[0].1 {
        Start::Since(UnixMillis(time)) => time,
        other => panic!("{other:?}"),
    };
    assert_eq!(since("1699999940000"), 1_699_999_940_000);
    assert_eq!(since("90s"), NOW.0 - 90_000);
    assert_eq!(since("10m"), NOW.0 - 600_000);
    assert_eq!(since("2h"), NOW.0 - 7_200_000);
    assert_eq!(since("1d"), NOW.0 - 86_400_000);
    assert_eq!(since("18446744073709551615h"), 0, "long ago");
    for bad in ["soon", "-5", "%2B5", "1.5h", "5w", "s", "18446744073709551616", "1%20", "٣s"] {
        assert_eq!(code(&format!("channel=a&since={bad}")), Code::SinceInvalid, "{bad}");
    }
}

#[test]
fn the_token_is_the_headers_or_the_querys() {
    let token = |query: &str, header: Option<&[u8]>| {
        let request = Request { query, authorization: header, ..Request::default() };
        Query::parse(request, &Limits::default(), NOW).unwrap().connect.token
    };
    assert_eq!(token("channel=a&token=q", None).as_deref(), Some("q"));
    assert_eq!(token("channel=a&token=q", Some(b"bearer  h ")).as_deref(), Some("h"));
    assert_eq!(token("channel=a&token=q", Some(b"Basic eA==")).as_deref(), Some("q"));
    assert_eq!(token("channel=a", Some(b"Bearer ")), None);
}

#[test]
fn what_is_wrong_has_its_code() {
    let cases = [
        ("", Code::ChannelInvalid),
        ("channel=", Code::ChannelInvalid),
        ("channel=a+b", Code::ChannelInvalid),
        ("channel=a%00", Code::ChannelInvalid),
        ("channel=%ff", Code::ChannelInvalid),
        ("channel=a&cursor=x", Code::CursorInvalid),
        ("channel=a&cursor=%ff", Code::CursorInvalid),
        ("channel=a&cursor=1.k3f9x2ab.a%0d%0a", Code::CursorInvalid),
        ("channel=a&token=%ff", Code::TokenInvalid),
        ("channel=a&envelope=maybe", Code::Malformed),
    ];
    for (query, expected) in cases {
        assert_eq!(code(query), expected, "{query}");
    }
    let request = Request { query: "channel=a", last_event_id: Some(b"\xff"), authorization: None };
    let refused = Query::parse(request, &Limits::default(), NOW).unwrap_err();
    assert_eq!(refused.refusal.code, Code::CursorInvalid);
    let long = format!("channel=a&cursor={}", "1".repeat(CURSOR_BYTES_MAX + 1));
    assert_eq!(code(&long), Code::CursorInvalid);
}

#[test]
fn channels_are_few_enough_to_come_back_to() {
    let many = |n: usize| (0..n).map(|i| format!("channel=c{i}&")).collect::<String>();
    assert!(parse(&many(128)).is_ok());
    assert_eq!(code(&many(129)), Code::TooManyChannels);
    let long = |n: usize| {
        (0..n).map(|i| format!("channel={}{i}&", "%F0%9F%98%80".repeat(60))).collect::<String>()
    };
    let most = (1..128).take_while(|n| parse(&long(*n)).is_ok()).last().unwrap();
    assert_eq!(code(&long(most + 1)), Code::TooManyChannels);
    let mut places = Places::default();
    for subscribe in parse(&long(most)).unwrap().connect.subscribe {
        let position = Position { epoch: Epoch::new(u64::MAX), offset: u64::MAX };
        places.advance(&subscribe.channel, position);
    }
    let cursor = places.cursor().to_string();
    assert!(cursor.len() <= CURSOR_BYTES_MAX && cursor.len() > CURSOR_BYTES_MAX * 9 / 10);
}

fn publication(name: Option<&str>, data: Data) -> Publication {
    Publication {
        channel: ChannelName::parse("news").unwrap(),
        id: PublicationId::from_bits(7),
        position: Position { epoch: Epoch::parse("k3f9x2ab").unwrap(), offset: 42 },
        time: NOW,
        name: name.map(Into::into),
        reference: None,
        tags: vec![],
        from: None,
        data,
    }
}

#[test]
fn a_publication_is_its_data_and_its_name() {
    let json = publication(Some("score"), Data::Json("{\"home\":1}".into()));
    let event = PlainEvent::publication(&json, false).with_id(publication_id(&json));
    assert_eq!(event.id.as_deref(), Some("42.k3f9x2ab.news"));
    assert_eq!(event.event.as_deref(), Some("score"));
    assert_eq!(&*event.data, b"{\"home\":1}");

    let bytes = publication(None, Data::Bytes(vec![0, 255].into()));
    let event = PlainEvent::publication(&bytes, false);
    assert_eq!((event.event.as_deref(), &*event.data), (Some("bytes"), &b"AP8="[..]));
    let named = publication(Some("photo"), Data::Bytes(vec![].into()));
    let event = PlainEvent::publication(&named, false);
    assert_eq!((event.event.as_deref(), &*event.data), (Some("photo"), &b""[..]));
}

#[test]
fn an_envelope_is_the_object_of_the_protocol() {
    let it = publication(None, Data::Bytes(vec![0, 255].into()));
    let event = PlainEvent::publication(&it, true);
    let mut whole = Vec::new();
    json::encode_publication(&it, &mut whole);
    let inner = &whole[b"{\"publication\":".len()..whole.len() - 1];
    assert_eq!((event.event, &*event.data), (None, inner));
}

#[test]
fn nobody_can_publish_the_end_of_a_stream() {
    for name in ["gap", "lagged", "close", "error", "open"] {
        let it = publication(Some(name), Data::Json("1".into()));
        assert_eq!(PlainEvent::publication(&it, false).event, None, "{name}");
    }
}

#[test]
fn places_are_told_in_the_order_of_the_request() {
    let channel = |name| ChannelName::parse(name).unwrap();
    let at = |offset| Position { epoch: Epoch::new(0), offset };
    let mut places = Places::new([channel("b"), channel("a.x")]);
    assert!(!places.known());
    let subscribed = |name, offset| {
        let (channel, position) = (channel(name), at(offset));
        Event::Subscribed(Subscribed { channel, position, head: offset, recovered: false })
    };
    assert_eq!(places.handle_event(&subscribed("a.x", 5), false), None);
    assert_eq!(places.handle_event(&subscribed("b", 0), false), None);
    assert!(places.known());
    assert_eq!(places.cursor().to_string(), "0.00000000.b~5.00000000.a%2ex");
    let gap = Event::Gap(Gap {
        channel: channel("b"),
        from: 1,
        to: Some(8),
        reason: GapReason::Expired,
        resume: at(8),
    });
    let event = places.handle_event(&gap, false).unwrap();
    assert_eq!(event.id.as_deref(), Some("8.00000000.b~5.00000000.a%2ex"));
    let why = Some(Code::TokenExpired.into());
    let ended = Event::Unsubscribed { channel: channel("b"), why };
    let event = places.handle_event(&ended, false).unwrap();
    assert_eq!(event.id.as_deref(), Some("5.00000000.a%2ex"));
    let refused = Event::Refused { channel: Some(channel("a.x")), refusal: Code::Internal.into() };
    assert_eq!(places.handle_event(&refused, false).unwrap().id, None);
    assert_eq!(places.cursor().to_string(), "5.00000000.a%2ex", "it is followed all the same");
}

#[test]
fn a_channel_refused_at_the_start_is_not_waited_for() {
    let channel = ChannelName::parse("secret").unwrap();
    let mut places = Places::new([channel.clone()]);
    let refusal = Code::SubscribeDenied.into();
    let _ = places.handle_event(&Event::Refused { channel: Some(channel), refusal }, false);
    assert!(places.known());
}

/// An event as the lines of an SSE stream, the way the transport lays it out.
fn lines(event: &PlainEvent<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(event.retry.map(|retry| format!("retry: {}", retry.as_millis())));
    lines.extend(event.id.as_ref().map(|id| format!("id: {id}")));
    lines.extend(event.event.as_ref().map(|name| format!("event: {name}")));
    lines.push(format!("data: {}", std::str::from_utf8(&event.data).unwrap()));
    lines
}

/// An event of a transcript, made again from what it says.
fn told(fields: &HashMap<&str, &str>, envelope: bool, places: &mut Places) -> Vec<String> {
    let data = fields["data"];
    let native = match fields.get("event").copied() {
        Some("gap") => format!("{{\"gap\":{data}}}"),
        Some("lagged") => format!("{{\"lagged\":{data}}}"),
        Some("error") => format!("{{\"error\":{data}}}"),
        Some("close") => format!("{{\"close\":{data}}}"),
        _ if envelope => format!("{{\"publication\":{data}}}"),
        name => return published(fields["id"], name, data),
    };
    let mut event = None;
    json::decode_answer(native.as_bytes(), |answer| event = Some(answer.event)).unwrap();
    let event = match (event.unwrap(), fields.get("id")) {
        // An error that moves the cursor is the end of a subscription.
        (Event::Refused { channel: Some(channel), refusal }, Some(_)) => {
            Event::Unsubscribed { channel, why: Some(refusal) }
        }
        (event, _) => event,
    };
    lines(&places.handle_event(&event, envelope).unwrap())
}

/// A publication of which a reader sees only data, name and the cursor after it.
fn published(id: &str, name: Option<&str>, data: &str) -> Vec<String> {
    let cursor = Cursor::parse(id).unwrap();
    let (channel, position) = cursor.iter().next().unwrap().clone();
    let bytes = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    };
    let (name, data) = match name {
        Some("bytes") => (None, Data::Bytes(bytes(data).into())),
        name => (name, Data::Json(data.to_owned().into())),
    };
    let it = Publication { channel, position, ..publication(name, data) };
    lines(&PlainEvent::publication(&it, false).with_id(id.into()))
}

/// The request of a transcript: its query, and the headers by name.
fn request(text: &str) -> (&str, HashMap<&str, &str>) {
    let mut lines = text.lines();
    let address = lines.next().unwrap().strip_prefix("GET ").unwrap();
    let query = address.split_once('?').map_or("", |(_, query)| query);
    (query, lines.map(|line| line.split_once(": ").unwrap()).collect())
}

#[test]
fn transcripts_say_what_the_reader_sees() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/plain"));
    let mut checked = 0;
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let mut asked = None;
        let mut places = Places::default();
        let mut event: Vec<String> = Vec::new();
        for step in vectors::parse(&fs::read_to_string(&file).unwrap()).unwrap() {
            let at = format!("{}:{}", file.display(), step.line);
            match step.action {
                Action::Client(_, text) => {
                    let (query, headers) = request(&text);
                    let header = |name| headers.get(name).map(|value: &&str| value.as_bytes());
                    let (last_event_id, authorization) =
                        (header("Last-Event-ID"), header("Authorization"));
                    let request = Request { query, last_event_id, authorization };
                    asked = Some(Query::parse(request, &Limits::default(), NOW));
                    places = Places::default();
                }
                Action::Server(_, line) if line.is_empty() => {
                    let said = std::mem::take(&mut event);
                    let fields = said.iter().filter_map(|line| line.split_once(": ")).collect();
                    let query = asked.as_ref().unwrap().as_ref().expect(&at);
                    checked += check_event(&said, &fields, query.envelope, &mut places, &at);
                }
                Action::Server(_, line) => match &asked {
                    Some(Err(refused)) => check_refusal(refused, &line, &at),
                    _ => event.push(line),
                },
                _ => {}
            }
        }
        assert!(event.is_empty(), "{}: the last event is not ended", file.display());
    }
    assert!(checked > 10, "there are events in the transcripts");
}

/// Compares one block of lines; whether there was an event in it.
fn check_event(
    said: &[String],
    fields: &HashMap<&str, &str>,
    envelope: bool,
    places: &mut Places,
    at: &str,
) -> usize {
    if let Some(id) = fields.get("id") {
        for (channel, position) in Cursor::parse(id).expect(at).iter() {
            places.advance(channel, *position);
        }
    }
    if !fields.contains_key("data") {
        return 0;
    }
    // A gap that is told before the stream has begun has no id: that of all channels follows.
    let mut told = told(fields, envelope, places);
    told.retain(|line| fields.contains_key("id") || !line.starts_with("id: "));
    assert_eq!(told, said, "{at}");
    1
}

/// What cannot be followed is answered by a status and the body of the refusal.
fn check_refusal(refused: &Refused, line: &str, at: &str) {
    let mut body = Vec::new();
    json::refusal_object(refused.channel.as_ref(), &refused.refusal, &mut body);
    let expected =
        [format!("HTTP {}", refused.refusal.code.http_status()), String::from_utf8(body).unwrap()];
    assert!(expected.iter().any(|it| it == line), "{at}: {expected:?}");
}

proptest! {
    #[test]
    fn nothing_breaks_its_line(answer in samples::answer(), envelope: bool) {
        if let Some(event) = PlainEvent::of(&answer.event, envelope) {
            let name = event.event.as_deref().unwrap_or_default().as_bytes();
            for text in [name, &event.data] {
                prop_assert!(!text.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)));
            }
        }
    }

    #[test]
    fn an_id_brings_back_every_place(places in prop::collection::vec((samples::channel(), any::<(u64, u64)>()), 1..6)) {
        let mut reader = Places::default();
        for (channel, (epoch, offset)) in &places {
            reader.advance(channel, Position { epoch: Epoch::new(*epoch), offset: *offset });
        }
        let text = reader.cursor().to_string();
        let header = Request {
            query: "channel=a",
            last_event_id: Some(text.as_bytes()),
            authorization: None,
        };
        prop_assert!(Query::parse(header, &Limits::default(), NOW).is_ok());
        prop_assert_eq!(Cursor::parse(&text).unwrap(), reader.cursor());
    }

    #[test]
    fn any_query_is_read_or_refused(query in ".{0,200}") {
        let _ = parse(&query);
    }
}

#[test]
fn a_close_says_when_to_come_back_and_never_at_once() {
    for (after, retry) in [(0, 250), (1_200, 1_450)] {
        let close = Close { after: Some(Duration::from_millis(after)), ..Code::Shutdown.into() };
        let event = Event::Closing(close);
        let plain = PlainEvent::of(&event, false).unwrap();
        assert_eq!(plain.retry, Some(Duration::from_millis(retry)));
        assert_eq!(plain.event.as_deref(), Some("close"));
        let told = std::str::from_utf8(&plain.data).unwrap();
        assert!(told.contains(&format!("\"after\":{after}")), "{told}");
    }
    let told = Event::Publication(Arc::new(publication(None, Data::Json("1".into()))));
    assert_eq!(PlainEvent::of(&told, false).unwrap().retry, None);
}
