//! The node is killed while it hands over: its successor has everything, or does not serve.

use std::time::Duration;

use super::house::{House, processes, runs};
use crate::cluster::http::Ask;
use crate::cluster::process::until;

/// Channels, and how many publications of 1 kB each has.
const CHANNELS: usize = 100;
const PUBLICATIONS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_has_all_of_it_or_does_not_serve() {
    let (mut whole, mut none) = (0, 0);
    for wait in [0, 3, 6, 10, 15, 20, 25, 30, 40, 60, 100, 200] {
        let mut house = House::open();
        fill(&house).await;
        house.signal("-USR2");
        until("it begins", async || house.times("handing over") == 1).await;
        let heir = processes(&house.said(), "handing over")[0];
        house.mind(heir);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        house.first_mut().kill();
        let at = house.address();
        let serves = async || Ask::get("/health").json(at).await.is_ok_and(|(s, _)| s == 200);
        until("it serves or has ended", async || !runs(heir) || serves().await).await;
        if !runs(heir) {
            none += 1;
            assert!(!serves().await);
            continue;
        }
        whole += 1;
        for channel in 0..CHANNELS {
            let history = house.history(&format!("c{channel}")).await;
            let history = history["publications"].as_array().unwrap();
            let mut offsets: Vec<_> =
                history.iter().map(|p| p["offset"].as_u64().unwrap()).collect();
            offsets.sort();
            assert!(
                offsets.iter().copied().eq(1..=PUBLICATIONS),
                "{wait} ms: c{channel} {offsets:?}"
            );
        }
    }
    eprintln!("killed while handing over: {whole} successors had everything, {none} ended");
}

async fn fill(house: &House) {
    let text = "x".repeat(1_000);
    let authorization = format!("Bearer {}", crate::cluster::world::KEY);
    for channel in 0..CHANNELS {
        let one = format!(r#"{{"channel":"c{channel}","data":"{text}"}}"#);
        let all = vec![one; PUBLICATIONS as usize].join(",");
        let body = format!(r#"{{"publish":[{all}]}}"#);
        let headers = [("Authorization", authorization.as_str())];
        let ask = Ask::post("/v1/batch", &body).with(&headers);
        let (status, answer) = ask.json(house.address()).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
}
