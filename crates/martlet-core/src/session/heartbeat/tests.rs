//! Tests of signs of life.

use super::*;

fn s(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

const BOTH_WAYS: Pace = Pace { ping: Duration::from_secs(25), pong: Some(Duration::from_secs(10)) };
const ONE_WAY: Pace = Pace { pong: None, ..BOTH_WAYS };

#[test]
fn pings_after_silence_and_gives_up_without_an_answer() {
    let mut heartbeat = Heartbeat::default();
    assert_eq!(heartbeat.handle_timeout(s(24), s(0), BOTH_WAYS), None);
    assert_eq!(heartbeat.handle_timeout(s(25), s(0), BOTH_WAYS), Some(Beat::Ping));
    assert_eq!(heartbeat.handle_timeout(s(34), s(25), BOTH_WAYS), None);
    assert_eq!(heartbeat.handle_timeout(s(35), s(25), BOTH_WAYS), Some(Beat::Lost));
}

#[test]
fn is_quiet_while_data_flows() {
    let mut heartbeat = Heartbeat::default();
    assert_eq!(heartbeat.handle_timeout(s(25), s(20), BOTH_WAYS), None);
    assert_eq!(heartbeat.poll_timeout(s(20), BOTH_WAYS), s(45));
}

#[test]
fn an_answer_starts_it_anew() {
    let mut heartbeat = Heartbeat::default();
    heartbeat.handle_timeout(s(25), s(0), BOTH_WAYS);
    heartbeat.handle_heard();
    assert_eq!(heartbeat.handle_timeout(s(36), s(25), BOTH_WAYS), None);
    assert_eq!(heartbeat.handle_timeout(s(50), s(25), BOTH_WAYS), Some(Beat::Ping));
}

#[test]
fn a_one_way_stream_is_only_pinged() {
    let mut heartbeat = Heartbeat::default();
    assert_eq!(heartbeat.handle_timeout(s(25), s(0), ONE_WAY), Some(Beat::Ping));
    assert_eq!(heartbeat.handle_timeout(s(50), s(25), ONE_WAY), Some(Beat::Ping));
}

#[test]
fn a_stream_that_takes_nothing_is_not_pinged_more_often() {
    let mut heartbeat = Heartbeat::default();
    assert_eq!(heartbeat.handle_timeout(s(25), s(0), ONE_WAY), Some(Beat::Ping));
    assert_eq!(heartbeat.poll_timeout(s(0), ONE_WAY), s(50));
    assert_eq!(heartbeat.handle_timeout(s(26), s(0), ONE_WAY), None);
    assert_eq!(heartbeat.handle_timeout(s(50), s(0), ONE_WAY), Some(Beat::Ping));
}
