//! `bench`: each subcommand runs, small and short, and reports figures that can be. How fast
//! anything is, is not tested.

mod fleet;
mod hub;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::played::PATIENCE;
use crate::program::{Run, martlet};
use crate::together::Server;

const SHORT: [&str; 6] = ["--seconds", "1", "--warm-up", "0", "--rounds", "1"];

/// The report of a run, which has to succeed.
fn report(arguments: &[&str]) -> Value {
    let run = martlet(&[&["bench"], arguments, &["--json"]].concat());
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.err);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["command"], arguments[0]);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0, "{report}");
    assert!(!report["machine"]["kernel"].as_str().unwrap().is_empty(), "{report}");
    assert!(report["servers"][0]["pid"].as_u64().unwrap() > 1, "{report}");
    report
}

/// A figure that was measured, and is more than nothing.
fn figure(result: &Value, name: &str) -> f64 {
    let value = result[name].as_f64().unwrap_or(-1.0);
    assert!(value > 0.0 && value.is_finite(), "{name}: {result}");
    value
}

fn has_latency(result: &Value) {
    let latency = &result["latency_us"];
    let quantiles = ["p50", "p99", "p999", "max"].map(|name| figure(latency, name));
    assert!(quantiles.is_sorted(), "{latency}");
}

#[test]
fn fanout_reaches_everybody() {
    let report =
        report(&[&["fanout", "--subscribers", "20", "--channels", "2"], &SHORT[..]].concat());
    let result = &report["results"][0];
    let publications = figure(result, "publications");
    assert_eq!(figure(result, "deliveries"), publications * 10.0, "{result}");
    assert_eq!(result["connections"], 21);
    assert_eq!((&result["missed"], &result["lost_connections"]), (&0.into(), &0.into()));
    for name in ["deliveries_per_second", "server_cpu_us_per_delivery", "server_cores"] {
        figure(result, name);
    }
    assert!(figure(result, "bytes_per_delivery") > 128.0, "{result}");
    has_latency(result);
}

#[test]
fn fanout_keeps_its_rate_beside_the_bare_loop() {
    let paced = ["fanout", "--subscribers", "20", "--rate", "100", "--bare"];
    let report = report(&[&paced, &SHORT[..]].concat());
    for (result, server) in report["results"].as_array().unwrap().iter().zip(["martlet", "bare"]) {
        assert_eq!(result["server"], server);
        assert_eq!(result["publications"], 100, "{result}");
        assert_eq!(result["deliveries"], 2_000, "{result}");
        assert_eq!(result["overloaded"], false);
        has_latency(result);
    }
    let bytes = |at: usize| figure(&report["results"][at], "bytes_per_delivery");
    assert!((bytes(0) - bytes(1)).abs() < 8.0, "both deliver the same: {report}");
    assert_eq!(report["reference"], "bare");
    let ratio = &report["ratios"][0];
    assert_eq!((&ratio["server"], &ratio["rounds"]), (&"martlet".into(), &1.into()));
    for name in ["cpu", "speed", "p50", "p99"] {
        figure(ratio, name);
    }
}

#[test]
fn every_loop_takes_its_turn() {
    let loops = ["--beside", "cork", "--beside", "places", "--bare"];
    let fanout = ["fanout", "--subscribers", "20", "--in-flight", "8"];
    let report = report(&[&fanout, &loops[..], &SHORT[..]].concat());
    let results = report["results"].as_array().unwrap();
    let servers: Vec<&str> = results.iter().map(|it| it["server"].as_str().unwrap()).collect();
    assert_eq!(servers, ["martlet", "bare", "cork", "places"]);
    for result in results {
        assert_eq!(figure(result, "deliveries"), figure(result, "publications") * 20.0);
    }
    let ratios = report["ratios"].as_array().unwrap();
    let compared: Vec<&str> = ratios.iter().map(|it| it["server"].as_str().unwrap()).collect();
    assert_eq!(compared, ["martlet", "cork", "places"]);
}

#[test]
fn subscribers_come_by_every_transport() {
    let all = ["websocket", "sse", "stream", "poll"];
    let all: Vec<&str> = all.iter().flat_map(|transport| ["--transport", transport]).collect();
    let fanout = ["fanout", "--subscribers", "20", "--channels", "2"];
    let report = report(&[&fanout, &all[..], &SHORT[..]].concat());
    let names = ["martlet", "martlet sse", "martlet stream", "martlet poll"];
    for (result, name) in report["results"].as_array().unwrap().iter().zip(names) {
        assert_eq!(result["server"], name);
        assert_eq!(figure(result, "deliveries"), figure(result, "publications") * 10.0);
        assert_eq!((&result["missed"], &result["lost_connections"]), (&0.into(), &0.into()));
    }
    assert_eq!(
        (report["reference"].as_str(), &report["ratios"][2]["server"]),
        (Some("martlet"), &"martlet poll".into())
    );
}

