//! A server that speaks TLS.

use std::net::TcpStream;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate in this name that nobody vouches for.
pub(super) fn certificate(key: &PKey<Private>, common_name: &str) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", common_name).unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(key, MessageDigest::sha256()).unwrap();
    certificate.build()
}

fn builder() -> SslAcceptorBuilder {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    // Nobody comes back with one, and one is some bytes longer than another.
    acceptor.set_num_tickets(0).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate(&key, "nobody")).unwrap();
    acceptor
}

/// One with a certificate that nobody vouches for.
pub(super) fn acceptor() -> SslAcceptor {
    builder().build()
}

/// One that asks for the certificate of the client too, and believes anything.
pub(super) fn curious_acceptor() -> SslAcceptor {
    let mut acceptor = builder();
    acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    acceptor.build()
}

/// Goes on once TLS is agreed on.
pub(super) fn serve(
    acceptor: &SslAcceptor,
    stream: TcpStream,
    serve: impl Fn(&mut SslStream<TcpStream>),
) {
    if let Ok(mut stream) = acceptor.accept(stream) {
        serve(&mut stream);
    }
}
