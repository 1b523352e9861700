//! The check of presence: whom the shards tell of, held against the connections there really are.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_core::model::{ChannelName, ClientId};
use martlet_core::time::Instant;

use crate::record::{Checked, hold};
use crate::worker::ConnectionId;

/// How long news may be on their way between the workers of a node.
const SLACK: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Stay {
    /// The connection that follows the channel, and since when. A newer one takes the place of
    /// an older one, of which the client may not even have heard.
    current: Option<(ConnectionId, Instant)>,
    /// When the last connection was lost that may be followed by another.
    lost_at: Option<Instant>,
    /// When it last left by its own will, or for good.
    left_at: Option<Instant>,
}

/// Who is in which channel of one node.
#[derive(Debug, Default)]
pub struct Attendance {
    clients: BTreeMap<ConnectionId, ClientId>,
    stays: BTreeMap<(ChannelName, ClientId), Stay>,
}

impl Attendance {
    /// A connection was let in as this client.
    pub fn handle_connected(&mut self, connection: ConnectionId, client: ClientId) {
        self.clients.insert(connection, client);
    }

    /// A connection follows a channel.
    pub fn handle_following(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: ChannelName,
    ) {
        let Some(client) = self.clients.get(&connection) else { return };
        let stay = self.stays.entry((channel, *client)).or_default();
        stay.current = Some((connection, now));
    }

    /// A connection follows a channel no more.
    pub fn handle_not_following(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: ChannelName,
        lost: bool,
    ) {
        let Some(client) = self.clients.get(&connection) else { return };
        let stay = self.stays.entry((channel, *client)).or_default();
        if stay.current.take_if(|(current, _)| *current == connection).is_some() {
            let at = if lost { &mut stay.lost_at } else { &mut stay.left_at };
            *at = Some(now);
        }
    }

    /// A connection was closed for good: what it lost in this moment it has left.
    pub fn handle_closed_for_good(&mut self, now: Instant, connection: ConnectionId) {
        let Some(client) = self.clients.get(&connection) else { return };
        let stays = self.stays.iter_mut().filter(|((_, of), _)| of == client);
        for (_, stay) in stays.filter(|(_, stay)| stay.lost_at == Some(now)) {
            stay.left_at = Some(now);
        }
    }

    /// The shard tells that a client came or went.
    pub fn handle_moved(
        &mut self,
        now: Instant,
        channel: &ChannelName,
        client: ClientId,
        came: bool,
        grace: Duration,
    ) -> Checked {
        let stay = self.stays.entry((channel.clone(), client)).or_default();
        let recent =
            |at: Option<Instant>, span: Duration| at.is_some_and(|at| now < at.after(span));
        let left = recent(stay.left_at, grace + SLACK);
        if came {
            // News of a client that was lost at once may come when it is lost already.
            let late = recent(stay.lost_at, SLACK);
            let short = recent(stay.lost_at, grace.saturating_sub(SLACK));
            return hold(left || late || !short, || {
                format!("{channel}: {client} is told to have come, and had not left: {stay:?}")
            });
        }
        let here = stay.current.is_some_and(|(_, since)| since.after(SLACK) <= now);
        let short = recent(stay.lost_at, grace.saturating_sub(SLACK));
        hold(!here && (left || !short), || {
            format!("{channel}: {client} is told to have left, and has not: {stay:?}")
        })
    }

    /// Who is in a channel.
    pub fn members(&self, channel: &ChannelName) -> Vec<ClientId> {
        let here =
            self.stays.iter().filter(|((name, _), stay)| name == channel && stay.current.is_some());
        here.map(|((_, client), _)| *client).collect()
    }
}
