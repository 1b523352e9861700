use martlet_core::model::{ChannelName, ClientId, Data, Draft};
use martlet_core::stream::Keep;

use super::*;

fn at(ms: u64) -> Instant {
    Instant(ms * 1_000)
}

fn channel() -> ChannelName {
    ChannelName::parse("a").unwrap()
}

fn ask(ticket: u64) -> Order {
    let client = ClientId::new(1);
    Order::Ask(StoreTicket(ticket), StoreRequest::Exit { channel: channel(), client })
}

fn tickets(asked: &[Asked]) -> Vec<u64> {
    asked.iter().map(|(ticket, _)| ticket.0).collect()
}

fn unavailable(desk: &mut Desk) -> Vec<u64> {
    let answers = desk.take_answers().into_iter();
    let failed = answers.filter(|(_, r)| *r == StoreReply::Failed(StoreError::Unavailable));
    failed.map(|(ticket, _)| ticket.0).collect()
}

#[test]
fn questions_wait_in_order_and_not_for_ever() {
    let mut desk = Desk::default();
    desk.take(at(0), vec![ask(1), ask(2)]);
    desk.take(at(1_000), vec![ask(3)]);
    assert_eq!(tickets(&desk.take_waiting(1)), [1]);
    desk.handle_timeout(at(2_000));
    assert_eq!(unavailable(&mut desk), [2]);
    assert_eq!(tickets(&desk.take_waiting(9)), [3]);
    assert!(!desk.any_waiting());
}

#[test]
fn what_the_wrong_server_refused_is_asked_once_more() {
    let mut desk = Desk::default();
    desk.take(at(0), vec![ask(1), ask(2), ask(3)]);
    let asked = desk.take_waiting(2);
    desk.try_again(at(0), asked);
    let asked = desk.take_waiting(9);
    assert_eq!(tickets(&asked), [1, 2, 3]);
    desk.answered(StoreTicket(1));
    desk.try_again(at(0), asked);
    assert_eq!(unavailable(&mut desk), [2]);
    assert_eq!(tickets(&desk.take_waiting(9)), [1, 3]);
}

#[test]
fn what_waits_to_be_heard_is_given_up_when_nothing_is_heard() {
    let mut desk = Desk::default();
    desk.handle_down(at(0));
    desk.take(at(1), vec![Order::Follow(channel()), ask(1)]);
    desk.handle_timeout(at(1_999));
    assert_eq!(unavailable(&mut desk), [0; 0]);
    desk.handle_timeout(at(2_000));
    assert_eq!(unavailable(&mut desk), [1]);
    desk.handle_up();
    desk.take(at(3_000), vec![ask(2)]);
    desk.handle_timeout(at(9_000));
    assert_eq!(unavailable(&mut desk), [0; 0], "it is subscribed to in this moment");
}

#[test]
fn what_is_too_much_is_refused_at_once() {
    let mut desk = Desk::default();
    desk.take(at(0), (0..=WAITING_MAX as u64).map(ask).collect());
    assert_eq!(unavailable(&mut desk), [WAITING_MAX as u64]);
}

#[test]
fn the_data_of_what_waits_is_limited() {
    let mut desk = Desk::default();
    let draft = Draft {
        channel: channel(),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: Data::Bytes(vec![0; WAITING_BYTES_MAX / 2].into()),
    };
    let keep = Keep { size: 1, age: Duration::from_secs(1) };
    let publish = |ticket| {
        let draft = draft.clone();
        Order::Ask(StoreTicket(ticket), StoreRequest::Append { draft, keep })
    };
    desk.take(at(0), vec![publish(1), publish(2), publish(3), ask(4)]);
    assert_eq!(unavailable(&mut desk), [3]);
    assert_eq!(tickets(&desk.take_waiting(1)), [1]);
    desk.take(at(0), vec![publish(5)]);
    assert_eq!(unavailable(&mut desk), [0; 0]);
    desk.handle_timeout(at(2_000));
    assert_eq!((unavailable(&mut desk), desk.bytes), (vec![2, 4, 5], 0));
}
