//! Names and places as texts: what can be read is written and read the same again.

use martlet_core::model::ClientId;
use martlet_core::model::{ChannelName, Cursor, Epoch, PublicationId, SessionKey, UserId};
use martlet_core::session::Pattern;

/// A cursor, and each of its positions looked up.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(cursor) = Cursor::parse(text) else { return };
    let written = cursor.to_string();
    assert!(written.is_ascii(), "a cursor goes through a header");
    assert!(!written.contains(['\r', '\n', '\0', ' ']), "a cursor is one word");
    assert_eq!(Cursor::parse(&written), Ok(cursor.clone()));
    for (channel, _) in cursor.iter().take(64) {
        assert!(cursor.position(channel).is_some());
    }
}

/// Names of channels, patterns, users, clients, sessions and publications.
pub fn channel(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = ChannelName::parse(text) {
        assert_eq!(name.as_str(), text, "a name is kept as it is");
        assert!(!text.chars().any(|c| c.is_control() || c.is_whitespace()));
        let _ = name.namespace();
    }
    if let Ok(pattern) = Pattern::parse(text) {
        assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
    }
    let _ = (UserId::parse(text), Epoch::parse(text));
    same(text, ClientId::parse(text));
    same(text, SessionKey::parse(text));
    same(text, PublicationId::parse(text));
}

/// What was read from `text` is written like it, but for the case of its letters.
fn same(text: &str, read: Option<impl std::fmt::Display>) {
    if let Some(read) = read {
        assert_eq!(read.to_string().len(), text.len());
    }
}
