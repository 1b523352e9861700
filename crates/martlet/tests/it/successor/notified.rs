//! What systemd is told, at a socket that the test owns.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::house::House;
use crate::cluster::process::PATIENCE;

fn hear(socket: &UnixDatagram) -> Vec<String> {
    let mut room = [0; 4096];
    let length = socket.recv(&mut room).expect("it is told in time");
    String::from_utf8_lossy(&room[..length]).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_what_happens() {
    let mut own = None;
    let mut house = House::open_with(|command, folder| {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        command.env("NOTIFY_SOCKET", &path);
        own = Some(socket);
    });
    let socket = own.unwrap();
    assert_eq!(hear(&socket), ["READY=1"]);
    for _ in 0..2 {
        house.hand_over().await;
        let begun = hear(&socket);
        assert_eq!(begun[0], "RELOADING=1");
        let usec = begun[1].strip_prefix("MONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().is_ok(), "{usec}");
        let succeeded = hear(&socket);
        let process = format!("MAINPID={}", house.serving());
        assert_eq!(succeeded[..2], [process, "READY=1".to_owned()]);
    }
    // A successor that fails is no end of the service.
    house.replace_program(Some("#!/bin/sh\nexit 1\n"));
    house.hand_over_in_vain().await;
    assert_eq!(hear(&socket)[0], "RELOADING=1");
    assert_eq!(hear(&socket)[0], "READY=1");
    house.signal("-TERM");
    assert_eq!(hear(&socket), ["STOPPING=1"]);
    // The nodes before have nothing to say: they are not the service any more.
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err());
}
