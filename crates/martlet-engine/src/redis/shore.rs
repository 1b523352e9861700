//! One Redis as a worker uses it: a loop that connects, sends what waits, takes in what comes, and
//! connects again. What it decides by is in `desk`, `canary` and `Interest`.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use martlet_core::model::{ChannelName, NodeId};
use martlet_core::port::{News, StoreError};
use martlet_core::time::Instant;
use redis::{RedisError, RedisResult, Value};
use tokio::sync::mpsc;

use super::Settings;
use super::calls::{Call, calls, failed};
use super::canary::{Canary, Song};
use super::desk::Desk;
use super::keys::{Names, Partition};
use super::link::{Host, Link, find};
use super::settings::Kind;
use super::source::{Source, Told};
use super::verdict::{Verdict, verdict};
use crate::random::Random;
use crate::remote::Inbox;

/// The most calls that are out at once. What comes meanwhile goes together by the next.
const CALLS_MAX: usize = 4;

/// The most questions that are sent at once.
const QUESTIONS_MAX: usize = 512;

/// The most calls by which channels are begun to be listened to that are out at once. What becomes
/// wanted meanwhile goes together by the next, so that a node that joins makes few.
const LISTENS_MAX: usize = 2;

/// The most channels that are listened to by one call.
const LISTEN_MAX: usize = 512;

/// After how many canaries the sentinels are asked whether the master is still the one: one that is
/// cut off from them does not know that it is none any more.
const SONGS: u64 = 2;

/// How often deadlines are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The first and the longest wait before connecting again.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

mod hearing;

/// How a server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    /// As the settings say.
    Settings,
    /// At this address, of which a cluster told, for this partition and perhaps more.
    Cluster(Host, Partition),
}

/// Why a connection was given up.
enum Ended {
    /// The worker ends.
    Stopped,
    /// It broke, or is not the one to ask.
    Broken(String),
}

/// What came of something that was sent.
enum Done {
    /// A call, by its number.
    Called(u64, RedisResult<Value>),
    Listens(Vec<ChannelName>, RedisResult<()>),
    Sent(RedisResult<()>),
    /// The server that is the one to use, if anybody knows.
    Found(Option<Host>),
}

type Doing = Pin<Box<dyn Future<Output = Done>>>;

/// One Redis.
pub(super) struct Shore {
    settings: Settings,
    at: Where,
    node: NodeId,
    names: Names,
    inbox: Rc<Inbox>,
    orders: Source,
    /// Told when the server is not the one to ask, or is gone.
    lost: mpsc::UnboundedSender<()>,
    /// The server that is used.
    host: Option<Host>,
    desk: Desk,
    canary: Canary,
    /// Calls that are out.
    out: HashMap<u64, Call>,
    numbers: u64,
    /// How many calls are out by which channels are begun to be listened to.
    listens: usize,
    begun: tokio::time::Instant,
    random: Random,
}

impl Shore {
    /// A shore that nothing has been sent to.
    pub fn new(
        settings: Settings,
        at: Where,
        node: NodeId,
        inbox: Rc<Inbox>,
        orders: Source,
        lost: mpsc::UnboundedSender<()>,
    ) -> Self {
        Self {
            names: Names::new(&settings.prefix),
            random: Random::new(settings.seed),
            settings,
            at,
            node,
            inbox,
            orders,
            lost,
            host: None,
            desk: Desk::default(),
            canary: Canary::new(Instant(0)),
            out: HashMap::default(),
            numbers: 0,
            listens: 0,
            begun: tokio::time::Instant::now(),
        }
    }

    fn take(&mut self, told: Told) {
        let now = self.now();
        match told {
            Told::Orders(orders) => self.desk.take(now, orders),
            Told::TakeOver(channels) => {
                channels.iter().for_each(|channel| self.desk.interest.take_over(channel));
            }
        }
    }

    fn now(&self) -> Instant {
        Instant(self.begun.elapsed().as_micros() as u64)
    }

    /// Works until the worker ends or lets go of it.
    pub async fn run(mut self) {
        self.work_on().await;
        if self.canary.silent() {
            self.inbox.tell(News::Heard);
        }
        let (now, left) = (self.now(), self.desk.take_waiting(usize::MAX));
        self.desk.handle_down(now);
        let left = left.into_iter().chain(self.desk.interest.take_parked());
        for (ticket, reply) in failed(left, StoreError::Unavailable) {
            self.inbox.reply(ticket, reply);
        }
    }

