//! Every key of the configuration: its name, type, default and explanation. This is the
//! reference; the page in the documentation is generated from it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use martlet_core::model;
use martlet_core::model::{Access, Durability, Lagging};

use super::engine::EngineAddress;
use super::tree::section;
use super::value::{Secret, Size, words};
use crate::identity::Algorithm;
use crate::keys::{KeyHash, Scope};

section! {
    /// The whole configuration.
    Options {
        /// Where the server listens, and for whom.
        table server: Server = Server::default();
        /// Who clients are: the keys by which their tokens are checked.
        table auth: Auth = Auth::default();
        /// The backend API: who may use it.
        table api: Api = Api::default();
        /// Options of channels, by namespace. The text before the first `:` of a channel's name
        /// is its namespace.
        table channels: Channels = Channels::default();
        /// Signs of life between server and client.
        table heartbeat: Heartbeat = Heartbeat::default();
        /// What is kept for a client that has lost its connection.
        table session: Session = Session::default();
        /// How many clients are let in at once. Whoever is not is told when to come back.
        table admission: Admission = Admission::default();
        /// How the node lets its clients go before it stops.
        table drain: Drain = Drain::default();
        /// Grants: what the server signs for a client to come back with, without a token.
        table grant: Grant = Grant::default();
        /// Limits on everything that a client or a backend can make large. The defaults are
        /// safe for strangers; a refusal names the limit that was met.
        table limits: Limits = Limits::default();
        /// The memory of the whole node, and what is given up when it gets short.
        table memory: Memory = Memory::default();
        /// What keeps histories, and carries publications between nodes.
        table engine: Engine = Engine::default();
        /// The log, on standard error.
        table log: Log = Log::default();
    }
}

section! {
    /// Where the server listens, and for whom.
    Server {
        /// Addresses to listen on. `0.0.0.0:8000` and `[::]:8000` are open to the network.
        value listen: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 8000))];
        /// Worker threads; 0 is one for each core.
        value workers: usize = 0;
        /// The address by which clients reach this node and no other, such as
        /// `https://b.example.com:8000`. Nodes that let their clients go send them there. Without
        /// it they come back by the address they know, which is right behind a load balancer.
        value address: Option<String> = None;
        /// Origins of web pages that may connect, such as `https://example.com`; `*` for all.
        /// Pages from the server's own address always may, and programs that are not browsers
        /// send no origin.
        value origins: Vec<String> = Vec::new();
        /// Encryption. With neither a certificate nor the development one the server speaks
        /// plain HTTP, and something before it should encrypt.
        table tls: Tls = Tls::default();
    }
}

section! {
    /// Encryption.
    Tls {
        /// A file with the certificate and those that signed it, in PEM.
        value certificate: Option<PathBuf> = None;
        /// A file with the certificate's private key, in PEM.
        value key: Option<PathBuf> = None;
        /// Whether to make a certificate at each start, which nobody trusts: for trying out.
        value development: bool = false;
    }
}

section! {
    /// Who clients are.
    Auth {
        /// Whether a client may connect without a token. What it may do then is only what
        /// namespaces allow to `anyone`.
        value anonymous: bool = true;
        /// How far the clock of the machine that makes tokens may be off. A token is good for
        /// this long after its `exp`.
        value leeway: Duration = Duration::from_secs(30);
        /// Where a key comes from that checks tokens, and what its tokens must say. Give one
        /// of `secret`, `secret_file`, `public_key`, `public_key_file`, `jwks_url` and
        /// `jwks_file`. With several of these tables, a token that fits any is good.
        tables tokens: Vec<TokenKeys> = Vec::new();
    }
}

section! {
    /// Where a key comes from that checks tokens.
    TokenKeys {
        /// The one algorithm that is accepted. Without it, the key decides.
        value algorithm: Option<Algorithm> = None;
        /// The secret of HS256, at least 32 bytes.
        value secret: Option<Secret> = None;
        /// A file with that secret; blanks at its end do not count.
        value secret_file: Option<PathBuf> = None;
        /// The public key of RS256, ES256 or EdDSA, in PEM.
        value public_key: Option<String> = None;
        /// A file with that public key.
        value public_key_file: Option<PathBuf> = None;
        /// Where public keys are fetched, as a JSON Web Key Set: an `https` URL, or an `http`
        /// one on this machine. They are fetched again when they grow old, and when a token
        /// names a new one.
        value jwks_url: Option<String> = None;
        /// A file with a JSON Web Key Set; it is read again when it has changed.
        value jwks_file: Option<PathBuf> = None;
        /// The name of the key, for a secret or public key: tokens that name another (`kid`)
        /// are not tried with it.
        value key_id: Option<String> = None;
        /// What the `aud` of a token must be: one of these. A token with an `aud` is refused
        /// where none is configured.
        value audience: Vec<String> = Vec::new();
        /// What the `iss` of a token must be.
        value issuer: Option<String> = None;
    }
}