#[test]
fn channels_are_many_and_small() {
    let small = ["channels", "--channels", "30", "--subscribers-each", "2"];
    let report = report(&[&small, &SHORT[..]].concat());
    let result = &report["results"][0];
    assert_eq!(result["connections"], 61);
    assert_eq!(figure(result, "deliveries"), figure(result, "publications") * 2.0, "{result}");
}

#[test]
fn echo_comes_back() {
    let echo = ["echo", "--connections", "20", "--in-flight", "2", "--bare"];
    let report = report(&[&echo, &SHORT[..]].concat());
    for result in report["results"].as_array().unwrap() {
        assert_eq!(result["deliveries"], result["publications"], "{result}");
        assert_eq!(result["missed"], 0);
        figure(result, "server_cpu_us_per_delivery");
        has_latency(result);
    }
}

#[test]
fn connect_lets_everybody_in() {
    let report = report(&["connect", "--connections", "20", "--rounds", "2", "--bare"]);
    for result in report["results"].as_array().unwrap() {
        assert_eq!((&result["connections"], &result["failed"]), (&40.into(), &0.into()));
        figure(result, "connections_per_second");
        figure(result, "server_cpu_us_per_connection");
        has_latency(result);
    }
}

#[test]
fn idle_weighs_a_connection() {
    let report = report(&["idle", "--connections", "20", "--seconds", "1"]);
    let result = &report["results"][0];
    assert_eq!((&result["connections"], &result["failed"]), (&20.into(), &0.into()));
    assert!(result["bytes_per_connection"].is_f64(), "{result}");
    assert!(result["kernel_bytes_per_connection"].is_f64(), "{result}");
    figure(result, "memory_bytes");
    assert!(result["server_cores"].is_f64(), "{result}");
}

#[test]
fn idle_weighs_every_transport_and_what_is_beside_it() {
    let hub = hub::start();
    let redis = format!("redis=redis://{hub},{}", std::process::id());
    let others = ["--transport", "sse", "--transport", "stream", "--transport", "poll"];
    let beside = ["--bare", "--beside", &redis];
    let idle = ["idle", "--connections", "20", "--seconds", "1"];
    let report = report(&[&idle, &others[..], &beside].concat());
    let names = ["martlet sse", "martlet stream", "martlet poll", "bare", "redis"];
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), names.len());
    for (result, name) in results.iter().zip(names) {
        assert_eq!((&result["server"], &result["connections"]), (&name.into(), &20.into()));
        assert_eq!(result["failed"], 0, "{result}");
        figure(result, "memory_bytes");
    }
    let pids = |at: usize| report["servers"][at]["pid"].as_u64();
    assert_ne!(pids(0), pids(1), "each has memory of its own: {report}");
}

#[test]
fn who_comes_back_gets_what_was_missed() {
    let recover = ["recover", "--clients", "30", "--behind", "20", "--rounds", "2"];
    let report = report(&[&recover[..], &["--seconds", "1", "--bare"]].concat());
    assert_eq!(report["settings"]["clients"], 30);
    for result in report["results"].as_array().unwrap() {
        for name in ["missed", "gaps", "lost_connections"] {
            assert_eq!(result[name], 0, "{result}");
        }
        for name in ["seconds", "publications_per_second", "server_cpu_us_per_publication"] {
            figure(result, name);
        }
        assert!(figure(result, "bytes_per_client") > 20.0 * 128.0, "{result}");
        has_latency(result);
        figure(&result["live_before_us"], "p99");
        figure(&result["live_during_us"], "p99");
    }
    figure(&report["ratios"][0], "speed");
}

#[test]
fn cores_counts_what_was_kept_for_it() {
    let cores = ["cores", "--subscribers", "40", "--workers", "2", "--publications", "3"];
    let report = report(&[&cores[..], &["--rounds", "2"]].concat());
    for (result, workers) in report["results"].as_array().unwrap().iter().zip([1, 2]) {
        assert_eq!((&result["workers"], &result["publications"]), (&workers.into(), &6.into()));
        assert_eq!(result["deliveries"], 240, "{result}");
        figure(result, "deliveries_per_second");
        figure(result, "server_cpu_us_per_delivery");
    }
    let ratio = &report["ratios"][0];
    assert_eq!((&report["reference"], &ratio["server"]), (&"1 worker".into(), &"2 workers".into()));
    figure(ratio, "speed");
}

