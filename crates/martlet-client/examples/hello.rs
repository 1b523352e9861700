//! A client that follows a channel and publishes into it. The README shows this file.
#![allow(clippy::print_stdout, missing_docs, reason = "an example shows what it gets")]

use martlet_client::{Client, Data, Error, Message, Options, SubscribeOptions};

pub async fn hello(url: &str) -> Result<(), Error> {
    let client = Client::connect(url, Options::default())?;
    let mut news = client.subscribe("news", SubscribeOptions::default()).await?;
    client.publish("news", Message::json("hello from Rust")?).await?;
    let Some(publication) = news.publication().await else { return Ok(()) };
    if let Data::Json(json) = publication.data {
        println!("{}: {}", publication.position.offset, String::from_utf8_lossy(&json));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    hello("http://localhost:8000").await
}
