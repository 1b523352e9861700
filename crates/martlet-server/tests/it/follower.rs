//! A client that follows channels, comes back on any route with its places, and checks that it
//! gets every publication exactly once and in order, or is told precisely what is missing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use martlet_client::{Gap, Position, Start, UnixMillis};

use crate::link::{Link, Seen, TurnedAway};
use crate::node::TestNode;
use crate::route::Route;

pub struct Follower {
    address: SocketAddr,
    pub route: Route,
    channels: Vec<String>,
    link: Option<Link>,
    places: BTreeMap<String, Position>,
    /// Where it first began in each channel.
    began: BTreeMap<String, Position>,
    /// Where the stream goes on, of a channel whose gap is still to be told.
    jump: Option<(String, Position)>,
    /// The gaps it was told.
    pub gaps: Vec<Gap>,
    /// How often it was told that it fell behind.
    pub lagged: usize,
}

impl Follower {
    /// Follows channels from the present on; when this returns, it does.
    pub async fn open(node: &TestNode, route: Route, channels: &[&str]) -> Self {
        let mut follower = Self::new(node, channels);
        follower.begin(route, Start::Now).await;
        follower
    }

    /// Follows channels from a time on.
    pub async fn since(node: &TestNode, route: Route, channels: &[&str], time: UnixMillis) -> Self {
        let mut follower = Self::new(node, channels);
        follower.begin(route, Start::Since(time)).await;
        follower
    }

    /// A client that has yet to connect.
    pub fn new(node: &TestNode, channels: &[&str]) -> Self {
        Self {
            address: node.address,
            route: Route::SocketJson,
            channels: channels.iter().map(|&channel| channel.to_owned()).collect(),
            link: None,
            places: BTreeMap::new(),
            began: BTreeMap::new(),
            jump: None,
            gaps: Vec::new(),
            lagged: 0,
        }
    }

    async fn begin(&mut self, route: Route, start: Start) {
        self.connect(route, start).await.unwrap();
        let channels = self.route.of(&self.channels).to_vec();
        while channels.iter().any(|channel| !self.places.contains_key(channel)) {
            let seen = self.step().await;
            assert!(!matches!(seen, Seen::Refused(_) | Seen::Ended(_)), "{route:?}: {seen:?}");
        }
    }

    /// Loses its connection without a word.
    pub fn cut(&mut self) {
        self.link = None;
    }

    /// Comes back with its places, to `node` if it was on another.
    pub async fn come_back_to(&mut self, node: &TestNode, route: Route) {
        self.address = node.address;
        self.come_back(route).await;
    }

    /// Comes back with its places, on another route or the same.
    pub async fn come_back(&mut self, route: Route) {
        self.cut();
        self.connect(route, Start::Now).await.unwrap();
    }

    async fn connect(&mut self, route: Route, unknown: Start) -> Result<(), TurnedAway> {
        self.route = route;
        let start = |channel: &String| {
            self.places.get(channel).map_or(unknown, |position| Start::After(*position))
        };
        let wishes = route.of(&self.channels).iter();
        let wishes: Vec<_> = wishes.map(|channel| (channel.clone(), start(channel))).collect();
        self.link = Some(Link::open(self.address, route, &wishes).await?);
        Ok(())
    }

    /// Where it stands in a channel.
    pub fn place(&self, channel: &str) -> Position {
        self.places[channel]
    }

    /// Where it first began in a channel.
    pub fn began(&self, channel: &str) -> Position {
        self.began[channel]
    }

    /// Pretends to stand somewhere else.
    pub fn set_place(&mut self, channel: &str, position: Position) {
        self.places.insert(channel.to_owned(), position);
    }

    pub fn link(&mut self) -> &mut Link {
        self.link.as_mut().expect("it is connected")
    }

    /// Reads until it has the publication `n` of `channel`, or knows that it cannot be had.
    pub async fn read_until(&mut self, channel: &str, n: u64) {
        while self.places.get(channel).is_none_or(|place| place.offset < n) {
            let seen = self.step().await;
            let going_on = !matches!(seen, Seen::Ended(_) | Seen::Close { .. } | Seen::Refused(_));
            let place = self.places.get(channel);
            assert!(going_on, "{:?} at {place:?} on the way to {n}: {seen:?}", self.route);
        }
    }

    /// Reads one event, and checks it against everything before.
    pub async fn step(&mut self) -> Seen {
        let seen = self.link().soon().await;
        match &seen {
            Seen::Begun { channel, position, recovered } => {
                self.begun(channel, *position, *recovered);
            }
            Seen::Publication { channel, n, position } => {
                let place = self.places.insert(channel.clone(), *position).unwrap();
                let expected = Position { offset: place.offset + 1, ..place };
                assert_eq!((*n, *position), (expected.offset, expected), "{:?}", self.route);
                assert_eq!(self.jump, None);
            }
            Seen::Gap(gap) => self.take_gap(gap),
            Seen::Lagged { channel, offset } => {
                assert_eq!(*offset, self.places[channel].offset);
                self.lagged += 1;
            }
            Seen::Refused(_) | Seen::Close { .. } | Seen::Ended(_) => {}
        }
        seen
    }

    fn begun(&mut self, channel: &str, position: Position, recovered: bool) {
        self.began.entry(channel.to_owned()).or_insert(position);
        let before = *self.places.entry(channel.to_owned()).or_insert(position);
        if before != position {
            assert!(!recovered, "{position:?} after {before:?} says that nothing is missing");
            self.jump = Some((channel.to_owned(), position));
        }
    }

    fn take_gap(&mut self, gap: &Gap) {
        let channel = gap.channel.to_string();
        let place = self.places.insert(channel.clone(), gap.resume).unwrap();
        assert_eq!(gap.from, place.offset + 1, "{:?}", self.route);
        if let Some(to) = gap.to {
            assert_eq!(to, gap.resume.offset, "the stream goes on after the gap");
        }
        if let Some(jump) = self.jump.take() {
            assert_eq!(jump, (channel, gap.resume));
        }
        self.gaps.push(gap.clone());
    }
}
