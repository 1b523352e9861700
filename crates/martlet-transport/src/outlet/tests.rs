//! Both kinds of outlet look the same from the sweep.

use std::net::SocketAddr;

use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::body;
use crate::stream::SocketOptions;

async fn stream() -> (TcpStream, Outlet) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(any).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let server = accepted.expect("a connection").0.into_std().expect("a socket");
    let stream = Stream::plain(server, &SocketOptions::default()).expect("a socket");
    (client.expect("a connection"), Outlet::Stream(Rc::new(stream)))
}

async fn write_and_end(outlet: &Outlet) {
    outlet.writable().await.expect("it is connected");
    let slices = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    assert_eq!(outlet.try_write(&slices).expect("room"), 7);
    outlet.shutdown();
    let ended = outlet.try_write(&slices).expect_err("ended");
    assert_eq!(ended.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_stream_is_written_to_and_ended() {
    let (mut client, outlet) = stream().await;
    write_and_end(&outlet).await;
    let mut seen = String::new();
    client.read_to_string(&mut seen).await.expect("sent and ended");
    assert_eq!(seen, "one two");
    let ((), ()) = tokio::join!(outlet.closed(), async { drop(client) });
}

#[tokio::test]
async fn a_body_is_written_to_and_ended() {
    let (writer, body) = body::pipe(100);
    let outlet = Outlet::Body(Rc::new(writer));
    write_and_end(&outlet).await;
    let seen = body.collect().await.expect("ended properly").to_bytes();
    assert_eq!(seen, "one two");
    outlet.closed().await;
}
