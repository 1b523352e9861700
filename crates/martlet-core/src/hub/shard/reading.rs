//! The shard's dealings with pages of history: what a client asked to read, and what a channel's own
//! tail is missing.

use super::*;

/// How many bytes of data one page holds for a client; the rest is on the next. A page has to fit
/// into what a client may be owed, or asking for it would look like reading slowly.
const ANSWER_BYTES: usize = 256 * 1024;

/// How many publications a tail reads at once to catch up.
pub(super) const CATCH_UP_PAGE: usize = 256;

impl Shard {
    pub(super) fn ask_page(
        &mut self,
        channel: ChannelName,
        asked: Asked,
        range: Range,
        limit: usize,
    ) -> Result<(), Refusal> {
        let keep = Keep::of(self.namespace(&channel)?);
        let read = Read { channel: channel.clone(), range, limit, keep };
        self.ask(channel, asked, StoreRequest::Read(read));
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        to: ReplyTo,
        channel: ChannelName,
        start: Option<Start>,
        limit: usize,
        reverse: bool,
    ) -> Result<(), Refusal> {
        if self.namespace(&channel)?.history_size == 0 {
            return Err(Code::HistoryOff.into());
        }
        let range = match (start, reverse) {
            (Some(Start::After(position)), false) => Range::After(position.offset),
            (Some(Start::After(position)), true) => Range::Until(position.offset.saturating_sub(1)),
            (Some(Start::Since(time)), false) => Range::Since(time),
            (_, true) => Range::Until(u64::MAX - 1),
            (_, false) => Range::After(0),
        };
        self.ask_page(channel, Asked::Read { to, start, limit, reverse }, range, limit)
    }

    pub(super) fn page(&mut self, now: Now, name: &ChannelName, asked: Asked, page: Page) {
        match asked {
            Asked::Follow { to, start } => self.begin(to, name, start, &page),
            Asked::Read { to, start, limit, reverse } => {
                self.tell_page(to, name, start, limit, reverse, page);
            }
            Asked::Load { to } => {
                self.hear_head(name, &page);
                self.outputs.push_back(ShardOutput::Reply(to, Reply::Loaded(page)));
            }
            Asked::CatchUp => {
                let Some(channel) = self.channels.get_mut(name) else { return };
                let mut steps = Vec::new();
                let want = channel.tail.handle_page(page, &mut steps);
                self.pass_on(name, steps);
                self.go_on(now, name, want);
            }
            Asked::Publish(to) | Asked::Members { to } => self.refuse(to, Code::Internal.into()),
            Asked::Move { .. } => {}
        }
    }

    /// The store told where the channel is; its tail may find that it is behind.
    pub(super) fn hear_head(&mut self, name: &ChannelName, page: &Page) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let mut steps = Vec::new();
        let want = channel.tail.handle_head(page, &mut steps);
        self.pass_on(name, steps);
        self.read_on(name, want);
    }

    /// News of a channel may have been lost.
    pub(super) fn doubt(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let want = channel.tail.handle_doubt();
        self.read_on(name, want);
    }

    /// Asks the store what a channel's tail wants of it.
    pub(super) fn read_on(&mut self, name: &ChannelName, want: Want) {
        if let Want::Read(after) = want {
            let range = Range::After(after);
            // A namespace was found for this channel when it was followed first.
            let _ = self.ask_page(name.clone(), Asked::CatchUp, range, CATCH_UP_PAGE);
        }
    }

    /// Asks the store what a channel's tail wants of it, now or later.
    pub(super) fn go_on(&mut self, now: Now, name: &ChannelName, want: Want) {
        match want {
            Want::Later(wait) => {
                self.retries.insert((now.instant.after(wait), name.clone()));
            }
            _ => self.read_on(name, want),
        }
    }

    /// It is time to ask the store again for some channels.
    pub(super) fn retry(&mut self, now: Now) {
        while let Some((_, name)) = pop_due(&mut self.retries, now) {
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            let want = channel.tail.handle_timeout();
            self.read_on(&name, want);
        }
    }

    fn tell_page(
        &mut self,
        to: ReplyTo,
        name: &ChannelName,
        start: Option<Start>,
        limit: usize,
        reverse: bool,
        page: Page,
    ) {
        if let Some(Start::After(seen)) = start
            && seen.epoch != page.extent.head.epoch
        {
            // In another history the offset means nothing: all that is kept is new.
            let asked = self.read(to, name.clone(), None, limit, reverse);
            return asked.unwrap_or_else(|refusal| self.refuse(to, refusal));
        }
        let Page { extent, mut publications, .. } = page;
        let cut = cut_page(&mut publications);
        let last = publications.last().map(|publication| publication.position.offset);
        let full = limit > 0 && publications.len() == limit;
        let beyond = |o| if reverse { o > extent.first } else { o < extent.head.offset };
        let mut more = (full || cut) && last.is_some_and(beyond);
        if let (Some(Start::Since(time)), true) = (start, reverse) {
            let all = publications.len();
            publications.retain(|publication| publication.time >= time);
            more &= publications.len() == all;
        }
        let page = HistoryPage { channel: name.clone(), head: extent.head, publications, more };
        self.outputs.push_back(ShardOutput::Reply(to, Reply::History(page)));
    }
}

/// Leaves the first publications that fit an answer, and at least one. Says whether there were
/// more.
fn cut_page(publications: &mut Vec<Arc<Publication>>) -> bool {
    let mut bytes = 0;
    let fitting = publications.iter().take_while(|publication| {
        bytes += publication.data.len();
        bytes <= ANSWER_BYTES
    });
    let (fitting, all) = (fitting.count().max(1), publications.len());
    publications.truncate(fitting);
    fitting < all
}
