//! The Rust client of martlet: follows channels, publishes, and comes back by itself.
//!
//! [`Client`] is a live connection for programs that follow channels; [`Api`] is the backend's
//! side, one HTTP request for each call. Neither knows the server's code: what they share with it
//! are the nouns of `martlet-core` and the codec of `martlet-protocol`.
//!
//! Inside, [`session`] is a pure state machine (time and randomness are passed in) that decides
//! everything; `driver` is the task that carries out what it decides; `transport` moves frames.
//!
//! ```no_run
//! # async fn example() -> Result<(), martlet_client::Error> {
//! use martlet_client::{Client, Message, Options, SubscribeOptions};
//!
//! let client = Client::connect("http://127.0.0.1:8000", Options::default())?;
//! let mut news = client.subscribe("news", SubscribeOptions::default()).await?;
//! client.publish("news", Message::json(&"hello")?).await?;
//! let publication = news.publication().await;
//! # Ok(()) }
//! ```

mod address;
mod api;
mod client;
mod codec;
mod driver;
mod error;
pub mod fuzz;
mod http;
mod message;
mod options;
pub mod session;
mod states;
mod subscription;
mod tls;
mod token;
mod transport;

pub use address::Address;
pub use api::{Api, ApiOptions, ChannelInfo, Channels, DrainPlan, DrainProgress};
pub use client::Client;
pub use error::{Error, Refused};
pub use message::{Message, unique};
pub use options::{HistoryQuery, Options, SubscribeOptions, Transport, Wire};
pub use session::{Connection, State, SubscriptionEvent};
pub use states::States;
pub use subscription::Subscription;
pub use tls::{Fingerprint, Tls};
pub use token::{TokenRequest, TokenSource};

pub use martlet_core::model::{
    Appended, ChannelName, ClientId, Code, Cursor, Data, Epoch, Gap, GapReason, Position,
    Publication, PublicationId, Publisher, UnixMillis, UserId,
};
pub use martlet_core::session::{HistoryPage, Member, Start, Subscribed};
