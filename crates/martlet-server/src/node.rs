//! A node: its threads, its listeners, and its end.
//!
//! Each worker has a thread of its own with a runtime that never leaves it. One more thread
//! accepts connections and deals them out in turn, and fetches keys.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use martlet_core::hub::LaneId;
use martlet_core::model::NodeId;
use martlet_core::session::{GrantKey, Rules};
use martlet_engine::cluster::Unreachable;
use martlet_transport::listen;
use martlet_transport::tls::{Tls, TlsFault, development_certificate};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::cluster::{self, About, Membership, Others, Reach};
use crate::config::{Elsewhere, EngineAddress, Settings, Tls as TlsSettings};
use crate::doors::{Entrance, Site};
use crate::drain::{Plan, Stage, reached};
use crate::engine::{Far, engine};
use crate::identity::Verifier;
use crate::mail::{Mail, Mailboxes, Post};
use crate::random;
use crate::rates::UserRates;
use crate::revoked::Revoked;
use crate::worker::{self, Common, Worker};

/// How long connections without a session get to end by themselves when the node stops.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// How often a node that lets its clients go says how many are left.
const REPORT: Duration = Duration::from_secs(5);

/// About how many letters a worker takes in at once.
const LETTERS: usize = 256;

/// How many connections the kernel keeps that have not been accepted.
const BACKLOG: u32 = 4_096;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The engine cannot be reached.
    #[error(transparent)]
    Engine(#[from] Unreachable),
    /// The operating system gives no thread or runtime.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A running node. Dropping it does not stop it; [`stop`](Self::stop) does.
pub struct Node {
    site: Arc<Site>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    /// Its place among other nodes, if there can be any.
    member: Option<Membership>,
}

impl Node {
    /// Binds the addresses and starts the threads. When this returns, the node serves.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let listeners =
            settings.listen.iter().map(|at| bind(*at)).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<_> =
            listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let (boxes, letters): (Vec<_>, Vec<_>) =
            (0..settings.workers).map(|_| mpsc::unbounded_channel()).unzip();
        let mailboxes = Mailboxes::new(boxes, random::bits());
        let tls = tls(settings)?;
        let mut threads = Vec::new();
        let node = NodeId::new(random::bits() as u32);
        let revoked = Arc::new(Revoked::new(settings.grant_lifetime));
        let about =
            About { address: settings.address.clone(), ..About::of(&addresses, settings.workers) };
        let (others, member) = match &settings.engine {
            EngineAddress::Memory => (Others::none(node), None),
            engine => {
                let (others, joining) =
                    cluster::begin(engine, node, about.clone(), &mailboxes, &revoked)?;
                (others, Some(joining))
            }
        };
        let reach = Reach::new(mailboxes.clone(), others);
        let secret = member.as_ref().map(|member| member.secret.clone());
        let common = common(settings, secret, reach.clone(), revoked);
        let site = Arc::new(Site::new(settings, mailboxes.clone(), about, reach, tls));
        for (number, letters) in letters.into_iter().enumerate() {
            let number = LaneId(number as u16);
            let site = Arc::clone(&site);
            let post = Post::new(mailboxes.clone());
            let common = common.clone();
            let address = settings.engine.clone();
            threads.push(spawn(format!("martlet-worker-{}", number.0), move || async move {
                let (now, limits) = (common.clock.now(), &common.rules.limits);
                let (engine, far) = engine(&address, now, node, limits, post.workers());
                let worker = Worker::new(number, common, post, engine);
                let entrance = Entrance::new(site, Rc::clone(&worker));
                if let Some(Far { inbox, working }) = far {
                    tokio::task::spawn_local(vital("engine", working));
                    let hearing = Rc::clone(&worker).hear_engine(inbox);
                    tokio::task::spawn_local(vital("news", hearing));
                }
                work(worker, letters, Rc::new(entrance)).await;
            })?);
        }
        let verifier = Arc::clone(&common.verifier);
        let stages = site.drain.stages();
        threads.push(spawn("martlet-accept".into(), move || {
            accept(listeners, mailboxes, verifier, stages)
        })?);
        Ok(Self { site, addresses, threads, member })
    }

    /// The addresses it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether connections are encrypted.
    pub fn encrypted(&self) -> bool {
        self.site.tls.is_some()
    }

    /// Reads the certificate files again; the old certificate stays if there is anything wrong.
    pub fn reload_certificate(&self) -> Result<(), TlsFault> {
        self.site.tls.as_ref().map_or(Ok(()), Tls::reload)
    }

    /// Waits until somebody asks by the API that the node be drained.
    pub async fn asked_to_drain(&self) -> Plan {
        self.site.drain.asked().await
    }

    /// Stops without more ado: gives clients who are behind half of `grace` to catch up, tells
    /// every client when to come back, and waits for them to go, but no longer than `grace`. Says
    /// how many had not gone.
    pub async fn stop(self, grace: Duration) -> usize {
        self.drain(Plan::at_once(grace)).await
    }

    /// Lets the clients go and stops: says that it is not ready and sends newcomers elsewhere;
    /// where others serve, waits until that is known and lets the clients go evenly; then accepts
    /// nothing more, tells those who are left when to come back, and waits for them to go, but no
    /// longer than the plan says. Says how many had not gone.
    pub async fn drain(self, plan: Plan) -> usize {
        let left = {
            let letting_go = self.let_go(plan);
            tokio::select! {
                left = letting_go => left,
                never = self.report() => match never {},
            }
        };
        self.site.mailboxes.send_all(|| Mail::Exit);
        if let Some(member) = self.member {
            member.leave().await;
        }
        let joined = tokio::task::spawn_blocking(move || {
            self.threads.into_iter().for_each(|thread| {
                if thread.join().is_err() {
                    tracing::error!("a thread of the node had panicked");
                }
            });
        });
        let _ = joined.await;
        left
    }

    async fn let_go(&self, plan: Plan) -> usize {
        let (site, others) = (&self.site, self.site.reach.others());
        site.drain.begins_with(self.connected().await);
        site.drain.enter(Stage::Waiting);
        others.drain();
        let serving = others.serving();
        let nodes = serving.iter().filter_map(|about| about.address.clone()).collect();
        let elsewhere = worker::Elsewhere { nodes };
        site.mailboxes.send_all(|| Mail::Depart(elsewhere.clone()));
        if plan.elsewhere == Elsewhere::Always || !serving.is_empty() {
            tracing::info!(nodes = serving.len(), "others serve; newcomers are sent to them");
            tokio::time::sleep(plan.wait).await;
            site.drain.enter(Stage::LettingGo);
            // A worker that is gone has no clients.
            let _ = site.mailboxes.ask_all(|done| Mail::LetGo(plan.over, done)).await;
        }
        site.drain.enter(Stage::Ending);
        let all = site.mailboxes.ask_all(|emptied| Mail::Stop(plan.force / 2, emptied));
        let gone = tokio::time::timeout(plan.force, all).await.is_ok();
        if gone { 0 } else { self.connected().await }
    }

    /// Says from time to time how many are still there.
    async fn report(&self) -> Infallible {
        loop {
            tokio::time::sleep(REPORT).await;
            let (left, stage) = (self.connected().await, self.site.drain.stage());
            let of = self.site.drain.began_with();
            tracing::info!(stage = stage.name(), left, of, "clients are let go");
        }
    }

    async fn connected(&self) -> usize {
        let stats = self.site.mailboxes.ask_all(Mail::Stats).await.unwrap_or_default();
        stats.iter().map(|stats| stats.attached).sum()
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    listen::bind(address, BACKLOG).map_err(|error| StartError::Listen { address, error })
}

/// What all workers share. `agreed` is the secret that the nodes of a cluster agreed on.
fn common(
    settings: &Settings,
    agreed: Option<Bytes>,
    reach: Reach,
    revoked: Arc<Revoked>,
) -> Common {
    let grant_key = match (&settings.grant_secret, agreed) {
        (Some(secret), _) => GrantKey::new(secret.0.as_bytes()),
        (None, Some(agreed)) => GrantKey::new(&agreed),
        (None, None) => GrantKey::new(&random::bytes::<32>()),
    };
    Common {
        node: reach.others().node(),
        reach,
        clock: Clock::begin(),
        rules: Arc::new(Rules {
            namespaces: Arc::new(settings.namespaces.clone()),
            limits: settings.limits.clone(),
            anonymous: settings.anonymous,
            ping: settings.ping,
            pong: settings.pong,
            expiry: settings.resume,
            grant_lifetime: settings.grant_lifetime,
            grant_key,
        }),
        verifier: Arc::new(Verifier::new(settings.tokens.clone(), settings.leeway)),
        rates: Arc::new(UserRates::new(&settings.limits)),
        revoked,
        admission: settings.admission,
        handshakes: settings.handshakes,
        age: settings.age,
    }
}

fn tls(settings: &Settings) -> Result<Option<Tls>, StartError> {
    match &settings.tls {
        None => Ok(None),
        Some(TlsSettings::Files { certificate, key }) => {
            Ok(Some(Tls::from_files(certificate, key)?))
        }
        Some(TlsSettings::Development) => {
            let mut names = vec!["localhost".to_owned()];
            names.extend(settings.listen.iter().map(|address| address.ip().to_string()));
            let made = development_certificate(&names)?;
            let hex: String = made.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            tracing::warn!(sha256 = hex, "a development certificate was made; nobody trusts it");
            Ok(Some(Tls::development(&made)?))
        }
    }
}

/// Runs a future on a thread of its own.
pub(crate) fn spawn<F: Future<Output = ()> + 'static>(
    name: String,
    main: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(main()),
            Err(error) => tracing::error!(%error, "a thread has no runtime"),
        }
    })
}

