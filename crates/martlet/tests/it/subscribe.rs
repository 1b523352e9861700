//! `martlet sub`: what is written where, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::played::{Asked, PATIENCE, Reply, let_in, martlet, play, publication, run};

/// A server that lets everybody in and then says `frames`.
fn saying(frames: Vec<Value>) -> (String, mpsc::Receiver<Value>) {
    let (sender, connects) = mpsc::channel();
    let url = play(move |asked: Asked| {
        if !asked.path.starts_with("/v1/sse") {
            return Reply::Json(204, Value::Null);
        }
        let connect: Value = serde_json::from_str(&asked.body).unwrap();
        let all = [let_in(&connect), frames.clone()].concat();
        // Not every test looks at what was asked.
        let _ = sender.send(connect);
        Reply::Held(all)
    });
    (url, connects)
}

fn sub(url: &str, arguments: &[&str]) -> Command {
    let mut all = vec!["sub", "--transport", "sse"];
    all.extend(arguments);
    martlet(url, &all)
}

#[test]
fn a_pipe_gets_the_data_one_line_each() {
    let frames = vec![
        publication("news", 1, json!({"a": 1})),
        publication("news", 2, json!("text")),
        publication("news", 3, json!("not wanted")),
    ];
    let (url, _) = saying(frames);
    let (code, out, _) = run(sub(&url, &["news", "--count", "2"]), "");
    assert_eq!((code, out.as_str()), (0, "{\"a\":1}\ntext\n"));
}

#[test]
fn programs_can_have_everything() {
    let (url, _) = saying(vec![publication("news", 1, json!([1]))]);
    let (code, out, _) = run(sub(&url, &["news", "--count", "1", "--format", "json"]), "");
    assert_eq!(code, 0);
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&line["channel"], &line["offset"]), (&json!("news"), &json!(1)));
    assert_eq!(line["data"], json!([1]));
}

#[test]
fn people_get_no_colours_in_a_pipe() {
    let (url, _) = saying(vec![publication("news", 1, json!("hi"))]);
    let (_, out, _) = run(sub(&url, &["news", "--count", "1", "--format", "pretty"]), "");
    assert_eq!(out, "12:34:56 hi\n");
}

/// What the server is asked when the program is called with `arguments`, and its first
/// publication has `offset`.
fn asked(arguments: &[&str], offset: u64) -> Value {
    let (url, connects) = saying(vec![publication("news", offset, json!(1))]);
    let (code, _, err) = run(sub(&url, &[arguments, &["--count", "1"]].concat()), "");
    assert_eq!(code, 0, "{err}");
    connects.recv_timeout(PATIENCE).unwrap()["connect"].clone()
}

#[test]
fn a_reader_begins_where_it_is_told() {
    let connect = asked(&["--cursor", "5.k3f9x2ab.news", "--token", "t"], 6);
    let place = json!([{"channel": "news", "epoch": "k3f9x2ab", "offset": 5}]);
    assert_eq!((&connect["subscribe"], &connect["token"]), (&place, &json!("t")));
    let since = asked(&["news", "--since", "1700000000000"], 1);
    assert_eq!(since["subscribe"], json!([{"channel": "news", "since": 1_700_000_000_000u64}]));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let since = asked(&["news", "--since", "10m"], 1)["subscribe"][0]["since"].as_u64().unwrap();
    assert!((now.as_millis() as u64).abs_diff(since + 600_000) < 20_000, "{since}");
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [
        &[][..],
        &["two words"],
        &["news", "--since", "yesterday"],
        &["news", "--cursor", "nonsense"],
        &["news", "--format", "xml"],
        &["news", "--binary"],
        &["news", "--count", "0"],
    ] {
        let (code, out, err) = run(sub("http://127.0.0.1:9", arguments), "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_missing() {
    for transport in ["websocket", "sse"] {
        let arguments = ["sub", "news", "--transport", transport];
        let (code, _, err) = run(martlet("http://127.0.0.1:9", &arguments), "");
        assert_eq!(code, 1);
        assert!(err.starts_with("martlet: 127.0.0.1:9 cannot be reached"), "{err}");
    }
}

#[test]
fn a_channel_that_may_not_be_followed_ends_it() {
    let refusal = json!({"unsubscribed": {
        "channel": "news", "code": 1202, "name": "subscribe_denied",
        "message": "You may not follow this channel."
    }});
    let (url, _) = saying(vec![refusal]);
    let (code, _, err) = run(sub(&url, &["news"]), "");
    assert_eq!(code, 1);
    assert!(err.contains("martlet: You may not follow this channel. (1202"), "{err}");
}

#[test]
fn gaps_and_lags_are_told_beside_the_data() {
    let frames = vec![
        json!({"lagged": {"channel": "news", "offset": 0, "head": 9}}),
        json!({"gap": {
            "channel": "news", "from": 1, "to": 4, "reason": "expired", "epoch": "k3f9x2ab",
            "offset": 4
        }}),
        publication("news", 5, json!(5)),
    ];
    let (url, _) = saying(frames);
    let (code, out, err) = run(sub(&url, &["news", "--count", "1"]), "");
    assert_eq!((code, out.as_str()), (0, "5\n"));
    assert!(err.contains("news: 1 to 4 are missing (expired)"), "{err}");
    assert!(err.contains("behind at 0 of 9"), "{err}");
}

/// The program, running, after it has written its first line.
fn running(url: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = sub(url, &["news"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    (child, out)
}

#[test]
fn ctrl_c_ends_it_and_says_where_to_go_on() {
    let (url, _) = saying(vec![publication("news", 1, json!(1))]);
    for signal in ["-INT", "-TERM"] {
        let (child, _out) = running(&url);
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert!(err.ends_with("1 publication; go on with --cursor '1.k3f9x2ab.news'\n"), "{err}");
    }
}

#[test]
fn it_ends_quietly_when_its_reader_has_seen_enough() {
    let frames = (1..=20_000).map(|offset| publication("news", offset, json!(offset))).collect();
    let (url, _) = saying(frames);
    let (child, out) = running(&url);
    drop(out);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(!err.contains("pipe"), "{err}");
}
