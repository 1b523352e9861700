//! Those who are not who they say: tokens, grants, sessions, keys and cursors that are forged,
//! expired, meant for others, or nothing at all. Through every door the answer is the same.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use martlet_client::Options;
use martlet_server::identity::Signer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::calm::Calm;
use crate::node::Victim;
use crate::raw::Raw;
use crate::ws::WebSocket;

const SECRET: &str = "a secret that has thirty-two bytes or more";
const KEY: &str = "the key of the backend";
const READER: &str = "a key that may only read";

fn guarded(more: &str) -> Victim {
    let hash = |key: &str| {
        Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    Victim::configured(&format!(
        "[auth]\nanonymous = false\nleeway = \"0s\"\n\
         [[auth.tokens]]\nsecret = \"{SECRET}\"\naudience = [\"app\"]\n\
         [[api.keys]]\nname = \"backend\"\nsha256 = \"{}\"\nscopes = [\"publish\", \"read\", \"sessions\"]\n\
         [[api.keys]]\nname = \"reader\"\nsha256 = \"{}\"\nscopes = [\"read\"]\n\
         [channels.default]\nhistory_size = 100\nsubscribe = \"users\"\npublish = \"users\"\n\
         [channels.namespace.room]\nhistory_size = 100\n{more}",
        hash(KEY),
        hash(READER),
    ))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn token(claims: Value) -> String {
    Signer::secret(SECRET).sign(claims.as_object().unwrap(), None).unwrap()
}

fn ann() -> Value {
    json!({"sub": "ann", "aud": "app", "exp": now() + 600})
}

/// The claims of ann, changed.
fn ann_but(change: Value) -> Value {
    let mut claims = ann();
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// A token with any header, and a signature that is none.
fn unsigned(header: Value, signature: &str) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(ann()))
}

fn calm(victim: &Victim) -> Calm {
    let options = Options { token: Some(token(ann())), ..Options::default() };
    Calm::begin_with(victim, Some(KEY), options)
}

/// Connects by `connect`; gives the code of the refusal. The connection has to end.
fn refused(victim: &Victim, connect: Value) -> u64 {
    let mut socket = WebSocket::open(victim.address);
    socket.command(json!({"id": 1, "connect": connect}));
    let code = socket.error();
    assert_eq!(socket.closed(), (3501, 3501, "The client was refused.".into()));
    code
}

#[test]
fn bad_tokens_are_refused_through_every_door() {
    let victim = guarded("");
    let calm = calm(&victim);
    let other = Signer::secret("another secret of thirty-two bytes or more");
    let good = token(ann());
    let mut altered = good.clone();
    altered.replace_range(altered.len() - 2.., "AA");
    let cases: Vec<(&str, String, u64)> = vec![
        ("alg none", unsigned(json!({"alg": "none"}), ""), 1101),
        ("alg nOnE", unsigned(json!({"alg": "nOnE"}), "AAAA"), 1101),
        ("another algorithm", unsigned(json!({"alg": "RS256", "jku": "http://a"}), "AAAA"), 1101),
        ("no algorithm", unsigned(json!({"typ": "JWT"}), "AAAA"), 1101),
        ("critical", unsigned(json!({"alg": "HS256", "crit": ["x"]}), "AAAA"), 1101),
        ("no signature", unsigned(json!({"alg": "HS256"}), ""), 1101),
        ("another signer", other.sign(ann().as_object().unwrap(), None).unwrap(), 1101),
        ("an altered one", altered, 1101),
        ("a beginning", good[..good.len() - 1].into(), 1101),
        ("five parts", format!("{good}.a.b"), 1101),
        ("a long one", "a".repeat(8_100), 1101),
        ("nothing like it", "secret".into(), 1101),
        ("expired", token(ann_but(json!({"exp": now() - 1}))), 1102),
        ("early", token(ann_but(json!({"nbf": now() + 600}))), 1103),
        ("another audience", token(ann_but(json!({"aud": "other"}))), 1101),
        ("no audience", token(json!({"sub": "ann", "exp": now() + 600})), 1101),
        ("a text as time", token(ann_but(json!({"exp": "tomorrow"}))), 1101),
        ("a time before all", token(ann_but(json!({"exp": -1}))), 1101),
        ("a time after all", token(ann_but(json!({"exp": 9_223_372_036_854_775_808_u64}))), 1101),
        ("a user of line breaks", token(ann_but(json!({"sub": "ann\r\nbob"}))), 1101),
        ("no text as user", token(ann_but(json!({"sub": {"a": 1}}))), 1101),
        ("one for a channel", token(ann_but(json!({"channel": "room:1"}))), 1104),
    ];
    for (what, token, code) in cases {
        assert_eq!(refused(&victim, json!({"token": token})), code, "{what}");
        let (status, told) =
            Raw::get(victim.address, &format!("/v1/sse?channel=news&token={token}")).refusal();
        // The query of a request is shorter than a frame.
        if token.len() < 8_000 {
            let expected = if code == 1104 { 403 } else { 401 };
            assert_eq!((status, told), (expected, code), "{what}");
        }
        let by_header = Raw::ask(
            victim.address,
            format!(
                "GET /v1/sse?channel=news HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        );
        assert_eq!(by_header.refusal().1, code, "{what}");
        let api = Raw::ask(
            victim.address,
            format!(
                "GET /v1/channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        );
        assert_eq!(api.refusal(), (401, 1107), "a token is no key: {what}");
    }
    assert_eq!(refused(&victim, json!({})), 1100);
    assert_eq!(Raw::get(victim.address, "/v1/sse?channel=news").refusal(), (401, 1100));
    calm.end();
}

#[test]
fn keys_of_the_api_open_only_what_they_are_for() {
    let victim = guarded("");
    let body = "{\"channel\":\"news\",\"data\":1}";
    let ask = |field: &str| {
        let length = body.len();
        let request = format!(
            "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\n{field}Content-Length: {length}\r\n\r\n{body}"
        );
        Raw::ask(victim.address, request)
    };
    assert_eq!(ask(&format!("Authorization: Bearer {KEY}\r\n")).status, 200);
    assert_eq!(ask(&format!("X-API-Key: {KEY}\r\n")).status, 200);
    assert_eq!(ask(&format!("X-API-Key: {READER}\r\n")).refusal(), (403, 1108));
    let wrong = [
        String::new(),
        "X-API-Key: \r\n".into(),
        format!("X-API-Key: {KEY}x\r\n"),
        format!("X-API-Key: {}\r\n", &KEY[1..]),
        format!("Authorization: {KEY}\r\n"),
        format!("Authorization: Basic {KEY}\r\n"),
        format!("X-API-Key: {}\r\n", "k".repeat(10_000)),
        "X-API-Key: \u{ff}\u{fe}\r\n".into(),
    ];
    for field in wrong {
        assert_eq!(ask(&field).refusal(), (401, 1107), "{field:?}");
    }
    let in_address = format!("/v1/channels?key={KEY}&x-api-key={KEY}").replace(' ', "%20");
    assert_eq!(Raw::get(victim.address, &in_address).refusal(), (401, 1107));
}

/// What strangers send is not even waited for, when it is more than a frame.
#[test]
fn large_bodies_without_a_key_are_refused_unread() {
    let victim = guarded("");
    let announce = |field: &str| {
        format!(
            "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\n{field}Content-Length: 900000\r\n\r\n"
        )
    };
    assert_eq!(Raw::ask(victim.address, announce("")).refusal(), (401, 1107));
    assert_eq!(Raw::ask(victim.address, announce("X-API-Key: no\r\n")).refusal(), (401, 1107));
    let mut known = Raw::open(victim.address);
    known.say(announce(&format!("X-API-Key: {KEY}\r\n")));
    known.say("{\"publish\":[]}".to_owned() + &" ".repeat(900_000 - 14));
    assert_eq!(known.answer().status, 200);
}

#[test]
fn a_token_for_one_channel_opens_no_other() {
    let victim = guarded("");
    let calm = calm(&victim);
    let mut socket = WebSocket::open(victim.address);
    let claims =
        ann_but(json!({"permissions": {"room:1": ["subscribe"], "room:x*": ["subscribe"]}}));
    socket.command(json!({"id": 1, "connect": {"token": token(claims)}}));
    socket.event("connected");
    let mut subscribe = |channel: &str, token: Option<String>| {
        let mut one = json!({"channel": channel});
        token.into_iter().for_each(|token| one["token"] = token.into());
        socket.command(json!({"id": 2, "subscribe": [one]}));
        loop {
            let event = socket.any_event().unwrap();
            if event.get("subscribed").is_some() {
                return 0;
            }
            if let Some(code) = event["error"]["code"].as_u64() {
                return code;
            }
        }
    };
    assert_eq!(subscribe("room:1", None), 0);
    assert_eq!(subscribe("room:xyz", None), 0);
    for channel in
        ["room:2", "room:10", "ROOM:1", "room:", "room:\u{ff11}", "r\u{43e}om:1", "room:X1"]
    {
        let code = subscribe(channel, None);
        assert!(matches!(code, 1201 | 1202), "{channel}: {code}");
    }
    for channel in [
        "room:1 ",
        " room:1",
        "room:1\u{0}",
        "room:1\u{200b}",
        "room:\u{202e}1",
        "",
        "room:\u{61c}1",
    ] {
        assert_eq!(subscribe(channel, None), 1200, "{channel:?}");
    }
    let of = |change: Value| Some(token(ann_but(change)));
    assert_eq!(subscribe("room:2", of(json!({"channel": "room:2"}))), 0);
    assert_eq!(subscribe("room:3", of(json!({"channel": "room:2"}))), 1104);
    assert_eq!(subscribe("room:3", of(json!({"channel": "room:3", "sub": "bob"}))), 1104);
    assert_eq!(subscribe("room:3", of(json!({"channel": "room:*"}))), 1104);
    assert_eq!(subscribe("room:3", of(json!({"channel": "room:3", "exp": now() - 1}))), 1102);
    assert_eq!(subscribe("room:3", Some(token(ann()))), 1104);
    assert_eq!(subscribe("room:3", Some("nonsense".into())), 1101);
    calm.end();
}

#[test]
fn grants_that_are_not_ours_are_refused() {
    let victim = guarded("[grant]\nlifetime = \"1m\"\n");
    let stranger = guarded("");
    let calm = calm(&victim);
    let grant_of = |victim: &Victim| {
        let mut socket = WebSocket::open(victim.address);
        socket.command(json!({"id": 1, "connect": {"token": token(ann())}}));
        socket.event("connected")["grant"].as_str().unwrap().to_owned()
    };
    let (ours, theirs) = (grant_of(&victim), grant_of(&stranger));
    let mut altered = ours.clone().into_bytes();
    altered[10] = if altered[10] == b'A' { b'B' } else { b'A' };
    let parts: Vec<&str> = ours.split('.').collect();
    let cases = [
        ("another cluster's", theirs),
        ("an altered one", String::from_utf8(altered).unwrap()),
        ("one without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("another version", ours.replacen("g1.", "g2.", 1)),
        ("a token", token(ann())),
        ("a long one", format!("g1.{}.AAAA", "A".repeat(40_000))),
        ("nothing", String::new()),
    ];
    for (what, grant) in cases {
        let code = refused(&victim, json!({"grant": grant, "session": "0".repeat(26)}));
        assert_eq!(code, 1105, "{what}");
    }
    // It is good for a client that comes back, and for no more than its token was.
    let mut socket = WebSocket::open(victim.address);
    socket.command(json!({"id": 1, "connect": {"grant": ours}}));
    assert_eq!(socket.event("connected")["user"], "ann");
    socket.command(json!({"id": 2, "subscribe": [{"channel": "room:1"}]}));
    assert_eq!(socket.error(), 1202);
    calm.end();
}

#[test]
fn a_grant_ends_with_its_token() {
    let victim = guarded("");
    let mut socket = WebSocket::open(victim.address);
    let short = token(ann_but(json!({"exp": now() + 2})));
    socket.command(json!({"id": 1, "connect": {"token": short}}));
    let grant = socket.event("connected")["grant"].clone();
    let (told, closed, _) = socket.closed();
    assert_eq!((told, closed), (3007, 3007), "the token ends while its client is connected");
    assert_eq!(refused(&victim, json!({"grant": grant})), 1106);
}

#[test]
fn frames_for_sessions_that_are_not_there_are_not_found() {
    let victim = Victim::open();
    let stranger = Victim::open();
    let calm = Calm::begin(&victim);
    let mut theirs = WebSocket::open(stranger.address);
    theirs.command(json!({"id": 1, "connect": {}}));
    let theirs = theirs.event("connected")["session"].as_str().unwrap().to_owned();
    let keys = [
        theirs,
        String::new(),
        "0".repeat(26),
        "7".repeat(26),
        "z".repeat(26),
        "0".repeat(25),
        "0".repeat(100),
        "%00".repeat(26),
        "..%2f..%2fetc%2fpasswd".into(),
        "00000000000000000000000000&session=00000000000000000000000001".into(),
    ];
    let frame = "{\"id\":1,\"publish\":{\"channel\":\"stolen\",\"data\":1}}";
    for key in keys {
        let answer = Raw::post(victim.address, &format!("/v1/send?session={key}"), frame);
        assert_eq!(answer.refusal(), (404, 1009), "{key}");
    }
    assert_eq!(Raw::post(victim.address, "/v1/send", frame).refusal(), (404, 1009));
    let large = Raw::post(victim.address, "/v1/send?session=0", vec![b' '; 70_000]);
    assert_eq!(large.refusal(), (413, 1005));

    // A session whose stream has gone would tell nobody: its key finds nothing either.
    let mut stream = Raw::open(victim.address);
    let hello = "{\"id\":1,\"connect\":{}}";
    let length = hello.len();
    stream.say(format!(
        "POST /v1/sse?protocol=martlet.v1.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{hello}"
    ));
    stream.until("\"session\":\"");
    let key = String::from_utf8(stream.take(26).unwrap()).unwrap();
    let send = format!("/v1/send?session={key}");
    assert_eq!(Raw::post(victim.address, &send, "{\"id\":2,\"ping\":{}}").status, 204);
    stream.until("\"pong\"");
    drop(stream);
    victim.until_count("connections", 1);
    assert_eq!(Raw::post(victim.address, &send, frame).refusal(), (404, 1009));
    let taken = Raw::get(victim.address, "/v1/channels/stolen/history?limit=0").json();
    assert_eq!(taken["offset"], 0, "nothing was published");
    calm.end();
}

#[test]
fn cursors_of_other_histories_and_of_none_are_told_or_refused() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    for n in 0..5 {
        let body = json!({"channel": "log", "data": n}).to_string();
        assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200);
    }
    let here = Raw::get(victim.address, "/v1/channels/log/history?limit=0").json();
    let epoch = here["epoch"].as_str().unwrap();
    let first_lines = |cursor: &str| {
        let mut raw = Raw::open(victim.address);
        raw.say(format!(
            "GET /v1/sse?channel=log HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {cursor}\r\n\r\n"
        ));
        raw.until("HTTP/1.1 200 OK");
        raw.until(": martlet\n\n");
        String::from_utf8(raw.until("\nid: ")).unwrap()
            + &String::from_utf8(raw.until("\n")).unwrap()
    };
    let gaps = [
        ("0.00000000.log".to_owned(), "epoch"),
        ("18446744073709551615.zzzzzzzz.log".to_owned(), "epoch"),
        (format!("18446744073709551615.{epoch}.log"), "ahead"),
        (format!("6.{epoch}.log"), "ahead"),
    ];
    for (cursor, reason) in gaps {
        let lines = first_lines(&cursor);
        assert!(lines.contains("event: gap"), "{cursor}: {lines}");
        assert!(lines.contains(&format!("\"reason\":\"{reason}\"")), "{cursor}: {lines}");
    }
    // A cursor of other channels says nothing of this one.
    let lines = first_lines("7.00000000.other~1.00000001.more");
    assert!(!lines.contains("gap"), "{lines}");
    let wrong = [
        "nonsense",
        "1.2",
        "-1.00000000.log",
        "+1.00000000.log",
        "1.00000000.",
        "1.00000000.a%00b",
        "1.00000000.a%0d%0aid:%20x",
        "1.00000000.%ff",
        "18446744073709551616.00000000.log",
        "1.0000000000000000000000.log",
    ];
    for cursor in wrong {
        let by_header = Raw::ask(
            victim.address,
            format!(
                "GET /v1/sse?channel=log HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {cursor}\r\n\r\n"
            ),
        );
        assert_eq!(by_header.refusal(), (400, 1212), "{cursor}");
        let query = cursor.replace('%', "%25").replace('+', "%2b");
        for name in ["cursor", "lastEventId", "last_event_id"] {
            let address = format!("/v1/sse?channel=log&{name}={query}");
            assert_eq!(Raw::get(victim.address, &address).refusal(), (400, 1212), "{cursor}");
        }
        let history = format!("/v1/channels/log/history?cursor={query}");
        assert_eq!(Raw::get(victim.address, &history).refusal(), (400, 1212), "{cursor}");
    }
    for since in ["yesterday", "-1s", "1e9", "%00", "99999999999999999999"] {
        let address = format!("/v1/sse?channel=log&since={since}");
        assert_eq!(Raw::get(victim.address, &address).refusal(), (400, 1213), "{since}");
    }
    calm.end();
}

#[test]
fn positions_at_the_end_of_numbers_harm_nobody() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut socket = WebSocket::connected(victim.address);
    socket.command(json!({"id": 2, "publish": {"channel": "end", "data": 1}}));
    let epoch = socket.event("published")["epoch"].clone();
    const MOST: u64 = u64::MAX;
    let questions = [
        json!({"history": {"channel": "end", "epoch": epoch, "offset": MOST}}),
        json!({"history": {"channel": "end", "epoch": epoch, "offset": MOST, "reverse": true}}),
        json!({"history": {"channel": "end", "epoch": epoch, "offset": 0, "reverse": true}}),
        json!({"history": {"channel": "end", "epoch": "zzzzzzzz", "offset": MOST}}),
        json!({"history": {"channel": "end", "since": MOST}}),
        json!({"history": {"channel": "end", "since": MOST, "reverse": true}}),
        json!({"history": {"channel": "end", "limit": MOST}}),
        json!({"subscribe": [{"channel": "end", "epoch": epoch, "offset": MOST}]}),
        json!({"subscribe": [{"channel": "end2", "epoch": epoch, "offset": MOST}]}),
        json!({"subscribe": [{"channel": "end3", "since": MOST}]}),
        json!({"subscribe": [{"channel": "end4", "since": 0}]}),
    ];
    for (n, mut question) in questions.into_iter().enumerate() {
        question["id"] = (n + 10).into();
        socket.command(question.clone());
        loop {
            let event = socket.any_event().unwrap_or_else(|| panic!("closed by {question}"));
            if event["id"] == n + 10 {
                break;
            }
        }
    }
    // A reader ahead of its channel gets what is published next.
    socket.command(json!({"id": 3, "publish": {"channel": "end", "data": 2}}));
    loop {
        let event = socket.any_event().unwrap();
        if event["publication"]["data"] == 2 {
            break;
        }
    }
    calm.end();
}

/// One grant, two connections: both are the same client, and the backend reaches both.
#[test]
fn a_grant_used_twice_hides_no_connection_from_the_backend() {
    let victim = guarded("");
    let mut first = WebSocket::open(victim.address);
    first.command(json!({"id": 1, "connect": {"token": token(ann())}}));
    let connected = first.event("connected");
    let mut again: Vec<_> = (0..3).map(|_| WebSocket::open(victim.address)).collect();
    for socket in &mut again {
        socket.command(json!({"id": 1, "connect": {"grant": connected["grant"]}}));
        assert_eq!(socket.event("connected")["client"], connected["client"]);
    }
    // The last one leaves; the others stay findable.
    drop(again.pop());
    victim.until_count("connections", 3);
    let body = json!({"client": connected["client"]}).to_string();
    let length = body.len();
    let answer = Raw::ask(
        victim.address,
        format!(
            "POST /v1/disconnect HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    for mut socket in again.into_iter().chain([first]) {
        assert_eq!(socket.closed().1, 3502);
    }
    assert_eq!(refused(&victim, json!({"grant": connected["grant"]})), 1105);
}
