//! The shard's dealings with pages of history: where a reader begins, what a client asked to
//! read, and what a channel's own tail is missing.

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

    pub(super) fn page(&mut self, name: &ChannelName, asked: Asked, page: Page) {
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
                self.follow_tail(name, steps, want);
            }
            Asked::Publish(_) => {}
        }
    }

    /// Decides where a new follower begins, and lets the lane have the channel from here.
    fn begin(&mut self, to: ReplyTo, name: &ChannelName, start: Start, page: &Page) {
        self.hear_head(name, page);
        let Some(head) = self.channels.get(name).and_then(|channel| channel.tail.at()) else {
            return self.refuse(to, Code::Internal.into());
        };
        if head.epoch != page.extent.head.epoch {
            // The history is a new one and this node's tail has yet to hear of it: ask again.
            let asked =
                self.ask_page(name.clone(), Asked::Follow { to, start }, Range::After(0), 0);
            return asked.unwrap_or_else(|refusal| self.refuse(to, refusal));
        }
        let recovery = self.namespace(name).is_ok_and(|namespace| namespace.recovery);
        let mut extent = page.extent;
        if !recovery {
            (extent.first, extent.kept) = (extent.head.offset + 1, false);
        }
        let followed = match start {
            Start::Now => {
                Followed { channel: name.clone(), begin: head, head, gap: None, recovered: false }
            }
            Start::Since(_) => {
                let position = Position { epoch: extent.head.epoch, offset: page.before };
                Followed {
                    channel: name.clone(),
                    begin: position,
                    head,
                    gap: None,
                    recovered: false,
                }
            }
            Start::After(seen) => {
                let begin = begin(name, seen, extent);
                let recovered = begin.gap.is_none();
                Followed {
                    channel: name.clone(),
                    begin: begin.position,
                    head,
                    gap: begin.gap,
                    recovered,
                }
            }
        };
        self.followed(to, name, followed);
    }

    /// The store told where the channel is; its tail may find that it is behind.
    fn hear_head(&mut self, name: &ChannelName, page: &Page) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let mut steps = Vec::new();
        let want = channel.tail.handle_head(page, &mut steps);
        self.follow_tail(name, steps, want);
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
        let Page { extent, mut publications, .. } = page;
        let cut = cut_page(&mut publications);
        let last = publications.last().map(|publication| publication.position.offset);
        let full = limit > 0 && publications.len() == limit;
        let more = (full || cut)
            && last
                .is_some_and(|o| if reverse { o > extent.first } else { o < extent.head.offset });
        if let (Some(Start::Since(time)), true) = (start, reverse) {
            publications.retain(|publication| publication.time >= time);
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
