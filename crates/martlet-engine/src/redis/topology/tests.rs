use super::*;

fn range_of(first: i64, last: i64, host: &str, port: i64) -> Value {
    let server = |host: &str, port| {
        Value::Array(vec![Value::BulkString(host.into()), Value::Int(port), Value::Nil])
    };
    let (master, replica) = (server(host, port), server("replica", 1));
    Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
}

#[test]
fn every_partition_has_the_master_of_its_slot() {
    let answer = Value::Array(vec![range_of(0, 8_191, "a", 7), range_of(8_192, 16_383, "b", 8)]);
    let topology = Topology::read(&answer).unwrap();
    assert_eq!(topology.host_of(8_191), Some(&("a".into(), 7)));
    assert_eq!(topology.host_of(8_192), Some(&("b".into(), 8)));
    let hosts = topology.hosts().unwrap();
    assert_eq!(hosts.iter().filter(|(host, _)| host == "a").count(), PARTITIONS / 2);
}

#[test]
fn a_cluster_with_a_hole_is_not_whole() {
    let topology = Topology::read(&Value::Array(vec![range_of(0, 8_191, "a", 7)])).unwrap();
    assert_eq!(topology.hosts(), None);
    for answer in [Value::Nil, Value::Array(vec![Value::Nil]), range_of(0, 1, "a", 70_000)] {
        assert_eq!(Topology::read(&answer), None);
    }
}