/// The loop of a worker's thread: takes in the mail.
async fn work(
    worker: Rc<Worker>,
    mut letters: mpsc::UnboundedReceiver<Vec<Mail>>,
    entrance: Rc<Entrance>,
) {
    tokio::task::spawn_local(vital("sweep", Rc::clone(&worker).sweep()));
    tokio::task::spawn_local(vital("clockwork", Rc::clone(&worker).keep_time()));
    while let Some(mut batch) = letters.recv().await {
        let mut weight = weight_of(&batch);
        while weight < LETTERS
            && let Ok(more) = letters.try_recv()
        {
            weight += weight_of(&more);
            batch.extend(more);
        }
        let busy = weight >= LETTERS;
        let (own, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|mail| {
            matches!(mail, Mail::Socket(_) | Mail::LetGo(..) | Mail::Stop(..) | Mail::Exit)
        });
        if !rest.is_empty() {
            worker.handle_mail(rest);
        }
        for mail in own {
            match mail {
                Mail::Socket(socket) => {
                    let serving = Rc::clone(&entrance).serve(socket);
                    tokio::task::spawn_local(serving);
                }
                Mail::LetGo(over, done) => {
                    let worker = Rc::clone(&worker);
                    tokio::task::spawn_local(async move {
                        worker.let_go(over).await;
                        // Nobody waits any more when the node was told to stop at once.
                        let _ = done.send(());
                    });
                }
                Mail::Stop(catch_up, emptied) => {
                    tokio::task::spawn_local(tell_when_empty(
                        Rc::clone(&worker),
                        Rc::clone(&entrance),
                        catch_up,
                        emptied,
                    ));
                }
                _ => return,
            }
        }
        if busy {
            // Readers get their turn although there is more: the sweep is a task like this one.
            tokio::task::yield_now().await;
        }
    }
}

