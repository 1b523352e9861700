//! Publishing: the receipt, the order, repeats.

use super::world::*;
use super::*;
use crate::model::Draft;

#[test]
fn the_receipt_comes_after_the_store_took_it() {
    let mut world = World::new();
    let ticket = world.ask(1, Request::Publish(draft("a")));
    assert!(world.replies.is_empty());
    world.serve(0);
    assert!(world.replies.is_empty());
    world.answer(0);
    let Reply::Published(receipt) = world.replies[&ticket] else { panic!("it was refused") };
    assert_eq!((receipt.position, receipt.duplicate), (world.at("a", 1), false));
    assert_eq!((world.shard.stats().published, world.announced.len()), (1, 1));
    world.assert_forgotten();
}

#[test]
fn a_store_that_does_not_take_it_refuses_it() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    let ticket = world.ask(1, Request::Publish(draft("a")));
    world.fail(StoreError::Full);
    assert_eq!(world.refused(ticket), Some(Code::NodeFull));
    assert_eq!((world.heard(1), world.announced.len()), (String::new(), 0));
}

#[test]
fn whoever_publishes_while_the_store_moves_is_told_when_to_try_again() {
    let mut world = World::new();
    let ticket = world.ask(1, Request::Publish(draft("a")));
    world.fail(StoreError::Moved);
    let Reply::Refused(refusal) = &world.replies[&ticket] else { panic!("it was taken") };
    assert_eq!((refusal.code, refusal.after), (Code::Shutdown, Some(MOVED)));
    assert!(refusal.code.temporary());
}

#[test]
fn a_repeat_publishes_nothing_and_gets_the_first_receipt() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    let keyed = Draft { idempotency_key: Some("k".into()), ..draft("a") };
    let receipts: Vec<_> = (0..2)
        .map(|_| {
            let ticket = world.ask(1, Request::Publish(keyed.clone()));
            world.run();
            let Reply::Published(receipt) = world.replies[&ticket] else { panic!("refused") };
            receipt
        })
        .collect();
    assert_eq!((receipts[0].id, receipts[0].position), (receipts[1].id, receipts[1].position));
    assert!(!receipts[0].duplicate && receipts[1].duplicate);
    assert_eq!(world.heard(1), "1");
    let stats = world.shard.stats();
    assert_eq!((stats.published, stats.duplicates), (1, 1));
}

#[test]
fn a_repeat_brings_to_light_what_a_lost_answer_hid() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    let keyed = Draft { idempotency_key: Some("k".into()), ..draft("a") };
    world.ask(1, Request::Publish(keyed.clone()));
    world.serve(0);
    let (ticket, _) = world.answers.remove(0);
    world.shard.handle_store(world.now, ticket, StoreReply::Failed(StoreError::Unavailable));
    world.settle();
    assert_eq!(world.heard(1), "");
    world.ask(1, Request::Publish(keyed));
    world.run();
    assert_eq!((world.heard(1), world.announced.len()), ("1".into(), 1));
}

#[test]
fn answers_out_of_order_are_delivered_in_order() {
    for channel in ["a", "none:a"] {
        let mut world = World::new();
        world.followed(1, channel, Start::Now);
        for _ in 0..4 {
            world.ask(1, Request::Publish(draft(channel)));
            world.serve(0);
        }
        (0..4).rev().for_each(|i| world.answer(i));
        world.run();
        assert_eq!(world.heard(1), "1 2 3 4", "{channel}");
    }
}

#[test]
fn an_answer_that_fits_no_question_is_a_refusal() {
    let mut world = World::new();
    let publish = world.ask(1, Request::Publish(draft("a")));
    let read = world.follow(1, "a", Start::Now);
    world.serve(0);
    world.serve(0);
    let (first, second) = (world.answers[0].0, world.answers[1].0);
    (world.answers[0].0, world.answers[1].0) = (second, first);
    world.run();
    assert_eq!(world.refused(publish), Some(Code::Internal));
    assert_eq!(world.refused(read), Some(Code::EngineUnavailable));
    world.shard.handle_store(world.now, first, StoreReply::Failed(StoreError::Full));
    world.assert_forgotten();
}
