use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

#[test]
fn the_orders_of_a_turn_go_together_and_in_order() {
    let (mut near, mut far) = Remote::new();
    near.flush();
    near.follow(&channel("a"));
    near.unfollow(&channel("b"));
    assert!(far.orders.try_recv().is_err(), "the turn has not ended");
    near.flush();
    let orders = vec![Order::Follow(channel("a")), Order::Unfollow(channel("b"))];
    assert_eq!(far.orders.try_recv(), Ok(orders));
    assert!(far.orders.try_recv().is_err());
}

#[test]
fn what_comes_back_is_taken_in_once() {
    let (mut near, far) = Remote::new();
    far.inbox.reply(StoreTicket(1), StoreReply::Done);
    far.inbox.tell(News::Heard);
    assert_eq!(near.poll_reply(), Some((StoreTicket(1), StoreReply::Done)));
    assert_eq!((near.poll_reply(), near.poll_news()), (None, Some(News::Heard)));
    assert_eq!(near.poll_news(), None);
}
