//! Each dialect with bytes as those servers send them.

use super::*;

fn door() -> Door {
    let mut door = Door::anonymous("127.0.0.1:1".parse().unwrap(), &martlet::Martlet);
    door.token = Some("tok".into());
    door
}

/// Everything that the bytes come to; nothing may be left over.
fn hear<'a>(dialect: &dyn Dialect, follows: bool, bytes: &'a [u8]) -> Vec<Heard<'a>> {
    let door = door();
    let who = Who { door: &door, channel: follows.then_some(7) };
    let (mut heard, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (message, length) = dialect.next(who, rest).unwrap();
        heard.push(message);
        rest = &rest[length..];
    }
    heard
}

/// A message that comes cut is waited for, wherever that is.
fn waits_for_the_end(dialect: &dyn Dialect, message: &[u8]) {
    let door = door();
    let who = Who { door: &door, channel: Some(7) };
    for cut in 0..message.len() {
        assert_eq!(dialect.next(who, &message[..cut]), None, "cut at {cut}");
    }
    assert_eq!(dialect.next(who, message).unwrap().1, message.len());
}

fn published(dialect: &dyn Dialect) -> String {
    let mut out = Vec::new();
    dialect.publish(&door(), 7, b"DATA", &mut out);
    String::from_utf8(out).unwrap()
}

fn first(dialect: &dyn Dialect) -> String {
    let door = door();
    String::from_utf8(dialect.first(Who { door: &door, channel: Some(7) })).unwrap()
}

fn name() -> String {
    door().channel(7)
}

