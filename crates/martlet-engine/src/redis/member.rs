//! This node as a member of the cluster, by way of Redis: leases in a sorted set that Redis' own
//! clock judges, messages by plain channels, which a cluster of Redis passes on to all its servers.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::NodeId;
use redis::{Cmd, PushKind, RedisResult, Value};
use tokio::sync::{mpsc, oneshot};

use super::Settings;
use super::keys::{Names, Partition};
use super::link::{Host, Link, find};
use crate::cluster::{Alive, Beat, Cluster, Heard, To, Unreachable};

/// How long something waits for a connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(200);

/// In how many channels of a partition the members of a dead node go by one call.
const REAPED: usize = 16;

/// What the task that has the connection is to do.
enum Wish {
    Ask(Cmd, oneshot::Sender<RedisResult<Value>>),
    Say(Cmd),
}

/// This node.
pub struct Member {
    settings: Settings,
    node: NodeId,
    names: Names,
    wishes: mpsc::UnboundedSender<Wish>,
    first: std::cell::Cell<bool>,
}

/// Joins. The connection is kept by a task of this thread, which has to be a local one.
pub async fn join(settings: Settings, node: NodeId) -> Result<(Member, Heard), Unreachable> {
    let names = Names::new(&settings.prefix);
    let channels = [names.of_node(node), names.of_cluster("all")];
    let (wishes, wished) = mpsc::unbounded_channel();
    let (said, heard) = mpsc::unbounded_channel();
    let link = open(&settings, &channels).await.map_err(unreachable)?;
    tokio::task::spawn_local(keep(settings.clone(), channels, Some(link), wished, said));
    let first = std::cell::Cell::new(true);
    Ok((Member { settings, node, names, wishes, first }, heard))
}

fn unreachable(error: impl ToString) -> Unreachable {
    Unreachable(error.to_string())
}

async fn open(settings: &Settings, channels: &[String]) -> RedisResult<Link> {
    let slot = Partition::of_cluster().slot();
    let link = Link::open(settings, &find(settings, slot).await?).await?;
    link.listen("SUBSCRIBE", channels).await?;
    Ok(link)
}

/// Keeps a connection, and uses it.
async fn keep(
    settings: Settings,
    channels: [String; 2],
    mut link: Option<Link>,
    mut wished: mpsc::UnboundedReceiver<Wish>,
    said: mpsc::UnboundedSender<Bytes>,
) {
    loop {
        if let Some(link) = &mut link
            && serve(link, &mut wished, &said).await
        {
            return;
        }
        link = open(&settings, &channels).await.ok();
        if link.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
        if wished.is_closed() {
            return;
        }
    }
}

/// Uses a connection until it breaks; says whether nobody wishes for anything any more.
async fn serve(
    link: &mut Link,
    wished: &mut mpsc::UnboundedReceiver<Wish>,
    said: &mpsc::UnboundedSender<Bytes>,
) -> bool {
    loop {
        tokio::select! {
            wish = wished.recv() => match wish {
                None => return true,
                Some(Wish::Say(command)) => {
                    let sent = link.ask(command);
                    tokio::task::spawn_local(async move {
                        // What was said to nobody is not said again.
                        let _ = sent.await;
                    });
                }
                Some(Wish::Ask(command, reply)) => {
                    let answer = link.ask(command).await;
                    let broken = answer.as_ref().is_err_and(|error| {
                        error.is_io_error() || error.is_timeout() || error.code() == Some("READONLY")
                    });
                    // Whoever asked may have given up.
                    let _ = reply.send(answer);
                    if broken {
                        return false;
                    }
                }
            },
            push = link.pushes.recv() => match push {
                Some(push) if push.kind == PushKind::Message => {
                    if let Some(Value::BulkString(what)) = push.data.into_iter().nth(1) {
                        let _ = said.send(what.into());
                    }
                }
                Some(push) if push.kind == PushKind::Disconnection => return false,
                Some(_) => {}
                None => return false,
            }
        }
    }
}