fn weight_of(letters: &[Mail]) -> usize {
    letters.iter().map(Mail::weight).sum()
}

/// Runs what a worker cannot be without. A worker that has lost it would look alive and deliver
/// nothing; it is better that the node ends, and that clients come back to another or a new one.
async fn vital(name: &'static str, task: impl Future<Output = ()>) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        tracing::error!(task = name, "a worker has failed for good: the node ends");
        std::process::abort();
    }
}

/// Ends the sessions of a worker, and says when its connections have gone too: answers that are
/// on their way arrive.
async fn tell_when_empty(
    worker: Rc<Worker>,
    entrance: Rc<Entrance>,
    catch_up: Duration,
    emptied: oneshot::Sender<()>,
) {
    worker.stop(catch_up).await;
    // A connection on which nothing is asked is waited for no longer than this.
    let _ = tokio::time::timeout(LAST_BYTES, entrance.emptied()).await;
    // Nobody waits any more when the grace has passed.
    let _ = emptied.send(());
}

/// The loop of the accepting thread.
async fn accept(
    listeners: Vec<TcpListener>,
    mailboxes: Mailboxes,
    verifier: Arc<Verifier>,
    stages: watch::Receiver<Stage>,
) {
    tokio::task::spawn_local(verifier.keep_fresh());
    let loops = listeners.into_iter().enumerate().map(|(offset, listener)| {
        let (mailboxes, stages) = (mailboxes.clone(), stages.clone());
        tokio::task::spawn_local(accept_from(listener, offset, mailboxes, stages))
    });
    for accepting in loops.collect::<Vec<_>>() {
        if let Err(error) = accepting.await {
            tracing::error!(%error, "accepting ended");
        }
    }
}

async fn accept_from(
    listener: TcpListener,
    mut next: usize,
    mailboxes: Mailboxes,
    stages: watch::Receiver<Stage>,
) {
    let deal = |socket, _| {
        next = (next + 1) % mailboxes.workers();
        // A worker that is gone takes the connection with it.
        let _ = mailboxes.send(LaneId(next as u16), vec![Mail::Socket(socket)]);
    };
    if let Err(error) = listen::accept(listener, deal, reached(stages, Stage::Ending)).await {
        tracing::error!(%error, "accepting ended");
    }
}
