use std::time::Duration;

use martlet_core::model::{ClientId, Data};

use super::*;

const KEEP: Keep = Keep { size: 3, age: Duration::from_secs(60) };

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn draft(name: &str) -> Draft {
    Draft {
        channel: channel(name),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: Data::Json("1".into()),
    }
}

fn append_in(name: &str) -> StoreRequest {
    StoreRequest::Append { draft: draft(name), keep: KEEP }
}

fn read_of(name: &str) -> StoreRequest {
    let range = Range::After(0);
    StoreRequest::Read(Read { channel: channel(name), range, limit: 9, keep: KEEP })
}

fn numbered(requests: Vec<StoreRequest>) -> Vec<Asked> {
    let tickets = (0..).map(StoreTicket);
    tickets.zip(requests).collect()
}

fn tickets(call: &Call) -> Vec<u64> {
    call.asked.iter().map(|(ticket, _)| ticket.0).collect()
}

#[test]
fn questions_of_one_kind_go_together_and_in_order() {
    let asked = vec![append_in("a"), read_of("a"), append_in("b"), read_of("b"), append_in("a")];
    let calls = calls(numbered(asked), false);
    assert_eq!(calls.iter().map(tickets).collect::<Vec<_>>(), [vec![0, 2, 4], vec![1, 3]]);
}

#[test]
fn in_a_cluster_only_those_of_one_partition() {
    assert_ne!(Partition::of(&channel("a")), Partition::of(&channel("b")));
    let asked = vec![append_in("a"), append_in("b"), append_in("a")];
    let calls = calls(numbered(asked), true);
    assert_eq!(calls.iter().map(tickets).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
}

#[test]
fn ten_thousand_are_few_calls() {
    let asked = (0..10_000).map(|n| read_of(&format!("c{n}"))).collect();
    assert_eq!(calls(numbered(asked), false).len(), 40);
}

#[test]
fn an_answer_that_cannot_be_read_says_nothing_about_what_was_done() {
    for value in [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Array(vec![])] {
        for request in [append_in("a"), read_of("a")] {
            let call = calls(numbered(vec![request]), false).remove(0);
            let answers = call.answers(value.clone());
            assert_eq!(answers, [(StoreTicket(0), StoreReply::Failed(StoreError::Unsure))]);
        }
    }
}

#[test]
fn anything_may_be_told_and_is_read_or_not() {
    let member = Member { client: ClientId::new(7), user: None, info: None };
    let joined = [b"J", record::write_member(&member).as_slice()].concat();
    assert_eq!(message_of(channel("a"), joined.into()), Some(Message::Join(member)));
    let published = [b"P7 3 1000 ", record::write_draft(&draft("a"), 9).as_slice()].concat();
    let position = Position { epoch: Epoch::new(7), offset: 3 };
    let publication = record::publication(draft("a"), position, UnixMillis(1_000), 9);
    assert_eq!(message_of(channel("a"), published.into()), Some(Message::Publication(publication)));
    for message in ["", "P", "P1 2", "P1 2 3", "P1 2 x y", "J\u{1}", "X", "P1 2 3 \u{1}"] {
        assert_eq!(message_of(channel("a"), message.into()), None, "{message:?}");
    }
}
