//! Attempts over loopback, against servers that behave and servers that do not.

mod client;

use std::net::TcpListener;

use super::*;
use client::{attempt, connection};

#[test]
fn a_connection_is_enough_for_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    assert_eq!(attempt(Job::Tcp, &connection(to)).verdict, Ok(Good::Answered));
    drop(listener);
    let refused = attempt(Job::Tcp, &connection(to)).verdict;
    assert!(matches!(refused, Err(Failure::Tcp(Unconnected::Refused | Unconnected::Unreachable))));
}
