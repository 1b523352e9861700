//! What is measured of so many sessions in so many channels.

use std::time::{Duration, Instant};

use martlet_core::model::{ChannelName, Cursor};
use martlet_core::session::{Command, Connect, Numbered, Session, Start, Subscribe};
use martlet_protocol::native::json;
use slab::Slab;

use crate::memory::{freed, in_use, resident};
use crate::node::{Entry, Node};

/// How many publications come at once where it is not one.
const AT_ONCE: usize = 16;

/// How many sessions follow how many channels, one each.
#[derive(Clone, Copy)]
pub struct Shape {
    pub sessions: usize,
    pub channels: usize,
}

type Row = (String, String);

/// The rows of a table.
pub fn measure(shape: Shape) -> Vec<Row> {
    let names: Vec<ChannelName> = (0..shape.channels).map(channel).collect();
    let (began, seen) = (in_use(), resident());
    let mut node = Node::new();
    let opened = open(&mut node, shape);
    let (grown, resident) = (in_use() - began, resident() - seen);
    let beaten = beat(&mut node, shape);
    let told = [1, AT_ONCE].map(|count| fan_out(&mut node, &names, shape, count));
    drop(node);
    let mut rows = vec![
        row("sessions", shape.sessions),
        row("channels", shape.channels),
        row("bytes for each session, allocated", grown / shape.sessions),
        row("bytes for each session, resident", resident / shape.sessions),
    ];
    rows.extend(weigh(shape));
    rows.extend(opened);
    rows.extend(beaten);
    rows.extend(told.into_iter().flatten());
    rows
}

fn row(what: &str, figure: impl ToString) -> Row {
    (what.to_owned(), figure.to_string())
}

fn each(what: &str, took: Duration, count: usize) -> Row {
    row(what, format!("{:.2} µs", took.as_secs_f64() * 1e6 / count as f64))
}

fn millis(what: &str, took: Duration) -> Row {
    row(what, format!("{:.2} ms", took.as_secs_f64() * 1e3))
}

fn channel(number: usize) -> ChannelName {
    ChannelName::parse(&format!("room-{number:07}")).unwrap()
}

/// The first frame of a client: a token, and one channel.
fn hello(channel: ChannelName) -> Vec<u8> {
    let subscribe = vec![Subscribe { channel, token: None, start: Start::Now }];
    let token = Some("t".repeat(300).into());
    let connect = Connect { token, subscribe, cursor: Cursor::default(), ..Connect::default() };
    let mut frame = Vec::new();
    let numbered = Numbered { id: 1, command: Command::Connect(connect) };
    json::encode_command(&numbered, &mut frame);
    frame
}

/// Everybody comes.
fn open(node: &mut Node, shape: Shape) -> Vec<Row> {
    let (mut all, mut longest) = (Duration::ZERO, Duration::ZERO);
    for number in 0..shape.sessions {
        let frame = hello(channel(number % shape.channels));
        let begun = Instant::now();
        node.open(number as u64, &frame);
        let took = begun.elapsed();
        (all, longest) = (all + took, longest.max(took));
        node.wait(Duration::from_micros(10));
    }
    assert_eq!(node.lane.readers(), shape.sessions);
    assert_eq!(node.lane.channels(), shape.channels.min(shape.sessions));
    assert_eq!(node.writes, shape.sessions, "each was written its answers at once");
    vec![
        each("to come: connect, token known, follow, answers", all, shape.sessions),
        millis("the longest of these turns", longest),
    ]
}

/// Nothing is published for so long that everybody is pinged, and answers.
fn beat(node: &mut Node, shape: Shape) -> Vec<Row> {
    let mut pong = Vec::new();
    json::encode_command(&Numbered { id: 0, command: Command::Pong }, &mut pong);
    let (mut all, mut longest, mut met) = (Duration::ZERO, Duration::ZERO, 0);
    let before = node.writes;
    while node.writes - before < shape.sessions && met < 2 * shape.sessions {
        node.wait(Duration::from_millis(250));
        let begun = Instant::now();
        let due = node.meet_deadlines();
        node.sweep();
        due.iter().for_each(|index| node.hear(*index, &pong));
        let took = begun.elapsed();
        met += due.len();
        (all, longest) = (all + took, longest.max(took));
    }
    assert_eq!(node.writes - before, shape.sessions, "each was pinged once");
    vec![
        each("a ping, and its answer", all, shape.sessions),
        millis("the longest turn of 250 ms of deadlines", longest),
    ]
}

/// So many publications in every channel at once, and everybody is written them.
fn fan_out(node: &mut Node, names: &[ChannelName], shape: Shape, count: usize) -> Vec<Row> {
    let (written, writes) = (node.written, node.writes);
    let begun = Instant::now();
    for _ in 0..count {
        names.iter().for_each(|name| node.publish(name));
    }
    let published = begun.elapsed();
    node.sweep();
    let all = begun.elapsed();
    assert_eq!(node.writes - writes, shape.sessions, "one write for each");
    assert!(node.written - written > shape.sessions * count * 128, "everybody got everything");
    let of = if count == 1 { "1 publication".into() } else { format!("{count} publications") };
    let bytes = (node.written - written) / (shape.sessions * count);
    let nanos = all.as_secs_f64() * 1e9 / (shape.sessions * count) as f64;
    vec![
        millis(&format!("{of} in every channel, published"), published),
        millis(&format!("{of} in every channel, written to all"), all),
        row(&format!("{of} in every channel, each delivery"), format!("{nanos:.0} ns")),
        row("  and its bytes", bytes),
    ]
}

/// The same sessions once more, taken apart.
fn weigh(shape: Shape) -> Vec<Row> {
    let mut node = Node::new();
    open(&mut node, shape);
    let Node { entries, index, lane, shard, store, .. } = node;
    let entry = freed(Slab::<Entry>::with_capacity(entries.capacity()));
    let found = index.weigh();
    let sessions = freed(entries);
    let parts = found.into_iter().chain([
        ("  the session itself", entry.min(sessions)),
        ("  what hangs on it", sessions.saturating_sub(entry)),
        ("  reader, place and its share of the logs", freed(lane)),
        ("  its share of the shard", freed(shard)),
        ("  its share of the store", freed(store)),
    ]);
    let mut rows: Vec<Row> = parts.map(|(what, bytes)| row(what, bytes / shape.sessions)).collect();
    rows.push(row("  (the machine `Session` alone)", size_of::<Session>()));
    rows
}
