//! Requests for pages.

use std::io::Write;
use std::net::SocketAddr;

use crate::config::http::HttpVersion;

/// Appends a request for `path`. Without a `host` the server is called by its address and port.
pub(crate) fn write(
    path: &str,
    version: HttpVersion,
    host: Option<&str>,
    server: SocketAddr,
    out: &mut Vec<u8>,
) {
    let (version, close) = match version {
        HttpVersion::Http10 => ("1.0", ""),
        HttpVersion::Http10Connection => ("1.0", "Connection: close\r\n"),
        HttpVersion::Http11 => ("1.1", "Connection: close\r\n"),
    };
    out.extend_from_slice(b"GET ");
    out.extend_from_slice(path.as_bytes());
    // A vector takes whatever is written.
    let _ = write!(out, " HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: ");
    let _ = match host {
        Some(host) => out.write_all(host.as_bytes()),
        // A scope says nothing to the other side.
        None if server.is_ipv6() => write!(out, "[{}]:{}", server.ip(), server.port()),
        None => write!(out, "{server}"),
    };
    out.extend_from_slice(b"\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    // As the original was seen to ask.
    #[test]
    fn requests_are_as_ever() {
        let begin = |path: &str, version: &str| {
            format!("GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n")
        };
        for (path, version, host, server, expected) in [
            (
                "/a",
                HttpVersion::Http10,
                Some("vs.example.org"),
                "192.0.2.1:80",
                begin("/a", "1.0") + "Host: vs.example.org\r\n\r\n",
            ),
            (
                "/c",
                HttpVersion::Http11,
                Some("chk.example.org"),
                "192.0.2.1:80",
                begin("/c", "1.1") + "Connection: close\r\nHost: chk.example.org\r\n\r\n",
            ),
            (
                "/e",
                HttpVersion::Http10Connection,
                Some("vs.example.org"),
                "192.0.2.1:80",
                begin("/e", "1.0") + "Connection: close\r\nHost: vs.example.org\r\n\r\n",
            ),
            (
                "/six",
                HttpVersion::Http10,
                None,
                "[fd00:50::2]:80",
                begin("/six", "1.0") + "Host: [fd00:50::2]:80\r\n\r\n",
            ),
            (
                "/four",
                HttpVersion::Http10,
                None,
                "192.0.2.1:80",
                begin("/four", "1.0") + "Host: 192.0.2.1:80\r\n\r\n",
            ),
        ] {
            let mut out = vec![];
            write(path, version, host, server.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    // The original cuts at 2047 bytes and with it the end of the headers.
    #[test]
    fn long_requests_are_whole() {
        let path = format!("/{}", "x".repeat(5000));
        let mut out = vec![];
        write(&path, HttpVersion::Http10, None, "192.0.2.1:80".parse().unwrap(), &mut out);
        assert!(out.len() > 5000 && out.ends_with(b"\r\n\r\n"));
    }
}
