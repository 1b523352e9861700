//! The shard's dealings with members of channels. It knows the clients of this node, and waits for
//! those that were lost; who else is there the store knows, and the engine tells who is to be told.

use super::*;

/// How long to wait before the store is told again what it could not be told.
const RETRY: Duration = Duration::from_secs(1);

impl Shard {
    pub(super) fn enter(
        &mut self,
        channel: ChannelName,
        member: Member,
        holder: Holder,
    ) -> Result<(), Refusal> {
        self.channel(&channel)?.members.handle_enter(member.clone(), holder);
        // Also one that is here already: it may have been elsewhere since.
        self.tell_store_enter(channel, member);
        Ok(())
    }

    pub(super) fn exit(
        &mut self,
        now: Now,
        name: &ChannelName,
        client: ClientId,
        holder: Holder,
        lost: bool,
    ) -> Result<(), Refusal> {
        let grace = self.namespace(name)?.presence_grace;
        let Some(channel) = self.channels.get_mut(name) else { return Ok(()) };
        if lost {
            let leaves_at = now.instant.after(grace);
            if channel.members.handle_loss(client, holder, leaves_at) {
                self.graces.insert((leaves_at, name.clone()));
            }
        } else if channel.members.handle_exit(client, holder) {
            self.tell_store_exit(name.clone(), client);
        }
        Ok(())
    }

    /// The grace of some members of a channel may have passed.
    pub(super) fn grace_passed(&mut self, now: Now, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let gone = channel.members.handle_timeout(now.instant);
        if let Some(next) = channel.members.poll_timeout() {
            self.graces.insert((next, name.clone()));
        }
        gone.into_iter().for_each(|client| self.tell_store_exit(name.clone(), client));
    }

    fn tell_store_enter(&mut self, channel: ChannelName, member: Member) {
        let asked = Asked::Move { client: member.client };
        self.ask(channel.clone(), asked, StoreRequest::Enter { channel, member });
    }

    fn tell_store_exit(&mut self, channel: ChannelName, client: ClientId) {
        let asked = Asked::Move { client };
        self.ask(channel.clone(), asked, StoreRequest::Exit { channel, client });
    }

    /// The store could not be told of a client; it is told later how things are then.
    pub(super) fn not_moved(&mut self, now: Now, channel: &ChannelName, client: ClientId) {
        self.unmoved.insert((now.instant.after(RETRY), channel.clone(), client));
    }

    /// It is time to tell the store again of some clients.
    pub(super) fn move_again(&mut self, now: Now) {
        while self.unmoved.first().is_some_and(|(at, ..)| *at <= now.instant) {
            let Some((_, name, client)) = self.unmoved.pop_first() else { return };
            let member = self.channels.get(&name).and_then(|channel| channel.members.get(client));
            match member.cloned() {
                Some(member) => self.tell_store_enter(name, member),
                None => self.tell_store_exit(name, client),
            }
        }
    }

    /// The store has forgotten all members of this node.
    pub(super) fn enter_again(&mut self) {
        let all = self.channels.iter().flat_map(|(name, channel)| {
            channel.members.iter().map(|member| (name.clone(), member.clone()))
        });
        for (channel, member) in all.collect::<Vec<_>>() {
            self.tell_store_enter(channel, member);
        }
    }

    /// Somebody came or went, on whichever node.
    pub(super) fn tell_moved(&mut self, name: &ChannelName, moved: Moved) {
        if !self.namespace(name).is_ok_and(|namespace| namespace.join_leave) {
            return;
        }
        let channel = name.clone();
        self.deliver(
            name,
            match moved {
                Moved::Join(member) => Delivery::Join { channel, member },
                Moved::Leave(member) => Delivery::Leave { channel, member },
            },
        );
    }

    pub(super) fn ask_members(
        &mut self,
        to: ReplyTo,
        channel: ChannelName,
        limit: usize,
    ) -> Result<(), Refusal> {
        if !self.namespace(&channel)?.presence {
            return Err(Code::PresenceOff.into());
        }
        let request = StoreRequest::Members { channel: channel.clone(), limit };
        self.ask(channel, Asked::Members { to }, request);
        Ok(())
    }
}
