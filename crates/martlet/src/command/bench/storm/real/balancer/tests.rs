use super::*;

#[test]
fn the_deployed_configuration_gets_other_nodes_and_another_port() {
    let nodes = [4001, 4002, 4003].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let text = before(4000, &nodes);
    assert!(text.contains("bind 127.0.0.1:4000"), "{text}");
    let servers = text.lines().filter(|line| line.trim_start().starts_with("server "));
    let servers: Vec<&str> = servers.map(str::trim).collect();
    let expected = [1, 2, 3].map(|n| format!("server node-{} 127.0.0.1:400{n}", n - 1));
    assert_eq!(servers, expected);
    assert!(!text.contains(":800"), "{text}");
}
