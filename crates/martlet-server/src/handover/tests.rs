//! Two nodes of one process, and sides of the line that do not do their part.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use martlet_client::{Api, HistoryQuery, Message};
use martlet_core::model::{UnixMillis, UserId};

use super::line::{Line, Word};
use super::*;
use crate::config::{Config, Settings};
use crate::drain::Plan;
use crate::mail::Whom;
use crate::node::{Node, StartError};

const SHORT: Patience =
    Patience { start: Duration::from_millis(200), step: Duration::from_millis(200) };
const LONG: Patience = Patience { start: Duration::from_secs(30), step: Duration::from_secs(30) };
const GRACE: Duration = Duration::from_secs(10);

fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn settings(workers: usize, listen: &[SocketAddr]) -> Settings {
    let mut config = Config::development();
    config.options.server.workers = workers;
    config.options.server.listen = listen.to_vec();
    config.check().unwrap()
}

fn api(node: &Node) -> Api {
    Api::new(&format!("http://{}", node.addresses()[0]), None).unwrap()
}

fn message(n: usize) -> Message {
    Message::raw_json(&n.to_string()).unwrap().key(format!("k{n}"))
}

/// What the successor does in the place of `node`, and what the node's giver says of it.
async fn with_successor<T: Send + 'static>(
    node: &Node,
    patience: Patience,
    successor: impl FnOnce(UnixStream) -> T + Send + 'static,
) -> (Result<(), NotTaken>, T) {
    let giver = node.giver().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let taking = tokio::task::spawn_blocking(move || successor(theirs));
    let giving = tokio::task::spawn_blocking(move || {
        let given = giver.give(ours, patience);
        if given.is_err() {
            giver.resume();
        }
        given
    });
    (giving.await.unwrap(), taking.await.unwrap())
}

fn take(stream: UnixStream, settings: &Settings) -> Result<Node, StartError> {
    let mut taker = Taker::new(stream, LONG);
    let node = Node::begin(settings, Beginning::take(&mut taker, settings)?)?;
    taker.ready()?;
    node.open();
    taker.serving();
    Ok(node)
}

#[tokio::test]
async fn a_successor_has_everything_and_the_address() {
    let before = Node::start(&settings(2, &[any()])).unwrap();
    let old = api(&before);
    let mut receipts = Vec::new();
    for n in 0..40 {
        receipts.push(old.publish(&format!("c{}", n % 4), message(n)).await.unwrap());
    }
    let user = Whom::User(UserId::parse("ann").unwrap());
    let has = before.giver().unwrap();
    has.revoked.revoke(user.clone(), UnixMillis(7));
    let (given, after) =
        with_successor(&before, LONG, |line| take(line, &settings(3, &[any()]))).await;
    given.unwrap();
    let after = after.unwrap();
    assert_eq!(after.addresses(), before.addresses());
    let got = after.giver().unwrap();
    assert_eq!(got.secret, has.secret, "grants stay good");
    assert_eq!(got.revoked.all(), [(user, UnixMillis(7))]);
    drop((has, got));
    before.stop_for_successor(Plan::at_once(GRACE)).await;
    let new = api(&after);
    for (n, receipt) in receipts.iter().enumerate() {
        let again = new.publish(&format!("c{}", n % 4), message(n)).await.unwrap();
        assert!(again.duplicate);
        assert_eq!((again.id, again.position), (receipt.id, receipt.position));
    }
    let next = new.publish("c0", message(40)).await.unwrap();
    assert_eq!((next.position.epoch, next.position.offset), (receipts[0].position.epoch, 11));
    let query = HistoryQuery { limit: 100, ..HistoryQuery::default() };
    assert_eq!(new.history("c0", query).await.unwrap().publications.len(), 11);
    after.stop(GRACE).await;
}

/// An end of the line that is not a successor's.
type Hopeless = fn(UnixStream);

