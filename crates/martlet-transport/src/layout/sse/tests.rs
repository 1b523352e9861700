//! Streams are read back by the rules of the HTML standard, whatever is in the payload.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: Option<String>,
    data: String,
}

/// A reader of event streams as the HTML standard describes it.
fn read(stream: &str) -> Vec<Event> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut data, mut id) = (None, None::<String>, None);
    for line in stream.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            _ if line.is_empty() => {
                if let Some(data) = data.take() {
                    events.push(Event { id: id.clone(), name: name.take(), data });
                }
                name = None;
            }
            "event" => name = Some(value),
            "id" => id = Some(value),
            "data" => data = Some(data.map_or(value.clone(), |data| data + "\n" + &value)),
            _ => {}
        }
    }
    events
}

fn written(id: Option<&str>, event: Option<&str>, data: &[u8]) -> String {
    let mut out = Vec::new();
    write_event(&mut out, id, event, Some(data)).expect("good fields");
    String::from_utf8(out).expect("text stays text")
}

#[test]
fn an_event_has_its_fields() {
    let text = written(Some("42.k3f9x2ab.news"), Some("score"), b"{\"home\":1}");
    assert_eq!(text, "event: score\nid: 42.k3f9x2ab.news\ndata: {\"home\":1}\n\n");
}

#[test]
fn data_is_split_at_every_kind_of_line_break() {
    assert_eq!(
        written(None, None, b"a\nb\rc\r\nd\n"),
        "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
    );
    assert_eq!(written(None, None, b""), "data: \n\n");
}

#[test]
fn fields_with_line_breaks_are_refused_and_write_nothing() {
    for bad in ["a\nb", "a\rdata: x", "a\0"] {
        let mut out = Vec::new();
        assert_eq!(write_event(&mut out, Some(bad), None, Some(b"")), Err(BadField("id")));
        assert_eq!(write_event(&mut out, None, Some(bad), Some(b"")), Err(BadField("name")));
        assert!(out.is_empty());
    }
}

#[test]
fn comments_and_retries_are_lines_of_their_own() {
    let mut out = Vec::new();
    write_retry(&mut out, 2000);
    write_comment(&mut out, "mart\r\nlet");
    write_event(&mut out, Some("7"), None, None).expect("good fields");
    assert_eq!(out, b"retry: 2000\n: mart  let\n\nid: 7\n\n");
}

proptest! {
    #[test]
    fn any_data_is_read_back_with_its_lines(data in "[ :a-c\r\n\u{2028}\u{0}é]{0,60}") {
        let text = written(Some("7"), Some("x"), data.as_bytes());
        let lines = data.replace("\r\n", "\n").replace('\r', "\n");
        let expected = Event { id: Some("7".into()), name: Some("x".into()), data: lines };
        prop_assert_eq!(read(&text), vec![expected]);
    }
}
