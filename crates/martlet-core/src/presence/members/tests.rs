//! Tests of members, their grace, and who may end them.

use super::*;

fn member(n: u64) -> Member {
    Member { client: ClientId::new(n), user: None, info: None }
}

#[test]
fn a_reconnect_within_the_grace_is_told_to_nobody() {
    let mut members = Members::default();
    members.handle_enter(member(1), Holder(1));
    members.handle_loss(ClientId::new(1), Holder(1), Instant(100));
    members.handle_enter(member(1), Holder(2));
    assert_eq!(members.handle_timeout(Instant(200)), []);
    assert_eq!(members.len(), 1);
}

#[test]
fn a_lost_member_leaves_when_its_grace_has_passed() {
    let mut members = Members::default();
    members.handle_enter(member(1), Holder(1));
    members.handle_loss(ClientId::new(1), Holder(1), Instant(100));
    assert_eq!(members.poll_timeout(), Some(Instant(100)));
    assert_eq!(members.handle_timeout(Instant(99)), []);
    assert_eq!(members.handle_timeout(Instant(100)), [ClientId::new(1)]);
    assert!(members.is_empty());
}

#[test]
fn an_old_connection_cannot_remove_a_client_that_came_back() {
    let mut members = Members::default();
    members.handle_enter(member(1), Holder(1));
    members.handle_enter(member(1), Holder(2));
    assert!(!members.handle_exit(ClientId::new(1), Holder(1)));
    members.handle_loss(ClientId::new(1), Holder(1), Instant(100));
    assert_eq!(members.poll_timeout(), None);
    assert!(members.handle_exit(ClientId::new(1), Holder(2)));
}
