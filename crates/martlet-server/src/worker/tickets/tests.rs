//! Tests of batches, whose replies come in any order.

use martlet_core::model::Refusal;

use super::*;

fn refused(code: Code) -> Reply {
    Reply::Refused(Refusal::from(code))
}

#[test]
fn a_batch_is_answered_with_its_last_reply_in_the_order_of_its_drafts() {
    let mut tickets = Tickets::default();
    let (outside, mut answer) = oneshot::channel();
    let (other, _gone) = oneshot::channel();
    let batch = tickets.batch(3, outside);
    let another = tickets.batch(1, other);
    assert!(tickets.gather(batch, 2, refused(Code::NodeFull)).is_none());
    assert!(tickets.gather(another, 0, refused(Code::Shutdown)).is_some());
    assert!(tickets.gather(batch, 0, refused(Code::Malformed)).is_none());
    let outward = tickets.gather(batch, 1, refused(Code::NotFound)).expect("it was the last");
    outward.send();
    let expected = [Code::Malformed, Code::NotFound, Code::NodeFull].map(refused);
    assert_eq!(answer.try_recv().expect("it was sent"), expected);
    assert!(tickets.gather(batch, 0, refused(Code::NotFound)).is_none(), "it is over");
}
