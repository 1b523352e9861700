//! Too little memory: things are given up in the stated order, everybody who loses something is
//! told, and nobody dies. The memory that is measured is that of the whole process, so each of
//! these tests has a process of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use martlet_client::GapReason;
use martlet_server::config::Size;
use serde_json::json;

use crate::follower::Follower;
use crate::http::{Answer, Ask, Http, count};
use crate::link::Seen;
use crate::node::{TestNode, numbered};
use crate::route::Route;
use crate::talk::Talk;

const MIB: usize = 1 << 20;
const BUDGET: usize = 64 * MIB;

/// Longer than a node takes to be calm again: the allocator takes its time, and so do the levels.
const CALM: Duration = Duration::from_secs(90);

/// Says that this process is a test's own.
const ALONE: &str = "MARTLET_TEST_ALONE";

/// Runs a test in a process of its own: this one starts itself again for this one test.
fn alone(test: &str, body: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.unwrap().block_on(body);
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    let run = command.args(["--exact", test]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

/// A node with little memory.
fn small() -> TestNode {
    TestNode::open(|options| {
        options.memory.budget = Size(BUDGET);
        options.channels.default.history_size = 400;
    })
}

/// What the process has, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Memory that nobody counts, until the process has so many hundredths of the budget.
fn ballast(percent: usize) -> Vec<u8> {
    vec![1; (BUDGET / 100 * percent).saturating_sub(resident())]
}

/// The same, until the node is at `level`, which begins at `percent` and no higher. The allocator
/// gives back what it likes meanwhile, so it is put on little by little.
async fn ballast_until(node: &TestNode, level: u64, percent: usize) -> Vec<Vec<u8>> {
    let mut weight = vec![ballast(percent - 4)];
    loop {
        // The node looks once a second.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        match count(node, "martlet_memory_level").await {
            reached if reached == level => return weight,
            reached => assert!(reached < level, "{reached}"),
        }
        weight.push(vec![1; MIB]);
    }
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !so().await {
        assert!(begin.elapsed() < CALM, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn publish(http: &Http, channel: &str, n: u64, bytes: usize) -> Answer {
    let body = json!({"channel": channel, "data": numbered(channel, n, bytes)});
    http.post("/v1/publish", &body).await
}

#[test]
#[cfg(target_os = "linux")]
fn newcomers_are_refused_with_a_time_while_those_who_are_here_go_on() {
    alone(
        "overload::newcomers_are_refused_with_a_time_while_those_who_are_here_go_on",
        newcomers(),
    );
}

async fn newcomers() {
    let node = small();
    let http = Http::new(&node);
    let mut here = Follower::open(&node, Route::SocketJson, &["a"]).await;
    let (_, before) = Talk::connected(&node, json!({})).await;
    assert_eq!(http.get("/ready").await.status, 200);
    let weight = ballast_until(&node, 2, 75).await;

    assert_eq!(http.get("/ready").await.refused(), (503, 1018));
    let mut socket = Talk::open(&node).await;
    socket.send(&[json!({"id": 1, "connect": {}})]).await;
    let close = socket.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3011), &json!(true)));
    assert!((2_000..10_000).contains(&close["after"].as_u64().unwrap()), "{close}");
    // An EventSource that is answered by an error never comes back.
    let events = Ask::get("/v1/sse?channel=a").with("accept", "text/event-stream");
    let events = http.ask(events).await;
    let text = String::from_utf8_lossy(&events.body).into_owned();
    assert_eq!((events.status, text.contains("3011")), (200, true), "{text}");
    assert!(text.lines().any(|line| line.starts_with("retry: ")), "{text}");
    let lines = http.get("/v1/stream?channel=a").await;
    assert_eq!(lines.refused(), (503, 3011));
    assert!(lines.header("retry-after").parse::<u64>().unwrap() >= 2);
    // Who only asks may have been here before as well.
    assert_eq!(http.get("/v1/poll?channel=a&wait=0").await.status, 200);
    // Who was here before comes back, and goes on.
    let _back = Talk::connected(&node, json!({"grant": before["grant"]})).await;
    node.backend().publish("a", 1).await;
    here.read_until("a", 1).await;
    assert_eq!(count(&node, "martlet_shed_total{what=\"newcomers\"}").await, 3);

    drop(weight);
    until("readiness", async || http.get("/ready").await.status == 200).await;
    let mut new = Follower::open(&node, Route::SocketJson, &["a"]).await;
    node.backend().publish("a", 2).await;
    new.read_until("a", 2).await;
    here.read_until("a", 2).await;
}

#[test]
#[cfg(target_os = "linux")]
fn publications_are_refused_at_the_very_last_and_histories_before_them() {
    alone(
        "overload::publications_are_refused_at_the_very_last_and_histories_before_them",
        publications(),
    );
}

async fn publications() {
    let node = small();
    let http = Http::new(&node);
    let mut here = Follower::open(&node, Route::SocketJson, &["a"]).await;
    let mut away = Follower::open(&node, Route::SocketJson, &["a"]).await;
    away.cut();
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    node.backend().publish_large("a", 1, 10, 50_000).await;
    here.read_until("a", 10).await;

    let weight = ballast(115);
    until("refusing", async || count(&node, "martlet_memory_level").await == 5).await;
    let refused = publish(&http, "a", 11, 0).await;
    assert_eq!(refused.refused(), (503, 1018));
    assert!(refused.json()["temporary"].as_bool().unwrap());
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    let draft = json!({"channel": "a", "data": 11});
    assert_eq!(talk.refusal("publish", draft.clone()).await, 1018);
    let batch = http.post("/v1/batch", &json!({"publish": [draft.clone(), draft]})).await.good();
    for result in batch["results"].as_array().unwrap() {
        assert_eq!(result["error"]["code"], 1018, "{batch}");
    }
    until("forgetting", async || count(&node, "martlet_shed_history_bytes_total").await > 0).await;

    drop(weight);
    until("calm", async || count(&node, "martlet_memory_level").await == 0).await;
    // What was refused was not published, and what was forgotten is named.
    node.backend().publish("a", 11).await;
    here.read_until("a", 11).await;
    assert_eq!(here.gaps, []);
    away.come_back(Route::SocketJson).await;
    away.read_until("a", 11).await;
    let [gap] = &away.gaps[..] else { panic!("{:?}", away.gaps) };
    assert_eq!((gap.from, gap.reason), (1, GapReason::Expired));
}

#[test]
#[cfg(target_os = "linux")]
fn who_asks_and_does_not_read_is_let_go_before_anybody_else_loses_anything() {
    alone(
        "overload::who_asks_and_does_not_read_is_let_go_before_anybody_else_loses_anything",
        parting(),
    );
}

async fn parting() {
    let node = TestNode::open(|options| {
        options.memory.budget = Size(BUDGET);
        options.limits.owed_bytes = Size(BUDGET);
    });
    let mut here = Follower::open(&node, Route::SocketJson, &["a"]).await;
    node.backend().publish_large("a", 1, 40, 20_000).await;
    here.read_until("a", 40).await;
    let (mut greedy, _) = Talk::connected(&node, json!({})).await;
    let queues = "martlet_memory_bytes{kind=\"queues\"}";
    while count(&node, queues).await < MIB as u64 {
        greedy.send(&[json!({"id": 1, "history": {"channel": "a", "limit": 40}})]).await;
    }

    let weight = ballast_until(&node, 3, 80).await;
    let parted = "martlet_shed_total{what=\"clients\"}";
    until("the parting", async || count(&node, parted).await > 0).await;
    until("room", async || count(&node, queues).await < MIB as u64).await;
    let close = greedy.wait_for("close").await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3012), &json!(true)));
    assert!((5_000..20_000).contains(&close["after"].as_u64().unwrap()), "{close}");
    drop(weight);
    assert_eq!(count(&node, parted).await, 1);
    node.backend().publish("a", 41).await;
    here.read_until("a", 41).await;
    assert_eq!((&here.gaps[..], here.lagged), (&[][..], 0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_flood_into_many_channels_with_slow_readers_is_survived_within_the_budget() {
    alone(
        "overload::a_flood_into_many_channels_with_slow_readers_is_survived_within_the_budget",
        flood(),
    );
}

/// How many channels have a reader that does not read, and how much goes into each.
const SLOW: usize = 30;
const ROUNDS: u64 = 110;
const BYTES: usize = 50_000;

async fn flood() {
    let node = small();
    let http = Http::new(&node);
    let channels: Vec<_> = (0..SLOW).map(|n| format!("slow-{n}")).collect();
    let mut slow = Vec::new();
    for channel in &channels {
        slow.push(Follower::open(&node, Route::SocketJson, &[channel]).await);
    }
    let mut brisk = Follower::open(&node, Route::SocketJson, &["brisk"]).await;
    let (mut most, mut refused) = (0, 0);
    let mut last = vec![0; SLOW];
    for round in 1..=ROUNDS {
        for (channel, last) in channels.iter().zip(&mut last) {
            match publish(&http, channel, *last + 1, BYTES).await {
                taken if taken.status == 200 => *last += 1,
                other => {
                    assert_eq!(other.refused(), (503, 1018));
                    refused += 1;
                }
            }
        }
        while publish(&http, "brisk", round, 0).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        brisk.read_until("brisk", round).await;
        most = most.max(resident());
    }
    assert_eq!((&brisk.gaps[..], brisk.lagged), (&[][..], 0), "it is not held up");
    let cut = count(&node, "martlet_shed_total{what=\"logs\"}").await;
    assert!(cut > 0, "it was no shortage");
    let seen = format!("{} MiB, logs cut {cut} times, {refused} refused", most / MIB);
    assert!(most < BUDGET * 5 / 4, "{seen}");

    until("readiness", async || http.get("/ready").await.status == 200).await;
    for ((mut follower, channel), last) in slow.into_iter().zip(&channels).zip(last) {
        let mut ends = 0;
        while follower.place(channel).offset < last {
            match follower.step().await {
                // It was let go, or came back too soon.
                Seen::Close { code: 3011 | 3012, reconnect: true, .. } => {}
                // It took too long to take in what it was told.
                Seen::Ended(_) => {}
                _ => continue,
            }
            ends += 1;
            assert!(ends < 10);
            until("readiness", async || http.get("/ready").await.status == 200).await;
            follower.come_back(Route::SocketJson).await;
        }
    }
    until("calm", async || count(&node, "martlet_memory_level").await == 0).await;
    assert_eq!(publish(&http, "brisk", ROUNDS + 1, 0).await.status, 200);
    brisk.read_until("brisk", ROUNDS + 1).await;
}
