//! Three servers that keep three copies of everything: the promises, and what is left of them
//! when a server dies.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use martlet_engine::nats::{Settings, Storage};
use martlet_sim::contract::keep_all_promises;
use tempfile::TempDir;

use super::server::{program, there_is_a_server};
use super::site::Nats;
use super::world::World;

/// How long three servers may take to agree on a leader.
const AGREEING: Duration = Duration::from_secs(20);

struct Three {
    servers: Vec<Child>,
    ports: Vec<u16>,
    routes: Vec<u16>,
    directory: TempDir,
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Three {
    fn start() -> Self {
        let ports: Vec<_> = (0..3).map(|_| free()).collect();
        let routes: Vec<_> = (0..3).map(|_| free()).collect();
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut three = Self { servers: Vec::new(), ports, routes, directory };
        three.servers = (0..3).map(|number| three.begin(number)).collect();
        three.wait();
        three
    }

    fn begin(&self, number: usize) -> Child {
        let route = |port: &u16| format!("nats://127.0.0.1:{port}");
        let routes: Vec<_> = self.routes.iter().map(route).collect();
        let name = format!("s{number}");
        let log = std::fs::File::create(self.directory.path().join(format!("{name}.log"))).unwrap();
        Command::new(program().unwrap())
            .args(["-js", "-a", "127.0.0.1", "--cluster_name", "three", "--server_name", &name])
            .args(["-p", &self.ports[number].to_string(), "--cluster", &routes[number]])
            .args(["--routes", &routes.join(","), "-sd"])
            .arg(self.directory.path().join(name))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits until one of them leads the others.
    fn wait(&self) {
        let log =
            |n: usize| std::fs::read_to_string(self.directory.path().join(format!("s{n}.log")));
        let leads = |n: usize| log(n).is_ok_and(|log| log.contains("new metadata leader"));
        let end = Instant::now() + AGREEING;
        while !(0..3).any(leads) {
            assert!(Instant::now() < end, "the servers do not agree");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// To be used beginning with this server.
    fn settings(&self, first: usize) -> Settings {
        let address = |n: usize| format!("nats://127.0.0.1:{}", self.ports[(first + n) % 3]);
        let addresses: Vec<_> = (0..3).map(address).collect();
        let settings = Settings::parse(&addresses.join(",")).unwrap();
        Settings { replicas: 3, storage: Storage::Memory, ..settings }
    }
}

impl Drop for Three {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It may have ended.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[test]
fn three_servers_keep_every_promise_and_lose_nothing_with_one_of_them() {
    if !there_is_a_server() {
        return;
    }
    let mut three = Three::start();
    assert!(keep_all_promises(&mut Nats::new(three.settings(0))) >= 26);
    let mut world = World::new([three.settings(0), three.settings(1), three.settings(2)]);
    world.begin();
    world.publish_for(Duration::from_secs(1));
    for number in 0..2 {
        three.servers[number].kill().unwrap();
        three.servers[number].wait().unwrap();
        world.publish_for(Duration::from_secs(3));
        world.settle();
        three.servers[number] = three.begin(number);
        world.publish_for(Duration::from_secs(3));
    }
    world.settle();
    let (accepted, missing) = world.check();
    assert!(accepted > 100, "{accepted} were accepted");
    eprintln!("two of three servers died: {accepted} accepted, {} gaps told", world.jumps());
    // A copy that is behind for a moment may look like a loss, of which a gap is told.
    assert_eq!(missing, 0, "of {accepted}");
}
