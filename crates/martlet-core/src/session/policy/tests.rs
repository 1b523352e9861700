//! Tests of who may do what.

use super::*;
use crate::model::UserId;
use crate::session::{Pattern, Permissions, Verbs};

const NOW: UnixMillis = UnixMillis(1_000);

fn channel() -> ChannelName {
    ChannelName::parse("room:1").unwrap()
}

fn namespace(subscribe: Access) -> Namespace {
    Namespace { subscribe, ..Namespace::default() }
}

fn user() -> Identity {
    Identity { user: UserId::parse("ann"), ..Identity::default() }
}

fn permitted(verb: Verb) -> Identity {
    let rule = (Pattern::parse("room:*").unwrap(), Verbs::NONE.with(verb));
    Identity { permissions: Permissions::new(vec![rule]).unwrap(), ..user() }
}

fn subscribe(identity: &Identity, grants: &[ChannelGrant], access: Access) -> Result<(), Code> {
    may(NOW, identity, grants, &namespace(access), &channel(), Verb::Subscribe)
}

#[test]
fn a_namespace_says_who() {
    let (nobody, ann) = (Identity::default(), user());
    assert_eq!(subscribe(&nobody, &[], Access::Anyone), Ok(()));
    assert_eq!(subscribe(&nobody, &[], Access::Users), Err(Code::TokenMissing));
    assert_eq!(subscribe(&ann, &[], Access::Users), Ok(()));
    assert_eq!(subscribe(&ann, &[], Access::Granted), Err(Code::SubscribeDenied));
    assert_eq!(subscribe(&permitted(Verb::Subscribe), &[], Access::Granted), Ok(()));
    assert_eq!(
        subscribe(&permitted(Verb::Publish), &[], Access::Granted),
        Err(Code::SubscribeDenied)
    );
    assert_eq!(
        subscribe(&permitted(Verb::Subscribe), &[], Access::Backend),
        Err(Code::SubscribeDenied)
    );
}

#[test]
fn a_token_for_the_channel_counts_until_it_ends() {
    let grant = |expires| ChannelGrant { channel: channel(), verbs: Verbs::READ, expires };
    let ends = |ms| Some(UnixMillis(ms));
    assert_eq!(subscribe(&user(), &[grant(None)], Access::Granted), Ok(()));
    assert_eq!(subscribe(&user(), &[grant(ends(1_001))], Access::Granted), Ok(()));
    assert_eq!(
        subscribe(&user(), &[grant(ends(1_000))], Access::Granted),
        Err(Code::SubscribeDenied)
    );
    let other = ChannelGrant { channel: ChannelName::parse("room:2").unwrap(), ..grant(None) };
    assert_eq!(subscribe(&user(), &[other], Access::Granted), Err(Code::SubscribeDenied));
}
