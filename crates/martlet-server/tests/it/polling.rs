//! Polls one by one: what each is answered, what acknowledges, what is repeated, what replaces;
//! with a session, without one, and as scripts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Answer, Ask, Http, count};
use crate::node::{TestNode, soon};
use crate::talk::{SECRET, Talk, token};

const BEGIN: &str = "/v1/poll?protocol=martlet.v1.json";

/// The lines of an answer.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/x-ndjson; charset=utf-8");
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The objects that a script gives to `f`.
fn script(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/javascript; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=f.txt");
    let text = std::str::from_utf8(&answer.body).unwrap();
    let array = text.strip_prefix("/**/f(").unwrap().strip_suffix(");\n").unwrap();
    serde_json::from_str::<Vec<Value>>(array).unwrap()
}

fn cursor(lines: &[Value]) -> String {
    lines.last().unwrap()["cursor"].as_str().unwrap().to_owned()
}

/// One session that is polled.
struct Session {
    http: Http,
    key: String,
    batch: u64,
}

impl Session {
    async fn begin(node: &TestNode, connect: Value) -> (Self, Vec<Value>) {
        Self::begin_by(Http::new(node), connect).await
    }

    async fn begin_by(http: Http, connect: Value) -> (Self, Vec<Value>) {
        let frame = json!({"id": 1, "connect": connect}).to_string();
        let lines = lines(&http.ask(Ask::post(BEGIN, frame)).await);
        let key = lines[0]["connected"]["session"].as_str().unwrap().to_owned();
        let batch = lines.last().unwrap()["batch"].as_u64().unwrap();
        (Self { http, key, batch }, lines)
    }

    fn path(&self, wait: u64) -> String {
        format!("/v1/poll?session={}&batch={}&wait={wait}", self.key, self.batch)
    }

    async fn poll(&self, wait: u64) -> Answer {
        self.http.get(&self.path(wait)).await
    }

    /// Polls until something has come, and acknowledges it.
    async fn next(&mut self) -> Vec<Value> {
        let mut lines = lines(&self.poll(25).await);
        self.batch = lines.pop().unwrap()["batch"].as_u64().unwrap();
        lines
    }

    /// Polls until this has come.
    async fn until(&mut self, event: &str) -> Value {
        loop {
            let lines = self.next().await;
            if let Some(found) = lines.iter().find(|line| line[event].is_object()) {
                return found[event].clone();
            }
        }
    }

    async fn send(&self, frame: Value) -> u16 {
        let path = format!("/v1/send?session={}", self.key);
        self.http.ask(Ask::post(&path, frame.to_string())).await.status
    }
}

#[tokio::test]
async fn a_plain_poll_without_a_place_is_told_its_place_at_once() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let first = http.get("/v1/poll?channel=a&channel=b").await;
    let told = lines(&first);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(first.header("martlet-cursor"), cursor(&told));
    assert!(first.header("cache-control").contains("no-store"), "{first:?}");
    assert_eq!(count(&node, "martlet_sessions").await, 0, "nothing is kept of it");
}

#[tokio::test]
async fn a_plain_poll_goes_on_from_its_cursor_on_every_version_of_http() {
    for http2 in [false, true] {
        let node = TestNode::open(|_| {});
        let (backend, http) = (node.backend(), Http::version(&node, http2));
        let mut place = cursor(&lines(&http.get("/v1/poll?channel=a").await));
        let begun = place.clone();
        for n in 1..=3 {
            let path = format!("/v1/poll?channel=a&cursor={place}");
            let waiting = http.get(&path);
            let publishing = backend.publish("a", n);
            let (answer, published) = tokio::join!(waiting, publishing);
            let told = lines(&answer);
            let [publication, _] = &told[..] else { panic!("{told:?}") };
            assert_eq!(publication["publication"]["offset"], published.position.offset);
            place = cursor(&told);
        }
        let again = lines(&http.get(&format!("/v1/poll?channel=a&cursor={begun}&wait=0")).await);
        assert_eq!(again.len(), 4, "an answer that was lost is had again");
        let nothing = http.get(&format!("/v1/poll?channel=a&cursor={place}&wait=0")).await;
        assert_eq!((nothing.status, nothing.header("martlet-cursor")), (204, &*place));
        assert!(nothing.body.is_empty() && nothing.header("content-type").is_empty());
    }
}

#[tokio::test]
async fn a_wait_that_brings_nothing_ends_with_the_same_cursor() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let place = cursor(&lines(&http.get("/v1/poll?channel=a").await));
    let begun = tokio::time::Instant::now();
    let nothing = http.get(&format!("/v1/poll?channel=a&cursor={place}&wait=1")).await;
    assert_eq!((nothing.status, nothing.header("martlet-cursor")), (204, &*place));
    assert!(begun.elapsed() >= Duration::from_secs(1), "it has waited");
}

