//! The nouns and the machines of martlet, and nothing that touches the world.
//!
//! This crate is pure: it has no clock, no randomness, no lock, no runtime and no wire format.
//! Time is passed in ([`time::Now`]), random bits are passed in, and whatever has to be done
//! outside is returned. That is why the simulator can run the real thing.
//!
//! A state machine here has four kinds of methods and no other:
//! getters (`&self`); `handle_*`, by which the world tells it something (`now` comes first);
//! plain verbs, by which the application asks for something; and `poll_*`, by which it tells the
//! world. After every `handle_*` or verb the caller drains `poll_*` until it returns `None`.
//!
//! Modules are ranked, and a module uses only those before it (a test checks):
//! `model < time < stream < presence < port < session < hub < crowd`.

pub mod crowd;
pub mod hub;
pub mod model;
pub mod port;
pub mod presence;
pub mod session;
pub mod stream;
pub mod time;
