//! The WebSocket link: one frame per message, both ways.

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use martlet_core::model::{Close, Code};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use super::{Dialer, Incoming, Outgoing, PARTING, advice_of};
use crate::error::{Error, Refused};
use crate::http::{refusal, root};
use crate::options::Wire;
use crate::session::Advice;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The buffer that a connection keeps for reading; larger messages grow it for a while.
const READ_BUFFER: usize = 16 * 1024;

/// Carries frames until the link is over, and says why it is.
pub async fn run(
    dialer: &Dialer,
    first: Bytes,
    outgoing: mpsc::Receiver<Outgoing>,
    incoming: &mpsc::Sender<Incoming>,
) -> (Error, Advice) {
    let socket = match open(dialer).await {
        Ok(socket) => socket,
        Err(error) => {
            let advice = advice_of(&error);
            return (error, advice);
        }
    };
    let (sink, stream) = socket.split();
    tokio::select! {
        over = read(stream, incoming) => over,
        over = write(sink, dialer.wire, first, outgoing) => over,
    }
}

async fn open(dialer: &Dialer) -> Result<Socket, Error> {
    let address = dialer.http.address();
    let unreachable = |why: String| Error::Unreachable { address: address.authority().into(), why };
    let mut request = address
        .websocket("/v1/ws")
        .into_client_request()
        .map_err(|_| Error::Address(address.authority().into()))?;
    let protocol = HeaderValue::from_static(match dialer.wire {
        Wire::Json => "martlet.v1.json",
        Wire::Proto => "martlet.v1.proto",
    });
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let tcp = TcpStream::connect((address.host(), address.port())).await;
    let tcp = tcp.map_err(|error| unreachable(error.to_string()))?;
    // Small frames go at once; a system that cannot do that only makes them later.
    let _ = tcp.set_nodelay(true);
    let connector = Some(Connector::Rustls(dialer.tls.clone()));
    let limits = Some(limits(dialer.frame_bytes));
    let opened =
        tokio_tungstenite::client_async_tls_with_config(request, tcp, limits, connector).await;
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(refusal(response.status(), response.headers(), body))
        }
        Err(error @ tungstenite::Error::Protocol(_)) => Err(Error::Foreign(error.to_string())),
        Err(error) => Err(unreachable(root(&error))),
    }
}

fn limits(frame_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(frame_bytes))
        .max_frame_size(Some(frame_bytes))
}

async fn read(
    mut stream: SplitStream<Socket>,
    incoming: &mpsc::Sender<Incoming>,
) -> (Error, Advice) {
    let given_up = (Error::Closed, Advice::Never);
    loop {
        let item = match stream.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Frame(Bytes::from(text)),
            Some(Ok(Message::Binary(bytes))) => Incoming::Frame(bytes),
            Some(Ok(Message::Close(close))) => return closed(close),
            Some(Ok(_)) => Incoming::Heard,
            Some(Err(error)) => return (Error::Lost(root(&error)), Advice::None),
            None => return (Error::Lost("the server ended it".into()), Advice::None),
        };
        if incoming.send(item).await.is_err() {
            return given_up;
        }
    }
}

/// What a close frame says. The server's last event has usually said it before, in more words.
fn closed(close: Option<CloseFrame>) -> (Error, Advice) {
    let Some(CloseFrame { code, reason }) = close else {
        return (Error::Lost("the server ended it without a reason".into()), Advice::None);
    };
    let number = u16::from(code);
    let known = Code::from_number(number).filter(|_| number >= 3000);
    let why = match known {
        Some(code) => Refused::from(&Close::from(code)).into(),
        None => Error::Lost(format!("close code {number} {reason}")),
    };
    (why, Advice::of_close_code(number))
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    wire: Wire,
    first: Bytes,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> (Error, Advice) {
    let mut next = Some(first);
    while let Some(frame) = next {
        if let Err(error) = sink.send(message(wire, frame)).await {
            // What the server said before it closed is still being read; it knows better why.
            tokio::time::sleep(PARTING).await;
            return (Error::Lost(root(&error)), Advice::None);
        }
        next = outgoing.recv().await.map(|outgoing| outgoing.frame);
    }
    // The other side learns that this was meant; if it is gone already, so much the better.
    let _ = sink.send(Message::Close(None)).await;
    (Error::Closed, Advice::Never)
}

fn message(wire: Wire, frame: Bytes) -> Message {
    match wire {
        Wire::Proto => Message::Binary(frame),
        Wire::Json => match Utf8Bytes::try_from(frame) {
            Ok(text) => Message::Text(text),
            Err(_) => unreachable!("the codec writes JSON as UTF-8"),
        },
    }
}
