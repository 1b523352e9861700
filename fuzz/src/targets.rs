//! The targets: each takes any bytes, must return, and must not panic. Their bodies are beside
//! the decoders they run, or in the files below where they put several crates together.

use martlet_protocol::fuzz as protocol;

mod conversation;
mod identity;
mod names;
mod pieces;

/// Something that reads bytes of strangers.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its directory of inputs.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&[u8]),
    /// The most memory it may hold at once, in bytes: so much in any case, and so much for each
    /// byte of input. (A JSON reader keeps a few words for each element.)
    pub memory: (usize, usize),
    /// Words that it knows.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "json_command",
        run: protocol::json_command,
        memory: (32 * KIB, 24),
        words: NATIVE,
    },
    Target { name: "json_event", run: protocol::json_event, memory: (32 * KIB, 64), words: NATIVE },
    Target {
        name: "proto_command",
        run: protocol::proto_command,
        memory: (32 * KIB, 64),
        words: &[],
    },
    Target { name: "proto_event", run: protocol::proto_event, memory: (32 * KIB, 128), words: &[] },
    Target {
        name: "plain_query",
        run: protocol::plain_query,
        memory: (32 * KIB, 16),
        words: QUERY,
    },
    Target {
        name: "cursor",
        run: names::cursor,
        memory: (16 * KIB, 32),
        words: &["~", ".", "%", "zzzzzzzz"],
    },
    Target { name: "channel", run: names::channel, memory: (16 * KIB, 8), words: NAMES },
    Target { name: "grant", run: identity::grant, memory: (32 * KIB, 64), words: &[] },
    Target { name: "token", run: identity::token, memory: (64 * KIB, 64), words: CLAIMS },
    Target { name: "claims", run: identity::claims, memory: (64 * KIB, 64), words: CLAIMS },
    Target { name: "key_set", run: identity::key_set, memory: (64 * KIB, 96), words: KEYS },
    Target { name: "config", run: identity::config, memory: (1024 * KIB, 512), words: CONFIG },
    Target {
        name: "transcript",
        run: protocol::transcript,
        memory: (16 * KIB, 32),
        words: &["> ", "< ", "+25s"],
    },
    Target { name: "websocket", run: pieces::websocket, memory: (256 * KIB, 32), words: &[] },
    Target { name: "http1_head", run: pieces::http1_head, memory: (64 * KIB, 8), words: HTTP },
    Target {
        name: "http1_chunks",
        run: pieces::http1_chunks,
        memory: (16 * KIB, 4),
        words: &["\r\n", "0\r\n\r\n", ";", "ffffffff"],
    },
    Target {
        name: "event_stream",
        run: pieces::event_stream,
        memory: (64 * KIB, 24),
        words: &["data:", "id:", "\r\n", "\n\n", "\u{feff}"],
    },
    Target {
        name: "conversation",
        run: conversation::run,
        memory: (256 * KIB, 512),
        words: NATIVE,
    },
];

const KIB: usize = 1024;

const NATIVE: &[&str] = &[
    "\"connect\":",
    "\"subscribe\":",
    "\"unsubscribe\":",
    "\"publish\":",
    "\"history\":",
    "\"presence\":",
    "\"ping\":{}",
    "\"refresh\":",
    "\"channel\":\"news\"",
    "\"epoch\":\"00000001\"",
    "\"offset\":",
    "\"since\":",
    "\"limit\":",
    "\"data\":",
    "\"bytes\":",
    "\"tags\":{",
    "\"key\":",
    "\"id\":1,",
    "\\u0000",
    "\\ud800",
    "\\u2028",
    "</script>",
    "null",
    "true",
    "[[[[",
    "}}}}",
    "\n",
];

const QUERY: &[&str] = &[
    "channel=",
    "cursor=",
    "since=",
    "token=",
    "envelope=true",
    "&",
    "%00",
    "%e2%80%a8",
    "%",
    "+",
    "lastEventId=",
    "Bearer ",
    "\n",
];

const NAMES: &[&str] = &[":", "*", "\u{2028}", "\u{200b}", "\u{202e}", "\u{61c}", "\u{feff}", "а"];

const CLAIMS: &[&str] = &[
    "\"sub\":",
    "\"exp\":",
    "\"nbf\":",
    "\"aud\":",
    "\"iss\":",
    "\"channel\":",
    "\"channels\":",
    "\"permissions\":",
    "\"info\":",
    "\"alg\":\"none\"",
    "\"crit\":",
    "\"kid\":",
    "null",
    "[",
    "{",
];

const KEYS: &[&str] = &[
    "\"keys\":",
    "\"kty\":\"RSA\"",
    "\"kty\":\"EC\"",
    "\"kty\":\"oct\"",
    "\"kty\":\"OKP\"",
    "\"crv\":\"P-256\"",
    "\"alg\":",
    "\"use\":\"enc\"",
    "\"kid\":",
    "\"n\":",
    "\"x\":",
    "AAAA",
];

const CONFIG: &[&str] = &[
    "[server]",
    "[limits]",
    "[[auth.tokens]]",
    "[channels.default]",
    "[channels.namespace.a]",
    "listen = ",
    "\"64KiB\"",
    "\"90s\"",
    "\"\"\"",
    "'''",
    "[[",
    "]]",
    "= [",
    "\n",
    "#",
    ".",
];

const HTTP: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "Host: a\r\n",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "; client_max_window_bits=",
    "\"",
    "\\",
    "Origin: https://example.org\r\n",
    "\r\n\r\n",
    "\t",
    ",",
];
