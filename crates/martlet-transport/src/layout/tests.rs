//! The heads of streams, and what each layout makes of the same events.

use proptest::prelude::*;

use super::*;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("text stays text")
}

fn publication<'a>(cursor: Option<&'a str>, data: &'a str) -> Event<'a> {
    Event {
        kind: "publication",
        cursor,
        name: Some("score"),
        data: data.as_bytes(),
        content_type: None,
        retry_ms: None,
    }
}

#[test]
fn the_head_asks_proxies_not_to_hold_back() {
    let mut out = Vec::new();
    let framing = write_stream_head(&Sse, Version::HTTP_11, HeaderMap::new(), &mut out);
    assert_eq!(framing, Framing::Chunked);
    let head = String::from_utf8(out).expect("a head is text");
    for line in [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store, no-cache, no-transform, must-revalidate, max-age=0",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        "transfer-encoding: chunked",
        "connection: close",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
    let mut out = Vec::new();
    let framing = write_stream_head(&Lines, Version::HTTP_10, HeaderMap::new(), &mut out);
    assert_eq!(framing, Framing::Raw);
    let head = String::from_utf8(out).expect("a head is text");
    assert!(head.starts_with("HTTP/1.0 200 OK") && head.contains("connection: close"), "{head}");
    assert!(!head.contains("chunked"), "{head}");
}

#[test]
fn a_line_is_one_line_whatever_its_json_looks_like() {
    let written =
        text(|out| Lines.event(&publication(Some("7.e.news"), "{\n\"a\":\r\n1}"), false, out));
    assert_eq!(written, "{\"publication\":{ \"a\":  1},\"cursor\":\"7.e.news\"}\n");
    let open = text(|out| {
        Lines.event(&publication(None, "1"), true, out);
        Lines.close_event("7.e.news~1.f.b", out);
    });
    assert_eq!(open, "{\"publication\":1,\"cursor\":\"7.e.news~1.f.b\"}\n");
    assert_eq!(text(|out| Lines.place("7.e.news", out)), "{\"cursor\":\"7.e.news\"}\n");
    assert_eq!(text(|out| Lines.heartbeat(out)), "\n");
}

#[test]
fn items_leave_the_cursor_to_the_end_of_the_answer() {
    let written = text(|out| Items.event(&publication(Some("7.e.news"), "1"), true, out));
    assert_eq!(written, "{\"publication\":1}\n");
    assert_eq!(text(|out| Items.place("7.e.news", out)), "");
}

#[test]
fn filler_is_as_long_as_asked_for() {
    let begin = Begin { padding: 100, ..Begin::default() };
    assert_eq!(text(|out| Lines.begin(&begin, out)).len(), 101);
    assert!(text(|out| Lines.begin(&Begin::default(), out)).is_empty());
    assert!(text(|out| Sse.begin(&begin, out)).len() > 100);
    assert!(text(|out| Html.begin(&Begin::default(), out)).len() > 1024);
}

#[test]
fn nothing_published_ends_a_script() {
    let data = "\"</script><!--&\u{2028}\u{2029}é\"";
    let safe = r#""\u003c/script\u003e\u003c!--\u0026\u2028\u2029é""#;
    let written = text(|out| Html.event(&publication(Some("7.e.news"), data), false, out));
    let expected =
        format!("<script>m({{\"publication\":{safe},\"cursor\":\"7.e.news\"}});</script>\n");
    assert_eq!(written, expected);
    let native = text(|out| Html.message(data.as_bytes(), out));
    assert_eq!(native, format!("<script>m({safe});</script>\n"));
    let read: String = serde_json::from_str(safe).expect("it is JSON still");
    assert_eq!(read, serde_json::from_str::<String>(data).expect("JSON"));
}

#[test]
fn a_page_calls_the_function_that_was_named() {
    let callback = Some(Callback::parse("app.on_news$1").expect("a name"));
    let page = text(|out| Html.begin(&Begin { callback, ..Begin::default() }, out));
    assert!(page.contains("function m(e){parent.app.on_news$1(e)}"), "{page}");
}

#[test]
fn a_callback_is_a_name_and_nothing_else() {
    let longest = "a".repeat(64);
    for good in ["a", "_", "$", "jQuery17_1", "a.b.c", &longest] {
        assert!(Callback::parse(good).is_ok(), "{good}");
    }
    let long = "a".repeat(65);
    for bad in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "1a",
        "a b",
        "a-b",
        "a[0]",
        "a()",
        "a;b",
        "é",
        "a\n",
        "</script>",
        "alert(1)//",
        "a\u{2028}",
        &long,
    ] {
        assert_eq!(Callback::parse(bad), Err(BadCallback), "{bad}");
    }
}

#[test]
fn the_boundary_ends_each_part() {
    let parts = Multipart::new(false, 7);
    let mut headers = HeaderMap::new();
    parts.headers(&mut headers);
    assert_eq!(headers["content-type"], "multipart/mixed; boundary=martlet-0000000000000007");
    assert_eq!(text(|out| parts.begin(&Begin::default(), out)), "--martlet-0000000000000007");
    let written = text(|out| parts.event(&publication(Some("7.e.news"), "{\"a\":1}"), false, out));
    assert_eq!(
        written,
        "\r\nContent-Type: application/json\r\nMartlet-Cursor: 7.e.news\r\nMartlet-Name: score\r\n\
         Content-Length: 7\r\n\r\n{\"a\":1}\r\n--martlet-0000000000000007"
    );
    assert_eq!(text(|out| parts.heartbeat(out)), " ");
    assert_eq!(text(|out| parts.end(out)), "--\r\n");
    assert_eq!(text(|out| Multipart::new(true, 7).place("7.e.news", out)), "");
}

#[test]
fn data_with_the_boundary_in_it_ends_no_part() {
    let parts = Multipart::new(false, 7);
    let data = b"--martlet-0000000000000007\r\nX: forged";
    let event = Event { data, ..publication(None, "") };
    let written = text(|out| parts.event(&event, false, out));
    assert_eq!(written.matches("martlet-0000000000000007").count(), 1, "{written}");
    assert!(written.contains("Content-Transfer-Encoding: base64\r\n"), "{written}");
}

#[test]
fn a_field_of_a_part_is_one_line() {
    let forged = Event { name: Some("a\r\nX: forged"), ..publication(None, "1") };
    let written = text(|out| Multipart::new(false, 7).event(&forged, false, out));
    assert!(!written.contains("forged"), "{written}");
}

proptest! {
    /// It means the same, and holds nothing that could end a script, a line or a text of old.
    #[test]
    fn json_in_a_script_is_the_same_json(text in "[<>&/a!\\-\u{2028}\u{2029}\u{2027}é\"\\\\\n]{0,40}") {
        let json = serde_json::to_string(&text).expect("a text is JSON");
        let mut safe = Vec::new();
        write_script_json(json.as_bytes(), &mut safe);
        let safe = String::from_utf8(safe).expect("it stays text");
        prop_assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{}", safe);
        prop_assert_eq!(serde_json::from_str::<String>(&safe).expect("it stays JSON"), text);
    }

    #[test]
    fn a_callback_is_a_name_whatever_is_tried(text in ".{0,80}") {
        if let Ok(callback) = Callback::parse(&text) {
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
            prop_assert!(callback.as_str().chars().all(name));
        }
    }
}
