//! A backend that publishes and reads. The guide to publishing from a backend shows this file.
#![allow(clippy::print_stdout, missing_docs, reason = "an example shows what it gets")]

use martlet_client::{Api, Error, HistoryQuery, Message};
use serde_json::json;

pub async fn backend(url: &str, key: Option<&str>) -> Result<(), Error> {
    let api = Api::new(url, key)?;
    let order = Message::json(&json!({ "order": 1, "items": 3 }))?.name("placed").key("order-1");
    let first = api.publish("orders", order.clone()).await?;
    let again = api.publish("orders", order).await?;
    assert!(again.duplicate && again.id == first.id);
    let page = api.history("orders", HistoryQuery::newest(10)).await?;
    println!("{} kept, the newest at {}", page.publications.len(), page.head.offset);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let key = std::env::var("MARTLET_API_KEY").ok();
    backend("http://localhost:8000", key.as_deref()).await
}
