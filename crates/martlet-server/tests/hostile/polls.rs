//! Those who mean it no good by the doors of streams, polls and scripts: overlapping polls, bodies
//! that never end, callbacks with script in them, sessions of others, readers who never read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::calm::Calm;
use crate::node::{PATIENCE, Victim};
use crate::raw::{Answer, Raw};

const BEGIN: &str = "/v1/poll?protocol=martlet.v1.json";

/// Begins a session that is polled; gives its key.
fn begin(victim: &Victim) -> String {
    let answer = Raw::post(victim.address, BEGIN, r#"{"id":1,"connect":{}}"#);
    let text = answer.text();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    first["connected"]["session"].as_str().unwrap().to_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn a_thousand_polls_over_each_other_leave_one() {
    let victim = Victim::with(|options| options.limits.commands_burst = 10_000);
    let calm = Calm::begin(&victim);
    let key = begin(&victim);
    let path = get(&format!("/v1/poll?session={key}&batch=1"));
    let mut polls: Vec<_> = (0..1_000)
        .map(|_| {
            let mut raw = Raw::open(victim.address);
            raw.say(&path);
            raw
        })
        .collect();
    // All but one are answered at once, in whatever order they came.
    let begun = Instant::now();
    let mut left = polls.len();
    while left > 1 {
        assert!(begun.elapsed() < PATIENCE, "{left} polls wait");
        polls.retain_mut(|raw| !raw.readable());
        left = polls.len();
    }
    drop(polls);
    calm.end();
    // The node hears a moment later that the calm ones have gone.
    victim.until_count("sessions", 1);
    assert_eq!(victim.count("sessions"), 1);
}

#[test]
fn polls_over_the_rate_are_told_when_to_go_on() {
    let victim = Victim::with(|options| {
        options.limits.commands_per_second = 2;
        options.limits.commands_burst = 5;
    });
    let calm = Calm::begin_with(&victim, None, martlet_client::Options::default());
    let key = begin(&victim);
    let path = format!("/v1/poll?session={key}&batch=1&wait=0");
    let answers: Vec<Answer> = (0..10).map(|_| Raw::get(victim.address, &path)).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one is refused");
    assert_eq!(refused.refusal(), (429, 1304));
    assert!(refused.json()["after"].as_u64().unwrap() > 0);
    drop(calm);
}

#[test]
fn bodies_that_never_end_are_waited_for_no_longer_than_a_while() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    for path in [BEGIN, "/v1/stream?protocol=martlet.v1.json"] {
        let mut raw = Raw::open(victim.address);
        raw.say(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{"
        ));
        assert_eq!(raw.answer().refusal(), (408, 1014), "{path}");
        let mut raw = Raw::open(victim.address);
        raw.say(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
        ));
        assert_eq!(raw.answer().refusal(), (413, 1005), "{path}");
    }
    let mut raw = Raw::open(victim.address);
    raw.say(format!(
        "POST {BEGIN} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    let begun = Instant::now();
    let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
    while raw.say(&chunk) && !raw.readable() {
        assert!(begun.elapsed() < PATIENCE, "it is taken for ever");
    }
    assert_eq!(raw.answer().refusal(), (413, 1005));
    calm.end();
}

#[test]
fn a_callback_is_never_anything_but_a_name() {
    let victim = Victim::open();
    let bad = ["</script><script>alert(1)//", "a(b", "eval(name)//", "\u{2028}", "a b", "a[0]", ""];
    for callback in bad {
        let callback: String = callback.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in ["jsonp", "htmlfile"] {
            let answer =
                Raw::get(victim.address, &format!("/v1/{path}?callback={callback}&channel=a"));
            assert_eq!(answer.refusal(), (400, 1016));
            assert_eq!(answer.field("content-type"), Some("application/json"));
            assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        }
    }
}

/// Two names of a callback, a name twice, a query that is no query.
#[test]
fn a_query_of_any_kind_is_answered_or_refused() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    for door in ["sse", "stream", "htmlfile", "multipart", "poll", "jsonp"] {
        for query in [
            "%",
            "%zz",
            "&&&",
            "=",
            "callback=a&callback=b(",
            "channel=%00",
            "channel=%ff&wait=0",
            "channel=a&cursor=%ff",
            "channel=a&padding=99999999999999999999",
            "batch=1&session=",
            "session=%00&batch=4294967296",
            "protocol=martlet.v1.json&connect=%7B",
            "protocol=&connect=&session=&callback=",
            "wait=99999999999999999999999&channel=a",
            "limit=18446744073709551616&channel=a",
            "callback=a&send=x",
            "callback=a&session=0&send=",
        ] {
            let mut raw = Raw::open(victim.address);
            raw.say(format!("GET /v1/{door}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            let head = String::from_utf8(raw.until("\r\n\r\n")).unwrap();
            let status: u16 = head[9..12].parse().unwrap();
            assert!(matches!(status, 200 | 400 | 404 | 409), "{door} {query}: {head}");
        }
    }
    calm.end();
}

#[test]
fn the_session_of_another_is_not_to_be_guessed() {
    let victim = Victim::open();
    let key = begin(&victim);
    let mut guessed = key.clone().into_bytes();
    let last = guessed.len() - 1;
    guessed[last] = if guessed[last] == b'0' { b'1' } else { b'0' };
    let guessed = String::from_utf8(guessed).unwrap();
    let poll = Raw::get(victim.address, &format!("/v1/poll?session={guessed}&batch=1"));
    assert_eq!(poll.refusal(), (404, 1009));
    let path = format!("/v1/send?session={guessed}");
    assert_eq!(Raw::post(victim.address, &path, "{}").refusal(), (404, 1009));
}

/// A cursor chooses how much of a history to read, and never whose.
#[test]
fn the_cursor_of_another_opens_nothing() {
    let victim = Victim::configured(
        "[channels.default]\nhistory_size = 10\nsubscribe = \"anyone\"\n\
         [channels.namespace.own]\nhistory_size = 10\nsubscribe = \"backend\"\n",
    );
    for door in ["sse", "stream", "poll", "multipart"] {
        let path = format!("/v1/{door}?channel=own:1&cursor=0.aaaaaaaa.own:1");
        assert_eq!(Raw::get(victim.address, &path).refusal(), (403, 1202), "{door}");
        // It names a channel that was not asked for, and that it may not have.
        let path = format!("/v1/{door}?channel=a&wait=0&cursor=0.aaaaaaaa.own:1");
        let mut raw = Raw::open(victim.address);
        raw.say(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
        let text = String::from_utf8(raw.until(".a")).unwrap();
        assert!(text.contains(" 200 OK") && !text.contains("own"), "{text}");
    }
}

#[test]
fn who_polls_and_never_reads_costs_a_batch() {
    let victim = Victim::with(|options| options.limits.write_timeout = Duration::from_secs(2));
    let calm = Calm::begin(&victim);
    let pad = "x".repeat(50_000);
    let one = format!("{{\"channel\":\"wide\",\"data\":\"{pad}\"}}");
    let mut polls = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::open(victim.address);
        // Many at once on one connection: only one is looked at.
        raw.say(get("/v1/poll?channel=wide&since=1h").repeat(50));
        polls.push(raw);
    }
    for _ in 0..20 {
        let body = format!("{{\"publish\":[{}]}}", vec![&*one; 20].join(","));
        assert_eq!(Raw::post(victim.address, "/v1/batch", body).status, 200);
    }
    assert!(victim.count("log_bytes") < 8 << 20);
    drop(polls);
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn an_uplink_that_is_repeated_for_ever_does_nothing_twice_and_ends() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let key = begin(&victim);
    let path = format!("/v1/send?session={key}");
    let publish = json!({"id": 2, "publish": {"channel": "once", "data": 1}}).to_string();
    for n in 0..2_000 {
        let status = Raw::post(victim.address, &path, &publish).status;
        assert!(matches!(status, 204 | 404), "repeat {n} is answered {status}");
    }
    let history = Raw::get(victim.address, "/v1/channels/once/history").json();
    assert_eq!(history["offset"], 1, "{history}");
    calm.end();
}
