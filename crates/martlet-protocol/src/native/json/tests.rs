//! JSON: what is written is read back and is what the reference says; bad input is refused.

use std::sync::Arc;

use martlet_core::model::*;
use martlet_core::session::{Answer, Command, Event, Member, Numbered, Start};
use proptest::prelude::*;

use super::write::text;
use super::*;
use crate::native::samples;
use crate::{FrameError, Refused};

type Heard = Vec<Result<Numbered, Refused>>;

fn heard_within(frame: impl AsRef<[u8]>, limits: &Limits) -> Result<Heard, FrameError> {
    let mut heard = Vec::new();
    decode(frame.as_ref(), limits, |it| heard.push(it))?;
    Ok(heard)
}

fn heard(frame: impl AsRef<[u8]>) -> Heard {
    heard_within(frame, &Limits::default()).unwrap()
}

/// The one refusal of a frame: the id it is answered with, and the code.
fn refused(frame: impl AsRef<[u8]>) -> (u32, Code) {
    match &heard(frame)[..] {
        [Err(refused)] => (refused.id, refused.refusal.code),
        other => panic!("one refusal was expected: {other:?}"),
    }
}

fn one(frame: &str) -> Numbered {
    heard(frame).remove(0).unwrap()
}

fn roomy() -> Limits {
    Limits { tags: 100, name_bytes: 10_000, ..Limits::default() }
}

fn publication() -> Publication {
    Publication {
        channel: ChannelName::parse("news").unwrap(),
        id: PublicationId::parse("01hf7yat00abcdefghjkmnpqrs").unwrap(),
        position: Position { epoch: Epoch::parse("k3f9x2ab").unwrap(), offset: 42 },
        time: UnixMillis(1_700_000_000_000),
        name: Some("score".into()),
        reference: Some("m-7".into()),
        tags: vec![("lang".into(), "en".into())],
        from: Some(Publisher {
            client: ClientId::parse("0q3aaaaaaaaaa").unwrap(),
            user: UserId::parse("ann"),
        }),
        data: Data::Json("{\"home\":1}".into()),
    }
}

#[test]
fn a_publication_is_written_as_the_reference_says() {
    let mut out = Vec::new();
    encode_publication(&publication(), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"publication":{"channel":"news","id":"01hf7yat00abcdefghjkmnpqrs","epoch":"k3f9x2ab","offset":42,"time":1700000000000,"name":"score","ref":"m-7","tags":{"lang":"en"},"from":{"client":"0q3aaaaaaaaaa","user":"ann"},"data":{"home":1}}}"#
    );
}

#[test]
fn a_bare_publication_has_no_empty_fields() {
    let bare = Publication {
        name: None,
        reference: None,
        tags: vec![],
        from: None,
        data: Data::Bytes(vec![0, 255].into()),
        ..publication()
    };
    let mut out = Vec::new();
    encode_publication(&bare, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"publication":{"channel":"news","id":"01hf7yat00abcdefghjkmnpqrs","epoch":"k3f9x2ab","offset":42,"time":1700000000000,"bytes":"AP8="}}"#
    );
}

#[test]
fn what_all_are_told_is_what_one_is_told() {
    let it = Arc::new(publication());
    let member = Member { client: ClientId::new(7), user: None, info: Some("{}".into()) };
    let channel = it.channel.clone();
    let same = |event: Event, all: &dyn Fn(&mut Vec<u8>)| {
        let (mut one, mut shared) = (Vec::new(), Vec::new());
        encode_answer(&Answer { id: 0, event }, &mut one);
        all(&mut shared);
        assert_eq!(one, shared);
    };
    same(Event::Publication(it.clone()), &|out| encode_publication(&it, out));
    let join = Event::Join { channel: channel.clone(), member: member.clone() };
    same(join, &|out| encode_join(&channel, &member, out));
    let leave = Event::Leave { channel: channel.clone(), member: member.clone() };
    same(leave, &|out| encode_leave(&channel, &member, out));
}

