//! Names and data made to be misread: line breaks, NUL, tags, depth, huge numbers. Whatever is
//! taken comes back byte for byte on every transport, and forges nothing on the way.

use serde_json::{Value, json};

use crate::calm::Calm;
use crate::node::Victim;
use crate::raw::Raw;
use crate::ws::{FIN, TEXT, WebSocket, frame};

/// A plain stream of `channel`, from its beginning on.
fn plain(victim: &Victim, query: &str) -> Raw {
    let mut raw = Raw::open(victim.address);
    // HTTP/1.0, so that the bytes of the stream are not in chunks.
    raw.say(format!("GET /v1/sse?{query} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
    let head = String::from_utf8(raw.until("\r\n\r\n")).unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    raw.until(": martlet\n\n");
    raw.until("\n\n");
    raw
}

/// The fields of the next event, checked to be nothing but the known ones.
fn event(raw: &mut Raw) -> Vec<(String, String)> {
    let text = String::from_utf8(raw.until("\n\n")).unwrap();
    let lines = text.trim_end_matches('\n').split('\n');
    lines
        .map(|line| {
            assert!(!line.contains(['\r', '\0']), "{text:?}");
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{text:?}"));
            assert!(matches!(name, "id" | "event" | "data" | "retry"), "{text:?}");
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn field<'a>(event: &'a [(String, String)], name: &str) -> Option<&'a str> {
    event.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// Subscribes a WebSocket to `channel`.
fn follower(victim: &Victim, channel: &str) -> WebSocket {
    let mut socket = WebSocket::connected(victim.address);
    socket.command(json!({"id": 2, "subscribe": [{"channel": channel}]}));
    socket.event("subscribed");
    socket
}

#[test]
fn names_with_line_breaks_are_refused_by_every_door() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut socket = WebSocket::connected(victim.address);
    let mut listener = plain(&victim, "channel=names");
    for bad in ["a\r\nb", "a\nid: 9", "a\rdata: x", "\0", "a\u{7f}", "\u{85}", "\u{1b}[2J", ""] {
        for place in ["name", "ref", "key"] {
            let mut publish = json!({"channel": "names", "data": 1});
            publish[place] = bad.into();
            let answer = Raw::post(victim.address, "/v1/publish", publish.to_string());
            assert_eq!(answer.refusal(), (400, 1302), "{place} {bad:?}");
            let batch = json!({"publish": [publish]}).to_string();
            let answer = Raw::post(victim.address, "/v1/batch", batch).json();
            assert_eq!(answer["results"][0]["error"]["code"], 1302, "{place} {bad:?}");
            let mut broadcast = publish.clone();
            broadcast["channels"] = json!(["names", "more"]);
            broadcast.as_object_mut().unwrap().remove("channel");
            let answer = Raw::post(victim.address, "/v1/broadcast", broadcast.to_string());
            assert_eq!(answer.refusal(), (400, 1302), "{place} {bad:?}");
            socket.command(json!({"id": 3, "publish": publish}));
            assert_eq!(socket.error(), 1302, "{place} {bad:?}");
        }
        for tags in [json!({"a": bad}), json!({bad: "a"})] {
            // An empty value is one; an empty name is none.
            if tags["a"] == "" {
                continue;
            }
            let publish = json!({"channel": "names", "data": 1, "tags": tags});
            let answer = Raw::post(victim.address, "/v1/publish", publish.to_string());
            assert_eq!(answer.refusal(), (400, 1302), "{bad:?}");
        }
    }
    for key in ["a\tb", "\u{1}", &"k".repeat(129)] {
        let request = format!(
            "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {key}\r\n\
             Content-Length: 28\r\n\r\n{{\"channel\":\"names\",\"data\":1}}"
        );
        assert_eq!(Raw::ask(victim.address, request).refusal().0, 400, "{key:?}");
    }
    // The first thing that its follower hears is what is published now.
    let publish = json!({"channel": "names", "name": "good", "data": 1}).to_string();
    assert_eq!(Raw::post(victim.address, "/v1/publish", publish).status, 200);
    let event = event(&mut listener);
    assert_eq!((field(&event, "event"), field(&event, "data")), (Some("good"), Some("1")));
    calm.end();
}

#[test]
fn strange_names_and_data_come_back_equal_and_forge_nothing() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut socket = follower(&victim, "odd");
    let mut listener = plain(&victim, "channel=odd");
    let mut enveloped = plain(&victim, "channel=odd&envelope=true");
    let mut several = plain(&victim, "channel=odd&channel=more");
    let names =
        ["</script>", "\u{2028}", "data: x", "id", "événement", "🐦", "\"\\", "message", "gap"];
    let datas = [
        r#""</script><script>alert(1)</script>""#,
        "\"\u{2028}\u{2029}\u{85}\u{feff}\"",
        r#""\u0000\r\n\n\nid: 7\ndata: forged\n\n""#,
        r#""\ud800""#,
        r#"{"a":1,"a":2,"__proto__":{"b":3}}"#,
        "1e999999",
        "-0.0000000000000000000000000000000000001",
        r#"[[],{},"",null,true]"#,
        r#""🐦\ud83d\udc26""#,
    ];
    for (name, data) in names.iter().zip(datas) {
        let name = json!(name);
        let body =
            format!("{{\"channel\":\"odd\",\"name\":{name},\"ref\":{name},\"data\":{data}}}");
        let answer = Raw::post(victim.address, "/v1/publish", &body);
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let text = loop {
            let text = String::from_utf8(socket.frame().unwrap().payload).unwrap();
            if text.starts_with("{\"publication\"") {
                break text;
            }
        };
        assert!(text.contains(&format!("\"data\":{data}")), "{body} → {text}");
        for raw in [&mut listener, &mut several] {
            let event = event(raw);
            assert_eq!(field(&event, "data"), Some(data), "{body}");
            // Names that mean something to a reader are kept from publishers.
            let known = if name == "gap" { None } else { name.as_str() };
            assert_eq!(field(&event, "event"), known, "{body}");
            assert_eq!(event.iter().filter(|(name, _)| name == "data").count(), 1, "{event:?}");
        }
        let event = event(&mut enveloped);
        let whole = field(&event, "data").unwrap();
        assert!(whole.contains(&format!("\"data\":{data}")), "{whole}");
    }
    calm.end();
}

/// Line breaks between the tokens of data are blanks there, and would be fields in a stream.
#[test]
fn line_breaks_between_tokens_break_no_stream() {
    let victim = Victim::open();
    let mut listener = plain(&victim, "channel=lines");
    let mut socket = follower(&victim, "lines");
    let body = "{\"channel\":\"lines\",\r\n\"data\":{\n\"a\":\r1\r\n,\"b\":\"\\n\"\n}}";
    assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200);
    let event = event(&mut listener);
    let data: Value = serde_json::from_str(field(&event, "data").unwrap()).unwrap();
    assert_eq!(data, json!({"a": 1, "b": "\n"}));
    assert_eq!(event.len(), 2, "{event:?}");
    assert_eq!(socket.event("publication")["data"], data);
}

#[test]
fn bytes_of_every_value_come_back_equal() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let victim = Victim::open();
    let all: Vec<u8> = (0..=255).collect();
    let text = STANDARD.encode(&all);
    let mut listener = plain(&victim, "channel=bytes");
    let body = json!({"channel": "bytes", "bytes": text}).to_string();
    assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200);
    let event = event(&mut listener);
    assert_eq!((field(&event, "event"), field(&event, "data")), (Some("bytes"), Some(&*text)));
    for wrong in ["!", "AAA", "AA==A", "A\nA=", "=", "QQ"] {
        let body = json!({"channel": "bytes", "bytes": wrong}).to_string();
        assert_eq!(
            Raw::post(victim.address, "/v1/publish", body).refusal(),
            (400, 1301),
            "{wrong}"
        );
    }
}

