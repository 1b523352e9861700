//! The decision whether a client may do a thing in a channel: the namespace's rule, the token's
//! permissions, and tokens for the channel. A pure function.

use crate::model::{Access, ChannelName, Code, Namespace, UnixMillis};

use super::{ChannelGrant, Identity, Verb};

#[cfg(test)]
mod tests;

/// Whether a client may `verb` in `channel`; if not, why.
pub fn may(
    now: UnixMillis,
    identity: &Identity,
    grants: &[ChannelGrant],
    namespace: &Namespace,
    channel: &ChannelName,
    verb: Verb,
) -> Result<(), Code> {
    let granted = || {
        let fresh = |grant: &ChannelGrant| grant.expires.is_none_or(|expires| now < expires);
        let good = |g: &ChannelGrant| g.channel == *channel && g.verbs.has(verb) && fresh(g);
        identity.allows(channel, verb) || grants.iter().any(good)
    };
    let allowed = match access(namespace, verb) {
        Access::Anyone => true,
        Access::Users => identity.user.is_some() || granted(),
        Access::Granted => granted(),
        Access::Backend => false,
    };
    if allowed { Ok(()) } else { Err(denied(identity, namespace, verb)) }
}

fn access(namespace: &Namespace, verb: Verb) -> Access {
    match verb {
        Verb::Subscribe => namespace.subscribe,
        Verb::Publish => namespace.publish,
        Verb::History => namespace.history,
        Verb::Presence => namespace.see_presence,
    }
}

/// A client without any token is told to bring one, if one could help.
fn denied(identity: &Identity, namespace: &Namespace, verb: Verb) -> Code {
    if *identity == Identity::default() && access(namespace, verb) != Access::Backend {
        return Code::TokenMissing;
    }
    match verb {
        Verb::Subscribe => Code::SubscribeDenied,
        Verb::Publish => Code::PublishDenied,
        Verb::History => Code::HistoryDenied,
        Verb::Presence => Code::PresenceDenied,
    }
}
