//! Where tokens come from when one is missing or about to end: the application's callback.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use martlet_core::model::ChannelName;

/// What a token is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The channel; `None` for the connection itself.
    pub channel: Option<ChannelName>,
}

type Answer = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// The application's source of tokens. It is asked for the first token if none was given, before
/// a token ends, and after the server refused one.
#[derive(Clone)]
pub struct TokenSource(Arc<dyn Fn(TokenRequest) -> Answer + Send + Sync>);

impl TokenSource {
    /// A source that asks `ask`.
    pub fn new<F, E>(ask: impl Fn(TokenRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self(Arc::new(move |request| {
            let answer = ask(request);
            Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
        }))
    }

    /// Asks for one token.
    pub(crate) fn ask(&self, request: TokenRequest) -> Answer {
        (self.0)(request)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}
