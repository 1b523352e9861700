//! The line between a node and its successor: words with something to them, and sockets. Reading
//! and writing block, though not for ever; both sides have a thread for it.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The first byte of the line, with which the sockets come: the version of what follows.
const VERSION: u8 = 1;

/// The most sockets that are handed over.
const SOCKETS_MAX: usize = 64;

/// The longest message.
const MESSAGE_MAX: u32 = 256 * 1024 * 1024;

/// How long the other side is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a successor has read its configuration and asks.
    pub start: Duration,
    /// For every step after that.
    pub step: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { start: Duration::from_secs(30), step: Duration::from_secs(30) }
    }
}

/// Why the line is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other process has ended, or wants no more of it.
    #[error("the other side is gone")]
    Gone,
    /// It was waited for long enough.
    #[error("the other side took too long")]
    Late,
    /// It said something else than it should have.
    #[error("the other side says what makes no sense: {0}")]
    Nonsense(String),
    /// The operating system does not let it through.
    #[error(transparent)]
    System(io::Error),
}

impl Broken {
    /// Something that makes no sense.
    pub fn nonsense(what: impl ToString) -> Self {
        Self::Nonsense(what.to_string())
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        match error.kind() {
            UnexpectedEof | BrokenPipe | ConnectionReset => Self::Gone,
            WouldBlock | TimedOut => Self::Late,
            _ => Self::System(error),
        }
    }
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    /// To the successor: by which addresses the sockets were opened.
    Sockets = b'L',
    /// To the node: everything else is wanted.
    Ask = b'A',
    /// To the successor: this is coming.
    Begin = b'B',
    /// To the successor: a piece of what a worker keeps.
    Piece = b'P',
    /// To the successor: that was all, and this is what has to be told last.
    End = b'E',
    /// To the node: everything is there.
    Ready = b'R',
    /// To the successor: it serves from now on.
    Go = b'G',
    /// To the node: it does.
    Serving = b'S',
}

impl Word {
    const ALL: [Self; 8] = [
        Self::Sockets,
        Self::Ask,
        Self::Begin,
        Self::Piece,
        Self::End,
        Self::Ready,
        Self::Go,
        Self::Serving,
    ];
}

/// One end of the line.
#[derive(Debug)]
pub struct Line(UnixStream);

impl Line {
    /// The line over a stream.
    pub fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Says a word.
    pub fn say(&mut self, word: Word, message: &[u8], patience: Duration) -> Result<(), Broken> {
        let length = u32::try_from(message.len()).ok().filter(|length| *length <= MESSAGE_MAX);
        let length = length.ok_or_else(|| Broken::nonsense("a message is too long"))?;
        self.0.set_write_timeout(Some(patience))?;
        let mut head = [word as u8, 0, 0, 0, 0];
        head[1..].copy_from_slice(&length.to_le_bytes());
        self.0.write_all(&head)?;
        Ok(self.0.write_all(message)?)
    }

    /// Hears a word.
    pub fn hear(&mut self, patience: Duration) -> Result<(Word, Vec<u8>), Broken> {
        self.0.set_read_timeout(Some(patience))?;
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [word, length @ ..] = head;
        let word = Word::ALL.into_iter().find(|known| *known as u8 == word);
        let word = word.ok_or_else(|| Broken::nonsense("an unknown word"))?;
        let length = u32::from_le_bytes(length);
        if length > MESSAGE_MAX {
            return Err(Broken::nonsense("a message is too long"));
        }
        // Room is made for what comes, not for what is announced.
        let mut message = Vec::new();
        let read = (&self.0).take(length.into()).read_to_end(&mut message)?;
        if read < length as usize { Err(Broken::Gone) } else { Ok((word, message)) }
    }

    /// Hears this word.
    pub fn expect(&mut self, expected: Word, patience: Duration) -> Result<Vec<u8>, Broken> {
        match self.hear(patience)? {
            (word, message) if word == expected => Ok(message),
            (word, _) => Err(Broken::nonsense(format!("{word:?} instead of {expected:?}"))),
        }
    }

    /// Sends sockets.
    pub fn send<'a>(
        &mut self,
        sockets: impl Iterator<Item = &'a TcpListener>,
        patience: Duration,
    ) -> Result<(), Broken> {
        let sockets: Vec<BorrowedFd<'_>> = sockets.map(TcpListener::as_fd).collect();
        self.0.set_write_timeout(Some(patience))?;
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut beside = SendAncillaryBuffer::new(&mut room);
        if sockets.len() > SOCKETS_MAX || !beside.push(SendAncillaryMessage::ScmRights(&sockets)) {
            let error = format!("{} sockets are more than can be handed over", sockets.len());
            return Err(Broken::System(io::Error::other(error)));
        }
        let version = [IoSlice::new(&[VERSION])];
        sendmsg(&self.0, &version, &mut beside, SendFlags::NOSIGNAL).map_err(io::Error::from)?;
        Ok(())
    }

    /// Receives them.
    pub fn receive(&mut self, patience: Duration) -> Result<Vec<TcpListener>, Broken> {
        self.0.set_read_timeout(Some(patience))?;
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut beside = RecvAncillaryBuffer::new(&mut room);
        let mut version = [0];
        let mut slices = [IoSliceMut::new(&mut version)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let heard = recvmsg(&self.0, &mut slices, &mut beside, flags).map_err(io::Error::from)?;
        match (heard.bytes, version) {
            (0, _) => return Err(Broken::Gone),
            (_, [VERSION]) => {}
            (_, [other]) => return Err(Broken::nonsense(format!("version {other}"))),
        }
        let sockets = beside.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => sockets.collect::<Vec<OwnedFd>>(),
            _ => Vec::new(),
        });
        Ok(sockets.map(TcpListener::from).collect())
    }
}
