//! What backends ask: every address with good requests and with bad ones. That the answers are
//! what the description says is checked by [`Http`] itself.

mod keys;
mod publishing;
mod reading;
mod sessions;

use serde_json::{Value, json};

use crate::http::Http;
use crate::node::TestNode;

/// A node with namespaces of several kinds, and a client of its API that may do everything.
fn node() -> (TestNode, Http) {
    let node = TestNode::configured(&format!(
        "[channels.default]\nhistory_size = 100\npresence = true\nsubscribe = \"anyone\"\n\
         [channels.namespace.room]\nhistory_size = 100\nsubscribe = \"anyone\"\n\
         [channels.namespace.brief]\n\
         [limits]\ndata_bytes = 1000\nframe_bytes = 2000\nlog_bytes = \"8KiB\"\n\
         [[api.keys]]\nname = \"all\"\nscopes = [\"all\"]\nsha256 = \"{}\"\n",
        martlet_server::keys::KeyHash::of("key")
    ));
    let http = Http::new(&node).with_key("key");
    (node, http)
}

fn published(channel: &str, data: Value) -> Value {
    json!({"channel": channel, "data": data})
}