impl Member {
    async fn ask(&self, command: Cmd) -> Result<Value, Unreachable> {
        let (reply, answer) = oneshot::channel();
        let gone = || Unreachable("the connection's task has ended".into());
        self.wishes.send(Wish::Ask(command, reply)).map_err(|_| gone())?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| Unreachable("no answer in time".into()))?;
        answer.map_err(|_| gone())?.map_err(unreachable)
    }

    fn call(&self, function: &str, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("FCALL");
        command.arg(function).arg(keys.len());
        keys.iter().for_each(|key| {
            command.arg(self.names.of_cluster(key));
        });
        command
    }

    /// Has the members of a dead node go, and then the node forgotten.
    async fn reap(&self, dead: &str) -> RedisResult<()> {
        let Some(node) = NodeId::parse(dead) else { return Ok(()) };
        let mut last: Option<(Host, Link)> = None;
        for partition in Partition::all() {
            let host = find(&self.settings, partition.slot()).await?;
            let link = match last.take().filter(|(at, _)| *at == host) {
                Some((_, link)) => link,
                None => Link::open(&self.settings, &host).await?,
            };
            loop {
                let mut reap = redis::cmd("FCALL");
                reap.arg("martlet_reap_1").arg(1).arg(self.names.members_at(partition, node));
                reap.arg(dead).arg(self.names.beginning('w', partition));
                reap.arg(self.names.beginning('l', partition)).arg(REAPED);
                if link.ask(reap).await? == Value::Int(0) {
                    break;
                }
            }
            last = Some((host, link));
        }
        let mut forget = redis::cmd("SREM");
        forget.arg(self.names.of_cluster("dying")).arg(dead);
        self.ask(forget).await.map(drop).or(Ok(()))
    }
}

impl Cluster for Member {
    async fn beat(&self, lease: Duration, about: Bytes) -> Result<Beat, Unreachable> {
        let mut beat = self.call("martlet_beat_1", &["leases", "abouts", "dying"]);
        beat.arg(self.node.to_string()).arg(lease.as_millis() as u64).arg(&about[..]);
        beat.arg(u8::from(self.first.get()));
        let answer = self.ask(beat).await?;
        let unreadable = || Unreachable("the answer cannot be read".into());
        let (beat, dying) = read_beat(answer).ok_or_else(unreadable)?;
        self.first.set(false);
        // One node does it; if that one dies over it, it is another's turn.
        if beat.alive.first().is_some_and(|first| first.node == self.node) {
            for dead in dying {
                self.reap(&dead).await.map_err(unreachable)?;
                tracing::info!(node = dead, "a node is gone, and so are its members");
            }
        }
        Ok(beat)
    }

    async fn agree(&self, name: &str, proposal: Bytes) -> Result<Bytes, Unreachable> {
        let mut propose = redis::cmd("SET");
        propose.arg(self.names.of_cluster(name)).arg(&proposal[..]).arg("NX").arg("GET");
        match self.ask(propose).await? {
            Value::BulkString(agreed) => Ok(agreed.into()),
            _ => Ok(proposal),
        }
    }

    fn say(&self, to: To, what: Bytes) {
        let mut command = redis::cmd("PUBLISH");
        command.arg(match to {
            To::Node(node) => self.names.of_node(node),
            To::All => self.names.of_cluster("all"),
        });
        command.arg(&what[..]);
        // Without a task this node is ending.
        let _ = self.wishes.send(Wish::Say(command));
    }

    async fn leave(&self, grace: Duration) -> Result<(), Unreachable> {
        let mut leave = self.call("martlet_leave_1", &["leases", "abouts"]);
        leave.arg(self.node.to_string()).arg(grace.as_millis() as u64);
        self.ask(leave).await.map(drop)
    }
}

/// Whether the node was forgotten; how many live, and for each its name and what it says; and then
/// the names of the dead.
fn read_beat(answer: Value) -> Option<(Beat, Vec<String>)> {
    let Value::Array(values) = answer else { return None };
    let mut values = values.into_iter();
    let (Value::Int(forgotten), Value::Int(count)) = (values.next()?, values.next()?) else {
        return None;
    };
    let mut text = || match values.next()? {
        Value::BulkString(bytes) => Some(Bytes::from(bytes)),
        _ => None,
    };
    let mut alive = Vec::new();
    for _ in 0..count {
        let (name, about) = (text()?, text()?);
        // Another version may name its nodes otherwise.
        let node = std::str::from_utf8(&name).ok().and_then(NodeId::parse);
        alive.extend(node.map(|node| Alive { node, about }));
    }
    alive.sort_by_key(|alive| alive.node);
    let dying = std::iter::from_fn(text).filter_map(|name| String::from_utf8(name.into()).ok());
    let dying = dying.collect();
    Some((Beat { alive, forgotten: forgotten == 1 }, dying))
}
