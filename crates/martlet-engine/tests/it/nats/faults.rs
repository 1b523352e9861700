//! What is promised while the server dies, stands still, forgets, or cannot be reached.

use std::time::Duration;

use martlet_engine::nats::Storage;

use super::proxy::Proxy;
use super::server::{Server, settings};
use super::world::World;

const WHILE: Duration = Duration::from_millis(700);

fn three(server: &Server, storage: Storage) -> World {
    World::new([server.settings(storage), server.settings(storage), server.settings(storage)])
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_and_begins_again() {
    let Some(mut server) = Server::start() else { return };
    let mut world = three(&server, Storage::File);
    world.begin();
    for _ in 0..2 {
        world.publish_for(WHILE);
        server.kill();
        world.publish_for(WHILE / 3);
        server.begin_again();
        world.publish_for(WHILE);
    }
    world.settle();
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert_eq!((missing, world.jumps()), (0, 0), "of {accepted}");
}

#[test]
fn nothing_is_lost_when_the_server_stands_still_and_it_is_told() {
    let Some(server) = Server::start() else { return };
    let mut world = three(&server, Storage::File);
    world.begin();
    world.publish_for(WHILE);
    server.stop();
    world.publish_for(Duration::from_secs(5));
    assert_eq!((world.silent, world.heard), (1, 0));
    server.go_on();
    world.publish_for(WHILE);
    world.settle();
    world.publish_for(Duration::from_secs(2));
    world.settle();
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert_eq!((missing, world.jumps(), world.heard), (0, 0, 1));
}

#[test]
fn nothing_is_lost_when_connections_are_cut() {
    let Some(server) = Server::start() else { return };
    let proxy = Proxy::before(server.port);
    let cut = || settings(proxy.port, Storage::File);
    let mut world = World::new([cut(), server.settings(Storage::File), cut()]);
    world.begin();
    for round in 0..6 {
        world.publish_for(WHILE / 2);
        proxy.cut(round % 2 == 0);
        world.publish_for(WHILE / 4);
        proxy.cut(false);
    }
    world.settle();
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert_eq!((missing, world.jumps()), (0, 0), "of {accepted}");
}

#[test]
fn what_was_missed_is_heard_though_nothing_comes_after_it() {
    let Some(server) = Server::start() else { return };
    let proxy = Proxy::before(server.port);
    let direct = || server.settings(Storage::File);
    let mut world = World::new([direct(), direct(), settings(proxy.port, Storage::File)]);
    world.begin();
    world.publish_for(WHILE);
    proxy.cut(true);
    world.publish_for(WHILE);
    world.hear_all(|| proxy.cut(false));
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert_eq!((missing, world.jumps()), (0, 0), "of {accepted}");
}

#[test]
fn a_server_that_forgot_everything_is_another_history() {
    let Some(mut server) = Server::start() else { return };
    let mut world = three(&server, Storage::Memory);
    world.begin();
    world.publish_for(WHILE);
    server.kill();
    server.begin_again();
    world.publish_for(WHILE);
    world.settle();
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert_eq!(world.jumps(), 3, "each channel is told once");
    assert!(missing < accepted / 2, "{missing} of {accepted}");
}

#[test]
fn a_server_that_lost_its_newest_is_noticed_and_nothing_is_lost_in_silence() {
    let Some(mut server) = Server::start() else { return };
    let mut world = three(&server, Storage::File);
    world.begin();
    world.publish_for(WHILE);
    server.kill();
    let old = server.copy();
    server.begin_again();
    // Something that the copy does not have.
    let before = world.accepted.len();
    for _ in 0..100 {
        world.publish_for(WHILE / 4);
        if world.accepted.len() > before + 50 {
            break;
        }
    }
    server.kill();
    server.begin_with(&old);
    world.publish_for(WHILE);
    world.settle();
    let (accepted, _) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    assert!((3..=6).contains(&world.jumps()), "each channel is told: {}", world.jumps());
}
