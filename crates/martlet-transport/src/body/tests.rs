//! The pipe between a sweep and hyper: bounded, woken, empty when all is fetched.

use std::pin::pin;

use futures_util::FutureExt;
use http_body::Body as _;

use super::*;

fn next(body: &mut Body) -> Option<Result<Bytes, CutOff>> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).now_or_never();
    frame
        .expect("something is there")
        .map(|frame| frame.map(|frame| frame.into_data().expect("there are no trailers")))
}

fn write(writer: &BodyWriter, parts: &[&[u8]]) -> io::Result<usize> {
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    writer.try_write(&slices)
}

#[test]
fn bytes_come_out_as_they_went_in() {
    let (writer, mut body) = pipe(8);
    assert_eq!(write(&writer, &[b"ab", b"", b"cd"]).expect("room"), 4);
    assert_eq!(write(&writer, &[b"efg", b"hij"]).expect("room for four"), 4);
    let full = write(&writer, &[b"x"]).expect_err("no room");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(next(&mut body), Some(Ok(Bytes::from("abcdefgh"))));
    assert_eq!(lock(&writer.shared).waiting.capacity(), 0);
    writer.finish();
    assert_eq!(next(&mut body), None);
    assert_eq!(write(&writer, &[b"x"]).expect_err("ended").kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_writer_that_just_goes_away_is_noticed() {
    let (writer, mut body) = pipe(8);
    write(&writer, &[b"ab"]).expect("room");
    drop(writer);
    assert_eq!(next(&mut body), Some(Ok(Bytes::from("ab"))));
    assert_eq!(next(&mut body), Some(Err(CutOff)));
}

#[tokio::test]
async fn each_side_wakes_the_other() {
    let (writer, mut body) = pipe(2);
    write(&writer, &[b"ab"]).expect("room");
    {
        let mut writable = pin!(writer.writable());
        assert!(writable.as_mut().now_or_never().is_none());
        assert_eq!(next(&mut body), Some(Ok(Bytes::from("ab"))));
        writable.await;
    }
    let reading = async { poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await };
    let writing = async { write(&writer, &[b"c"]) };
    let (frame, written) = tokio::join!(reading, writing);
    assert_eq!(written.expect("room"), 1);
    assert!(frame.is_some());
    let ((), ()) = tokio::join!(writer.closed(), async { drop(body) });
    writer.writable().await;
    assert_eq!(write(&writer, &[b"x"]).expect_err("gone").kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn an_aborted_body_holds_nothing_and_ends_as_an_error() {
    let (writer, mut body) = pipe(8);
    write(&writer, &[b"ab"]).expect("room");
    assert!(writer.ended().now_or_never().is_none());
    writer.abort();
    writer.ended().await;
    assert!(writer.closed().now_or_never().is_none(), "its reader has not heard of it yet");
    assert_eq!(next(&mut body), Some(Err(CutOff)));
    assert_eq!(write(&writer, &[b"c"]).expect_err("ended").kind(), io::ErrorKind::BrokenPipe);
    drop(body);
    writer.closed().await;
}