#[test]
fn texts_are_safe_inside_a_script() {
    let mut out = Vec::new();
    text(&mut out, "</script>\u{2028}\u{2029}\u{2027}\u{0}\u{1f}\u{7f}\n\r\t\"\\/");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\"\\u003c/script\\u003e\\u2028\\u2029\u{2027}\\u0000\\u001f\u{7f}\\n\\r\\t\\\"\\\\/\""
    );
}

#[test]
fn several_commands_come_in_their_order() {
    let frame = " \n{\"id\":1,\"ping\":{}}\n\n{\"pong\":{\"new\":1},\"newer\":[]}\r\n{\"id\":4294967295,\"presence\":{\"channel\":\"a\"}} ";
    let heard: Vec<_> = heard(frame).into_iter().map(Result::unwrap).collect();
    let channel = ChannelName::parse("a").unwrap();
    let expected = [(1, Command::Ping), (0, Command::Pong), (u32::MAX, Command::Presence(channel))];
    assert_eq!(heard, expected.map(|(id, command)| Numbered { id, command }));
}

#[test]
fn a_bad_command_does_not_spoil_the_others() {
    let heard = heard("{\"id\":1,\"ping\":{}}\n{\"id\":2,\"dance\":{}}\n{\"id\":3,\"ping\":{}}");
    assert_eq!(heard.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_frame_that_is_no_objects_does_nothing() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let half_open = "{\"a\":".repeat(100_000);
    let after_good = "{\"ping\":{}}\n{\"ping\":";
    let bad = ["", " \n", "x", "1", "null", "[]", "[{\"ping\":{}}]", "{\"ping\":{}", "\u{feff}{}"];
    let odd = ["{\"a\":NaN}", "{'a':1}", "{\"\\ud800\":1}", "{\"a\":\"\u{0}\"}", after_good];
    for frame in bad.into_iter().chain(odd).chain([&*deep, &*half_open]) {
        let mut heard = 0;
        let error = decode(frame.as_bytes(), &Limits::default(), |_| heard += 1).unwrap_err();
        assert_eq!((heard, error.close().code), (0, Code::BadFrame));
        assert!(error.close().detail.unwrap().len() < 200);
    }
    assert!(heard_within(b"{\"a\":\"\xff\"}", &Limits::default()).is_err(), "not UTF-8");
}

#[test]
fn refusals_have_the_id_and_the_code() {
    let cases = [
        (r#"{}"#, 0, Code::Malformed),
        (r#"{"id":7}"#, 7, Code::Malformed),
        (r#"{"id":7,"dance":{}}"#, 7, Code::UnknownCommand),
        (r#"{"id":7,"subscribed":{}}"#, 7, Code::UnknownCommand),
        (r#"{"id":7,"ping":{},"pong":{}}"#, 7, Code::Malformed),
        (r#"{"id":7,"ping":{},"ping":{}}"#, 7, Code::Malformed),
        (r#"{"id":0,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":-1,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":4294967296,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":1.0,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":1e999999,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":"1","ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":1,"id":1,"ping":{}}"#, 0, Code::Malformed),
        (r#"{"id":7,"ping":1}"#, 7, Code::Malformed),
        (r#"{"id":7,"ping":[]}"#, 7, Code::Malformed),
        (r#"{"id":7,"presence":["a"]}"#, 7, Code::Malformed),
        (r#"{"id":7,"presence":{"channel":"a b"}}"#, 7, Code::ChannelInvalid),
        (r#"{"id":7,"presence":{"channel":"a\u0000"}}"#, 7, Code::ChannelInvalid),
        (r#"{"id":7,"presence":{"channel":"\ud800"}}"#, 7, Code::Malformed),
        (r#"{"id":7,"presence":{"channel":"a","channel":"a"}}"#, 7, Code::Malformed),
        (r#"{"id":7,"subscribe":[]}"#, 7, Code::Malformed),
        (r#"{"id":7,"subscribe":{"channel":"a"}}"#, 7, Code::Malformed),
        (r#"{"id":7,"subscribe":[["a"]]}"#, 7, Code::Malformed),
        (r#"{"id":7,"subscribe":[{"channel":"a","offset":-1}]}"#, 7, Code::Malformed),
        (r#"{"id":7,"unsubscribe":[]}"#, 7, Code::Malformed),
        (r#"{"id":7,"unsubscribe":[1]}"#, 7, Code::Malformed),
        (r#"{"id":7,"publish":{"channel":"a"}}"#, 7, Code::DataInvalid),
        (r#"{"id":7,"publish":{"channel":"a","data":1,"bytes":""}}"#, 7, Code::DataInvalid),
        (r#"{"id":7,"publish":{"channel":"a","data":1,"tags":{"a":1}}}"#, 7, Code::Malformed),
        (r#"{"id":7,"history":{"channel":"a","limit":-1}}"#, 7, Code::Malformed),
        (r#"{"id":7,"refresh":{}}"#, 7, Code::Malformed),
        (r#"{"id":7,"connect":{"token":1}}"#, 7, Code::Malformed),
    ];
    for (frame, id, code) in cases {
        assert_eq!(refused(frame), (id, code), "{frame}");
    }
}

#[test]
fn a_refusal_names_its_channel() {
    let heard = heard(r#"{"id":7,"publish":{"channel":"a","data":1,"name":""}}"#);
    let refused = heard[0].clone().unwrap_err();
    assert_eq!(refused.channel, ChannelName::parse("a").ok());
    let Event::Refused { channel, .. } = refused.into_answer().event else { panic!() };
    assert_eq!(channel, ChannelName::parse("a").ok());
}

#[test]
fn many_keys_are_only_long() {
    let keys: String = (0..100_000).map(|i| format!("\"k{i}\":{i},")).collect();
    assert_eq!(one(&format!("{{{keys}\"ping\":{{}}}}")).command, Command::Ping);
}

#[test]
fn commands_have_a_limit_together() {
    let limits = Limits { commands_per_frame: 2, ..Limits::default() };
    let ping = "{\"id\":1,\"ping\":{}}\n";
    assert_eq!(heard_within(ping.repeat(2), &limits).unwrap().len(), 2);
    let heard = heard_within(ping.repeat(3), &limits).unwrap();
    let codes = heard.iter().map(|it| it.as_ref().unwrap_err().refusal.code);
    assert_eq!(codes.collect::<Vec<_>>(), [Code::TooManyCommands]);
}

#[test]
fn channels_have_a_limit_together() {
    let limits = Limits { channels_per_client: 1, ..Limits::default() };
    for frame in [
        r#"{"id":1,"subscribe":[{"channel":"a"},{"channel":"b"}]}"#,
        r#"{"id":1,"unsubscribe":["a","b"]}"#,
        r#"{"id":1,"connect":{"subscribe":[{"channel":"a"},{"channel":"b"}]}}"#,
    ] {
        let heard = heard_within(frame, &limits).unwrap();
        assert_eq!(heard[0].as_ref().unwrap_err().refusal.code, Code::TooManyChannels);
    }
}

#[test]
fn data_passes_untouched() {
    let data = "[ 1e999999 ,\"\\ud800</script>\u{2028}\\u0000\",{\"a\":1,\"a\":2},0.10]";
    let frame = format!("{{\"publish\":{{\"channel\":\"a\",\"data\":{data}}}}}");
    let Command::Publish(draft) = one(&frame).command else { panic!() };
    assert_eq!(draft.data, Data::Json(data.to_owned().into()));
    let null = r#"{"publish":{"channel":"a","data":null}}"#;
    let Command::Publish(draft) = one(null).command else { panic!() };
    assert_eq!(draft.data, Data::Json("null".into()));
}

#[test]
fn a_key_that_is_none_of_ours_is_no_session() {
    let Command::Connect(connect) = one(r#"{"connect":{"session":"x"}}"#).command else { panic!() };
    assert_eq!(connect.session, None);
}

#[test]
fn a_page_of_history_is_full_when_no_limit_is_given() {
    let Command::History(history) = one(r#"{"history":{"channel":"a"}}"#).command else { panic!() };
    assert_eq!((history.limit, history.start), (Limits::default().history_page, None));
    let since = r#"{"history":{"channel":"a","since":5,"limit":0}}"#;
    let Command::History(history) = one(since).command else { panic!() };
    assert_eq!((history.limit, history.start), (0, Some(Start::Since(UnixMillis(5)))));
}

#[test]
fn a_body_is_a_draft() {
    let body = br#" {"channel":"a","data":{"x":1},"key":"k"} "#;
    let draft = decode_draft(body, &Limits::default()).unwrap();
    assert_eq!(draft.idempotency_key.as_deref(), Some("k"));
    for bad in [&b""[..], b"{} {}", b"[]", b"{\"channel\":\"a\",\"data\":"] {
        let refused = decode_draft(bad, &Limits::default()).unwrap_err();
        assert_eq!(refused.refusal.code, Code::Malformed, "{bad:?}");
    }
}

fn told(frame: &str) -> Result<Vec<Answer>, FrameError> {
    let mut told = Vec::new();
    decode_answer(frame.as_bytes(), |answer| told.push(answer)).map(|()| told)
}

#[test]
fn a_client_overhears_what_is_newer_than_itself() {
    let events = told("{\"dance\":{}}\n{}\n{\"ping\":{},\"mood\":1}").unwrap();
    assert_eq!(events, [Answer { id: 0, event: Event::Ping }]);
    let frame = r#"{"error":{"code":1999,"name":"new","message":"New.","temporary":true}}"#;
    let Event::Refused { refusal, .. } = told(frame).unwrap().remove(0).event else { panic!() };
    assert_eq!((refusal.code, refusal.detail.as_deref()), (Code::Internal, Some("1999: New.")));
    let frame = r#"{"close":{"code":3499,"name":"new","message":"New.","reconnect":true}}"#;
    let Event::Closing(close) = told(frame).unwrap().remove(0).event else { panic!() };
    assert!(close.reconnect());
}

#[test]
fn a_client_refuses_what_it_cannot_read() {
    for frame in [
        "",
        "{",
        r#"{"ping":{},"pong":{}}"#,
        r#"{"id":"x","ping":{}}"#,
        r#"{"connected":{}}"#,
        r#"{"lagged":{"channel":"a b","offset":1,"head":2}}"#,
        r#"{"gap":{"channel":"a","from":1,"reason":"boredom","epoch":"k3f9x2ab","offset":1}}"#,
        r#"{"publication":{"channel":"a","id":"01hf7yat00abcdefghjkmnpqrs","epoch":"k3f9x2ab","offset":1,"time":1}}"#,
    ] {
        assert!(told(frame).is_err(), "{frame}");
    }
}

proptest! {
    #[test]
    fn commands_come_back(commands in prop::collection::vec(samples::command(), 1..4)) {
        let mut frame = Vec::new();
        for command in &commands {
            encode_command(command, &mut frame);
            frame.extend_from_slice(JOINT);
        }
        let heard = heard_within(&frame, &roomy()).unwrap();
        prop_assert_eq!(heard, commands.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn events_come_back(answers in prop::collection::vec(samples::answer(), 1..4)) {
        let mut frame = Vec::new();
        for answer in &answers {
            encode_answer(answer, &mut frame);
            frame.extend_from_slice(JOINT);
        }
        let lines = frame.iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(lines, answers.len(), "an event is one line");
        let told = told(std::str::from_utf8(&frame).unwrap()).unwrap();
        prop_assert_eq!(told, answers);
    }

    #[test]
    fn texts_come_back(value in any::<String>()) {
        let mut out = Vec::new();
        text(&mut out, &value);
        prop_assert!(!out.iter().any(|&byte| byte < 0x20 || byte == b'<' || byte == b'>'));
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
    }

    #[test]
    fn a_cut_frame_does_nothing_or_less(command in samples::command(), cut in any::<prop::sample::Index>()) {
        let mut frame = Vec::new();
        encode_command(&command, &mut frame);
        frame.truncate(cut.index(frame.len()));
        prop_assert!(heard_within(&frame, &roomy()).is_err());
    }
}
