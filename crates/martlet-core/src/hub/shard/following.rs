//! Who follows a channel, and where each begins. Where the stream is, the tail knows; what is kept,
//! the store.

use super::*;

impl Shard {
    pub(super) fn follow(
        &mut self,
        to: ReplyTo,
        name: ChannelName,
        start: Start,
    ) -> Result<(), Refusal> {
        let recovery = self.namespace(&name)?.recovery;
        let channel = self.channel(&name)?;
        let at = channel.tail.at();
        if !std::mem::replace(&mut channel.listening, true) {
            self.outputs.push_back(ShardOutput::Listen(name.clone()));
        }
        match (start, at) {
            // Whoever has what this node has is where all its other followers are: the store need
            // not be asked for each of many who come back at once.
            (Start::Now, Some(at)) => self.follow_on(to, &name, at, false),
            (Start::After(seen), Some(at)) if seen == at => self.follow_on(to, &name, at, true),
            (Start::Since(_), _) if !recovery => self.follow(to, name, Start::Now),
            _ => self.ask_begin(to, name, start),
        }
    }

    /// A follower begins where the channel is.
    fn follow_on(
        &mut self,
        to: ReplyTo,
        name: &ChannelName,
        at: Position,
        recovered: bool,
    ) -> Result<(), Refusal> {
        let channel = name.clone();
        self.followed(to, name, Followed { channel, begin: at, head: at, gap: None, recovered });
        Ok(())
    }

    fn followed(&mut self, to: ReplyTo, name: &ChannelName, followed: Followed) {
        let Entry::Occupied(mut entry) = self.channels.entry(name.clone()) else { return };
        let followed = Followed { channel: entry.key().clone(), ..followed };
        let channel = entry.get_mut();
        match channel.followers.iter_mut().find(|(lane, _)| *lane == to.lane) {
            Some((_, count)) => *count += 1,
            None => channel.followers.push((to.lane, 1)),
        }
        self.outputs.push_back(ShardOutput::Reply(to, Reply::Followed(followed)));
    }

    /// Asks the store where a follower begins.
    fn ask_begin(&mut self, to: ReplyTo, name: ChannelName, start: Start) -> Result<(), Refusal> {
        let range = match start {
            Start::Since(time) => Range::Since(time),
            Start::Now | Start::After(_) => Range::After(0),
        };
        self.ask_page(name, Asked::Follow { to, start }, range, 0)
    }

    /// Decides where a new follower begins, and lets the lane have the channel from here.
    pub(super) fn begin(&mut self, to: ReplyTo, name: &ChannelName, start: Start, page: &Page) {
        self.hear_head(name, page);
        let Some(head) = self.channels.get(name).and_then(|channel| channel.tail.at()) else {
            return self.refuse(to, Code::Internal.into());
        };
        if head.epoch != page.extent.head.epoch {
            // The history is a new one and this node's tail has yet to hear of it: ask again.
            let asked = self.ask_begin(to, name.clone(), start);
            return asked.unwrap_or_else(|refusal| self.refuse(to, refusal));
        }
        let recovery = self.namespace(name).is_ok_and(|namespace| namespace.recovery);
        let mut extent = page.extent;
        extent.head.offset = extent.head.offset.max(head.offset);
        if !recovery {
            (extent.first, extent.kept) = (extent.head.offset + 1, false);
        }
        let now = Begin { position: head, gap: None };
        let Begin { position, gap } = match start {
            Start::Now => now,
            Start::Since(_) => {
                let position = Position { epoch: head.epoch, offset: page.before };
                Begin { position, ..now }
            }
            Start::After(seen) => begin(name, seen, extent),
        };
        let recovered = matches!(start, Start::After(_)) && gap.is_none();
        let channel = name.clone();
        let followed = Followed { channel, begin: position, head, gap, recovered };
        self.followed(to, name, followed);
    }

    pub(super) fn unfollow(&mut self, lane: LaneId, name: &ChannelName) -> Result<(), Refusal> {
        let Some(channel) = self.channels.get_mut(name) else { return Ok(()) };
        if let Some(index) = channel.followers.iter().position(|(l, _)| *l == lane) {
            channel.followers[index].1 -= 1;
            if channel.followers[index].1 == 0 {
                channel.followers.swap_remove(index);
            }
        }
        self.forget_idle(name);
        Ok(())
    }
}