#[test]
fn another_server_is_spoken_with_in_its_own_language() {
    let hub = hub::start();
    let (redis, own) = (format!("redis:yard=redis://{hub},"), std::process::id());
    // Two numbers of the same process: what they use is added up.
    let beside = ["--beside", &format!("{redis}{own}+{own}"), "--beside", &redis_of(&hub)];
    let fanout = ["fanout", "--subscribers", "6", "--channels", "3", "--in-flight", "3"];
    let of_fanout = report(&[&fanout, &beside[..], &SHORT[..]].concat());
    assert_eq!(of_fanout["reference"], "yard");
    for (result, name) in of_fanout["results"].as_array().unwrap().iter().zip(["martlet", "yard"]) {
        assert_eq!((&result["server"], &result["missed"]), (&name.into(), &0.into()));
        assert_eq!(figure(result, "deliveries"), figure(result, "publications") * 2.0);
    }
    let publish = ["publish", "--connections", "2", "--seconds", "1", "--rounds", "2"];
    let of_publish = report(&[&publish, &beside[..2]].concat());
    let ratios = of_publish["ratios"].as_array().unwrap();
    let batches: Vec<&Value> = ratios.iter().map(|ratio| &ratio["batch"]).collect();
    assert_eq!(batches, [&Value::from(1), &Value::from(100)]);
    ratios.iter().for_each(|ratio| assert!(figure(ratio, "cpu") < 1e6, "{ratio}"));
    let unmeasured = martlet(&["bench", "connect", "--connections", "3", "--beside", beside[3]]);
    assert!(unmeasured.out.contains("of redis were not measured"), "{}", unmeasured.out);
}

fn redis_of(hub: &std::net::SocketAddr) -> String {
    format!("redis=redis://{hub}")
}

#[test]
fn publish_measures_each_size_of_batch() {
    let report = report(&["publish", "--connections", "2", "--seconds", "1", "--batch", "1,7"]);
    for (result, batch) in report["results"].as_array().unwrap().iter().zip([1.0, 7.0]) {
        assert_eq!(figure(result, "batch"), batch);
        assert_eq!(figure(result, "publications"), figure(result, "requests") * batch);
        figure(result, "publications_per_second");
        figure(result, "server_cpu_us_per_publication");
        has_latency(result);
    }
}

#[test]
fn overhead_counts_every_transport_both_ways() {
    let report = report(&["overhead", "--messages", "3", "--seconds", "2", "--interval", "100"]);
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 11, "{report}");
    let total = |result: &Value, what: &str| {
        result[what]["up"].as_f64().unwrap() + result[what]["down"].as_f64().unwrap()
    };
    for result in results {
        figure(&result["begin"], "up");
        // Each message is as long as its data at the least.
        assert!(figure(&result["messages"], "down") >= 3.0 * 32.0, "{result}");
        figure(&result["busy_minute"], "down");
        figure(result, "busy_beside_short_polling");
    }
    let of = |name: &str| results.iter().find(|it| it["transport"] == name).unwrap();
    let (socket, short) = (of("WebSocket"), of("short poll, plain"));
    assert_eq!(short["busy_beside_short_polling"], 1.0);
    assert_eq!(total(socket, "idle_minute"), 0.0, "it only waits");
    assert!(total(short, "idle_minute") > 0.0, "it asks again and again");
    let lean = ["overhead", "--messages", "1", "--seconds", "1", "--lean"];
    let lean = self::report(&lean)["results"][0]["begin"]["up"].as_f64().unwrap();
    assert!(lean < figure(&results[0]["begin"], "up"), "no headers but what is needed");
}

#[test]
fn a_server_that_runs_is_measured_and_left_running() {
    let server = Server::start();
    let (url, pid) = (server.url.as_str(), server.process.id().to_string());
    let there = ["--url", url, "--pid", &pid, "--prefix", "room:"];
    let paced = ["fanout", "--subscribers", "3", "--rate", "50"];
    let report = report(&[&paced, &SHORT[..], &there].concat());
    assert_eq!(report["servers"][0]["started"], false, "{report}");
    assert_eq!(report["results"][0]["deliveries"], 150, "{report}");
    figure(&report["results"][0], "server_cpu_us_per_delivery");
    let without = martlet(&["bench", "connect", "--connections", "3", "--url", url]);
    assert_eq!(without.code, 0, "{}", without.err);
    assert!(without.out.contains("give --pid"), "{}", without.out);
}