#[test]
fn depth_and_size_of_data_have_limits_on_every_door() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let body = |data: &str| format!("{{\"channel\":\"deep\",\"data\":{data}}}");
    let publish = |data: &str| Raw::post(victim.address, "/v1/publish", body(data));
    assert_eq!(publish(&nested(120)).status, 200);
    assert_eq!(publish(&nested(121)).refusal(), (400, 1301));
    assert_eq!(publish(&nested(25_000)).refusal(), (400, 1301));
    assert_eq!(publish(&"[".repeat(50_000)).refusal(), (400, 1001));
    assert_eq!(publish(&"9".repeat(61_440)).status, 200);
    assert_eq!(publish(&"9".repeat(61_441)).refusal(), (413, 1300));
    for broken in ["NaN", "'a'", "01", "+1", "tru", "\"\u{1}\"", "[1,]", "{\"a\":1,}", "1 2", ""] {
        assert_eq!(publish(broken).refusal().0, 400, "{broken:?}");
    }
    let bom = format!("\u{feff}{}", body("1"));
    assert_eq!(Raw::post(victim.address, "/v1/publish", bom).refusal(), (400, 1001));
    let two = format!("{}{}", body("1"), body("2"));
    assert_eq!(Raw::post(victim.address, "/v1/publish", two).refusal(), (400, 1001));
    let latin = b"{\"channel\":\"deep\",\"data\":\"\xff\"}";
    assert_eq!(Raw::post(victim.address, "/v1/publish", latin).refusal(), (400, 1001));
    let keys: String = (0..4_000).map(|n| format!("\"{n}\":\"\",")).collect();
    let tags = format!("{{\"channel\":\"deep\",\"data\":1,\"tags\":{{{keys}\"x\":\"\"}}}}");
    assert_eq!(Raw::post(victim.address, "/v1/publish", tags).refusal(), (400, 1303));

    // A batch refuses each for itself, on lines or in a list.
    let lines = [body("1"), body(&nested(121)), "[".repeat(9_000), String::new(), body("2")];
    let lines = Raw::post_as(victim.address, "/v1/batch", "application/x-ndjson", lines.join("\n"));
    let results = lines.json()["results"].clone();
    let codes: Vec<_> =
        results.as_array().unwrap().iter().map(|r| r["error"]["code"].as_u64()).collect();
    assert_eq!(codes, [None, Some(1301), Some(1001), None]);
    let many = format!("{{\"publish\":[{}1]}}", "1,".repeat(5_000));
    assert_eq!(Raw::post(victim.address, "/v1/batch", many).refusal(), (413, 1305));

    let mut socket = WebSocket::connected(victim.address);
    let command = format!("{{\"id\":5,\"publish\":{}}}", body(&nested(121)));
    socket.raw.say(frame(FIN | TEXT, command.as_bytes()));
    assert_eq!(socket.error(), 1301);
    let command = format!("{{\"id\":6,\"publish\":{}}}", body(&"9".repeat(61_441)));
    socket.raw.say(frame(FIN | TEXT, command.as_bytes()));
    assert_eq!(socket.error(), 1300);
    calm.end();
}