fn is_refused(heard: &[Heard<'_>]) -> bool {
    matches!(heard, [Heard::Refused(_)])
}

#[test]
fn martlet_says_what_it_follows() {
    let mut door = door();
    let connect = |door: &Door, channel| -> serde_json::Value {
        serde_json::from_slice(&martlet::connect(Who { door, channel })).unwrap()
    };
    let follows = connect(&door, Some(7));
    assert_eq!(follows["connect"]["token"], "tok");
    let channel = &follows["connect"]["subscribe"][0];
    assert_eq!((&channel["channel"], channel.get("epoch")), (&name().into(), None));
    assert!(connect(&door, None)["connect"].get("subscribe").is_none());
    door.seen = Some(crate::command::bench::door::Seen { epoch: "e".into(), offset: 5 });
    let back = &connect(&door, Some(7))["connect"]["subscribe"][0];
    assert_eq!((&back["epoch"], &back["offset"]), (&"e".into(), &5.into()));
}

#[test]
fn martlet_is_understood() {
    let dialect = &martlet::Martlet;
    let publication = br#"{"publication":{"channel":"a","data":"00000000000000000001"}}"#;
    assert_eq!(hear(dialect, true, publication), [Heard::Publication(publication)]);
    let both = b"{\"id\":1,\"connected\":{}}\n{\"id\":1,\"subscribed\":{}}";
    assert_eq!(hear(dialect, true, both), [Heard::Nothing, Heard::Joined]);
    assert_eq!(hear(dialect, false, br#"{"id":1,"connected":{}}"#), [Heard::Joined]);
    let pong = Heard::Answer(br#"{"pong":{}}"#.to_vec());
    assert_eq!(hear(dialect, true, br#"{"ping":{}}"#), [pong]);
    assert_eq!(hear(dialect, true, br#"{"gap":{"from":1}}"#), [Heard::Gap]);
    assert_eq!(hear(dialect, true, br#"{"lagged":{}}"#), [Heard::Lagged]);
    assert_eq!(hear(dialect, true, br#"{"join":{}}"#), [Heard::Nothing]);
    let refusal = br#"{"error":{"code":1304,"message":"Too fast.","hint":"Wait."}}"#;
    let refusal = hear(dialect, true, refusal);
    assert_eq!(refusal, [Heard::Refused("the server refused: Too fast. (1304) Wait.".into())]);
    assert!(is_refused(&hear(dialect, true, b"hello")));
}

#[test]
fn events_are_counted() {
    let dialect = &events::Events::MARTLET;
    assert!(first(dialect).starts_with(&format!("GET /v1/sse?channel={}&token=tok ", name())));
    let begin = b"retry: 2000\n: martlet\n\nid: 0.e.news\n\n";
    assert_eq!(hear(dialect, true, begin), [Heard::Nothing, Heard::Nothing]);
    let event = b"id: 1.e.news\ndata: \"00000000000000000001\"\n\n";
    assert_eq!(hear(dialect, true, event), [Heard::Publication(event)]);
    waits_for_the_end(dialect, event);
    let gap = b"event: gap\ndata: {\"gap\":{}}\n\n: \n\nevent: lagged\ndata: {}\n\n";
    assert_eq!(hear(dialect, true, gap), [Heard::Gap, Heard::Nothing, Heard::Lagged]);
    assert!(is_refused(&hear(dialect, true, b"event: close\ndata: {\"code\":3000}\n\n")));
}

#[test]
fn mercure_is_understood() {
    let dialect = &events::Events::MERCURE;
    let request = first(dialect);
    let begin = format!("GET /.well-known/mercure?topic={} HTTP/1.1\r\n", name());
    assert!(request.starts_with(&begin) && !request.contains("tok"), "{request}");
    let event = b"id: urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb\ndata: 0000000000000000000\n\n";
    assert_eq!(hear(dialect, true, event), [Heard::Publication(event)]);
    assert_eq!(hear(dialect, true, b":\n\n"), [Heard::Nothing]);
    let post = published(&http::Posts::MERCURE);
    assert!(post.starts_with("POST /.well-known/mercure HTTP/1.1\r\n"), "{post}");
    assert!(post.contains("\r\nAuthorization: Bearer tok\r\n"), "{post}");
    let body = format!("topic={}&data=DATA", name());
    assert!(post.ends_with(&format!("Content-Length: {}\r\n\r\n{body}", body.len())), "{post}");
}

#[test]
fn lines_are_counted() {
    let dialect = &lines::Lines;
    assert!(first(dialect).starts_with("GET /v1/stream?limit=0&channel="));
    let line = b"{\"publication\":{\"channel\":\"a\",\"data\":1},\"cursor\":\"1.e.a\"}\n";
    assert_eq!(hear(dialect, true, line), [Heard::Publication(line)]);
    waits_for_the_end(dialect, line);
    let others = b"{\"cursor\":\"0.e.a\"}\n\n{\"gap\":{}}\n{\"lagged\":{}}\n";
    let heard = [Heard::Nothing, Heard::Nothing, Heard::Gap, Heard::Lagged];
    assert_eq!(hear(dialect, true, others), heard);
    assert!(is_refused(&hear(dialect, true, b"{\"close\":{\"code\":3009}}\n")));
}

#[test]
fn a_poll_goes_on_from_its_cursor() {
    let dialect = &poll::Poll;
    let next = |cursor: &str| {
        let query = format!("channel={}&token=tok&cursor={cursor}", name());
        Heard::Answer(
            format!("GET /v1/poll?{query} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").into_bytes(),
        )
    };
    let line = "{\"publication\":{}}\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\n{line}{{\"cursor\":\"2.e.a%20b\"}}\n"
    );
    let heard = [Heard::Joined, Heard::Publication(line.as_bytes()), next("2.e.a%2520b")];
    assert_eq!(hear(dialect, true, answer.as_bytes()), heard);
    let nothing = b"HTTP/1.1 204 No Content\r\nmartlet-cursor: 2.e.a\r\n\r\n";
    assert_eq!(hear(dialect, true, nothing), [next("2.e.a")]);
    waits_for_the_end(dialect, nothing);
    let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    assert!(is_refused(&hear(dialect, true, refusal)));
}

#[test]
fn centrifugo_is_understood() {
    let dialect = &centrifugo::Centrifugo;
    let connected =
        br#"{"id":1,"connect":{"client":"b64","version":"6.2.0","ping":25,"pong":true}}"#;
    assert_eq!(hear(dialect, false, connected), [Heard::Joined]);
    let both = [&connected[..], b"\n{\"id\":2,\"subscribe\":{}}"].concat();
    assert_eq!(hear(dialect, true, &both), [Heard::Nothing, Heard::Joined]);
    assert_eq!(hear(dialect, true, b"{}"), [Heard::Answer(b"{}".to_vec())]);
    let one = br#"{"push":{"channel":"a","pub":{"data":"00000000000000000001"}}}"#;
    let two = [&one[..], b"\n", &one[..]].concat();
    let heard = hear(dialect, true, &two);
    assert_eq!(heard, [Heard::Publication(one), Heard::Publication(one)]);
    let join = br#"{"push":{"channel":"a","join":{"info":{"client":"x"}}}}"#;
    assert_eq!(hear(dialect, true, join), [Heard::Nothing]);
    assert_eq!(hear(dialect, false, br#"{"id":3,"publish":{}}"#), [Heard::Nothing]);
    let denied = br#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#;
    assert!(is_refused(&hear(dialect, true, denied)));
    let publish = format!(r#"{{"id":3,"publish":{{"channel":"{}","data":"DATA"}}}}"#, name());
    assert_eq!(published(dialect), publish);
}

#[test]
fn nchan_is_understood() {
    assert!(first(&nchan::Nchan).starts_with(&format!("GET /sub/{} HTTP/1.1\r\n", name())));
    assert_eq!(hear(&nchan::Nchan, true, b"DATA"), [Heard::Publication(b"DATA")]);
    let post = published(&http::Posts::NCHAN);
    assert!(post.starts_with(&format!("POST /pub/{} HTTP/1.1\r\n", name())), "{post}");
    assert!(post.ends_with("Content-Length: 4\r\n\r\nDATA"), "{post}");
    let created = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
    let accepted =
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let answers = [&created[..], accepted].concat();
    assert_eq!(hear(&http::Posts::NCHAN, false, &answers), [Heard::Nothing, Heard::Nothing]);
    waits_for_the_end(&http::Posts::NCHAN, created);
    waits_for_the_end(&http::Posts::NCHAN, accepted);
    let forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    assert!(is_refused(&hear(&http::Posts::NCHAN, false, forbidden)));
}

#[test]
fn mosquitto_is_understood() {
    let dialect = &mosquitto::Mosquitto;
    let name = name();
    let mut subscribe = vec![0x82, name.len() as u8 + 5, 0, 1, 0, name.len() as u8];
    subscribe.extend_from_slice(name.as_bytes());
    subscribe.push(0);
    assert_eq!(hear(dialect, true, b"\x20\x02\0\0"), [Heard::Answer(subscribe)]);
    assert_eq!(hear(dialect, false, b"\x20\x02\0\0"), [Heard::Joined]);
    assert_eq!(hear(dialect, true, b"\x90\x03\0\x01\0"), [Heard::Joined]);
    assert!(is_refused(&hear(dialect, true, b"\x20\x02\0\x05")));
    assert!(is_refused(&hear(dialect, true, b"\x90\x03\0\x01\x80")));
    // 200 bytes, whose length takes two.
    let publish = [&b"\x30\xc8\x01\0\x01a"[..], &[b'x'; 197]].concat();
    assert_eq!(hear(dialect, true, &publish), [Heard::Publication(&[b'x'; 197])]);
    waits_for_the_end(dialect, &publish);
    let mut out = Vec::new();
    dialect.publish(&door(), 7, &[b'x'; 200], &mut out);
    assert_eq!(hear(dialect, true, &out), [Heard::Publication(&[b'x'; 200])]);
}

#[test]
fn nats_is_understood() {
    let dialect = &nats::Nats;
    let info = b"INFO {\"server_id\":\"NA\",\"max_payload\":1048576} \r\nPONG\r\n";
    assert_eq!(hear(dialect, true, info), [Heard::Nothing, Heard::Joined]);
    let message = b"MSG a 1 8\r\nDATA\r\n..\r\n";
    assert_eq!(hear(dialect, true, message), [Heard::Publication(b"DATA\r\n..\r\n")]);
    waits_for_the_end(dialect, message);
    assert_eq!(hear(dialect, true, b"PING\r\n"), [Heard::Answer(b"PONG\r\n".to_vec())]);
    assert!(is_refused(&hear(dialect, true, b"-ERR 'Authorization Violation'\r\n")));
    assert_eq!(published(dialect), format!("PUB {} 4\r\nDATA\r\n", name()));
}

#[test]
fn socketio_is_understood() {
    let dialect = &socketio::Socketio;
    let open = br#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    assert_eq!(hear(dialect, true, open), [Heard::Answer(b"40".to_vec())]);
    let follow = format!(r#"42["subscribe","{}"]"#, name()).into_bytes();
    assert_eq!(hear(dialect, true, br#"40{"sid":"y"}"#), [Heard::Answer(follow)]);
    assert_eq!(hear(dialect, false, br#"40{"sid":"y"}"#), [Heard::Joined]);
    assert_eq!(hear(dialect, true, br#"42["subscribed"]"#), [Heard::Joined]);
    let publication = br#"42["publication","DATA"]"#;
    assert_eq!(hear(dialect, true, publication), [Heard::Publication(publication)]);
    assert_eq!(hear(dialect, true, b"2"), [Heard::Answer(b"3".to_vec())]);
    assert!(is_refused(&hear(dialect, true, br#"44{"message":"no"}"#)));
    assert_eq!(published(dialect), format!(r#"42["publish","{}","DATA"]"#, name()));
}

#[test]
fn broadcast_is_understood() {
    let dialect = &broadcast::Broadcast;
    assert!(first(dialect).starts_with(&format!("GET /?channel={} HTTP/1.1\r\n", name())));
    let door = door();
    assert!(dialect.lets_in(Who { door: &door, channel: None }));
    assert!(!dialect.lets_in(Who { door: &door, channel: Some(7) }));
    assert_eq!(hear(dialect, true, b"open"), [Heard::Joined]);
    assert_eq!(hear(dialect, true, b"DATA"), [Heard::Publication(b"DATA")]);
    assert_eq!(published(dialect), format!("{} DATA", name()));
}

#[test]
fn redis_is_understood() {
    let dialect = &redis::Redis;
    let (name, length) = (name(), name().len());
    let subscribe = format!("*2\r\n$9\r\nSUBSCRIBE\r\n${length}\r\n{name}\r\n");
    assert_eq!(first(dialect), subscribe);
    let subscribed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
    assert_eq!(hear(dialect, true, subscribed), [Heard::Joined]);
    waits_for_the_end(dialect, subscribed);
    let message = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$6\r\nDA\r\nTA\r\n";
    assert_eq!(hear(dialect, true, message), [Heard::Publication(b"DA\r\nTA")]);
    waits_for_the_end(dialect, message);
    assert_eq!(hear(dialect, false, b"+PONG\r\n:3\r\n"), [Heard::Joined, Heard::Nothing]);
    assert!(is_refused(&hear(dialect, false, b"-NOAUTH Authentication required.\r\n")));
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n${length}\r\n{name}\r\n$4\r\nDATA\r\n");
    assert_eq!(published(dialect), publish);
}