#[test]
fn people_get_a_table() {
    let run = martlet(&[&["bench", "fanout", "--subscribers", "5", "--bare"], &SHORT[..]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    for words in
        ["fanout: 5 subscribers", "CPU/delivery", "\nmartlet ", "\nbare ", "martlet / bare, median"]
    {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
}

#[test]
fn a_server_that_refuses_is_told_of() {
    let slow = ["--set", "limits.commands_per_second=1", "--set", "limits.commands_burst=2"];
    let run = martlet(&[&["bench", "fanout", "--subscribers", "2"], &SHORT[..], &slow].concat());
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("(1304)"), "{}", run.err);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let refused = |arguments: &[&str], code: i32| {
        let run: Run = martlet(&[&["bench"], arguments].concat());
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{arguments:?}: {}", run.err);
        run.err
    };
    let secure = refused(&["fanout", "--url", "https://example.test"], 2);
    assert!(secure.contains("plain HTTP"), "{secure}");
    // Nobody listens there: it was let go a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    for kind in ["fanout", "channels", "echo", "idle", "connect", "recover", "publish", "overhead"]
    {
        let unreachable = refused(&[kind, "--url", &url], 1);
        assert!(unreachable.contains("onnect"), "{kind}: {unreachable}");
    }
    refused(&["fanout", "--subscribers", "2", "--channels", "3"], 2);
    refused(&["fanout", "--rate", "0"], 2);
    refused(&["fanout", "--payload", "19"], 2);
    refused(&["publish", "--url", &url, "--pid", "4294967295"], 2);
    refused(&["cores", "--url", &url], 2);
    refused(&["fanout", "--beside", "kafka=http://127.0.0.1:1"], 2);
    refused(&["echo", "--beside", "redis=redis://127.0.0.1:1"], 2);
    refused(&["recover", "--beside", "redis=redis://127.0.0.1:1"], 2);
    refused(&["publish", "--bare"], 2);
    refused(&["cluster", "--channels", "100"], 2);
    refused(&["join", "--redis-server", "/nowhere/redis-server"], 1);
}

/// Waits for something to be so.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(begun.elapsed() < PATIENCE, "it never came to be"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that `parent` has started, except those that have ended.
fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, its_parent) = (fields.next()?, fields.next()?);
        (state != "Z" && its_parent.parse() == Ok(parent)).then_some(pid)
    });
    all.collect()
}

/// A run that lasts, and the two servers that it has started.
fn long_run() -> (Child, Vec<u32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martlet"));
    command.args(["bench", "fanout", "--subscribers", "5", "--seconds", "600", "--bare"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let bench = command.spawn().unwrap();
    let servers = eventually(|| Some(children(bench.id())).filter(|all| all.len() == 2));
    (bench, servers)
}

/// Whether a process has a socket.
fn listens(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| link.to_string_lossy().starts_with("socket:"))
}

/// Whether a process has ended, although nobody may have asked yet how.
fn ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn an_interruption_ends_the_servers_too() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut bench, servers) = long_run();
        kill_process(Pid::from_child(&bench), signal).unwrap();
        assert_eq!(bench.wait().unwrap().code(), Some(1));
        for server in servers {
            assert!(!fs::exists(format!("/proc/{server}/stat")).unwrap(), "{server} has ended");
        }
    }
}

#[test]
fn the_servers_do_not_outlive_a_run_that_is_killed() {
    let (mut bench, servers) = long_run();
    // One that does not listen yet may not have asked to end with it.
    eventually(|| servers.iter().all(|pid| listens(*pid)).then_some(()));
    bench.kill().unwrap();
    bench.wait().unwrap();
    eventually(|| servers.iter().all(|pid| ended(*pid)).then_some(()));
}

#[test]
fn each_kind_shows_an_example() {
    for kind in ["fanout", "channels", "echo", "idle", "connect", "recover", "cores", "publish"] {
        let help = martlet(&["bench", kind, "--help"]);
        assert_eq!(help.code, 0, "{kind}");
        assert!(help.out.contains(&format!("martlet bench {kind}")), "{kind}: {}", help.out);
    }
    let help = martlet(&["bench", "--help"]);
    assert!(help.out.contains("martlet bench fanout --bare"), "{}", help.out);
    assert!(!help.out.contains("\n  bare "), "the loop itself is nobody's business: {}", help.out);
    assert!(!help.out.contains("\n  serve "), "nor is the server's: {}", help.out);
}

#[test]
fn a_simulated_storm_is_the_same_each_time() {
    let storm = || {
        let line = ["bench", "storm", "--sessions", "3000", "--workers", "2", "--over", "5"];
        let run = martlet(&[&line[..], &["--scenario", "drain,kill", "--json"]].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        serde_json::from_str::<Value>(&run.out).unwrap()
    };
    let report = storm();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 29, "martlet's clients and nine others, twice where one is killed");
    let drain = &results[0];
    assert_eq!((&drain["clients"], &drain["met"]), (&"martlet".into(), &true.into()), "{drain}");
    for result in results {
        assert_eq!(result["gone"], 1_000, "{result}");
        figure(result, "peak_per_second");
        assert!(result["away_us"]["p50"].as_f64() <= result["away_us"]["p99"].as_f64());
    }
    let counted = |report: &Value| -> Vec<Value> {
        let results = report["results"].as_array().unwrap();
        results.iter().map(|result| result["tenths"].clone()).collect()
    };
    assert_eq!(counted(&report), counted(&storm()));
}
