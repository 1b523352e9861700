use super::*;
use crate::command::bench::dialect::head;

/// The path of a request, and its body.
fn written(kind: Kind, all: &[(String, &[u8])]) -> (String, serde_json::Value) {
    let door = Door::anonymous("127.0.0.1:1".parse().unwrap(), kind.dialects().0);
    let mut request = Vec::new();
    write(&Door { kind, ..door }, Some("secret"), all, &mut request);
    let length = head(&request).unwrap().length;
    let text = std::str::from_utf8(&request[..length]).unwrap();
    assert!(text.contains("secret\r\n"), "{text}");
    assert!(text.contains(&format!("Content-Length: {}\r\n", request.len() - length)), "{text}");
    let path = text.split(' ').nth(1).unwrap().to_owned();
    (path, serde_json::from_slice(&request[length..]).unwrap())
}

#[test]
fn each_server_gets_one_publication_and_a_batch_as_it_takes_them() {
    let all: Vec<(String, &[u8])> = vec![("a".into(), b"1"), ("b".into(), b"2")];
    let (path, body) = written(Kind::Martlet, &all[..1]);
    assert_eq!((path.as_str(), &body["data"]), ("/v1/publish", &"1".into()));
    let (path, body) = written(Kind::Martlet, &all);
    assert_eq!((path.as_str(), &body["publish"][1]["channel"]), ("/v1/batch", &"b".into()));
    let (path, body) = written(Kind::Centrifugo, &all[..1]);
    assert_eq!((path.as_str(), &body["channel"]), ("/api/publish", &"a".into()));
    let (path, body) = written(Kind::Centrifugo, &all);
    assert_eq!(path, "/api/batch");
    assert_eq!(body["commands"][1]["publish"]["data"], "2");
    assert_eq!(body["parallel"], true);
}
