//! The suite of promises, as the engine is used and with every read asked of the leader.

use martlet_engine::nats::{Settings, Storage};
use martlet_sim::contract::keep_all_promises;

use super::server::Server;
use super::site::Nats;

#[test]
fn the_engine_on_nats_keeps_every_promise() {
    let Some(server) = Server::start() else { return };
    assert!(keep_all_promises(&mut Nats::new(server.settings(Storage::File))) >= 26);
}

#[test]
fn a_server_that_keeps_all_in_memory_keeps_every_promise() {
    let Some(server) = Server::start() else { return };
    let settings = Settings { prefix: "another".into(), ..server.settings(Storage::Memory) };
    assert!(keep_all_promises(&mut Nats::new(settings)) >= 26);
}
