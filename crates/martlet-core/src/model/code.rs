//! The one table of all refusals and closes: number, name, sentence, hint, HTTP status, and what
//! the other side should do. Docs and the TypeScript constants are generated from it.
//!
//! Refusals (1000–1999) answer one command; the connection lives. Closes end a connection and
//! double as WebSocket close codes: 3000–3499 say "come back", 3500–3999 say "do not".

use std::fmt;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// One command was not done. Sending it again will not help until something changes.
    Refusal,
    /// One command was not done, but may be the next time.
    Temporary,
    /// The connection ends; the client comes back.
    CloseAndReturn,
    /// The connection ends; the client stays away until its application acts.
    CloseForGood,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $kind:ident, $status:literal, $name:literal, $message:literal, $hint:literal;)*) => {
        /// Every code there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $message] $(#[$doc])* $variant,)* }

        impl Code {
            /// All codes, by rising number.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The number on the wire.
            pub const fn number(self) -> u16 { match self { $(Code::$variant => $number,)* } }

            /// What the code is for.
            pub const fn kind(self) -> CodeKind { match self { $(Code::$variant => CodeKind::$kind,)* } }

            /// The HTTP status that goes with it.
            pub const fn http_status(self) -> u16 { match self { $(Code::$variant => $status,)* } }

            /// The name in code and docs.
            pub const fn name(self) -> &'static str { match self { $(Code::$variant => $name,)* } }

            /// What happened, as a sentence.
            pub const fn message(self) -> &'static str { match self { $(Code::$variant => $message,)* } }

            /// What to do about it, as a sentence.
            pub const fn hint(self) -> &'static str { match self { $(Code::$variant => $hint,)* } }
        }
    };
}

