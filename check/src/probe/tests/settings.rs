//! What the settings of pages and of TLS make a server see.

use std::io::{Read, Write};
use std::sync::mpsc;

use conf_parser::{Diagnostics, Options, parse_text};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{NameType, ShutdownState};
use openssl::symm::Cipher;
use runtime::global::Global;

use super::client::{attempt_with, connection};
use super::{server, tls};
use crate::config::{Checker, Config, ROOT, load};
use crate::probe::{Job, Kept, Tools};

/// What a server saw of one attempt.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The request, without the name of the client.
    request: String,
    /// The name in the TLS handshake.
    name: Option<String>,
    /// The common name in the certificate of the client.
    client: Option<String>,
    /// Whether the end of TLS was announced.
    ended: bool,
}

/// A configuration with these SSL settings, and one real server with this check.
pub(super) fn config(ssl: &str, check: &str) -> Config {
    let text = format!(
        "{ssl}virtual_server 192.0.2.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nvirtualhost service.example\nreal_server 192.0.2.2 80 {{\n{check}\n}}\n}}\n"
    );
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    load(&statements, &Global::default(), &mut diagnostics)
}

/// Its check.
pub(super) fn checker(config: &Config) -> &Checker {
    &config.virtual_servers[0].real_servers[0].checkers[0]
}

/// What a server over TLS sees of the check in `config`, whose certificate it asks for.
fn seen(config: &Config) -> Seen {
    let acceptor = tls::curious_acceptor();
    let (tell, told) = mpsc::channel();
    let to = server::tcp(move |stream| {
        let Ok(mut stream) = acceptor.accept(stream) else { return };
        let request = server::read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello");
        let _ = stream.shutdown();
        let ended = stream.read(&mut [0; 1]).is_ok()
            && stream.get_shutdown().contains(ShutdownState::RECEIVED);
        let certificate = stream.ssl().peer_certificate();
        let client = certificate.and_then(|certificate| {
            let entry = certificate.subject_name().entries().next()?;
            entry.data().to_string().ok()
        });
        let name = stream.ssl().servername(NameType::HOST_NAME).map(str::to_owned);
        let request = String::from_utf8_lossy(&request)
            .replace("User-Agent: KeepAliveClient\r\n", "")
            .replace("\r\n", "|");
        let _ = tell.send(Seen { request, name, client, ended });
    });
    let mut tools = Tools::new(config).unwrap();
    let (job, _) = Job::of(checker(config), 0).unwrap();
    attempt_with(job, &connection(to), &mut tools, &mut Kept::default());
    told.recv_timeout(super::client::PATIENCE).unwrap()
}

#[test]
fn a_server_sees_what_is_asked_for_and_by_whom() {
    let plain = seen(&config("", "SSL_GET {\nurl {\npath /a\n}\n}"));
    let request = "GET /a HTTP/1.0|Host: service.example||".to_owned();
    assert_eq!(plain, Seen { request, name: None, client: None, ended: false });
    let own = seen(&config(
        "",
        "SSL_GET {\nvirtualhost check.example\nenable_sni\nhttp_protocol 1.1\ntls_compliant\nurl {\npath /b\n}\n}",
    ));
    let request = "GET /b HTTP/1.1|Connection: close|Host: check.example||".to_owned();
    let name = Some("check.example".to_owned());
    assert_eq!(own, Seen { request, name, client: None, ended: true });
    let page = seen(&config(
        "",
        "SSL_GET {\nsni_name front.example\nhttp_protocol 1.0C\nurl {\npath /c\nvirtualhost page.example\ntls_compliant\n}\n}",
    ));
    let request = "GET /c HTTP/1.0|Connection: close|Host: page.example||".to_owned();
    let name = Some("front.example".to_owned());
    assert_eq!(page, Seen { request, name, client: None, ended: true });
}

#[test]
fn our_certificate_is_shown_once_its_key_is_opened() {
    let directory = std::env::temp_dir().join(format!("check-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let sealed = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret");
    let certificate = tls::certificate(&key, "director").to_pem().unwrap();
    let path = |name: &str| directory.join(name).display().to_string();
    std::fs::write(path("key"), sealed.unwrap()).unwrap();
    std::fs::write(path("certificate"), &certificate).unwrap();
    std::fs::write(path("garbage"), "garbage").unwrap();
    let ssl = |password: &str, ca: &str| {
        let (key, certificate, ca) = (path("key"), path("certificate"), path(ca));
        format!("SSL {{\npassword {password}\nca {ca}\ncertificate {certificate}\nkey {key}\n}}\n")
    };
    let check = "SSL_GET {\nurl {\npath /\n}\n}";
    let shown = seen(&config(&ssl("secret", "certificate"), check));
    assert_eq!(shown.client.as_deref(), Some("director"));
    let complaint = |ssl: &str| match Tools::new(&config(ssl, check)) {
        Ok(_) => String::new(),
        Err(failure) => failure.lines().join("\n"),
    };
    assert!(complaint(&ssl("wrong", "certificate")).contains("Cant load key file"));
    assert!(complaint(&ssl("secret", "garbage")).contains("Cant load CA file"));
    std::fs::remove_dir_all(&directory).unwrap();
}
