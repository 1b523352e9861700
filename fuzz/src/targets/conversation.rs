//! A whole conversation: each line of the input is a frame of a client, given to a real session,
//! which asks a real shard with a real store. Positions, times and limits of strangers reach
//! arithmetic here that no decoder sees.

use std::sync::Arc;
use std::time::Duration;

use martlet_core::hub::{LaneId, ReplyTo, Shard, ShardOutput};
use martlet_core::model::{
    ClientId, Code, Limits, Namespace, Namespaces, NodeId, SessionKey, SessionPlace, UnixMillis,
};
use martlet_core::port::Store as _;
use martlet_core::presence::Holder;
use martlet_core::session::{GrantKey, Opening, Output, Rules, Session, Verdict};
use martlet_core::time::{Instant, Now};
use martlet_engine::memory::MemoryStore;
use martlet_protocol::native::json;

/// The most frames of one conversation.
const FRAMES: usize = 200;

/// Runs a conversation.
pub fn run(bytes: &[u8]) {
    let mut world = World::new();
    for frame in bytes.split(|byte| *byte == b'\n').take(FRAMES) {
        world.hear(frame);
        if world.session.ended() {
            world = World { session: session(world.now, &world.rules), ..world };
        }
    }
}

struct World {
    now: Now,
    rules: Arc<Rules>,
    session: Session,
    shard: Shard,
    store: MemoryStore,
}

impl World {
    fn new() -> Self {
        let now = Now { instant: Instant(1_000_000), wall: UnixMillis(1_700_000_000_000) };
        let rules = Arc::new(rules());
        let namespaces = Arc::clone(&rules.namespaces);
        Self {
            now,
            session: session(now, &rules),
            shard: Shard::new(namespaces, 8, 1),
            store: MemoryStore::new(now, 8, 1),
            rules,
        }
    }

    /// The client says something; everybody does what there is to do.
    fn hear(&mut self, frame: &[u8]) {
        self.now.instant = self.now.instant.after(Duration::from_millis(50));
        self.now.wall = self.now.wall.plus_ms(50);
        let (session, now) = (&mut self.session, self.now);
        let read = json::decode(frame, &self.rules.limits, |command| match command {
            Ok(numbered) => session.handle_command(now, numbered),
            Err(refused) => {
                session.handle_refused(now, refused.id, refused.channel, refused.refusal)
            }
        });
        if let Err(error) = read {
            self.session.close(error.close());
        }
        self.settle();
        self.session.handle_timeout(self.now, self.now.instant);
        self.shard.handle_timeout(self.now);
        self.store.handle_timeout(self.now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            if let Some(output) = self.session.poll_output() {
                self.do_for_session(output);
            } else if let Some(output) = self.shard.poll_output() {
                self.do_for_shard(output);
            } else {
                return;
            }
        }
    }

    fn do_for_session(&mut self, output: Output) {
        match output {
            Output::Tell(answer) => {
                let mut out = Vec::new();
                json::encode_answer(&answer, &mut out);
                assert!(!out.contains(&b'\n'), "an answer is one line");
            }
            Output::Ask(number, _) => {
                let verdict = Verdict::Refused(Code::TokenInvalid.into());
                self.session.handle_verdict(self.now, number, verdict);
            }
            Output::Request(number, request) => {
                let to = ReplyTo { lane: LaneId(0), ticket: number.into() };
                self.shard.handle_request(self.now, to, request);
            }
            Output::Begin(..) | Output::End(_) | Output::Replace(_) | Output::Close(_) => {}
        }
    }

    fn do_for_shard(&mut self, output: ShardOutput) {
        match output {
            ShardOutput::Store(ticket, request) => {
                self.store.submit(self.now, ticket, request);
                while let Some((ticket, reply)) = self.store.poll_reply() {
                    self.shard.handle_store(self.now, ticket, reply);
                }
            }
            ShardOutput::Reply(to, reply) => {
                let number = u32::try_from(to.ticket).expect("the number was a session's");
                self.session.handle_reply(number, reply);
            }
            ShardOutput::Deliver(..)
            | ShardOutput::Announce(_)
            | ShardOutput::Listen(_)
            | ShardOutput::Unlisten(_) => {}
        }
    }
}

fn session(now: Now, rules: &Arc<Rules>) -> Session {
    let opening = Opening {
        key: SessionKey::new(SessionPlace { node: NodeId::new(0), worker: 0, slot: 0 }, 1),
        client: ClientId::new(1),
        holder: Holder(1),
        answers: true,
        member: true,
        aged_at: Instant::NEVER,
    };
    Session::new(now, Arc::clone(rules), opening)
}

fn rules() -> Rules {
    let namespace = Namespace { history_size: 4, ..Namespace::open() };
    let namespaces = Namespaces {
        default: Some(namespace.clone()),
        unnamed: Some(namespace),
        ..Namespaces::default()
    };
    Rules {
        namespaces: Arc::new(namespaces),
        limits: Limits::default(),
        anonymous: true,
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
        expiry: Duration::from_secs(60),
        grant_lifetime: Duration::from_secs(3_600),
        grant_key: GrantKey::new(b"secret"),
    }
}