codes! {
    Internal = 1000, Temporary, 500, "internal", "The server failed at this.", "Try again; if it persists, look at the server's log.";
    Malformed = 1001, Refusal, 400, "malformed", "The frame or body could not be read.", "Send one JSON object, or one Protobuf message, of the documented form for each command.";
    UnknownCommand = 1002, Refusal, 400, "unknown_command", "There is no such command.", "See the list of commands in the protocol reference.";
    NotConnected = 1003, Refusal, 409, "not_connected", "The first command must be connect.", "Send connect, alone or as the first of several commands in the frame.";
    AlreadyConnected = 1004, Refusal, 409, "already_connected", "This connection has said connect already.", "Send connect once for each connection.";
    FrameTooLarge = 1005, Refusal, 413, "frame_too_large", "The frame or body is larger than the limit.", "Send less at once, or raise limits.frame_bytes.";
    TooManyCommands = 1006, Refusal, 400, "too_many_commands", "There are more commands in the frame than the limit.", "Send fewer at once, or raise limits.commands_per_frame.";
    NotFound = 1007, Refusal, 404, "not_found", "There is nothing at this address.", "See /v1/openapi.json for what there is.";
    MethodNotAllowed = 1008, Refusal, 405, "method_not_allowed", "This address does not answer that method.", "The Allow header lists the methods it answers.";
    UnknownSession = 1009, Refusal, 404, "unknown_session", "There is no session with this key on this node.", "Connect again; the cursor brings what was missed.";
    UnsupportedProtocol = 1010, Refusal, 400, "unsupported_protocol", "The server does not speak this protocol.", "Ask for martlet.v1.json, or over WebSocket for martlet.v1.proto too.";
    RequestInvalid = 1011, Refusal, 400, "request_invalid", "This is not a request that HTTP allows.", "Correct the client, or the proxy between.";
    HeadTooLarge = 1012, Refusal, 431, "head_too_large", "The request's headers are larger or more than the limit.", "Send fewer and smaller headers; large cookies are the usual cause.";
    AddressTooLong = 1013, Refusal, 414, "address_too_long", "The address of the request is longer than the limit.", "Send the data in a body instead of the query.";
    RequestTimeout = 1014, Temporary, 408, "request_timeout", "The request did not arrive in time.", "Send it again, at once and whole.";
    UpgradeRequired = 1015, Refusal, 426, "upgrade_required", "This address is for WebSocket, version 13.", "Open it as a WebSocket; a proxy between must pass the Upgrade header on.";
    CallbackInvalid = 1016, Refusal, 400, "callback_invalid", "The callback is missing or is no plain name.", "Name a function by letters, digits, _ and $, joined by dots: at most 64 characters.";
    EngineUnavailable = 1017, Temporary, 503, "engine_unavailable", "The engine behind this node cannot be reached, or did not answer.", "Try again; a publication with the same idempotency_key is published once.";
    Overloaded = 1018, Temporary, 503, "overloaded", "The node is short of memory.", "Try again after the time given; if it persists, raise memory.budget or add nodes.";

    TokenMissing = 1100, Refusal, 401, "token_missing", "A token is needed here.", "Connect with a token, or allow anonymous clients in the namespace.";
    TokenInvalid = 1101, Refusal, 401, "token_invalid", "The token is not valid.", "Check its signature, algorithm, audience and issuer against the server's configuration.";
    TokenExpired = 1102, Refusal, 401, "token_expired", "The token has expired.", "Get a new token and try again.";
    TokenEarly = 1103, Refusal, 401, "token_early", "The token is not valid yet.", "Check nbf and the clock of the machine that made the token.";
    TokenMismatch = 1104, Refusal, 403, "token_mismatch", "The token is for another user or channel.", "Ask for a token for this user and this channel.";
    GrantInvalid = 1105, Refusal, 401, "grant_invalid", "The grant is not one of this server, or has been altered.", "Connect with a token instead.";
    GrantExpired = 1106, Refusal, 401, "grant_expired", "The grant has expired.", "Connect with a token instead.";
    KeyInvalid = 1107, Refusal, 401, "key_invalid", "The API key is missing or unknown.", "Send a configured key as Authorization: Bearer KEY.";
    KeyNotAllowed = 1108, Refusal, 403, "key_not_allowed", "The API key does not permit this.", "Use a key whose scopes include the operation.";
    OriginDenied = 1109, Refusal, 403, "origin_denied", "Pages of this origin may not connect.", "Add the origin to server.origins.";
    KeysUnavailable = 1110, Temporary, 503, "keys_unavailable", "The keys that tokens are checked with could not be fetched.", "Try again; if it persists, look at the server's log.";

    ChannelInvalid = 1200, Refusal, 400, "channel_invalid", "This is not a channel name.", "Use 1 to 255 bytes without blanks and control characters.";
    NamespaceUnknown = 1201, Refusal, 404, "namespace_unknown", "No namespace has this prefix.", "Configure the namespace, or correct the channel's prefix.";
    SubscribeDenied = 1202, Refusal, 403, "subscribe_denied", "You may not follow this channel.", "Ask for a token that permits it, or open the namespace's subscribe option.";
    PublishDenied = 1203, Refusal, 403, "publish_denied", "You may not publish in this channel.", "Ask for a token that permits it, or open the namespace's publish option.";
    HistoryDenied = 1204, Refusal, 403, "history_denied", "You may not read this channel's history.", "Ask for a token that permits it, or open the namespace's history option.";
    PresenceDenied = 1205, Refusal, 403, "presence_denied", "You may not see who is in this channel.", "Ask for a token that permits it, or open the namespace's see_presence option.";
    PresenceOff = 1206, Refusal, 409, "presence_off", "This channel does not keep presence.", "Turn presence on in the namespace.";
    HistoryOff = 1207, Refusal, 409, "history_off", "This channel keeps no history.", "Set history_size in the namespace.";
    AlreadySubscribed = 1208, Refusal, 409, "already_subscribed", "This client follows the channel already.", "Subscribe once for each connection; publications come in one stream.";
    NotSubscribed = 1209, Refusal, 409, "not_subscribed", "This client does not follow the channel.", "Subscribe first.";
    TooManyChannels = 1210, Refusal, 409, "too_many_channels", "This client follows as many channels as the limit allows.", "Unsubscribe from some, or raise limits.channels_per_client.";
    NodeFull = 1211, Temporary, 503, "node_full", "The node keeps as many channels as the limit allows.", "Try again later, or raise limits.channels_per_node.";
    CursorInvalid = 1212, Refusal, 400, "cursor_invalid", "The cursor could not be read.", "Send back a cursor exactly as it was received, or none to start at the present.";
    SinceInvalid = 1213, Refusal, 400, "since_invalid", "The time in since could not be read.", "Give Unix milliseconds, or an age such as 90s, 10m or 2h.";
    SubscriptionEnded = 1214, Refusal, 403, "subscription_ended", "The backend ended this subscription.", "Ask the application why.";

    DataTooLarge = 1300, Refusal, 413, "data_too_large", "The data is larger than the limit.", "Publish a link to it instead, or raise limits.data_bytes.";
    DataInvalid = 1301, Refusal, 400, "data_invalid", "The data is neither JSON nor base64 bytes.", "Put JSON into data, or base64 into bytes, and only one of the two.";
    NameInvalid = 1302, Refusal, 400, "name_invalid", "The name, ref, tag or idempotency key is too long or has control characters.", "Shorten it, or raise limits.name_bytes.";
    TooManyTags = 1303, Refusal, 400, "too_many_tags", "There are more tags than the limit allows.", "Send fewer, or raise limits.tags.";
    RateLimited = 1304, Temporary, 429, "rate_limited", "Too many commands or publications in a short time.", "Wait as long as the answer says, then go on.";
    BatchTooLarge = 1305, Refusal, 413, "batch_too_large", "There are more operations in the batch than the limit allows.", "Split the batch.";

    Shutdown = 3000, CloseAndReturn, 503, "shutdown", "The node is stopping.", "Come back after the time given; the cursor brings what was missed.";
    PongMissing = 3001, CloseAndReturn, 408, "pong_missing", "The client did not answer a ping.", "Come back; if it happens often, look at the network or raise heartbeat.pong.";
    Slow = 3002, CloseAndReturn, 408, "slow", "The client read too slowly.", "Come back; the cursor brings what was missed.";
    Lagged = 3003, CloseAndReturn, 408, "lagged", "The client fell behind and the channel keeps no history.", "Come back and load the state anew.";
    Replaced = 3004, CloseAndReturn, 409, "replaced", "Another connection took over this session.", "Nothing, if the other one is yours.";
    ConnectTimeout = 3005, CloseAndReturn, 408, "connect_timeout", "The client did not say connect in time.", "Send connect as the first command.";
    Failed = 3006, CloseAndReturn, 500, "failed", "The server failed.", "Come back; if it persists, look at the server's log.";
    Expired = 3007, CloseAndReturn, 401, "expired", "The token expired while connected.", "Come back with a new token; refresh in time to avoid this.";
    Reconnect = 3008, CloseAndReturn, 503, "reconnect", "The backend asked this client to connect again.", "Come back; the cursor brings what was missed.";
    StreamFull = 3009, CloseAndReturn, 503, "stream_full", "The answer is as long as one answer may be.", "Come back at once; the cursor goes on where this ends.";
    Aged = 3010, CloseAndReturn, 503, "aged", "The connection is as old as connections get here.", "Come back at once; the cursor brings what was missed.";
    Busy = 3011, CloseAndReturn, 503, "busy", "The node takes in as many clients as it can just now.", "Come back after the time given.";
    Shed = 3012, CloseAndReturn, 503, "shed", "The node is short of memory and lets this client go.", "Come back after the time given; the cursor brings what was missed.";

    BadFrame = 3500, CloseForGood, 400, "bad_frame", "The client sent what the protocol forbids.", "Correct the client.";
    Unauthorized = 3501, CloseForGood, 401, "unauthorized", "The client was refused.", "The error before the close says why.";
    Disconnected = 3502, CloseForGood, 403, "disconnected", "The backend ended this connection.", "Ask the application why.";
    FloodedCommands = 3503, CloseForGood, 429, "flooded", "The client kept sending over its limit.", "Correct the client, or raise limits.commands_per_second.";
    LargeFrame = 3504, CloseForGood, 413, "large_frame", "The client sent a frame larger than the limit.", "Send less at once, or raise limits.frame_bytes.";
}

