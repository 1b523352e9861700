//! Tests of signs of life.

use super::*;

fn s(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn heartbeat() -> Heartbeat {
    Heartbeat::new(Duration::from_secs(25), Some(Duration::from_secs(10)))
}

#[test]
fn pings_after_silence_and_gives_up_without_an_answer() {
    let mut heartbeat = heartbeat();
    assert_eq!(heartbeat.handle_timeout(s(24), s(0)), None);
    assert_eq!(heartbeat.handle_timeout(s(25), s(0)), Some(Beat::Ping));
    assert_eq!(heartbeat.handle_timeout(s(34), s(25)), None);
    assert_eq!(heartbeat.handle_timeout(s(35), s(25)), Some(Beat::Lost));
}

#[test]
fn is_quiet_while_data_flows() {
    let mut heartbeat = heartbeat();
    assert_eq!(heartbeat.handle_timeout(s(25), s(20)), None);
    assert_eq!(heartbeat.poll_timeout(s(20)), s(45));
}

#[test]
fn an_answer_starts_it_anew() {
    let mut heartbeat = heartbeat();
    heartbeat.handle_timeout(s(25), s(0));
    heartbeat.handle_heard();
    assert_eq!(heartbeat.handle_timeout(s(36), s(25)), None);
    assert_eq!(heartbeat.handle_timeout(s(50), s(25)), Some(Beat::Ping));
}

#[test]
fn a_one_way_stream_is_only_pinged() {
    let mut heartbeat = Heartbeat::new(Duration::from_secs(25), None);
    assert_eq!(heartbeat.handle_timeout(s(25), s(0)), Some(Beat::Ping));
    assert_eq!(heartbeat.handle_timeout(s(50), s(25)), Some(Beat::Ping));
}

#[test]
fn a_stream_that_takes_nothing_is_not_pinged_more_often() {
    let mut heartbeat = Heartbeat::new(Duration::from_secs(25), None);
    assert_eq!(heartbeat.handle_timeout(s(25), s(0)), Some(Beat::Ping));
    assert_eq!(heartbeat.poll_timeout(s(0)), s(50));
    assert_eq!(heartbeat.handle_timeout(s(26), s(0)), None);
    assert_eq!(heartbeat.handle_timeout(s(50), s(0)), Some(Beat::Ping));
}
