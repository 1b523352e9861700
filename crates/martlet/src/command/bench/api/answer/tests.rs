use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

#[test]
fn the_length_is_known_once_the_head_is_whole() {
    let answer = format!("{HEAD}hello");
    assert_eq!(answer_length(&answer.as_bytes()[..HEAD.len() - 1]).unwrap(), None);
    assert_eq!(answer_length(HEAD.as_bytes()).unwrap(), Some(answer.len()));
}

#[test]
fn refusals_end_the_run() {
    let refused = "HTTP/1.1 401 X\r\ncontent-length: 2\r\n\r\n{}";
    assert!(answer_length(refused.as_bytes()).is_err());
    assert!(check_results(br#"{"results":[{"offset":1},{"error":{"code":1}}]}"#).is_err());
    assert!(check_results(br#"{"results":[{"offset":1}]}"#).is_ok());
}

#[test]
fn answers_that_cannot_be_measured_are_refused() {
    assert!(answer_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    assert!(answer_length(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").is_err());
    assert!(answer_length(b"SSH-2.0-OpenSSH\r\n").is_err());
}

#[test]
fn an_answer_in_chunks_is_whole_with_its_last_one() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = format!("{head}2\r\n{{}}\r\n0\r\n\r\n");
    assert!(!answered(&answer.as_bytes()[..answer.len() - 1]).unwrap());
    assert!(answered(answer.as_bytes()).unwrap());
}

#[test]
fn commands_of_redis_are_answered_by_lines() {
    assert!(!counted(b":0\r\n:1", 2).unwrap());
    assert!(counted(b":0\r\n:1\r\n", 2).unwrap());
    assert!(counted(b":0\r\n-ERR no\r\n", 2).is_err());
}
