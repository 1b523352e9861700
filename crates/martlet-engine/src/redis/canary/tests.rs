use super::*;

fn at(ms: u64) -> Instant {
    Instant(ms * 1_000)
}

/// What it says until it has nothing more to say.
fn says(canary: &mut Canary, ms: u64) -> Vec<Song> {
    std::iter::from_fn(|| canary.poll(at(ms))).collect()
}

#[test]
fn while_it_comes_back_nothing_is_said() {
    let mut canary = Canary::new(at(0));
    canary.handle_connected(at(0));
    for n in 0..100 {
        assert_eq!(says(&mut canary, n * 1_000), [Song::Send(n + 1)]);
        assert_eq!(says(&mut canary, n * 1_000 + 500), []);
        canary.handle_heard(at(n * 1_000 + 600), n + 1);
    }
}

#[test]
fn a_connection_that_tells_nothing_is_given_up() {
    let mut canary = Canary::new(at(0));
    canary.handle_connected(at(0));
    assert_eq!(says(&mut canary, 0), [Song::Send(1)]);
    canary.handle_heard(at(10), 1);
    assert_eq!(says(&mut canary, 1_000), [Song::Send(2)]);
    canary.handle_heard(at(1_500), 1);
    assert_eq!(says(&mut canary, 2_000), [Song::Send(3)]);
    assert_eq!(says(&mut canary, 3_010), [Song::Silent, Song::Lost]);
    canary.handle_connected(at(3_500));
    canary.handle_heard(at(3_500), 2);
    assert_eq!(says(&mut canary, 3_500), [Song::Send(4)]);
    canary.handle_heard(at(3_510), 4);
    assert_eq!(says(&mut canary, 3_510), [Song::Heard]);
}

#[test]
fn a_brief_break_is_not_worth_a_word() {
    let mut canary = Canary::new(at(0));
    canary.handle_connected(at(0));
    says(&mut canary, 0);
    canary.handle_heard(at(1), 1);
    canary.handle_disconnected();
    assert_eq!(says(&mut canary, 2_500), []);
    canary.handle_connected(at(2_600));
    assert_eq!(says(&mut canary, 2_600), [Song::Send(2)]);
    canary.handle_heard(at(2_601), 2);
    assert_eq!(says(&mut canary, 2_601), []);
}

#[test]
fn a_server_that_cannot_be_reached_is_silent() {
    let mut canary = Canary::new(at(0));
    assert_eq!(says(&mut canary, 2_999), []);
    assert_eq!(says(&mut canary, 3_000), [Song::Silent]);
    assert_eq!(says(&mut canary, 60_000), []);
    canary.handle_connected(at(60_000));
    assert_eq!(says(&mut canary, 60_000), [Song::Send(1)]);
    assert_eq!(says(&mut canary, 62_999), [Song::Send(2)]);
    assert_eq!(says(&mut canary, 63_000), [Song::Lost]);
}
