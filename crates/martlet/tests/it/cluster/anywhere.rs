//! Any node serves any client: polls and commands that land anywhere, sessions that go on
//! elsewhere, and what a backend wants of a user on any node, asked at any other.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martlet_server::identity::Signer;
use serde_json::{Value, json};

use super::counter::Counters;
use super::http::Ask;
use super::process::{have, until};
use super::reader::{Readers, Way};
use super::redis::Redis;
use super::talk::Talk;
use super::verdict::Case;
use super::world::{KEY, SECRET, World};

/// How fast each of the publishers counts.
const PACE: Duration = Duration::from_millis(2);

async fn world(nodes: usize, title: &str) -> Option<(Redis, World)> {
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return None;
    }
    let redis = Redis::start(&[]);
    let world = World::start(&redis.address(), nodes).await;
    Some((redis, world))
}

fn addresses(world: &World) -> Vec<SocketAddr> {
    world.nodes.iter().map(super::world::Node::address).collect()
}

/// What a backend asks of a node.
async fn backend(at: SocketAddr, path: &str, body: Option<Value>) -> Value {
    let bearer = format!("Bearer {KEY}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let text = body.as_ref().map(Value::to_string).unwrap_or_default();
    let ask = if body.is_some() { Ask::post(path, &text) } else { Ask::get(path) };
    let (status, answer) = ask.with(&headers).json(at).await.unwrap();
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_go_round_all_nodes() {
    let title = "polls of every kind, each to the next of three nodes";
    let Some((_redis, world)) = world(3, title).await else { return };
    let mut readers = Readers::at(world.front(), "polled");
    for way in [Way::Polls, Way::PlainPolls, Way::Jsonp] {
        (0..3).for_each(|_| readers.begin(way, false));
    }
    readers.follow().await;
    let counters = Counters::start(&world.urls(), "polled", 3, PACE);
    counters.more(1_500).await;
    let accepted = counters.finish().await;
    readers.have(&accepted).await;
    let case = Case { title, accepted: &accepted, readers: &readers.notes };
    let verdict = case.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
    // A session that polls stays the same one wherever its polls come.
    assert!(readers.notes.iter().all(|notes| notes.moves() > 10), "{:?}", readers.notes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_land_on_any_node_and_are_done_once() {
    let title = "commands by any node";
    let Some((_redis, world)) = world(3, title).await else { return };
    let nodes = addresses(&world);
    let subscribe = json!({"subscribe": [{"channel": "up"}]});
    let mut talk = Talk::connect(nodes[0], subscribe).await;
    for number in 0..90_u64 {
        let publish = json!({"channel": "up", "data": {"n": number}});
        let command = json!({"id": number + 2, "publish": publish});
        // Each is sent twice, as if its answer had been lost, and by two nodes.
        for node in [number, number + 1] {
            let status = talk.send(nodes[node as usize % 3], &command).await;
            assert_eq!(status, 204, "{command}");
        }
    }
    for number in 0..90_u64 {
        let publication = talk.next(&nodes, "publication").await;
        assert_eq!(publication["data"]["n"], number, "{publication}");
        assert_eq!(publication["offset"], number + 1);
    }
    eprintln!("{title}: 90 commands by 180 requests to 3 nodes: 90 publications, in their order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_elsewhere_and_nobody_sees_it_leave() {
    let title = "a session goes on on each of three nodes in turn";
    let Some((_redis, world)) = world(3, title).await else { return };
    let nodes = addresses(&world);
    let mut watcher = Talk::connect(nodes[0], json!({"subscribe": [{"channel": "room"}]})).await;
    let mut talk = Talk::connect(nodes[1], json!({"subscribe": [{"channel": "room"}]})).await;
    let who = talk.client().to_owned();
    while watcher.next(&nodes, "join").await["client"] != who {}
    let mut place = talk.next(&nodes, "subscribed").await;
    for turn in 0..12_u64 {
        let number = json!({"channel": "room", "data": {"n": turn}});
        backend(nodes[0], "/v1/publish", Some(number)).await;
        let connect = json!({
            "grant": talk.connected["grant"],
            "session": talk.connected["session"],
            "subscribe": [{
                "channel": "room", "epoch": place["epoch"], "offset": place["offset"],
            }],
        });
        talk = Talk::connect(nodes[turn as usize % 3], connect).await;
        assert_eq!(talk.connected["resumed"], true);
        assert_eq!(talk.client(), who, "the client keeps its name");
        place = talk.next(&nodes, "publication").await;
        assert_eq!((&place["data"]["n"], &place["offset"]), (&json!(turn), &json!(turn + 1)));
    }
    for _ in 0..12 {
        watcher.next(&nodes, "publication").await;
    }
    // What is told in the channel after this comes after all that was told before.
    let last = json!({"channel": "room", "data": {"n": 99}});
    backend(nodes[2], "/v1/publish", Some(last)).await;
    let moved = watcher.came("join") + watcher.came("leave");
    watcher.next(&nodes, "publication").await;
    assert_eq!(moved, 0, "others saw it come or go");
    eprintln!("{title}: 12 moves, 12 of 12 publications, 0 leaves, 0 joins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_reached_on_all_nodes_from_any() {
    let title = "control of a user from any node";
    let Some((_redis, world)) = world(3, title).await else { return };
    let nodes = addresses(&world);
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let Value::Object(claims) = json!({"sub": "ann", "exp": soon.as_secs() + 600}) else { return };
    let token = Signer::secret(SECRET).sign(&claims, None).unwrap();
    let mut talks = Vec::new();
    for node in &nodes {
        talks.push(Talk::connect(*node, json!({"token": token})).await);
    }
    let about = json!({"user": "ann", "channel": "hers"});
    for (from, path) in [(0, "/v1/subscribe"), (1, "/v1/unsubscribe"), (2, "/v1/subscribe")] {
        let told = backend(nodes[from], path, Some(about.clone())).await;
        assert_eq!(told["sessions"], 3, "{path}");
        let event = if path == "/v1/subscribe" { "subscribed" } else { "unsubscribed" };
        for talk in &mut talks {
            assert_eq!(talk.next(&nodes, event).await["channel"], "hers");
        }
    }
    let told = backend(nodes[1], "/v1/disconnect", Some(json!({"user": "ann"}))).await;
    assert_eq!(told["sessions"], 3);
    for talk in &mut talks {
        let close = talk.next(&nodes, "close").await;
        assert_eq!(close["reconnect"], false, "{close}");
    }
    eprintln!("{title}: 4 commands, each to 3 sessions on 3 nodes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_is_the_same_from_everywhere_and_outlives_nodes() {
    let title = "presence over nodes that die";
    let Some((redis, mut world)) = world(3, title).await else { return };
    let nodes = addresses(&world);
    let mut talks = Vec::new();
    for number in 0..12 {
        let subscribe = json!({"subscribe": [{"channel": "room"}]});
        talks.push(Talk::connect(nodes[number % 3], subscribe).await);
    }
    let clients: Vec<_> = talks.iter().map(|talk| talk.client().to_owned()).collect();
    for node in &nodes {
        members(*node, clients.clone()).await;
    }
    let (left, nobody) = (Arc::<Mutex<_>>::default(), Arc::<Mutex<_>>::default());
    let mut back = Vec::new();
    for (number, talk) in talks.into_iter().enumerate() {
        if number % 3 == 1 {
            back.push(again(&talk));
        }
        let told = if number == 0 { &left } else { &nobody };
        tokio::spawn(talk.keep(nodes[number % 3], Arc::clone(told)));
    }
    world.nodes[1].kill();
    // Of those on the node that has died, half come back elsewhere.
    for connect in back.drain(..2) {
        let talk = Talk::connect(nodes[2], connect).await;
        tokio::spawn(talk.keep(nodes[2], Arc::clone(&nobody)));
    }
    until("two nodes live", async || redis.nodes() == 2).await;
    let (mut gone, mut stay) = (Vec::new(), clients.clone());
    for late in [10, 7] {
        gone.push(stay.remove(late));
    }
    for node in [nodes[0], nodes[2]] {
        members(node, stay.clone()).await;
    }
    until("both are told to have left", async || left.lock().unwrap().len() >= 2).await;
    let mut left = left.lock().unwrap().clone();
    left.sort();
    gone.sort();
    assert_eq!(left, gone, "those who did not come back have left, once each");
    eprintln!("{title}: 12 members on 3 nodes, 4 on one that died: 2 came back, 2 left, once each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_makes_nobody_leave_who_comes_back() {
    let title = "a node stops under its members";
    let Some((redis, mut world)) = world(2, title).await else { return };
    let nodes = addresses(&world);
    let told = Arc::<Mutex<_>>::default();
    let watcher = Talk::connect(nodes[0], json!({"subscribe": [{"channel": "room"}]})).await;
    let mut clients = vec![watcher.client().to_owned()];
    let mut stopped = Vec::new();
    for _ in 0..6 {
        stopped.push(Talk::connect(nodes[1], json!({"subscribe": [{"channel": "room"}]})).await);
    }
    clients.extend(stopped.iter().map(|talk| talk.client().to_owned()));
    members(nodes[0], clients.clone()).await;
    tokio::spawn(watcher.keep(nodes[0], Arc::clone(&told)));
    let gone = clients.pop().unwrap();
    let last = stopped.pop().unwrap();
    world.nodes[1].stop().await;
    drop(last);
    for talk in stopped {
        let back = Talk::connect(nodes[0], again(&talk)).await;
        assert_eq!(back.connected["resumed"], true);
        tokio::spawn(back.keep(nodes[0], Arc::default()));
    }
    // The one that does not come back leaves when the grace is over, and nobody else does.
    until("one node lives", async || redis.nodes() == 1).await;
    members(nodes[0], clients).await;
    until("one is told to have left", async || !told.lock().unwrap().is_empty()).await;
    assert_eq!(*told.lock().unwrap(), [gone]);
    eprintln!("{title}: of 6 members 5 came back and 1 did not: 1 leave");
}

/// How a client comes back.
fn again(talk: &Talk) -> Value {
    let (grant, session) = (&talk.connected["grant"], &talk.connected["session"]);
    json!({"grant": grant, "session": session, "subscribe": [{"channel": "room"}]})
}

/// Waits until these are the members, as this node says.
async fn members(node: SocketAddr, mut expected: Vec<String>) {
    expected.sort();
    let client = |member: &Value| member["client"].as_str().unwrap().to_owned();
    until("the members are these", async || {
        let answer = backend(node, "/v1/channels/room/presence", None).await;
        let members = answer["members"].as_array().unwrap();
        let mut members: Vec<_> = members.iter().map(client).collect();
        members.sort();
        members == expected
    })
    .await;
}
