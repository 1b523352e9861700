//! A way to a server that takes its time: what goes through it, either way, arrives later.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::process::local;

/// A way that can be made slower.
pub struct Delay {
    port: u16,
    millis: Arc<AtomicU64>,
}

impl Delay {
    /// A way to the server on this port, as fast as any.
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(local(0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let millis = Arc::<AtomicU64>::default();
        let shared = Arc::clone(&millis);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(local(server)).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(carry(near_in, far_out, Arc::clone(&shared)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&shared)));
            }
        });
        Self { port, millis }
    }

    /// From now on everything takes so long.
    pub fn set(&self, delay: Duration) {
        self.millis.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Carries bytes, in order, each when its time has come.
async fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    millis: Arc<AtomicU64>,
) -> io::Result<()> {
    let (put, mut taken) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut room = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut room).await {
            let late = Duration::from_millis(millis.load(Ordering::Relaxed));
            if put.send((Instant::now() + late, room[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    while let Some((at, bytes)) = taken.recv().await {
        tokio::time::sleep_until(at).await;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}
