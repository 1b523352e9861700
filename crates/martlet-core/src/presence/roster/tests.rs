use super::*;

fn channel() -> ChannelName {
    ChannelName::parse("room").unwrap()
}

fn member(client: u64) -> Member {
    Member { client: ClientId::new(client), user: None, info: None }
}

const A: u32 = 1;
const B: u32 = 2;

#[test]
fn who_moves_to_another_node_neither_comes_nor_goes() {
    let (mut roster, [a, b]) = (Roster::default(), [A, B].map(NodeId::new));
    assert_eq!(roster.enter(a, &channel(), member(7)), Some(Moved::Join(member(7))));
    assert_eq!(roster.enter(b, &channel(), member(7)), None);
    assert_eq!(roster.exit(a, &channel(), ClientId::new(7)), None);
    assert_eq!(roster.members(&channel(), 9), (vec![member(7)], 1));
    assert_eq!(roster.exit(b, &channel(), ClientId::new(7)), Some(Moved::Leave(member(7))));
    assert_eq!(roster.members(&channel(), 9), (vec![], 0));
}

#[test]
fn a_node_that_is_gone_takes_its_own_with_it() {
    let (mut roster, [a, b]) = (Roster::default(), [A, B].map(NodeId::new));
    roster.enter(a, &channel(), member(1));
    roster.enter(b, &channel(), member(2));
    assert_eq!(roster.forget(a), [(channel(), Moved::Leave(member(1)))]);
    assert_eq!(roster.members(&channel(), 9), (vec![member(2)], 1));
    assert_eq!(roster.members(&channel(), 0), (vec![], 1));
}
