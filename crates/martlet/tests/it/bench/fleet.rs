//! Nodes behind a Redis: small and short, where the program of Redis is to be had.

use std::path::Path;

use serde_json::Value;

use super::{SHORT, figure, has_latency, report};
use crate::program::martlet;

/// Whether there is a Redis. Where there is none the test is skipped, which is a failure under
/// `CI=true`.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn have_redis(test: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').any(|place| Path::new(place).join("redis-server").is_file());
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "redis-server is missing");
        eprintln!("skipped: {test}: redis-server is missing");
    }
    found
}

#[test]
fn cluster_counts_what_has_travelled() {
    if !have_redis("cluster") {
        return;
    }
    let small = ["cluster", "--nodes", "2", "--channels", "24", "--connections", "2"];
    let short = ["--batch", "1,6", "--seconds", "1", "--rounds", "2"];
    let report = report(&[&small[..], &short].concat());
    for (result, batch) in report["results"].as_array().unwrap().iter().zip([1.0, 6.0]) {
        assert_eq!(figure(result, "batch"), batch);
        assert_eq!(figure(result, "deliveries"), figure(result, "publications"), "{result}");
        assert_eq!(result["missed"], 0, "{result}");
        for of in ["server", "nodes", "redis"] {
            figure(result, &format!("{of}_cpu_us_per_publication"));
        }
        figure(&result["answered_us"], "p50");
        has_latency(result);
    }
}

#[test]
fn hop_is_beside_a_bare_one() {
    if !have_redis("hop") {
        return;
    }
    let report = report(&[&["hop", "--rate", "50", "--channels", "3"], &SHORT[..]].concat());
    for (result, server) in
        report["results"].as_array().unwrap().iter().zip(["martlet", "martlet alone", "redis"])
    {
        assert_eq!((&result["server"], &result["publications"]), (&server.into(), &50.into()));
        assert_eq!((&result["deliveries"], &result["missed"]), (&50.into(), &0.into()));
        has_latency(result);
    }
    assert_eq!(report["reference"], "redis");
    assert_eq!(report["ratios"][1]["server"], "martlet alone");
    assert!(report["notes"].to_string().contains("another node adds"), "{report}");
}

#[test]
fn join_counts_what_redis_was_asked() {
    if !have_redis("join") {
        return;
    }
    let small = ["join", "--channels", "60", "--channels-each", "20", "--rounds", "2"];
    for result in report(&small)["results"].as_array().unwrap() {
        let calls = figure(result, "calls");
        assert!(figure(result, "functions") + figure(result, "subscriptions") <= calls, "{result}");
        assert!(figure(result, "inside") >= 60.0, "every channel is looked up: {result}");
    }
}

#[test]
fn a_real_storm_loses_nothing() {
    if !have_redis("storm") {
        return;
    }
    let small = ["storm", "--real", "60", "--rate", "100", "--before", "1", "--over", "2"];
    let run = martlet(&[&["bench"], &small[..], &["--json"]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "{report}");
    for (result, scenario) in results.iter().zip(["drain", "kill"]) {
        assert_eq!((&result["scenario"], &result["sessions"]), (&scenario.into(), &60.into()));
        for name in ["never", "lost", "repeated", "in_gaps"] {
            assert_eq!(result[name], 0, "{name}: {result}");
        }
        // About a third of them was at the node that went.
        assert!((10.0..=30.0).contains(&figure(result, "gone")), "{result}");
        assert!(figure(result, "arrivals") >= figure(result, "gone"), "{result}");
        figure(result, "deliveries");
        figure(&result["away_us"], "p50");
        figure(&result["during_us"], "p50");
    }
}