section! {
    /// The backend API.
    Api {
        /// A key of the backend API. `martlet token key` makes one.
        tables keys: Vec<ApiKey> = Vec::new();
    }
}

section! {
    /// A key of the backend API.
    ApiKey {
        /// What the key is called in the log.
        value name: String = String::new();
        /// The SHA-256 of the key, in hexadecimal. The key itself is not kept here.
        value sha256: Option<KeyHash> = None;
        /// What it is good for.
        value scopes: Vec<Scope> = Vec::new();
    }
}

section! {
    /// Options of channels.
    Channels {
        /// Channels without a namespace.
        table default: Namespace = Namespace::default();
        /// Channels of the namespace NAME. What is not given here has the default given below,
        /// not that of `channels.default`.
        named namespace: BTreeMap<String, Namespace> = BTreeMap::new();
        /// Channels of namespaces that are not named. Without this table they are refused, so
        /// that a mistyped name is noticed.
        optional unnamed: Option<Namespace> = None;
    }
}

/// The defaults of a namespace.
fn closed() -> model::Namespace {
    model::Namespace::default()
}

section! {
    /// Options of the channels of one namespace.
    Namespace {
        /// How many publications a channel keeps; 0 keeps none.
        value history_size: usize = closed().history_size;
        /// How long a channel keeps a publication.
        value history_age: Duration = closed().history_age;
        /// Whether a client catches up from the history when it comes back.
        value recovery: bool = closed().recovery;
        /// Whether channels know their members.
        value presence: bool = closed().presence;
        /// Whether members are told of each other's coming and going. Needs `presence`.
        value join_leave: bool = closed().join_leave;
        /// How long a client that has lost its connection stays a member, so that a reconnect
        /// is not seen as leaving and joining.
        value presence_grace: Duration = closed().presence_grace;
        /// Who may follow the channels. `anyone`: every client; `users`: those whose token
        /// names a user; `granted`: those whose token permits it; `backend`: no client.
        value subscribe: Access = closed().subscribe;
        /// Which clients may publish.
        value publish: Access = closed().publish;
        /// Which clients may read the history by request.
        value history: Access = closed().history;
        /// Which clients may ask who is present.
        value see_presence: Access = closed().see_presence;
        /// What an acknowledged publication survives. `memory`: the loss of every client, not
        /// that of the node.
        value durability: Durability = closed().durability;
        /// What happens to a reader that fell behind and that the history cannot help. `gap`:
        /// it is told its gap and goes on from the present; `close`: it is closed and may come
        /// back.
        value lagging: Lagging = closed().lagging;
    }
}

section! {
    /// Signs of life.
    Heartbeat {
        /// After how long a silence of its own the server pings.
        value ping: Duration = Duration::from_secs(25);
        /// How long it then waits for the answer.
        value pong: Duration = Duration::from_secs(10);
    }
}

section! {
    /// What is kept for a client that has lost its connection.
    Session {
        /// How long its session waits for it. A client that comes back later starts a new
        /// one; what it missed it still gets, from the history.
        value resume: Duration = Duration::from_secs(60);
        /// How old a connection gets: each is asked to come back at some moment between four
        /// fifths of this age and all of it, so that clients spread over nodes that were added
        /// since. 0 is as old as it likes.
        value age: Duration = Duration::ZERO;
    }
}

section! {
    /// How many clients are let in at once.
    Admission {
        /// Clients a second that each worker lets in; 0 for no limit. A quarter of them may come
        /// in one moment; half of that is kept for those who were here before.
        value per_second: u32 = 5_000;
        /// Connections of each worker that have not yet said who they are; 0 for no limit.
        value handshakes: usize = 2_000;
    }
}