impl Code {
    /// The code with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// Whether the same command may succeed later, or the client should come back by itself.
    pub fn temporary(self) -> bool {
        matches!(self.kind(), CodeKind::Temporary | CodeKind::CloseAndReturn)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.number(), self.name(), self.message())
    }
}

/// One command that was not done: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// What exactly was wrong, where the code's sentence does not say enough.
    pub detail: Option<Box<str>>,
    /// When to try again.
    pub after: Option<Duration>,
}

impl Refusal {
    /// A refusal with a detail, such as the offending name or figure.
    pub fn because(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self { code, detail: Some(detail.into()), after: None }
    }

    /// A refusal that says when to try again.
    pub fn until(code: Code, after: Duration) -> Self {
        Self { code, detail: None, after: Some(after) }
    }

    /// The sentence for people: the code's, and the detail.
    pub fn message(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} ({detail})", self.code.message()),
            None => self.code.message().into(),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, detail: None, after: None }
    }
}

/// The end of a connection: why, and when to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why; it also says whether to come back.
    pub code: Code,
    /// What exactly happened, where the code's sentence does not say enough.
    pub detail: Option<Box<str>>,
    /// How long to wait before coming back; `None` leaves it to the client's backoff.
    pub after: Option<Duration>,
    /// The address of a node to come back to, such as `https://b.example.com:8000`; `None` for
    /// the address that the client knows.
    pub node: Option<Box<str>>,
}

impl Close {
    /// Whether the client is to come back by itself.
    pub fn reconnect(&self) -> bool {
        self.code.kind() == CodeKind::CloseAndReturn
    }

    /// The sentence for people: the code's, and the detail.
    pub fn reason(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} ({detail})", self.code.message()),
            None => self.code.message().into(),
        }
    }
}

impl From<Code> for Close {
    fn from(code: Code) -> Self {
        Self { code, detail: None, after: None, node: None }
    }
}
