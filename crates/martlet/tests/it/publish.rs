//! `martlet pub`: what is published, what is said about it, and that lines arrive exactly once.

use std::collections::HashMap;
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::played::{Asked, PATIENCE, Reply, martlet, play, receipt, run};

/// A server that takes every publication, and tells the test.
fn taking() -> (String, mpsc::Receiver<Asked>) {
    let (sender, asked) = mpsc::channel();
    let url = play(move |asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let reply = Reply::Json(200, receipt(&body["channel"], 7));
        sender.send(asked).unwrap();
        reply
    });
    (url, asked)
}

fn published(arguments: &[&str], input: &str) -> Value {
    let (url, asked) = taking();
    let mut all = vec!["pub", "news"];
    all.extend(arguments);
    let (code, _, err) = run(martlet(&url, &all), input);
    assert_eq!(code, 0, "{err}");
    let asked = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(asked.path, "/v1/publish");
    let mut body: Value = serde_json::from_str(&asked.body).unwrap();
    assert!(body["key"].is_string(), "a publication can be tried again");
    body.as_object_mut().unwrap().remove("key");
    body
}

#[test]
fn what_is_json_goes_as_json_and_the_rest_as_text() {
    let body = |data: Value| json!({"channel": "news", "data": data});
    assert_eq!(published(&[r#"{"hello":1}"#], ""), body(json!({"hello": 1})));
    assert_eq!(published(&["hello world"], ""), body(json!("hello world")));
    assert_eq!(published(&["-1"], ""), body(json!(-1)));
    assert_eq!(published(&["--text", "12"], ""), body(json!("12")));
    assert_eq!(published(&["--file", "-"], "[1,\n2]"), body(json!([1, 2])));
    let bytes = json!({"channel": "news", "bytes": "aGk="});
    assert_eq!(published(&["--binary", "hi"], ""), bytes);
}

#[test]
fn name_and_tags_go_along() {
    let body = published(&["1", "--name", "score", "--tag", "lang=en", "--tag", "a=b=c"], "");
    assert_eq!(
        body,
        json!({
            "channel": "news", "data": 1, "name": "score", "tags": {"lang": "en", "a": "b=c"}
        })
    );
}

#[test]
fn a_pipe_gets_the_receipt_as_a_line_of_json() {
    let (url, asked) = taking();
    let mut command = martlet(&url, &["pub", "news", "1", "--key", "k"]);
    command.env("MARTLET_API_KEY", "secret");
    let (code, out, err) = run(command, "");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), receipt(&json!("news"), 7));
    assert_eq!(out.lines().count(), 1);
    let asked = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(asked.key.as_deref(), Some("Bearer secret"));
    assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap()["key"], "k");
}