    async fn work_on(&mut self) {
        let (mut pause, mut said) = (PAUSE, String::new());
        loop {
            let settings = self.settings.clone();
            let at = self.at.clone();
            let opening = async move {
                let host = match at {
                    Where::Settings => find(&settings, 0).await?,
                    Where::Cluster(host, _) => host,
                };
                Ok((Link::open(&settings, &host).await?, host))
            };
            let error = match self.meanwhile(opening).await {
                None => return,
                Some(Err(error)) => RedisError::to_string(&error),
                Some(Ok((mut link, host))) => {
                    (pause, self.host) = (PAUSE, Some(host));
                    match self.serve(&mut link).await {
                        Ended::Stopped => return,
                        Ended::Broken(why) => why,
                    }
                }
            };
            if said != error {
                tracing::warn!(%error, "Redis cannot be used; connecting again");
            }
            said = error;
            let _ = self.lost.send(());
            let jittered = pause.mul_f64(0.5 + (self.random.next() % 1_000) as f64 / 1_000.0);
            if self.meanwhile(tokio::time::sleep(jittered)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Waits for something while nothing can be sent; `None` if there are no more orders.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T>) -> Option<T> {
        let mut something = std::pin::pin!(something);
        loop {
            tokio::select! {
                biased;
                done = &mut something => return Some(done),
                told = self.orders.recv() => self.take(told?),
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look(None);
        }
    }

    /// Meets deadlines; says whether the connection is to be given up.
    fn look(&mut self, link: Option<(&Link, &mut FuturesUnordered<Doing>)>) -> bool {
        let now = self.now();
        self.desk.handle_timeout(now);
        for (ticket, reply) in self.desk.take_answers() {
            self.inbox.reply(ticket, reply);
        }
        let mut link = link;
        while let Some(song) = self.canary.poll(now) {
            match song {
                Song::Silent => self.inbox.tell(News::Silent),
                Song::Heard => self.inbox.tell(News::Heard),
                Song::Lost => return true,
                Song::Send(number) => {
                    if let Some((link, doing)) = &mut link {
                        self.sing(link, doing, number);
                    }
                }
            }
        }
        false
    }

    /// The name of this worker's canary; no other sings it.
    fn canary_channel(&self) -> String {
        let partition = match &self.at {
            Where::Settings => Partition::of_node(self.node),
            Where::Cluster(_, partition) => *partition,
        };
        self.names.canary(partition, &format!("{}:{:x}", self.node, self.settings.seed))
    }

    fn sing(&mut self, link: &Link, doing: &mut FuturesUnordered<Doing>, number: u64) {
        let mut command = redis::cmd("FCALL");
        command.arg("martlet_sing_1").arg(1).arg(self.canary_channel()).arg(number);
        let sung = link.ask(command);
        self.begin(doing, async move { Done::Sent(sung.await.map(drop)) });
        if matches!(self.settings.kind, Kind::Sentinel { .. }) && number.is_multiple_of(SONGS) {
            let settings = self.settings.clone();
            self.begin(doing, async move { Done::Found(find(&settings, 0).await.ok()) });
        }
    }

    /// Begins something. It is polled at once, because that sends it: what is begun later is sent
    /// later.
    fn begin(
        &mut self,
        doing: &mut FuturesUnordered<Doing>,
        what: impl Future<Output = Done> + 'static,
    ) {
        let mut what: Doing = Box::pin(what);
        let waker = futures_util::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        match what.as_mut().poll(&mut context) {
            // It is polled again as soon as the loop waits, with a waker that wakes it.
            Poll::Pending => doing.push(what),
            Poll::Ready(done) => doing.push(Box::pin(std::future::ready(done))),
        }
    }

    /// Uses a connection for as long as it is good.
    async fn serve(&mut self, link: &mut Link) -> Ended {
        let now = self.now();
        let mut doing = FuturesUnordered::new();
        let canary = [self.canary_channel()];
        self.listens = 0;
        self.listen(link, &mut doing, Vec::new(), &canary);
        self.desk.handle_up();
        self.canary.handle_connected(now);
        let ended = self.work(link, &mut doing).await;
        self.desk.handle_down(self.now());
        self.canary.handle_disconnected();
        // What was sent may have been done; nobody will say.
        for (_, call) in std::mem::take(&mut self.out) {
            self.fail(call, StoreError::Unsure);
        }
        ended
    }

    async fn work(&mut self, link: &mut Link, doing: &mut FuturesUnordered<Doing>) -> Ended {
        // One timer for all turns: to set one is dearer than most of what else is done in one.
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.look(Some((link, doing))) {
                return Ended::Broken("nothing was heard of it".into());
            }
            self.send(link, doing);
            tokio::select! {
                biased;
                push = link.pushes.recv() => match push {
                    Some(push) => if let Err(why) = self.take_pushes(push, link) {
                        return Ended::Broken(why);
                    },
                    None => return Ended::Broken("the connection ended".into()),
                },
                Some(done) = doing.next() => if let Err(why) = self.take_done(done) {
                    return Ended::Broken(why);
                },
                told = self.orders.recv() => match told {
                    Some(told) => self.take(told),
                    None => return Ended::Stopped,
                },
                _ = looks.tick() => {}
            }
        }
    }

    /// Sends what waits, as far as there is room.
    fn send(&mut self, link: &Link, doing: &mut FuturesUnordered<Doing>) {
        while self.out.len() < CALLS_MAX && self.desk.any_waiting() {
            let asked = self.desk.take_waiting(QUESTIONS_MAX);
            for call in calls(asked, self.apart()) {
                self.call(link, doing, call);
            }
        }
        if self.listens < LISTENS_MAX {
            let wanted = self.desk.interest.take_wanted(LISTEN_MAX);
            for (channels, names) in self.by_partition(wanted) {
                self.listen(link, doing, channels, &names);
            }
        }
        let left = self.desk.interest.take_left(self.now(), LISTEN_MAX);
        for (_, names) in self.by_partition(left) {
            let listening = link.listen("SUNSUBSCRIBE", &names);
            self.begin(doing, async move { Done::Sent(listening.await) });
        }
    }

    fn call(&mut self, link: &Link, doing: &mut FuturesUnordered<Doing>, mut call: Call) {
        let random = &mut self.random;
        let command = call.command(&self.names, self.node, &mut || random.next());
        self.numbers += 1;
        let number = self.numbers;
        self.out.insert(number, call);
        let answer = link.ask(command);
        self.begin(doing, async move { Done::Called(number, answer.await) });
    }

    /// Begins to listen to channels, which are called so.
    fn listen(
        &mut self,
        link: &Link,
        doing: &mut FuturesUnordered<Doing>,
        channels: Vec<ChannelName>,
        names: &[String],
    ) {
        self.listens += 1;
        let listening = link.listen("SSUBSCRIBE", names);
        self.begin(doing, async move { Done::Listens(channels, listening.await) });
    }

    /// Whether one call may be about one partition only.
    fn apart(&self) -> bool {
        matches!(self.at, Where::Cluster(..))
    }

    /// Channels, and what they are called, in groups of which each may go by one call.
    fn by_partition(&self, channels: Vec<ChannelName>) -> Vec<(Vec<ChannelName>, Vec<String>)> {
        let mut groups: BTreeMap<Option<Partition>, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for channel in channels {
            let partition = self.apart().then(|| Partition::of(&channel));
            let (channels, names) = groups.entry(partition).or_default();
            names.push(self.names.of('l', &channel));
            channels.push(channel);
        }
        groups.into_values().collect()
    }

    /// Something that was sent is done. Fails if the connection is to be given up.
    fn take_done(&mut self, done: Done) -> Result<(), String> {
        match done {
            Done::Called(number, answer) => {
                let Some(call) = self.out.remove(&number) else { return Ok(()) };
                self.take_answer(call, answer)
            }
            Done::Listens(channels, Ok(())) => {
                self.listens = self.listens.saturating_sub(1);
                let released = self.desk.interest.heard(&channels);
                let now = self.now();
                released.parked.into_iter().for_each(|asked| self.desk.wait(now, asked));
                if !released.doubted.is_empty() {
                    self.inbox.tell(News::Doubt(released.doubted));
                }
                Ok(())
            }
            Done::Found(Some(host)) if self.host.as_ref() != Some(&host) => {
                Err("the sentinels name another master".into())
            }
            Done::Sent(Ok(())) | Done::Found(_) => Ok(()),
            Done::Listens(_, Err(error)) | Done::Sent(Err(error)) => Err(error.to_string()),
        }
    }

    fn take_answer(&mut self, call: Call, answer: RedisResult<Value>) -> Result<(), String> {
        let error = match answer {
            Ok(value) => {
                for (ticket, reply) in call.answers(value) {
                    self.desk.answered(ticket);
                    self.inbox.reply(ticket, reply);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        match verdict(&error) {
            Verdict::Refused => {
                tracing::warn!(%error, "Redis refuses");
                self.fail(call, StoreError::Unavailable);
                Ok(())
            }
            Verdict::Elsewhere => {
                self.desk.try_again(self.now(), call.into_asked());
                Err(error.to_string())
            }
            Verdict::Failed => {
                tracing::error!(%error, "a function of martlet failed in Redis");
                self.fail(call, StoreError::Unsure);
                Ok(())
            }
            Verdict::Broken => {
                self.fail(call, StoreError::Unsure);
                Err(error.to_string())
            }
        }
    }

    fn fail(&mut self, call: Call, error: StoreError) {
        for (ticket, reply) in failed(call.into_asked(), error) {
            self.desk.answered(ticket);
            self.inbox.reply(ticket, reply);
        }
    }
}