/// Some of them, by how far they come.
fn hopeless() -> Vec<(&'static str, Hopeless)> {
    vec![
        ("gone", drop),
        ("garbage", |mut stream| {
            stream.write_all(&[b'x'; 100]).unwrap();
            thread::sleep(SHORT.start * 2);
        }),
        ("a word that is too long", |mut stream| {
            stream.write_all(&[b'A', 255, 255, 255, 255]).unwrap();
            thread::sleep(SHORT.start * 2);
        }),
        ("silent", |_stream| thread::sleep(SHORT.start * 2)),
        ("not listening", |stream| {
            let mut line = Line::new(stream);
            line.say(Word::Ask, br#"{"memory":true}"#, LONG.step).unwrap();
            thread::sleep(SHORT.start * 2);
        }),
        ("gone with half", |stream| {
            let mut line = Line::new(stream);
            line.receive(LONG.step).unwrap();
            line.say(Word::Ask, br#"{"memory":true}"#, LONG.step).unwrap();
            line.expect(Word::Sockets, LONG.step).unwrap();
            line.expect(Word::Begin, LONG.step).unwrap();
        }),
        ("never serving", |stream| {
            let mut line = Line::new(stream);
            line.receive(LONG.step).unwrap();
            line.say(Word::Ask, b"{}", LONG.step).unwrap();
            line.say(Word::Ready, b"", LONG.step).unwrap();
            while line.hear(LONG.step).is_ok_and(|(word, _)| word != Word::Go) {}
        }),
    ]
}

#[tokio::test]
async fn without_a_successor_a_node_goes_on() {
    let node = Node::start(&settings(2, &[any()])).unwrap();
    let api = api(&node);
    let mut offset = 0;
    for (what, successor) in hopeless() {
        let publishing = tokio::spawn({
            let api = api.clone();
            async move {
                let mut newest = 0;
                for n in 0..20 {
                    let message = Message::raw_json(&n.to_string()).unwrap();
                    newest = api.publish("a", message).await.unwrap().position.offset;
                }
                newest
            }
        });
        let (given, ()) = with_successor(&node, SHORT, successor).await;
        assert!(given.is_err(), "{what}");
        offset += 20;
        assert_eq!(publishing.await.unwrap(), offset, "{what}: all that waited was taken");
        self::api(&node).history("a", HistoryQuery::default()).await.unwrap();
    }
    // And the next one takes over still.
    let (given, after) =
        with_successor(&node, LONG, |line| take(line, &settings(1, &[any()]))).await;
    given.unwrap();
    let newest = self::api(&after.unwrap()).publish("a", message(0)).await.unwrap();
    assert_eq!(newest.position.offset, offset + 1);
    node.stop_for_successor(Plan::at_once(GRACE)).await;
}

#[tokio::test]
async fn whoever_comes_meanwhile_waits_and_is_answered() {
    let node = Node::start(&settings(2, &[any()])).unwrap();
    let at = node.addresses()[0];
    let (given, visitor) = with_successor(&node, LONG, move |stream| {
        let mut line = Line::new(stream);
        line.receive(LONG.step).unwrap();
        line.say(Word::Ask, br#"{"memory":true}"#, LONG.step).unwrap();
        line.expect(Word::Sockets, LONG.step).unwrap();
        line.expect(Word::Begin, LONG.step).unwrap();
        let mut visitor = TcpStream::connect(at).unwrap();
        visitor
            .write_all(b"GET /health HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n\r\n")
            .unwrap();
        visitor.set_read_timeout(Some(SHORT.step)).unwrap();
        visitor.read_exact(&mut [0]).expect_err("nobody accepts, here or there");
        visitor
    })
    .await;
    assert!(given.is_err());
    let answered = tokio::task::spawn_blocking(move || {
        let (mut visitor, mut answer) = (visitor, String::new());
        visitor.set_read_timeout(Some(LONG.step)).unwrap();
        visitor.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answered.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    node.stop(GRACE).await;
}

/// What a node says, word for word, as far as it comes before it ends.
fn say_some(stream: UnixStream, words: usize, listener: &TcpListener) {
    let end = stream.try_clone().unwrap();
    let mut line = Line::new(stream);
    let begin = br#"{"seed":1,"secret":[1,2,3],"workers":1}"#;
    let all: [(Word, &[u8]); 3] =
        [(Word::Sockets, br#"["127.0.0.1:0"]"#), (Word::Begin, begin), (Word::End, b"[]")];
    if words > 0 {
        line.send([listener].into_iter(), LONG.step).unwrap();
    }
    for (word, message) in all.into_iter().take(words.saturating_sub(1)) {
        // The successor may be gone.
        let _ = line.say(word, message, LONG.step);
    }
    end.shutdown(std::net::Shutdown::Write).unwrap();
    while line.hear(LONG.step).is_ok() {}
}

#[test]
fn a_successor_that_has_not_got_everything_never_serves() {
    for words in 0..=4 {
        let listener = TcpListener::bind(any()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let shared = listener.try_clone().unwrap();
        let saying = thread::spawn(move || say_some(theirs, words, &shared));
        let taken = take(ours, &settings(1, &[any()]));
        let error = taken.err().unwrap_or_else(|| panic!("it serves after {words} words"));
        assert!(matches!(error, StartError::Left(_)), "{words}: {error}");
        saying.join().unwrap();
    }
}

#[test]
fn a_successor_understands_no_garbage() {
    let mut words: Vec<Vec<u8>> =
        vec![vec![0; 64], vec![1; 64], b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    // The right version, without sockets; and a word that is longer than any.
    words.push([&[1, b'L', 2, 0, 0, 0], &b"[]"[..], &[b'B', 255, 255, 255, 255]].concat());
    words.push(vec![1, b'L', 255, 255, 255, 0, b'[']);
    for word in words {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&word).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let taken = take(ours, &settings(1, &[any()]));
        assert!(matches!(taken.err(), Some(StartError::Left(_))), "{word:?}");
    }
}

#[test]
fn sockets_stay_with_the_addresses_they_were_opened_for() {
    let fixed = |listeners: &Listeners| listeners.addresses().unwrap();
    let first = Listeners::open(&settings(1, &[any()])).unwrap();
    let at = fixed(&first)[0];
    let left = |listeners: &Listeners| {
        let all = listeners.share().unwrap();
        all.all()
            .iter()
            .map(|l| Listening { socket: l.socket.try_clone().unwrap(), asked: l.asked })
            .collect()
    };
    // The same configuration: the same port, though the system chose it.
    assert_eq!(fixed(&Listeners::left(left(&first), &settings(1, &[any()])).unwrap()), [at]);
    // The address itself is configured now, and another.
    let both = Listeners::left(left(&first), &settings(1, &[at, any()])).unwrap();
    assert_eq!((fixed(&both)[0], fixed(&both).len()), (at, 2));
    assert_ne!(fixed(&both)[1], at);
    // It is not configured any more.
    let other = Listeners::left(left(&both), &settings(1, &[any()])).unwrap();
    assert_eq!(fixed(&other), [fixed(&both)[1]]);
    drop((first, both));
    assert!(TcpStream::connect(at).is_err(), "nobody listens there any more");
}

#[test]
fn passed_sockets_are_used_whatever_is_configured() {
    let passed = TcpListener::bind(any()).unwrap();
    let at = passed.local_addr().unwrap();
    let listeners = Listeners::passed(vec![passed], &settings(1, &[any()])).unwrap();
    assert_eq!(listeners.addresses().unwrap(), [at]);
    let left = listeners.all()[0].socket.try_clone().unwrap();
    let left = vec![Listening { socket: left, asked: None }];
    let left = Listeners::left(left, &settings(1, &[any(), any()])).unwrap();
    assert_eq!(left.addresses().unwrap(), [at], "also by a successor");
}

#[test]
fn what_is_open_to_everybody_is_not_open_to_other_machines() {
    let passed = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let refused = Listeners::passed(vec![passed.try_clone().unwrap()], &settings(1, &[any()]));
    assert!(matches!(refused, Err(StartError::Open(_))));
    let mut configured = settings(1, &[any()]);
    configured.development = false;
    Listeners::passed(vec![passed], &configured).unwrap();
}