#[test]
fn names_of_channels_are_what_they_look_like() {
    let victim = Victim::open();
    let mut socket = follower(&victim, "admin");
    for look_alike in ["\u{430}dmin", "Admin", "admin:", "e\u{301}", "\u{e9}", "adm\u{131}n"] {
        let body = json!({"channel": look_alike, "data": "not yours"}).to_string();
        assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200, "{look_alike}");
    }
    let hidden =
        ["a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2066}", "a\u{61c}", "a\u{ad}b", "a\u{3164}"];
    for unseen in hidden.into_iter().chain(["a b", "a\nb", "a\0", "", &"n".repeat(256)]) {
        let body = json!({"channel": unseen, "data": 1}).to_string();
        assert_eq!(
            Raw::post(victim.address, "/v1/publish", body).refusal(),
            (400, 1200),
            "{unseen:?}"
        );
    }
    let huge = json!({"channel": "n".repeat(500_000), "data": 1}).to_string();
    let refused = Raw::post(victim.address, "/v1/publish", huge);
    assert_eq!(refused.refusal(), (400, 1200));
    assert!(refused.body.len() < 1_000, "a refusal does not send back what was refused");
    let own = json!({"channel": "admin", "data": "yours"}).to_string();
    assert_eq!(Raw::post(victim.address, "/v1/publish", own).status, 200);
    assert_eq!(socket.event("publication")["data"], "yours");
}

/// Characters that mean something in a cursor, in an address or in a header.
#[test]
fn channels_with_signs_in_their_names_come_back_by_their_cursor() {
    let victim = Victim::open();
    let channels = ["a.b~c", "100%25&x=y", "p/../q?#", "\"<>\\{}|^`", "ünï:🐦", "1.00000000.a"];
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let query: Vec<_> = channels.iter().map(|c| format!("channel={}", escape(c))).collect();
    let query = query.join("&");
    let mut first = plain(&victim, &query);
    let publish = |n: u64| {
        let each = channels.iter().map(|channel| json!({"channel": channel, "data": n}));
        let batch = json!({"publish": each.collect::<Vec<_>>()}).to_string();
        assert_eq!(Raw::post(victim.address, "/v1/batch", batch).status, 200);
    };
    publish(1);
    let mut last = String::new();
    for _ in channels {
        last = field(&event(&mut first), "id").unwrap().to_owned();
    }
    assert!(last.is_ascii());
    drop(first);
    publish(2);
    let mut raw = Raw::open(victim.address);
    raw.say(format!(
        "GET /v1/sse?{query} HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n"
    ));
    raw.until(": martlet\n\n");
    raw.until("\n\n");
    for _ in channels {
        assert_eq!(field(&event(&mut raw), "data"), Some("2"));
    }
}