#[test]
fn wrong_arguments_are_refused_with_a_hint() {
    for (arguments, word) in [
        (&["pub", "news"][..], "DATA"),
        (&["pub", "two words", "1"], "blanks"),
        (&["pub", "news", "1", "--tag", "x"], "NAME=VALUE"),
        (&["pub", "news", "{", "--json"], "JSON"),
        (&["pub", "news", "1", "--lines"], "--lines"),
        (&["pub", "news", "1", "--url", "ftp://x"], "ftp://x"),
        (&["pub", "news", "1", "--fingerprint", "12"], "fingerprint"),
    ] {
        let (code, out, err) = run(martlet("http://127.0.0.1:9", arguments), "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
}

#[test]
fn a_refusal_is_one_sentence_and_a_hint() {
    let url = play(|_| {
        Reply::Json(
            403,
            json!({
                "code": 1203, "name": "publish_denied", "message": "You may not.", "hint": "Ask."
            }),
        )
    });
    for arguments in [&["pub", "news", "1"][..], &["pub", "news", "--lines"]] {
        let (code, out, err) = run(martlet(&url, arguments), "1\n");
        assert_eq!((code, out.as_str()), (1, ""));
        assert_eq!(err, "martlet: You may not. (1203 publish_denied)\n  hint: Ask.\n");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_missing() {
    for arguments in [&["pub", "news", "1"][..], &["pub", "news", "--lines"]] {
        let (code, _, err) = run(martlet("http://127.0.0.1:9", arguments), "1\n");
        assert_eq!(code, 1);
        assert!(err.starts_with("martlet: 127.0.0.1:9 cannot be reached"), "{err}");
        assert!(err.contains("hint:"), "{err}");
    }
}

/// A store that publishes each key once, and does other things besides.
#[derive(Default)]
struct Store {
    data: Vec<Value>,
    keys: HashMap<String, u64>,
}

impl Store {
    fn publish(&mut self, one: &Value) -> Value {
        let key = one["key"].as_str().unwrap().to_owned();
        let next = self.data.len() as u64 + 1;
        let offset = *self.keys.entry(key).or_insert(next);
        if offset == next {
            self.data.push(one["data"].clone());
        }
        receipt(&one["channel"], offset)
    }

    fn publish_all(&mut self, asked: &Asked) -> Value {
        assert_eq!(asked.path, "/v1/batch");
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let all = body["publish"].as_array().unwrap();
        let results: Vec<Value> = all.iter().map(|one| self.publish(one)).collect();
        json!({ "results": results })
    }
}

/// Publishes `input` as lines to a server that answers by `answer`, and gives what its store has
/// at the end.
fn lines(
    input: &str,
    mut answer: impl FnMut(usize, &mut Store, &Asked) -> Reply + Send + 'static,
) -> (i32, Vec<Value>, String) {
    let store = std::sync::Arc::new(std::sync::Mutex::new(Store::default()));
    let (shared, mut requests) = (store.clone(), 0);
    let url = play(move |asked| {
        requests += 1;
        answer(requests, &mut shared.lock().unwrap(), &asked)
    });
    let (code, out, err) = run(martlet(&url, &["pub", "news", "--lines"]), input);
    assert_eq!(out, "", "lines have no receipts");
    let data = std::mem::take(&mut store.lock().unwrap().data);
    (code, data, err)
}

#[test]
fn every_line_is_published_in_order() {
    let input: String = (0..1_234).map(|i| format!("line {i}\n")).collect();
    let (code, data, err) =
        lines(&input, |_, store, asked| Reply::Json(200, store.publish_all(asked)));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(data, (0..1_234).map(|i| json!(format!("line {i}"))).collect::<Vec<_>>());
}

#[test]
fn ends_of_lines_are_not_part_of_them() {
    let (code, data, _) =
        lines("a\r\n\n1\nlast", |_, store, asked| Reply::Json(200, store.publish_all(asked)));
    assert_eq!((code, data), (0, vec![json!("a"), json!(""), json!(1), json!("last")]));
    let (code, data, _) = lines("", |_, _, _| panic!("there is nothing to publish"));
    assert_eq!((code, data), (0, vec![]));
}

#[test]
fn an_answer_that_is_lost_publishes_nothing_twice() {
    let input: String = (0..300).map(|i| format!("{i}\n")).collect();
    let (code, data, err) = lines(&input, |request, store, asked| {
        let answer = store.publish_all(asked);
        if request % 2 == 0 { Reply::Cut } else { Reply::Json(200, answer) }
    });
    assert_eq!(code, 0, "{err}");
    assert_eq!(data, (0..300).map(Value::from).collect::<Vec<_>>());
    assert!(err.contains("trying again"), "{err}");
}

#[test]
fn a_line_refused_for_now_is_published_later() {
    let (code, data, _) = lines("1\n2\n3\n", |request, store, asked| {
        let mut answer = store.publish_all(asked);
        if request == 1 {
            let results = answer["results"].as_array_mut().unwrap();
            *results.last_mut().unwrap() = json!({"error": {
                "code": 1304, "name": "rate_limited", "message": "Slow.", "hint": "", "after": 1
            }});
            let last = store.data.pop().unwrap();
            store.keys.retain(|_, offset| *offset <= store.data.len() as u64);
            assert!(last.is_number());
        }
        Reply::Json(200, answer)
    });
    assert_eq!((code, data), (0, vec![json!(1), json!(2), json!(3)]));
}

#[test]
fn a_server_with_small_limits_gets_small_batches() {
    let input: String = (0..50).map(|i| format!("{i}\n")).collect();
    let (code, data, err) = lines(&input, |_, store, asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        if body["publish"].as_array().unwrap().len() > 3 {
            let error =
                json!({"code": 1305, "name": "batch_too_large", "message": "x", "hint": ""});
            return Reply::Json(413, error);
        }
        Reply::Json(200, store.publish_all(asked))
    });
    assert_eq!(code, 0, "{err}");
    assert_eq!(data, (0..50).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn a_line_without_end_is_refused() {
    let (code, _, err) = lines(&"x".repeat(1024 * 1024 + 1), |_, _, _| Reply::Cut);
    assert_eq!(code, 1);
    assert!(err.contains("longer than"), "{err}");
}