#[tokio::test]
async fn what_is_wrong_with_a_poll_is_said() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    for (path, refused) in [
        ("/v1/poll", (400, 1200)),
        ("/v1/poll?channel=a&wait=-1", (400, 1001)),
        ("/v1/poll?channel=a&wait=soon", (400, 1001)),
        ("/v1/poll?channel=a&cursor=x", (400, 1212)),
        ("/v1/poll?session=x&batch=1", (404, 1009)),
        ("/v1/poll?session=000000000000000000000000zz&batch=1", (404, 1009)),
        ("/v1/poll?session=00000000000000000000000001&batch=1", (404, 1009)),
        ("/v1/poll?session=00000000000000000000000001", (400, 1001)),
        ("/v1/poll?session=00000000000000000000000001&batch=-1", (400, 1001)),
        ("/v1/poll?protocol=martlet.v1.json", (400, 1001)),
        ("/v1/poll?protocol=martlet.v1.proto", (400, 1010)),
    ] {
        assert_eq!(http.get(path).await.refused(), refused, "{path}");
    }
    let mut socket = tokio::net::TcpStream::connect(node.address).await.unwrap();
    for _ in 0..2 {
        // A client that is told to begin anew may do so on the same connection.
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let head = "GET /v1/poll?session=x&batch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"}") {
            assert!(socket.read_buf(&mut bytes).await.unwrap() > 0);
        }
        assert!(bytes.starts_with(b"HTTP/1.1 404 "));
    }
    let put = http.ask(Ask::new(http::Method::PUT, "/v1/poll?channel=a")).await;
    assert_eq!((put.refused(), put.header("allow")), ((405, 1008), "GET, POST"));
}

#[tokio::test]
async fn a_session_is_polled_batch_by_batch_on_whatever_connection() {
    let node = TestNode::open(|_| {});
    let connect = json!({"subscribe": [{"channel": "a"}]});
    let (mut session, mut seen) = Session::begin(&node, connect).await;
    assert_eq!(session.batch, 1);
    while !seen.iter().any(|line| line["subscribed"].is_object()) {
        seen = session.next().await;
    }
    for n in 1..=6 {
        // A client that keeps no connection comes to every worker.
        session.http = Http::version(&node, n % 2 == 0);
        let published = node.backend().publish("a", n).await;
        let publication = session.until("publication").await;
        assert_eq!(publication["offset"], published.position.offset);
    }
}

#[tokio::test]
async fn a_batch_is_repeated_until_it_is_acknowledged() {
    let node = TestNode::open(|_| {});
    let connect = json!({"subscribe": [{"channel": "a"}]});
    let (mut session, _) = Session::begin(&node, connect).await;
    node.backend().publish("a", 1).await;
    session.until("publication").await;
    node.backend().publish("a", 2).await;
    let first = session.poll(25).await;
    node.backend().publish("a", 3).await;
    let again = session.poll(25).await;
    assert_eq!(first.body, again.body, "byte for byte");
    session.batch += 1;
    assert_eq!(session.until("publication").await["offset"], 3);
    session.batch += 7;
    assert_eq!(session.poll(0).await.refused(), (404, 1009), "that batch never was");
}

