//! What can go wrong for a user of this crate, each with a sentence and a hint. The server's own
//! refusals keep their code.

use std::time::Duration;

use martlet_core::model::{ChannelName, Close, Code, Refusal};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server said no.
    #[error("{}", .0.message)]
    Refused(Box<Refused>),
    /// The address given is not one.
    #[error("{0:?} is not the address of a server")]
    Address(String),
    /// The text given is not a channel name.
    #[error("{0}")]
    Channel(martlet_core::model::ChannelNameError),
    /// The data given cannot be made JSON.
    #[error("the data cannot be written as JSON: {0}")]
    Data(String),
    /// The server cannot be reached.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// The server.
        address: String,
        /// What the system says.
        why: String,
    },
    /// The connection ended without a word.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server answers in a way that no martlet server does.
    #[error("the answer is not one of a martlet server: {0}")]
    Foreign(String),
    /// Something between here and the server answered that it should be tried later.
    #[error("the answer with HTTP status {status} is to come back in {} s", after.as_secs())]
    Later {
        /// The HTTP status.
        status: u16,
        /// When to try again.
        after: Duration,
    },
    /// Nothing was heard in time.
    #[error("{0} did not come in time")]
    Timeout(&'static str),
    /// More waits to be sent than the options allow.
    #[error("too much is waiting to be sent")]
    Full,
    /// This client follows the channel already.
    #[error("this client follows {0} already")]
    AlreadySubscribed(ChannelName),
    /// The application's source of tokens failed.
    #[error("no token could be had: {0}")]
    Token(String),
    /// The certificate or key settings cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The client was closed by its owner.
    #[error("the client is closed")]
    Closed,
}

/// The server's refusal, or its reason to end a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The number, as in the table of codes.
    pub code: u16,
    /// The code's name.
    pub name: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The channel it is about.
    pub channel: Option<ChannelName>,
    /// Whether the same may succeed later.
    pub temporary: bool,
    /// When to try again.
    pub after: Option<Duration>,
}

impl Refused {
    /// The refusal of `channel`, or of the whole.
    pub fn new(channel: Option<ChannelName>, refusal: &Refusal) -> Self {
        Self {
            code: refusal.code.number(),
            name: refusal.code.name().into(),
            message: refusal.message(),
            hint: refusal.code.hint().into(),
            channel,
            temporary: refusal.code.temporary(),
            after: refusal.after,
        }
    }

    /// Whether this is `code`.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.number()
    }
}

impl From<&Close> for Refused {
    fn from(close: &Close) -> Self {
        Self {
            code: close.code.number(),
            name: close.code.name().into(),
            message: close.reason(),
            hint: close.code.hint().into(),
            channel: None,
            temporary: close.reconnect(),
            after: close.after,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl Error {
    /// The server's code, if it was the server that said no.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refused) => Code::from_number(refused.code),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(refused) => &refused.hint,
            Self::Address(_) => "give it as http://HOST:PORT or https://HOST",
            Self::Channel(_) => "use 1 to 255 bytes without blanks, such as news or room:1",
            Self::Data(_) => "numbers must be finite and map keys texts",
            Self::Unreachable { .. } => "check the address, and that the server runs there",
            Self::Lost(_) => "it is tried again by itself, unless the client was closed",
            Self::Foreign(_) => "check that the address leads to martlet and not to another server",
            Self::Later { .. } => {
                "it is tried again by itself; look at what stands before the server"
            }
            Self::Timeout(_) => "look at the network and at the server's load, then try again",
            Self::Full => "wait for earlier publications to be answered, or raise the limit",
            Self::AlreadySubscribed(_) => "drop the first subscription, or share its events",
            Self::Token(_) => "look at the source of tokens",
            Self::Tls(_) => "give PEM files, and a fingerprint as 64 hexadecimal digits",
            Self::Closed => "make a new client",
        }
    }

    /// Whether the same may succeed later.
    pub fn temporary(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.temporary,
            Self::Unreachable { .. } | Self::Lost(_) | Self::Timeout(_) | Self::Later { .. } => {
                true
            }
            Self::Full | Self::Token(_) => true,
            _ => false,
        }
    }
}
