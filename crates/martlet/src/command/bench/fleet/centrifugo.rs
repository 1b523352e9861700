//! What a node of Centrifugo is told: its Redis engine, channels with history and recovery, and
//! the two options for memory that its documentation gives. As bench/peers/centrifugo-history.toml,
//! with another engine, by variables of the environment.
//!
//! https://centrifugal.dev/docs/server/engines has the engine,
//! https://centrifugal.dev/docs/server/history_and_recovery how much a channel keeps.

/// Variables, and their values.
pub fn environment(port: u16, redis: &str, key: &str) -> Vec<(String, String)> {
    let address = format!("redis://{redis}");
    let port = port.to_string();
    let all = [
        ("HTTP_SERVER_ADDRESS", "127.0.0.1"),
        ("HTTP_SERVER_PORT", &port),
        ("HTTP_API_KEY", key),
        ("LOG_LEVEL", "error"),
        ("ENGINE_TYPE", "redis"),
        ("ENGINE_REDIS_ADDRESS", &address),
        ("WEBSOCKET_USE_WRITE_BUFFER_POOL", "true"),
        ("WEBSOCKET_READ_BUFFER_SIZE", "512"),
        ("CLIENT_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN", "true"),
        ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_CLIENT", "true"),
        ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_ANONYMOUS", "true"),
        ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_PUBLISH_FOR_CLIENT", "true"),
        ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_PUBLISH_FOR_ANONYMOUS", "true"),
        ("CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE", "100"),
        ("CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL", "5m"),
        ("CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY", "true"),
    ];
    let named = |(name, value): (&str, &str)| (format!("CENTRIFUGO_{name}"), value.to_owned());
    all.into_iter().map(named).collect()
}
