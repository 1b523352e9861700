//! The shard's dealings with members of channels: who enters and leaves, and who is told.

use super::*;

impl Shard {
    pub(super) fn enter(
        &mut self,
        name: ChannelName,
        member: Member,
        holder: Holder,
    ) -> Result<(), Refusal> {
        if let Some(moved) = self.channel(&name)?.members.handle_enter(member, holder) {
            self.tell_moved(&name, moved);
        }
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
        } else if let Some(moved) = channel.members.handle_exit(client, holder) {
            self.tell_moved(name, moved);
            self.forget_idle(name);
        }
        Ok(())
    }

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

    pub(super) fn tell_members(
        &mut self,
        to: ReplyTo,
        name: &ChannelName,
        limit: usize,
    ) -> Result<(), Refusal> {
        if !self.namespace(name)?.presence {
            return Err(Code::PresenceOff.into());
        }
        let members = self.channels.get(name).map(|channel| &channel.members);
        let reply = Reply::Members {
            members: members.map_or(Vec::new(), |m| m.iter().take(limit).cloned().collect()),
            count: members.map_or(0, Members::len),
        };
        self.outputs.push_back(ShardOutput::Reply(to, reply));
        Ok(())
    }
}
