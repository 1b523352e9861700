//! How a worker lets a client in: the session of martlet's core, which takes the client's grant
//! and is asked for, and the worker's admission, whose word is the last.

use std::sync::Arc;
use std::time::Duration;

use martlet_core::crowd::{Admission, Arrival};
use martlet_core::model::{
    ClientId, Close, Code, Limits, Namespace, Namespaces, NodeId, SessionKey, SessionPlace,
    UnixMillis, UserId,
};
use martlet_core::presence::Holder;
use martlet_core::session::{
    Command, Connect, Grant, GrantKey, Identity, Numbered, Opening, Output, Question, Rules,
    Session, Verdict,
};
use martlet_core::time::{Instant, Now};

#[cfg(test)]
mod tests;

/// The wall's clock when the world begins.
const BEGIN: UnixMillis = UnixMillis(1_700_000_000_000);

/// How long a grant is good.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// What all workers of a cluster let clients in by.
#[derive(Debug)]
pub struct Entrance {
    rules: Arc<Rules>,
    key: GrantKey,
}

impl Entrance {
    /// The rules of a server where nothing is configured.
    pub fn new() -> Self {
        let key = GrantKey::new(b"one key for all nodes of the simulated cluster");
        let namespaces = Namespaces { default: Some(Namespace::open()), ..Namespaces::default() };
        let rules = Rules {
            namespaces: Arc::new(namespaces),
            limits: Limits::default(),
            anonymous: false,
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(10),
            expiry: Duration::from_secs(60),
            grant_lifetime: LIFETIME,
            grant_key: key.clone(),
        };
        Self { rules: Arc::new(rules), key }
    }

    /// What another node of the cluster gave this client.
    pub fn grant(&self, client: u32) -> Box<str> {
        let user = UserId::parse(&format!("user-{client}"));
        self.key.sign(&Grant {
            client: ClientId::new(client.into()),
            issued: BEGIN,
            expires: BEGIN.plus_ms(24 * LIFETIME.as_millis() as u64),
            identity: Identity { user, ..Identity::default() },
            channels: Vec::new(),
        })
    }

    /// A client comes with its grant. `Err` is how the session ends that is not let in.
    pub fn arrive(
        &self,
        now: Instant,
        client: u32,
        grant: Box<str>,
        admission: &mut Admission,
        random: u64,
    ) -> Result<(), Close> {
        let now = Now { instant: now, wall: BEGIN.plus_ms(now.0 / 1_000) };
        let mut session = Session::new(now, Arc::clone(&self.rules), opening(client, random));
        let connect = Connect { grant: Some(grant), ..Connect::default() };
        session.handle_command(now, Numbered { id: 1, command: Command::Connect(connect) });
        while let Some(output) = session.poll_output() {
            match output {
                Output::Ask(number, Question::Grant(_)) => {
                    let arrival = Arrival::Returning;
                    let let_in = admission.handle_arrival(now.instant, arrival, random);
                    let verdict = let_in.map_or_else(Verdict::Later, |()| Verdict::Stands);
                    session.handle_verdict(now, number, verdict);
                }
                Output::Close(close) => return Err(close),
                _ => {}
            }
        }
        if session.connected() { Ok(()) } else { Err(Code::Internal.into()) }
    }
}

fn opening(client: u32, random: u64) -> Opening {
    let place = SessionPlace { node: NodeId::new(0), worker: 0, slot: 0 };
    Opening {
        key: SessionKey::new(place, random),
        client: ClientId::new(client.into()),
        holder: Holder(client.into()),
        answers: true,
        member: true,
        aged_at: Instant::NEVER,
    }
}
