//! The two connections to one Redis: one that asks, one that listens. They are opened and given up
//! together: what is asked and what is heard has to be of the same server.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, PushInfo, RedisError, RedisResult, Value};
use tokio::sync::mpsc;

use super::Settings;
use super::settings::Kind;
use super::topology::Topology;

/// The functions, and what the server calls them.
const LIBRARY: &str = include_str!("library.lua");
const LIBRARY_NAME: &str = "martlet_1";

/// How long a server may take to be connected to, and to answer. A server that takes longer is
/// taken to be gone.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(3);

/// A host and a port.
pub(super) type Host = (String, u16);

/// Connections to one Redis.
pub(super) struct Link {
    asking: MultiplexedConnection,
    listening: MultiplexedConnection,
    /// What the server says by itself.
    pub pushes: mpsc::UnboundedReceiver<PushInfo>,
}

impl Link {
    /// Connects, makes sure that it is a server that may be written to, and gives it the functions.
    pub async fn open(settings: &Settings, host: &Host) -> RedisResult<Self> {
        let client = Client::open(settings.connection(host, false))?;
        let (pushed, pushes) = mpsc::unbounded_channel();
        let mut asking = client.get_multiplexed_async_connection_with_config(&config()).await?;
        let listens = config().set_push_sender(pushed);
        let listening = client.get_multiplexed_async_connection_with_config(&listens).await?;
        check_master(&mut asking).await?;
        give_library(&mut asking).await?;
        look_at_memory(&mut asking).await;
        Ok(Self { asking, listening, pushes })
    }

    /// Sends a command when it is polled first; so the order of commands is that of polling.
    pub fn ask(&self, command: Cmd) -> impl Future<Output = RedisResult<Value>> + use<> {
        let mut asking = self.asking.clone();
        async move { asking.send_packed_command(&command).await?.extract_error() }
    }

    /// Listens to channels by one of the subscribing commands, or no more; ends when the server
    /// does so.
    pub fn listen(
        &self,
        what: &str,
        channels: &[String],
    ) -> impl Future<Output = RedisResult<()>> + use<> {
        let (mut listening, count) = (self.listening.clone(), channels.len());
        let mut command = redis::pipe();
        command.cmd(what).arg(channels);
        async move {
            let answers = listening.send_packed_commands(&command, 0, count).await?;
            answers.into_iter().try_for_each(|answer| answer.extract_error().map(drop))
        }
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
}

async fn check_master(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let role: Vec<Value> = redis::cmd("ROLE").query_async(connection).await?;
    match role.first() {
        Some(Value::BulkString(role)) if role != b"master" => {
            Err(refused("it is no master", String::from_utf8_lossy(role).into_owned()))
        }
        _ => Ok(()),
    }
}

async fn give_library(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut list = redis::cmd("FUNCTION");
    list.arg("LIST").arg("LIBRARYNAME").arg(LIBRARY_NAME).arg("WITHCODE");
    let known: Value = list.query_async(connection).await?;
    if has_code(&known) {
        return Ok(());
    }
    let mut load = redis::cmd("FUNCTION");
    load.arg("LOAD").arg("REPLACE").arg(LIBRARY);
    load.query_async(connection).await
}

/// Whether somewhere in an answer there is the library as it is here.
fn has_code(value: &Value) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == LIBRARY.as_bytes(),
        Value::VerbatimString { text, .. } => text == LIBRARY,
        Value::Array(values) => values.iter().any(has_code),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| has_code(value)),
        _ => false,
    }
}

/// A server that throws away what it has no room for throws away histories, without a word.
async fn look_at_memory(connection: &mut MultiplexedConnection) {
    let info: RedisResult<String> = redis::cmd("INFO").arg("memory").query_async(connection).await;
    let info = info.unwrap_or_default();
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    let policy = field("maxmemory_policy:").unwrap_or("noeviction");
    if field("maxmemory:").is_some_and(|max| max != "0") && policy != "noeviction" {
        tracing::warn!(policy, "Redis may evict histories: set maxmemory-policy to noeviction");
    }
}

fn refused(what: &'static str, detail: String) -> RedisError {
    RedisError::from((redis::ErrorKind::Client, what, detail))
}

/// Finds the server to connect to for what is in a slot: the one, the one that sentinels say is the
/// master, or the one of a cluster.
pub(super) async fn find(settings: &Settings, slot: u16) -> RedisResult<Host> {
    match &settings.kind {
        Kind::Single => {
            settings.hosts.first().cloned().ok_or_else(|| refused("no host", String::new()))
        }
        Kind::Sentinel { master } => ask_sentinels(settings, master).await,
        Kind::Cluster => {
            let topology = ask_cluster(settings).await?;
            let host = topology.host_of(slot).cloned();
            host.ok_or_else(|| refused("no server of the cluster has the slot", slot.to_string()))
        }
    }
}

async fn ask_sentinels(settings: &Settings, master: &str) -> RedisResult<Host> {
    let mut ask = redis::cmd("SENTINEL");
    ask.arg("get-master-addr-by-name").arg(master);
    let found: Option<Host> = ask_any(settings, &ask, true).await?;
    found.ok_or_else(|| refused("the sentinels know no master of this name", master.to_owned()))
}

/// Asks a cluster who has which slots.
pub(super) async fn ask_cluster(settings: &Settings) -> RedisResult<Topology> {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("SLOTS");
    let answer: Value = ask_any(settings, &ask, false).await?;
    Topology::read(&answer)
        .ok_or_else(|| refused("the cluster's slots cannot be read", String::new()))
}

/// Asks the first of the hosts that answers.
async fn ask_any<T: redis::FromRedisValue>(
    settings: &Settings,
    question: &Cmd,
    sentinels: bool,
) -> RedisResult<T> {
    let mut last = refused("no host", String::new());
    for host in &settings.hosts {
        let client = Client::open(settings.connection(host, sentinels))?;
        let answer = async {
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config()).await?;
            question.query_async(&mut connection).await
        };
        match answer.await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}
