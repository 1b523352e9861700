//! Successors that do not serve: the node goes on, and says why there is none.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::house::{House, runs, without_variables};
use crate::cluster::process::until;
use crate::program::MARTLET;

#[tokio::test]
async fn a_node_goes_on_without_a_successor_and_says_why() {
    let mut house = House::open();
    let node = house.serving();
    assert_eq!(house.publish("a", "1").await, 1);
    let configuration = house.file("martlet.toml");
    let good = std::fs::read_to_string(&configuration).unwrap();
    // The configuration on the disk is wrong.
    std::fs::write(&configuration, "[limits]\nframe_byts = 1").unwrap();
    house.hand_over_in_vain().await;
    assert_eq!(house.publish("a", "2").await, 2);
    assert!(house.said().contains("did you mean frame_bytes"), "the successor says what is wrong");
    assert!(house.said().contains("exit status: 2"), "and the node that it has ended");
    std::fs::write(&configuration, &good).unwrap();
    // The program is another: one that ends at once, one that speaks another language, none.
    for program in ["#!/bin/sh\nexit 7\n", "#!/bin/sh\necho hello >&0\nsleep 600\n"] {
        house.replace_program(Some(program));
        house.hand_over_in_vain().await;
    }
    std::fs::remove_file(house.file("martlet")).unwrap();
    house.hand_over_in_vain().await;
    assert!(house.said().contains("exit status: 7"));
    assert_eq!(house.times("what makes no sense"), 1);
    assert_eq!(house.publish("a", "3").await, 3);
    // And then all is well again.
    std::fs::write(house.file("martlet"), "").unwrap();
    house.replace_program(None);
    house.hand_over().await;
    until("the node before has gone", async || !runs(node)).await;
    assert_eq!(house.publish("a", "3").await, 3, "a repeat");
    assert_eq!(house.publish("a", "4").await, 4);
}

#[tokio::test]
async fn a_second_signal_meanwhile_is_ignored() {
    let mut house = House::open();
    house.replace_program(Some(&format!("#!/bin/sh\nsleep 1\nexec {MARTLET} \"$@\"\n")));
    house.signal("-USR2");
    until("it begins", async || house.times("handing over") == 1).await;
    house.signal("-USR2");
    until("it is ignored", async || house.times("a hand-over is under way already") == 1).await;
    until("a successor serves", async || house.times("a successor serves") == 1).await;
    let heir = super::house::processes(&house.said(), "a successor serves")[0];
    house.mind(heir);
    assert_eq!(house.times("handing over"), 1);
    house.publish("a", "1").await;
}

#[tokio::test]
async fn a_node_that_is_stopped_meanwhile_takes_its_successor_with_it() {
    let mut house = House::open();
    house.replace_program(Some("#!/bin/sh\nexec sleep 600\n"));
    house.signal("-USR2");
    until("it begins", async || house.times("handing over") == 1).await;
    let heir = super::house::processes(&house.said(), "handing over")[0];
    house.signal("-TERM");
    house.mind(heir);
    until("both end", async || house.first_mut().ended() && !runs(heir)).await;
}

/// Started as a successor, with somebody at the other end of the line who is no node.
#[test]
fn a_successor_does_not_begin_with_garbage() {
    for garbage in [&b""[..], b"\x01", b"hello, this is no node\n", &[b'L'; 1000], &[1; 1000]] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut ours, garbage).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut command = Command::new(MARTLET);
        without_variables(&mut command);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("_MARTLET_SUCCEEDS", "1");
        let output = command.stdin(Stdio::from(OwnedFd::from(theirs))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the node before did not hand over"), "{said}");
        assert!(!said.contains("listening on"), "{said}");
    }
}