#[tokio::test]
async fn a_newer_poll_takes_the_place_of_an_older() {
    let node = TestNode::open(|_| {});
    let (session, _) = Session::begin(&node, json!({})).await;
    let path = session.path(25);
    let other = Http::new(&node);
    let older = tokio::spawn({
        let (http, path) = (session.http.clone(), path.clone());
        async move { http.get(&path).await }
    });
    // Until it has arrived, a newer one finds nothing to take the place of.
    let newer = loop {
        let newer = other.get(&session.path(0)).await;
        if older.is_finished() {
            break newer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(newer.status, 204);
    assert_eq!(soon("the older", older).await.unwrap().status, 204);
}

#[tokio::test]
async fn answers_to_what_was_sent_between_polls_come_with_the_next() {
    let node = TestNode::open(|_| {});
    let (mut session, _) = Session::begin(&node, json!({})).await;
    assert_eq!(session.send(json!({"id": 2, "ping": {}})).await, 204);
    assert_eq!(session.until("pong").await["time"].as_u64().map(|time| time > 0), Some(true));
    assert_eq!(session.poll(0).await.status, 204, "there is nothing more");
}

#[tokio::test]
async fn what_is_sent_again_is_not_done_again() {
    let node = TestNode::open(|_| {});
    let connect = json!({"subscribe": [{"channel": "a"}]});
    let (mut session, _) = Session::begin(&node, connect).await;
    let publish = json!({"id": 2, "publish": {"channel": "a", "data": 1}});
    for _ in 0..3 {
        assert_eq!(session.send(publish.clone()).await, 204, "a repeat is answered");
    }
    assert_eq!(session.send(json!({"id": 3, "ping": {}})).await, 204);
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &Value| line["pong"].is_object()) {
        seen.extend(session.next().await);
    }
    let count = |event: &str| seen.iter().filter(|line| line[event].is_object()).count();
    assert_eq!((count("published"), count("publication")), (1, 1), "{seen:?}");
}

#[tokio::test]
async fn a_polled_session_goes_on_elsewhere_and_is_told_so() {
    let node = TestNode::open(|_| {});
    let connect = json!({"subscribe": [{"channel": "a"}]});
    let (mut session, told) = Session::begin(&node, connect).await;
    let connected = &told[0]["connected"];
    let back = json!({"grant": connected["grant"], "session": connected["session"]});
    let (_talk, again) = Talk::connected(&node, back).await;
    assert_eq!((&again["resumed"], &again["client"]), (&json!(true), &connected["client"]));
    assert_eq!(session.until("close").await["code"], 3004);
    assert_eq!(session.poll(0).await.refused(), (404, 1009));
}

#[tokio::test]
async fn who_is_disconnected_between_two_polls_is_told_by_the_next() {
    let node = TestNode::open(|_| {});
    let (mut session, told) = Session::begin(&node, json!({})).await;
    let whom = json!({"client": told[0]["connected"]["client"], "reason": "Bye."});
    let answer = Http::new(&node).post("/v1/disconnect", &whom).await;
    assert_eq!(answer.good(), json!({"sessions": 1}));
    let close = session.until("close").await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3502), &json!(false)));
    assert_eq!(count(&node, "martlet_sessions").await, 0);
}

#[tokio::test]
async fn the_poll_of_who_leaves_is_answered() {
    let node = TestNode::open(|_| {});
    let answered = async {
        // A poll that arrives after the end finds nobody. One that was there gets its answer.
        while poll_of_who_leaves(&node).await != 204 {}
    };
    soon("an answer to a poll that waited", answered).await;
    assert_eq!(count(&node, "martlet_sessions").await, 0);
}

async fn poll_of_who_leaves(node: &TestNode) -> u16 {
    let (session, _) = Session::begin(node, json!({})).await;
    let (http, path) = (session.http.clone(), session.path(25));
    let waiting = tokio::spawn(async move { http.get(&path).await });
    let other = Http::new(node);
    assert_eq!(other.get("/health").await.status, 200);
    let leave = format!("/v1/send?session={}&leave=true", session.key);
    assert_eq!(other.ask(Ask::post(&leave, "")).await.status, 204);
    let status = soon("the answer", waiting).await.unwrap().status;
    assert!(status == 204 || status == 404, "{status}");
    status
}

#[tokio::test]
async fn who_does_not_poll_any_more_is_gone() {
    let node = TestNode::open(|options| {
        options.heartbeat.ping = Duration::from_secs(1);
        options.heartbeat.pong = Duration::from_secs(1);
        options.session.resume = Duration::from_secs(1);
    });
    let (session, _) = Session::begin(&node, json!({})).await;
    let gone = async {
        while count(&node, "martlet_sessions").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the end", gone).await;
    assert_eq!(session.poll(0).await.refused(), (404, 1009));
}

#[tokio::test]
async fn scripts_say_the_same_as_lines() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let told = script(&http.get("/v1/jsonp?callback=f&channel=a").await);
    let place = cursor(&told);
    let data = json!("</script>\u{2028}<!--");
    node.api(None).publish("a", martlet_client::Message::json(&data).unwrap()).await.unwrap();
    let answer = http.get(&format!("/v1/jsonp?callback=f&channel=a&cursor={place}")).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(!text.contains(['<', '>', '\u{2028}']), "{text}");
    let told = script(&answer);
    assert_eq!(told[0]["publication"]["data"], data);
    let nothing =
        http.get(&format!("/v1/jsonp?callback=f&channel=a&wait=0&cursor={}", cursor(&told))).await;
    assert_eq!(script(&nothing), [json!({"cursor": cursor(&told)})]);
}