section! {
    /// How the node lets its clients go before it stops.
    Drain {
        /// How long it says that it is not ready before it lets the first client go, so that load
        /// balancers and clients go elsewhere meanwhile. Where nobody else serves it does not
        /// wait.
        value wait: Duration = Duration::from_secs(5);
        /// Over which time it lets clients go, evenly. Where nobody else serves they go all at
        /// once, as late as can be, and each is told another time to come back.
        value over: Duration = Duration::from_secs(30);
        /// How long the last ones then get to go before their connections are cut.
        value force: Duration = Duration::from_secs(10);
        /// Who else serves the clients. `auto`: the other nodes of the engine, and a successor
        /// that took over the listening sockets; `always`: somebody that this node knows nothing
        /// of.
        value elsewhere: Elsewhere = Elsewhere::Auto;
    }
}

/// Whether somebody else serves the clients of a node that stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// If there are other nodes, or a successor.
    Auto,
    /// In any case.
    Always,
}

words!(Elsewhere {
    "auto" => Elsewhere::Auto, Elsewhere::Auto;
    "always" => Elsewhere::Always, Elsewhere::Always;
});

section! {
    /// Grants.
    Grant {
        /// The secret by which grants are signed, at least 32 bytes, the same on all nodes.
        /// Without one a new secret is made at each start, and clients of the last run need
        /// their token again.
        value secret: Option<Secret> = None;
        /// A file with that secret; blanks at its end do not count.
        value secret_file: Option<PathBuf> = None;
        /// How long a grant is good, though never longer than the token it stands for.
        value lifetime: Duration = Duration::from_secs(3_600);
    }
}

/// The defaults of the limits.
fn safe() -> model::Limits {
    model::Limits::default()
}

section! {
    /// Limits.
    Limits {
        /// The largest frame a client may send, also after inflating.
        value frame_bytes: Size = Size(safe().frame_bytes);
        /// The most commands in one frame.
        value commands_per_frame: usize = safe().commands_per_frame;
        /// The largest data of one publication. Smaller than `frame_bytes`, which also holds
        /// the rest of the command.
        value data_bytes: Size = Size(safe().data_bytes);
        /// The longest event name, `ref` and idempotency key.
        value name_bytes: Size = Size(safe().name_bytes);
        /// The most tags of one publication.
        value tags: usize = safe().tags;
        /// The most channels one client may follow.
        value channels_per_client: usize = safe().channels_per_client;
        /// The most channels a node keeps at once.
        value channels_per_node: usize = safe().channels_per_node;
        /// The most publications that one history request answers.
        value history_page: usize = safe().history_page;
        /// The most bytes of history that a node keeps in memory. Where there is no more room,
        /// the oldest publications go before their time, of the channel that is published in
        /// first. Never more than half of `memory.budget`.
        value history_bytes: Size = Size(safe().history_bytes);
        /// The most members that one presence request answers.
        value presence_page: usize = safe().presence_page;
        /// Commands a second that one connection may send, on average.
        value commands_per_second: u32 = safe().commands_per_second;
        /// Commands that one connection may send at once, after a pause.
        value commands_burst: u32 = safe().commands_burst;
        /// Publications a second of one user, over all its connections to a node; 0 for no
        /// limit.
        value user_publications_per_second: u32 = safe().user_publications_per_second;
        /// Publications that one user may send at once, after a pause.
        value user_publications_burst: u32 = safe().user_publications_burst;
        /// Answers owed to a client that does not read, before it is closed.
        value owed_bytes: Size = Size(safe().owed_bytes);
        /// Publications that a channel's log keeps for readers who are behind.
        value log_publications: usize = safe().log_publications;
        /// Bytes that a channel's log keeps for readers who are behind.
        value log_bytes: Size = Size(safe().log_bytes);
        /// Bytes after which a stream or forever frame ends, so that its browser can free what it
        /// has; 0 for never.
        value stream_bytes: Size = Size(safe().stream_bytes);
        /// How long a client may take to say `connect`.
        value connect_timeout: Duration = safe().connect_timeout;
        /// How long a connection that takes no bytes is kept.
        value write_timeout: Duration = safe().write_timeout;
    }
}

section! {
    /// The memory of the whole node.
    Memory {
        /// How much memory the node may take; 0 is three quarters of what the machine or the
        /// container has. Histories take half of it at most. From 65 % of it on, things are given
        /// up one after the other: logs are cut (65 %), newcomers are refused (75 %), clients that
        /// do not take what they are owed are let go (80 %), histories go before their time
        /// (85 %), publications are refused (95 %).
        value budget: Size = Size(0);
    }
}

