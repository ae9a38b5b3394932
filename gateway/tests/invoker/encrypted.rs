//! Endpoints over https.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tidegate::invoker::{EndpointConfig, Identity, Invoker, TlsConfig, UrlTemplate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Partition, config};

/// A certificate for `localhost` and its key, both as PEM.
fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

fn pem(certified: &CertifiedKey<rcgen::KeyPair>) -> Arc<[u8]> {
    certified.cert.pem().into_bytes().into()
}

/// An endpoint over https that answers the first request of each connection with an empty answer.
async fn endpoint(certified: &CertifiedKey<rcgen::KeyPair>) -> EndpointConfig {
    endpoint_for(certified, None).await
}

/// The same, for clients that prove by this certificate who they are.
async fn endpoint_for(
    certified: &CertifiedKey<rcgen::KeyPair>,
    client: Option<&CertifiedKey<rcgen::KeyPair>>,
) -> EndpointConfig {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let server = match client {
        None => server.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.cert.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            server.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let server = server.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"one") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    let mut config = config(address);
    config.url = UrlTemplate::parse(&format!("https://localhost:{}/run", address.port())).unwrap();
    config
}

#[tokio::test]
async fn an_endpoint_whose_authority_is_trusted_is_called() {
    let certified = certificate();
    let mut config = endpoint(&certified).await;
    config.tls.trusted = Some(pem(&certified));
    let mut partition = Partition::new(config);
    partition.submit("a");
    partition.succeeds().await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_trusted_is_sent_nothing_and_waited_for() {
    let mut config = endpoint(&certificate()).await;
    config.tls.trusted = Some(pem(&certificate()));
    let mut partition = Partition::new(config);
    partition.submit("a");
    assert!(partition.waits_for(std::time::Duration::from_millis(300)).await);
}

fn identity(certified: &CertifiedKey<rcgen::KeyPair>) -> Identity {
    let key = certified.signing_key.serialize_pem().into_bytes().into();
    Identity { certificates: pem(certified), key }
}

#[tokio::test]
async fn an_endpoint_that_wants_to_know_who_calls_is_shown_the_certificate() {
    let (server, client) = (certificate(), certificate());
    let mut config = endpoint_for(&server, Some(&client)).await;
    config.tls.trusted = Some(pem(&server));
    config.tls.identity = Some(identity(&client));
    let mut partition = Partition::new(config.clone());
    partition.submit("a");
    partition.succeeds().await;

    for stranger in [None, Some(identity(&certificate()))] {
        config.tls.identity = stranger;
        let mut partition = Partition::new(config.clone());
        partition.submit("a");
        assert!(partition.waits_for(std::time::Duration::from_millis(300)).await);
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_told_at_the_start() {
    let start = |tls: TlsConfig| {
        let mut config = config("127.0.0.1:1".parse().unwrap());
        config.url = UrlTemplate::parse("https://localhost/run").unwrap();
        config.tls = tls;
        Invoker::new(vec![config], Arc::new(|_, _| ()), 7).err().unwrap().to_string()
    };
    let nobody = start(TlsConfig { trusted: Some(Arc::from(*b"")), identity: None });
    assert_eq!(nobody, "TG-0412 there are no certificates of authorities to trust");

    let certified = certificate();
    let identity = Identity { certificates: pem(&certified), key: Arc::from(*b"no key") };
    assert_eq!(format!("{identity:?}"), "Identity");
    let unreadable = start(TlsConfig { trusted: Some(pem(&certified)), identity: Some(identity) });
    assert!(unreadable.starts_with("TG-0412 the client key cannot be read"), "{unreadable}");
}
