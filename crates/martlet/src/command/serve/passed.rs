//! Listening sockets that were passed in by whoever started the program, as systemd does it:
//! `LISTEN_FDS` of them, for the process with the number `LISTEN_PID`.

use std::net::TcpListener;

use listenfd::ListenFd;

use crate::failure::Failure;

/// Takes them; none if nobody passed any.
pub fn sockets() -> Result<Vec<TcpListener>, Failure> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::with_capacity(passed.len());
    for number in 0..passed.len() {
        let taken = passed.take_tcp_listener(number).map_err(|error| {
            let failure = format!("socket {number} that was passed in cannot be used: {error}");
            Failure::wrong(failure).hint("only sockets that listen for TCP, as by ListenStream=")
        })?;
        sockets.extend(taken);
    }
    Ok(sockets)
}
