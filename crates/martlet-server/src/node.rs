//! A node: its threads and its listeners. Its end is in `stopping`.
//!
//! Each worker has a thread of its own with a runtime that never leaves it. One more thread
//! accepts connections and deals them out in turn, and fetches keys.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

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
use crate::config::{EngineAddress, Settings, Tls as TlsSettings};
use crate::doors::{Entrance, Site};
use crate::drain::{Stage, reached};
use crate::engine::{Far, engine};
use crate::handover::{self, Beginning, Broken, Gate, Giver, Listeners};
use crate::identity::Verifier;
use crate::mail::{self, Mail, Mailboxes, Post};
use crate::memory::Memory;
use crate::random;
use crate::rates::UserRates;
use crate::revoked::Revoked;
use crate::worker::{Common, Worker};

mod stopping;

/// How long connections without a session get to end by themselves when the node stops.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// About how many letters a worker takes in at once.
const LETTERS: usize = 256;

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
    /// A socket that was passed in is not one to accept connections from.
    #[error("socket {number} of those that were passed in cannot be used: {error}")]
    Passed {
        /// Which one, from 0.
        number: usize,
        /// What is wrong with it.
        error: io::Error,
    },
    /// A socket that was passed in is open to other machines, and everything to everybody.
    #[error(
        "without a configuration everything is open to everybody, so the server does not listen \
         on {0}, which was passed in"
    )]
    Open(SocketAddr),
    /// The node before did not hand over.
    #[error("the node before did not hand over: {0}")]
    Left(#[from] Broken),
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
    giver: Giver,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    /// Its place among other nodes, if there can be any.
    member: Option<Membership>,
}

impl Node {
    /// Binds the addresses and starts the threads. When this returns, the node serves.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        Self::begin(settings, Beginning::anew(Listeners::open(settings)?))
    }

    /// The same with what may come from elsewhere.
    pub fn begin(settings: &Settings, beginning: Beginning) -> Result<Self, StartError> {
        let Beginning { listeners, mut heritage, open } = beginning;
        let mut stores = heritage.take_stores(settings).into_iter();
        let addresses = listeners.addresses()?;
        let (boxes, letters): (Vec<_>, Vec<_>) =
            (0..settings.workers).map(|_| mpsc::unbounded_channel()).unzip();
        let memory = Arc::new(Memory::new(settings.memory_budget, settings.workers));
        let mailboxes = Mailboxes::new(boxes, heritage.seed, Arc::clone(&memory));
        let tls = tls(settings)?;
        let gate = Gate::new(open);
        let mut threads = Vec::new();
        let node = NodeId::new(random::bits() as u32);
        let revoked = Arc::new(heritage.revoked(settings.grant_lifetime));
        let shared = (listeners.share()?, gate.clone(), mailboxes.clone());
        let giver = Giver::new(shared, &heritage, Arc::clone(&revoked), stores.len() > 0);
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
        let secret = member.as_ref().map_or(&heritage.secret, |member| &member.secret);
        let common = common(settings, heritage.clock, secret, reach.clone(), revoked, memory);
        let site = Arc::new(Site::new(settings, mailboxes.clone(), about, reach, tls));
        for (number, letters) in letters.into_iter().enumerate() {
            let number = LaneId(number as u16);
            let site = Arc::clone(&site);
            let post = Post::new(mailboxes.clone());
            let common = common.clone();
            let (address, store) = (settings.engine.clone(), stores.next());
            threads.push(spawn(format!("martlet-worker-{}", number.0), move || async move {
                let (engine, far) = engine(&address, node, store);
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
            accept(listeners, mailboxes, verifier, (gate, stages))
        })?);
        Ok(Self { site, giver, addresses, threads, member })
    }

    /// Lets a node accept that was begun closed.
    pub fn open(&self) {
        self.giver.gate.open();
    }

    /// What it can give to a successor.
    pub fn giver(&self) -> io::Result<Giver> {
        self.giver.share()
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
}

/// What all workers share. `secret` signs grants if none is configured.
fn common(
    settings: &Settings,
    clock: Clock,
    secret: &[u8],
    reach: Reach,
    revoked: Arc<Revoked>,
    memory: Arc<Memory>,
) -> Common {
    let configured = settings.grant_secret.as_ref().map(|secret| secret.0.as_bytes());
    let grant_key = GrantKey::new(configured.unwrap_or(secret));
    Common {
        node: reach.others().node(),
        reach,
        clock,
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
        memory,
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
    let turning = Rc::clone(&entrance);
    tokio::task::spawn_local(vital("turnstile", async move { turning.turn().await }));
    while let Some(mut batch) = letters.recv().await {
        let mut weight = weight_of(&batch);
        while weight < LETTERS
            && let Ok(more) = letters.try_recv()
        {
            weight += weight_of(&more);
            batch.extend(more);
        }
        worker.memory().taken(worker.id(), mail::bytes_of(&batch));
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
    listeners: Listeners,
    mailboxes: Mailboxes,
    verifier: Arc<Verifier>,
    (gate, stages): (Gate, watch::Receiver<Stage>),
) {
    tokio::task::spawn_local(verifier.keep_fresh());
    tokio::task::spawn_local(Arc::clone(mailboxes.memory()).watch());
    let loops = listeners.into_sockets().enumerate().map(|(offset, listener)| {
        let (mailboxes, gate, stages) = (mailboxes.clone(), gate.clone(), stages.clone());
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = accept_from(listener, offset, mailboxes, gate) => {}
                () = reached(stages, Stage::Ending) => {}
            }
        })
    });
    for accepting in loops.collect::<Vec<_>>() {
        if let Err(error) = accepting.await {
            tracing::error!(%error, "accepting ended");
        }
    }
}

/// Accepts whenever the gate is open.
async fn accept_from(listener: TcpListener, mut next: usize, mailboxes: Mailboxes, gate: Gate) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "accepting did not begin"),
    };
    let mut deal = |socket, _| {
        next = (next + 1) % mailboxes.workers();
        // A worker that is gone takes the connection with it.
        let _ = mailboxes.send(LaneId(next as u16), vec![Mail::Socket(socket)]);
    };
    gate.while_open(async |open| {
        listen::accept(&listener, &mut deal, handover::closed(open)).await
    })
    .await;
}