#[tokio::test]
async fn a_script_may_carry_a_session_both_ways() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let connect = "%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D";
    let begin = format!("/v1/jsonp?callback=f&protocol=martlet.v1.json&connect={connect}");
    let told = script(&http.get(&begin).await);
    let key = told[0]["connected"]["session"].as_str().unwrap();
    let ping = "%7B%22id%22%3A2%2C%22ping%22%3A%7B%7D%7D";
    let send = format!("/v1/jsonp?callback=f&session={key}&send={ping}");
    assert_eq!(script(&http.get(&send).await), [] as [Value; 0]);
    let batch = told.last().unwrap()["batch"].as_u64().unwrap();
    let next = format!("/v1/jsonp?callback=f&session={key}&batch={batch}");
    let told = script(&http.get(&next).await);
    assert_eq!((&told[0]["id"], &told[1]["batch"]), (&json!(2), &json!(batch + 1)));
    for path in ["session=0&send=x", "session=0&batch=1", "channel="] {
        let refused = script(&http.get(&format!("/v1/jsonp?callback=f&{path}")).await);
        let code = refused[0]["error"]["code"].as_u64().unwrap();
        assert!(code == 1009 || code == 1200, "a script is told too: {refused:?}");
    }
}

#[tokio::test]
async fn a_callback_is_a_name_or_the_request_is_refused() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    for bad in ["", "alert(1)", "a;b", "a%0Ab", "%3C/script%3E", "a.", "1", "a%22"] {
        for path in ["/v1/jsonp", "/v1/htmlfile"] {
            let answer = http.get(&format!("{path}?callback={bad}&channel=a")).await;
            assert_eq!(answer.refused(), (400, 1016), "{path} {bad}");
            assert_eq!(answer.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn who_only_looks_in_is_no_member() {
    let node = TestNode::open(|_| {});
    let (mut talk, _) = Talk::connected(&node, json!({"subscribe": [{"channel": "a"}]})).await;
    talk.wait_for("join").await;
    let http = Http::new(&node);
    lines(&http.get("/v1/poll?channel=a").await);
    let members = http.get("/v1/channels/a/presence").await.good();
    assert_eq!(members["count"], 1);
    let _session = Session::begin(&node, json!({"subscribe": [{"channel": "a"}]})).await;
    talk.wait_for("join").await;
    assert_eq!(http.get("/v1/channels/a/presence").await.good()["count"], 2);
}

/// The cursor names channels that the address does not, because the token does.
#[tokio::test]
async fn channels_of_the_token_go_on_where_the_cursor_says() {
    let node = TestNode::configured(&format!(
        "[auth]\nanonymous = false\n[[auth.tokens]]\nsecret = \"{SECRET}\"\n\
         [[api.keys]]\nname = \"all\"\nscopes = [\"all\"]\nsha256 = \"{}\"\n\
         [channels.default]\nhistory_size = 10\nsubscribe = \"granted\"\n",
        martlet_server::keys::KeyHash::of("key")
    ));
    let claims = json!({"sub": "ann", "channels": ["own"], "permissions": {"a": ["subscribe"]}});
    let token = token(claims);
    let http = Http::new(&node);
    let path = format!("/v1/poll?channel=a&token={token}");
    let place = cursor(&lines(&http.get(&path).await));
    assert!(place.contains(".own"), "{place}");
    let own = json!({"channel": "own", "data": 1});
    http.with_key("key").post("/v1/publish", &own).await.good();
    let told = lines(&http.get(&format!("{path}&cursor={place}&wait=0")).await);
    assert_eq!(told[0]["publication"]["channel"], "own", "{told:?}");
}

#[tokio::test]
async fn pages_of_other_origins_may_read_what_they_are_let() {
    let node = TestNode::configured(
        "[server]\norigins = [\"https://app.example\"]\n[channels.default]\nhistory_size = 10\n\
         subscribe = \"anyone\"\n",
    );
    let http = Http::new(&node);
    let ask = |origin: &str| Ask::get("/v1/poll?channel=a").with("origin", origin);
    let good = http.ask(ask("https://app.example")).await;
    assert_eq!(good.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(good.header("vary"), "origin");
    let exposed = good.header("access-control-expose-headers");
    assert!(exposed.contains("martlet-cursor") && exposed.contains("retry-after"), "{exposed}");
    assert_eq!(http.ask(ask("https://bad.example")).await.refused(), (403, 1109));
    assert_eq!(http.ask(ask("null")).await.refused(), (403, 1109));
    let preflight = Ask::new(http::Method::OPTIONS, "/v1/poll?channel=a")
        .with("origin", "https://app.example")
        .with("access-control-request-method", "GET");
    let answer = http.ask(preflight).await;
    assert_eq!((answer.status, answer.header("access-control-max-age")), (204, "86400"));
    for (path, embedded) in
        [("/v1/jsonp?callback=f&channel=a", true), ("/v1/poll?channel=a", false)]
    {
        let strange = Ask::get(path).with("sec-fetch-site", "cross-site");
        let status = http.ask(strange).await.status;
        assert_eq!(status, if embedded { 403 } else { 200 }, "{path}");
    }
}
