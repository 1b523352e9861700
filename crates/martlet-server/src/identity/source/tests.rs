//! Tests of key sets that are fetched: from a server that behaves, from servers that do not, and
//! from a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use martlet_core::model::{Code, Refusal, UnixMillis};
use martlet_core::session::Identity;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::identity::remote::FetchError;
use crate::identity::tests::keyring::{EC, ED, OTHER_ED, Pair, RSA, key_set, object, part};
use crate::identity::{KeyError, Verifier, jwks_address};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A pace at which every unknown key is fetched for.
const EAGER: Pace = Pace {
    cool_down: Duration::ZERO,
    retry: Duration::from_millis(5),
    timeout: Duration::from_secs(10),
};

/// A server that gives the same answer, byte for byte, to every request, until it is changed.
struct Server {
    address: String,
    answer: Arc<std::sync::Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
    last_request: Arc<std::sync::Mutex<String>>,
}

impl Server {
    async fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: format!("http://{}/keys", listener.local_addr().unwrap()),
            answer: Arc::new(std::sync::Mutex::new(answer)),
            requests: Arc::default(),
            last_request: Arc::default(),
        };
        let (answer, requests) = (server.answer.clone(), server.requests.clone());
        let last_request = server.last_request.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                *last_request.lock().unwrap() = String::from_utf8(request).unwrap();
                requests.fetch_add(1, Ordering::SeqCst);
                let answer = answer.lock().unwrap().clone();
                if answer.is_empty() {
                    // Says nothing at all, and keeps the connection.
                    tokio::spawn(async move {
                        let _ = socket.read(&mut [0; 64]).await;
                    });
                    continue;
                }
                let _ = socket.write_all(&answer).await;
            }
        });
        server
    }

    fn answer(&self, answer: Vec<u8>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn source(&self) -> TokenSource {
        let keys = Keys::Url(jwks_address(&self.address).unwrap());
        TokenSource { keys, algorithm: None, audience: vec![], issuer: None }
    }

    fn verifier(&self, pace: Pace) -> Verifier {
        Verifier::paced(vec![self.source()], pace)
    }
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn keys(pairs: &[(&Pair, &str)]) -> String {
    key_set(&pairs.iter().map(|(pair, id)| pair.jwk(id)).collect::<Vec<_>>())
}

fn token(pair: &Pair, id: Option<&str>) -> String {
    pair.signer().sign(&object(json!({ "sub": "ann" })), id).unwrap()
}

async fn check(verifier: &Verifier, token: &str) -> Result<Identity, Refusal> {
    verifier.connection(token, NOW).await
}

async fn code(verifier: &Verifier, token: &str) -> Code {
    check(verifier, token).await.expect_err("this was to be refused").code
}

#[tokio::test]
async fn keys_are_fetched_once_and_then_known() {
    let set = keys(&[(&RSA, "rsa"), (&EC, "ec"), (&ED, "ed")]);
    let server = Server::start(http("200 OK", "", &set)).await;
    let verifier = server.verifier(EAGER);
    for (pair, id) in [(&*RSA, "rsa"), (&*EC, "ec"), (&*ED, "ed")] {
        assert!(check(&verifier, &token(pair, Some(id))).await.is_ok(), "{id}");
        assert!(check(&verifier, &token(pair, None)).await.is_ok(), "{id}");
    }
    assert_eq!(server.requests(), 1);
    assert!(server.last_request.lock().unwrap().starts_with("GET /keys HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let server = Server::start(http("200 OK", "", &keys(&[(&ED, "old")]))).await;
    let verifier = server.verifier(EAGER);
    assert!(check(&verifier, &token(&ED, Some("old"))).await.is_ok());
    server.answer(http("200 OK", "", &keys(&[(&OTHER_ED, "new")])));
    assert!(check(&verifier, &token(&OTHER_ED, Some("new"))).await.is_ok());
    assert_eq!(code(&verifier, &token(&ED, Some("old"))).await, Code::TokenInvalid);
}

#[tokio::test]
async fn forged_names_cause_one_fetch_in_a_cool_down() {
    let server = Server::start(http("200 OK", "", &keys(&[(&ED, "real")]))).await;
    let verifier =
        Arc::new(server.verifier(Pace { cool_down: Duration::from_secs(3_600), ..EAGER }));
    let tries = (0..50).map(|n| {
        let verifier = verifier.clone();
        tokio::spawn(
            async move { code(&verifier, &token(&OTHER_ED, Some(&format!("k{n}")))).await },
        )
    });
    for code in futures_util::future::join_all(tries).await {
        assert_eq!(code.unwrap(), Code::TokenInvalid);
    }
    assert_eq!(server.requests(), 1);
    assert!(check(&verifier, &token(&ED, Some("real"))).await.is_ok());
}

#[tokio::test]
async fn tokens_that_come_during_the_fetch_wait_for_it() {
    let server = Server::start(http("200 OK", "", &keys(&[(&ED, "k")]))).await;
    let verifier = Arc::new(server.verifier(EAGER));
    let tries = (0..20).map(|_| {
        let verifier = verifier.clone();
        tokio::spawn(async move { check(&verifier, &token(&ED, Some("k"))).await.is_ok() })
    });
    for good in futures_util::future::join_all(tries).await {
        assert!(good.unwrap());
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_place_that_fails_is_told_from_a_bad_token() {
    let elsewhere = Server::start(http("200 OK", "", &keys(&[(&ED, "k")]))).await;
    let redirect = format!("Location: {}\r\n", elsewhere.address);
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let many: Vec<Value> = (0..129).map(|n| ED.jwk(&n.to_string())).collect();
    let answers = [
        http("500 Internal Server Error", "", "oops"),
        http("404 Not Found", "", &keys(&[(&ED, "k")])),
        http("302 Found", &redirect, ""),
        http("307 Temporary Redirect", &redirect, &keys(&[(&ED, "k")])),
        http("304 Not Modified", "", ""),
        http("200 OK", "", "garbage"),
        http("200 OK", "", "[]"),
        http("200 OK", "", "{\"keys\":{}}"),
        http("200 OK", "", "{\"keys\":[]}"),
        http("200 OK", "", &huge),
        http("200 OK", "", &key_set(&many)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
    ];
    for answer in answers {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
        let server = Server::start(answer).await;
        let verifier = server.verifier(EAGER);
        let refusal = check(&verifier, &token(&ED, Some("k"))).await.expect_err(&shown);
        assert_eq!(refusal.code, Code::KeysUnavailable, "{shown}");
        assert_eq!(server.requests(), 1, "{shown}");
    }
    assert_eq!(elsewhere.requests(), 0, "a redirect was followed");
}

#[tokio::test]
async fn a_silent_place_is_given_up_on() {
    let server = Server::start(Vec::new()).await;
    let verifier = server.verifier(Pace { timeout: Duration::from_millis(50), ..EAGER });
    assert_eq!(code(&verifier, &token(&ED, Some("k"))).await, Code::KeysUnavailable);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn nobody_listening_is_told_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let keys = Keys::Url(jwks_address(&address).unwrap());
    let source = TokenSource { keys, algorithm: None, audience: vec![], issuer: None };
    let verifier = Verifier::paced(vec![source], EAGER);
    assert_eq!(code(&verifier, &token(&ED, None)).await, Code::KeysUnavailable);
}

#[tokio::test]
async fn old_keys_stay_when_a_fetch_fails() {
    let server = Server::start(http("200 OK", "", &keys(&[(&ED, "k")]))).await;
    let verifier = server.verifier(EAGER);
    assert!(check(&verifier, &token(&ED, Some("k"))).await.is_ok());
    server.answer(http("200 OK", "", "garbage"));
    assert_eq!(code(&verifier, &token(&OTHER_ED, Some("x"))).await, Code::KeysUnavailable);
    assert!(check(&verifier, &token(&ED, Some("k"))).await.is_ok());
}

#[tokio::test]
async fn an_unchanged_set_is_not_sent_again() {
    let first = http("200 OK", "ETag: \"v1\"\r\n", &keys(&[(&ED, "k")]));
    let server = Server::start(first).await;
    let verifier = server.verifier(EAGER);
    assert!(check(&verifier, &token(&ED, Some("k"))).await.is_ok());
    server.answer(http("304 Not Modified", "", ""));
    assert_eq!(code(&verifier, &token(&OTHER_ED, Some("x"))).await, Code::TokenInvalid);
    assert!(server.last_request.lock().unwrap().contains("if-none-match: \"v1\"\r\n"));
    assert!(check(&verifier, &token(&ED, Some("k"))).await.is_ok());
}

#[tokio::test]
async fn the_background_fetches_and_tries_again() {
    let server = Server::start(http("500 Oops", "", "")).await;
    let verifier =
        Arc::new(server.verifier(Pace { cool_down: Duration::from_secs(3_600), ..EAGER }));
    let task = tokio::spawn(verifier.clone().keep_fresh());
    for _ in 0..2_000 {
        if server.requests() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(server.requests() > 1, "a failed fetch was not tried again");
    server.answer(http("200 OK", "", &keys(&[(&ED, "k")])));
    for _ in 0..2_000 {
        if check(&verifier, &token(&ED, Some("k"))).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = server.requests();
    assert!(check(&verifier, &token(&ED, Some("k"))).await.is_ok());
    assert_eq!(server.requests(), before, "a fresh set is not fetched again");
    task.abort();
}

#[tokio::test]
async fn secrets_and_keys_for_other_things_are_not_taken_from_a_set() {
    let secret = b"0123456789abcdef0123456789abcdef";
    let oct = json!({ "kty": "oct", "kid": "o", "alg": "HS256",
        "k": part(std::str::from_utf8(secret).unwrap()) });
    let with = |pair: &Pair, name: &str, value: Value| {
        let mut jwk = pair.jwk("x");
        jwk[name] = value;
        jwk
    };
    let mut short = RSA.jwk("short");
    short["n"] = json!(part(&"n".repeat(128)));
    let set = key_set(&[
        oct,
        with(&ED, "use", json!("enc")),
        with(&ED, "alg", json!("ES256")),
        with(&ED, "crv", json!("P-256")),
        with(&ED, "x", json!("!!!")),
        json!({ "kty": "AKP", "kid": "x" }),
        json!(7),
        short,
        EC.jwk("good"),
    ]);
    let server = Server::start(http("200 OK", "", &set)).await;
    let verifier = server.verifier(EAGER);
    assert!(check(&verifier, &token(&EC, Some("good"))).await.is_ok());
    assert_eq!(code(&verifier, &token(&ED, Some("x"))).await, Code::TokenInvalid);
    let header = r#"{"alg":"HS256","kid":"o"}"#;
    let forged = crate::identity::tests::keyring::forged(header, "{}", secret);
    assert_eq!(code(&verifier, &forged).await, Code::TokenInvalid);
}

#[tokio::test]
async fn one_algorithm_can_be_asked_for() {
    let set = keys(&[(&EC, "ec"), (&ED, "ed")]);
    let server = Server::start(http("200 OK", "", &set)).await;
    let source = TokenSource { algorithm: Some(Algorithm::ES256), ..server.source() };
    let verifier = Verifier::paced(vec![source], EAGER);
    assert!(check(&verifier, &token(&EC, Some("ec"))).await.is_ok());
    assert_eq!(code(&verifier, &token(&ED, Some("ed"))).await, Code::TokenInvalid);
}

/// Two places may use the same name for their keys; what counts is name and place.
#[tokio::test]
async fn a_name_of_one_place_is_not_a_name_of_another() {
    let ours = Server::start(http("200 OK", "", &keys(&[(&ED, "k")]))).await;
    let theirs = Server::start(http("200 OK", "", &keys(&[(&OTHER_ED, "k")]))).await;
    let issued = |server: &Server, issuer: &str| TokenSource {
        issuer: Some(issuer.into()),
        ..server.source()
    };
    let sources = vec![issued(&ours, "ours"), issued(&theirs, "theirs")];
    let verifier = Verifier::paced(sources, EAGER);
    let signed = |pair: &Pair, issuer: &str| {
        pair.signer().sign(&object(json!({ "iss": issuer })), Some("k")).unwrap()
    };
    assert!(check(&verifier, &signed(&ED, "ours")).await.is_ok());
    assert!(check(&verifier, &signed(&OTHER_ED, "theirs")).await.is_ok());
    assert_eq!(code(&verifier, &signed(&OTHER_ED, "ours")).await, Code::TokenInvalid);
    assert_eq!(code(&verifier, &signed(&ED, "theirs")).await, Code::TokenInvalid);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let source = TokenSource {
        keys: Keys::File(path.clone()),
        algorithm: None,
        audience: vec![],
        issuer: None,
    };
    let verifier = Verifier::paced(vec![source], EAGER);
    assert_eq!(code(&verifier, &token(&ED, Some("one"))).await, Code::KeysUnavailable);
    std::fs::write(&path, keys(&[(&ED, "one")])).unwrap();
    assert!(check(&verifier, &token(&ED, Some("one"))).await.is_ok());
    std::fs::write(&path, keys(&[(&ED, "one"), (&OTHER_ED, "two")])).unwrap();
    assert!(check(&verifier, &token(&OTHER_ED, Some("two"))).await.is_ok());
    std::fs::write(&path, "half a fi").unwrap();
    assert_eq!(code(&verifier, &token(&EC, Some("three"))).await, Code::KeysUnavailable);
    assert!(check(&verifier, &token(&ED, Some("one"))).await.is_ok());
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let huge = "x".repeat(1024 * 1024);
    let server = Server::start(http("200 OK", "", &huge)).await;
    let mut place = Place::url(jwks_address(&server.address).unwrap());
    let error = place.fetch(None, EAGER.timeout).await.unwrap_err();
    assert!(matches!(error, FetchError::Body), "{error}");
}

#[test]
fn rsa_keys_are_neither_weak_nor_slow() {
    for (bytes, good) in [(128, false), (255, false), (256, true), (1_024, true), (1_025, false)] {
        let mut jwk = RSA.jwk("rsa");
        jwk["n"] = json!(part(&"n".repeat(bytes)));
        let key = Key::from_jwk(&serde_json::from_value(jwk).unwrap());
        match good {
            true => assert!(key.is_ok(), "{bytes} bytes"),
            false => assert_eq!(key.unwrap_err(), KeyError::RsaSize(bytes * 8)),
        }
    }
}
