//! What lines look like, also those that are meant to harm.

use martlet_client::{Data, Epoch, Position, Publication, PublicationId, UnixMillis};

use super::*;

fn publication(json: &str) -> Publication {
    Publication {
        channel: ChannelName::parse("news").unwrap(),
        id: PublicationId::new(UnixMillis(1), 1),
        position: Position { epoch: Epoch::parse("k3f9x2ab").unwrap(), offset: 3 },
        time: UnixMillis(45_296_000),
        name: Some("score".into()),
        reference: None,
        tags: vec![("lang".into(), "en".into())],
        from: None,
        data: Data::Json(json.to_owned().into()),
    }
}

fn line(format: Format, json: &str) -> String {
    let mut out = String::new();
    Style { colour: false, channels: true }.publication(format, &publication(json), &mut out);
    out
}

#[test]
fn people_see_time_channel_name_and_data() {
    assert_eq!(line(Format::Pretty, r#"{"home":1}"#), "12:34:56 news score {\"home\":1}\n");
}

#[test]
fn programs_see_everything() {
    let expected = concat!(
        r#"{"channel":"news","id":"00000000010000000000000001","epoch":"k3f9x2ab","offset":3,"#,
        r#""time":45296000,"name":"score","tags":{"lang":"en"},"data":{"b":1,"a":1.0}}"#,
        "\n"
    );
    assert_eq!(line(Format::Json, r#"{"b":1,"a":1.0}"#), expected);
}

#[test]
fn a_text_is_written_without_quotes_unless_it_could_be_more_than_a_line() {
    assert_eq!(line(Format::Data, r#""ä \"b\"""#), "ä \"b\"\n");
    assert_eq!(line(Format::Data, r#""a\nb""#), "\"a\\nb\"\n");
    assert_eq!(line(Format::Data, "[1,\n2]"), "[1, 2]\n");
}

#[test]
fn bytes_are_base64() {
    let bytes = Data::Bytes(vec![1, 2].into());
    let publication = Publication { data: bytes, ..publication("0") };
    let mut out = String::new();
    Style { colour: false, channels: false }.publication(Format::Data, &publication, &mut out);
    assert_eq!(out, "AQI=\n");
}

#[test]
fn nothing_reaches_the_terminal_that_could_take_it_over() {
    for json in ["\"\\u001b[2J\"", "\"\u{9b}2J\"", "[\"\u{202e}\"]"] {
        let shown = line(Format::Pretty, json);
        let plain =
            |c: char| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(shown.chars().all(plain), "{shown:?}");
    }
}
