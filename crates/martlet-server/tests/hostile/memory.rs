//! Those who fill memory: with names of channels, with histories, with keys. What they fill is
//! theirs, and it has an end.

use martlet_server::config::Size;
use serde_json::json;

use crate::calm::Calm;
use crate::node::Victim;
use crate::raw::Raw;
use crate::ws::WebSocket;

/// Whoever follows ever new channels leaves no room taken.
#[test]
fn names_that_are_only_looked_at_fill_nothing() {
    let victim = Victim::with(|options| {
        options.limits.channels_per_node = 400;
        options.limits.commands_per_second = 1_000_000;
        options.limits.commands_burst = 1_000_000;
    });
    let calm = Calm::begin(&victim);
    let mut socket = WebSocket::connected(victim.address);
    for round in 0..100 {
        let names: Vec<_> = (0..50).map(|n| format!("name-{round}-{n}")).collect();
        let all: Vec<_> = names.iter().map(|channel| json!({"channel": channel})).collect();
        socket.command(json!({"id": 2, "subscribe": all}));
        (0..50).for_each(|_| _ = socket.event("subscribed"));
        socket.command(json!({"id": 3, "history": {"channel": names[0]}}));
        socket.event("history");
        socket.command(json!({"id": 4, "unsubscribe": names}));
        (0..50).for_each(|_| _ = socket.event("unsubscribed"));
    }
    for n in 0..100 {
        let body = json!({"channel": format!("new-{n}"), "data": n}).to_string();
        assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200);
    }
    calm.end();
}

/// More channels than there is room for: the next is refused with its code, those that are there
/// go on.
#[test]
fn channels_over_the_limit_are_refused_and_the_others_go_on() {
    let victim = Victim::with(|options| options.limits.channels_per_node = 100);
    let calm = Calm::begin(&victim);
    let publish = |n: usize| {
        let body = json!({"channel": format!("full-{n}"), "data": n}).to_string();
        Raw::post(victim.address, "/v1/publish", body)
    };
    let refused: Vec<_> = (0..300).map(publish).filter(|answer| answer.status != 200).collect();
    assert!(refused.len() >= 200);
    refused.iter().for_each(|answer| assert_eq!(answer.refusal(), (503, 1211)));
    calm.end();
}

#[test]
fn a_history_that_is_flooded_takes_from_itself() {
    let victim = Victim::with(|options| options.limits.history_bytes = Size(8 << 20));
    let calm = Calm::begin(&victim);
    let post = |body: String| assert_eq!(Raw::post(victim.address, "/v1/batch", body).status, 200);
    let quiet: Vec<_> = (0..20).map(|n| json!({"channel": "quiet", "data": n})).collect();
    post(json!({"publish": quiet}).to_string());
    let pad = "x".repeat(50_000);
    for round in 0..40 {
        // With a key each, for keys are remembered longer than histories.
        let one = |n| json!({"channel": "loud", "data": pad, "key": format!("{round}-{n}")});
        post(json!({"publish": (0..15).map(one).collect::<Vec<_>>()}).to_string());
    }
    let kept = |channel: &str| {
        let path = format!("/v1/channels/{channel}/history?limit=1000");
        Raw::get(victim.address, &path).json()["publications"].as_array().unwrap().len()
    };
    assert_eq!(kept("quiet"), 20);
    let loud = kept("loud");
    assert!(loud >= 1, "the newest is there");
    assert!(loud <= (8 << 20) / 2 / 50_000, "{loud} are kept");
    calm.end();
}
