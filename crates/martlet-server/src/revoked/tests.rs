//! Who is let back in, and what is forgotten.

use martlet_core::model::{ClientId, UserId};
use martlet_core::session::Identity;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn grant(client: u64, user: Option<&str>, issued: u64) -> Grant {
    let user = user.and_then(UserId::parse);
    Grant {
        client: ClientId::new(client),
        issued: UnixMillis(issued),
        expires: UnixMillis(u64::MAX),
        identity: Identity { user, ..Identity::default() },
        channels: Vec::new(),
    }
}

#[test]
fn a_user_and_a_client_lose_what_they_had_and_nobody_else_does() {
    let revoked = Revoked::new(HOUR);
    revoked.revoke(Whom::User(UserId::parse("ann").unwrap()), UnixMillis(1_000));
    revoked.revoke(Whom::Client(ClientId::new(7)), UnixMillis(2_000));
    assert!(!revoked.stands(&grant(1, Some("ann"), 1_000)));
    assert!(revoked.stands(&grant(1, Some("ann"), 1_001)));
    assert!(!revoked.stands(&grant(7, None, 2_000)));
    assert!(!revoked.stands(&grant(7, Some("bob"), 1_500)));
    assert!(revoked.stands(&grant(7, Some("bob"), 2_001)));
    assert!(revoked.stands(&grant(8, Some("bob"), 0)));
}

#[test]
fn those_whose_grants_have_all_expired_are_forgotten() {
    let revoked = Revoked::new(HOUR);
    let hour = HOUR.as_millis() as u64;
    for n in 0..10 * FEW as u64 {
        revoked.revoke(Whom::Client(ClientId::new(n)), UnixMillis(n * hour));
        assert!(revoked.taken.lock().unwrap().since.len() <= FEW + 1);
    }
    let all: Vec<_> = (0..FEW as u64 * 4).map(|n| Whom::Client(ClientId::new(n))).collect();
    let revoked = Revoked::new(HOUR);
    all.iter().for_each(|whom| revoked.revoke(whom.clone(), UnixMillis(5)));
    assert!((0..FEW as u64 * 4).all(|n| !revoked.stands(&grant(n, None, 5))));
}