section! {
    /// The engine.
    Engine {
        /// Which engine, and where. `memory`: this node alone, nothing kept over a restart.
        /// `redis://[user:password@]host[:port][/database]`, `redis-sentinel://host,…/master` or
        /// `redis-cluster://host,…` (`rediss…` with TLS): Redis 7. `nats://[user:password@]host,…`
        /// (`tls://` with TLS): NATS with JetStream; `replicas=3` keeps each history three times,
        /// `storage=memory` not on disk. Nodes with the same address are one cluster;
        /// `?prefix=NAME` keeps several apart.
        value address: EngineAddress = EngineAddress::Memory;
    }
}

section! {
    /// The log.
    Log {
        /// How lines are written: for people, or as JSON objects for machines.
        value format: LogFormat = LogFormat::Text;
        /// From which level on: `error`, `warn`, `info`, `debug` or `trace`; or by module, as
        /// in `info,martlet_server=debug`.
        value level: String = "info".into();
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

words!(LogFormat {
    "text" => LogFormat::Text, LogFormat::Text;
    "json" => LogFormat::Json, LogFormat::Json;
});

words!(Access {
    "anyone" => Access::Anyone, Access::Anyone;
    "users" => Access::Users, Access::Users;
    "granted" => Access::Granted, Access::Granted;
    "backend" => Access::Backend, Access::Backend;
});

words!(Durability {
    "memory" => Durability::Memory, Durability::Memory;
});

words!(Lagging {
    "gap" => Lagging::Gap, Lagging::Gap;
    "close" => Lagging::Close, Lagging::Close;
});

words!(Algorithm {
    "HS256" => Algorithm::HS256, Algorithm::HS256;
    "RS256" => Algorithm::RS256, Algorithm::RS256;
    "ES256" => Algorithm::ES256, Algorithm::ES256;
    "EdDSA" => Algorithm::EdDSA, Algorithm::EdDSA;
});

words!(Scope {
    "publish" => Scope::Publish, Scope::Publish;
    "read" => Scope::Read, Scope::Read;
    "sessions" => Scope::Sessions, Scope::Sessions;
    "all" => Scope::All, Scope::All;
});

impl From<&Namespace> for model::Namespace {
    fn from(options: &Namespace) -> Self {
        Self {
            history_size: options.history_size,
            history_age: options.history_age,
            recovery: options.recovery,
            presence: options.presence,
            join_leave: options.join_leave,
            presence_grace: options.presence_grace,
            subscribe: options.subscribe,
            publish: options.publish,
            history: options.history,
            see_presence: options.see_presence,
            durability: options.durability,
            lagging: options.lagging,
        }
    }
}

impl From<&model::Namespace> for Namespace {
    fn from(options: &model::Namespace) -> Self {
        Self {
            history_size: options.history_size,
            history_age: options.history_age,
            recovery: options.recovery,
            presence: options.presence,
            join_leave: options.join_leave,
            presence_grace: options.presence_grace,
            subscribe: options.subscribe,
            publish: options.publish,
            history: options.history,
            see_presence: options.see_presence,
            durability: options.durability,
            lagging: options.lagging,
        }
    }
}

impl From<&Limits> for model::Limits {
    fn from(limits: &Limits) -> Self {
        Self {
            frame_bytes: limits.frame_bytes.0,
            commands_per_frame: limits.commands_per_frame,
            data_bytes: limits.data_bytes.0,
            name_bytes: limits.name_bytes.0,
            tags: limits.tags,
            channels_per_client: limits.channels_per_client,
            channels_per_node: limits.channels_per_node,
            history_page: limits.history_page,
            history_bytes: limits.history_bytes.0,
            presence_page: limits.presence_page,
            commands_per_second: limits.commands_per_second,
            commands_burst: limits.commands_burst,
            user_publications_per_second: limits.user_publications_per_second,
            user_publications_burst: limits.user_publications_burst,
            owed_bytes: limits.owed_bytes.0,
            log_publications: limits.log_publications,
            log_bytes: limits.log_bytes.0,
            stream_bytes: limits.stream_bytes.0,
            connect_timeout: limits.connect_timeout,
            write_timeout: limits.write_timeout,
        }
    }
}
