use redis::Value;

use super::*;

/// The error as it is read from a server's line.
fn said(line: &str) -> RedisError {
    let read = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
    read.and_then(Value::extract_error).unwrap_err()
}

#[test]
fn what_was_not_done_is_told_from_what_may_have_been() {
    for (line, says) in [
        ("MOVED 247 127.0.0.1:7001", Verdict::Elsewhere),
        ("READONLY You can't write against a read only replica.", Verdict::Elsewhere),
        ("LOADING Redis is loading the dataset in memory", Verdict::Elsewhere),
        ("CLUSTERDOWN Hash slot not served", Verdict::Elsewhere),
        ("ERR Function not found", Verdict::Elsewhere),
        ("OOM command not allowed when used memory > 'maxmemory'.", Verdict::Refused),
        ("MISCONF Redis is configured to save RDB snapshots", Verdict::Refused),
        ("NOREPLICAS Not enough good replicas to write.", Verdict::Refused),
        ("NOPERM this user has no permissions", Verdict::Refused),
        ("ERR user_function:80: attempt to index a nil value", Verdict::Failed),
    ] {
        assert_eq!(verdict(&said(line)), says, "{line}");
    }
    let cut = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(verdict(&RedisError::from(cut)), Verdict::Broken);
}
