//! `genhash`, by both of its names.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Output;

use lab::{Backend, Binary, Namespace, Nginx, Service};

const ADDRESS: &str = "127.0.0.1";
/// Of `hello`.
const DIGEST: &str = "5d41402abc4b2a76b9719d911017c592";

/// Runs it under the name of `program`, in `namespace`.
fn run(namespace: &Namespace, program: &str, words: &str) -> Output {
    let mut command = Binary::under_test().command();
    command.arg0(program).args(words.split_whitespace());
    namespace.enter(|| command.output()).expect("it can be started")
}

/// What it prints when it is asked for a page.
#[track_caller]
fn fetched(namespace: &Namespace, words: &str) -> String {
    let [alone, whole] =
        [("genhash", ""), ("keepalived", "--genhash ")].map(|(program, option)| {
            let output = run(namespace, program, &format!("{option}-s {ADDRESS} {words}"));
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr)
        });
    assert_eq!(alone, whole);
    alone
}

#[test]
fn a_page_has_a_digest() {
    let namespace = Namespace::new();
    let nginx = Nginx::start(&namespace, IpAddr::from([127, 0, 0, 1]), "hello");
    let digest = format!("{DIGEST}\n");
    for words in [
        "-p 80 -u /",
        "--port 80 --url / --use-virtualhost www.example.org --protocol 1.1",
        "-p 443 -u / -S -I -V www.example.org",
    ] {
        assert_eq!(fetched(&namespace, words), digest, "{words}");
    }
    let words = format!("-s {ADDRESS} -p 80 -u / -P 1.0c -V www.example.org -v");
    let shown = run(&namespace, "genhash", &words);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("\nHTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\n0000  68 65 6c 6c 6f          -                           hello"));
    assert!(text.contains(&format!("\n{DIGEST}\n\nGlobal response time for [/] = ")), "{text}");
    // It is not asked what the status says.
    let missing = fetched(&namespace, "-p 80 -u /nothing");
    assert!(missing.len() == digest.len() && missing != digest, "{missing}");
    drop(nginx);
    assert_eq!(fetched(&namespace, "-p 80 -u /"), "Connection failed\n");
}

#[test]
fn who_says_nothing_has_none() {
    let namespace = Namespace::new();
    let address: SocketAddr = format!("{ADDRESS}:8080").parse().expect("an address");
    let _silent = Backend::start(&namespace, address, Service::Silent);
    assert_eq!(fetched(&namespace, "-p 8080 -u / -t 1"), "Timeout WEB read\n");
    let address: SocketAddr = format!("{ADDRESS}:8081").parse().expect("an address");
    let _curt = Backend::start(&namespace, address, Service::Http(b"HTTP/1.1 200 OK\r\n".into()));
    let text = fetched(&namespace, "-p 8081 -u /");
    assert_eq!(text, "no data received from remote webserver\n");
}

#[test]
fn mistakes_are_told_with_the_usage() {
    let namespace = Namespace::new();
    for (program, words, complaint, name) in [
        ("genhash", "-h", "", "genhash"),
        ("genhash", "-s here", "server should be an IP, not here\n", "genhash"),
        ("keepalived", "-T -p 99999", "invalid port number '99999'\n", "keepalived --genhash"),
        (
            "keepalived",
            "-l -T -h",
            "Warning -- `-T` not used as first option, previous options ignored\n",
            "keepalived --genhash",
        ),
    ] {
        let output = run(&namespace, program, words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        let text = String::from_utf8_lossy(&output.stderr);
        let expected = format!("{complaint}Usage: {name} COMMAND [OPTIONS]\n");
        assert!(text.starts_with(&expected), "{words}: {text}");
    }
}
