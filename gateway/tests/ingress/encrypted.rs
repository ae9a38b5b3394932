//! Listeners over TLS.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Version};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tidegate::ingress::http::serve::encryption::{Encryption, EncryptionError, EncryptionFiles};

use super::door::FakeDoor;
use super::server::{Server, config};

const SEND: &str = "/v1/functions/shop/cart/ann/send";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(authority: &Authority, name: &str) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

fn write(folder: &Path, (certificate, key): &(Certificate, KeyPair)) -> EncryptionFiles {
    let files = EncryptionFiles {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        client_authorities: None,
    };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

/// Asks the server once, over a connection of its own, and says in which version it answered with which status.
async fn ask(
    server: &Server,
    trusted: &Authority,
    identity: Option<&(Certificate, KeyPair)>,
) -> Result<(Version, u16), String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let tls = match identity {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
    let client = Client::builder(TokioExecutor::new()).build(connector.build());
    let url = format!("https://localhost:{}{SEND}", server.address.port());
    let request = Request::post(url).body(Body::from("x")).unwrap();
    let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    Ok((response.version(), response.status().as_u16()))
}

async fn serving(files: EncryptionFiles) -> (Server, Arc<Encryption>) {
    let encryption = Arc::new(Encryption::read(files).unwrap());
    let server =
        Server::encrypting(FakeDoor::open(), config(), Some(Arc::clone(&encryption))).await;
    (server, encryption)
}

#[tokio::test]
async fn only_encrypted_requests_are_answered() {
    let (folder, authority) = (TempDir::new().unwrap(), authority());
    let files = write(folder.path(), &issued(&authority, "localhost"));
    let (server, _) = serving(files).await;
    assert_eq!(ask(&server, &authority, None).await, Ok((Version::HTTP_11, 202)));
    assert!(ask(&server, &self::authority(), None).await.is_err(), "nobody trusts it");
    let plain = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("http://{}{SEND}", server.address);
    let request = Request::post(url).body(Body::from("x")).unwrap();
    assert!(plain.request(request).await.is_err());
    assert_eq!(server.door.arrived().len(), 1);
}

#[tokio::test]
async fn a_new_certificate_counts_for_new_connections_and_a_broken_one_does_not() {
    let (folder, first, second) = (TempDir::new().unwrap(), authority(), authority());
    let files = write(folder.path(), &issued(&first, "localhost"));
    let (server, encryption) = serving(files.clone()).await;
    assert!(ask(&server, &first, None).await.is_ok());

    write(folder.path(), &issued(&second, "localhost"));
    encryption.reload().unwrap();
    assert!(ask(&server, &first, None).await.is_err());
    assert!(ask(&server, &second, None).await.is_ok());

    std::fs::write(&files.key, "half a ke").unwrap();
    let broken = encryption.reload().unwrap_err();
    assert!(matches!(broken, EncryptionError::NotFound { what: "key", .. }), "{broken}");
    write(folder.path(), &(issued(&second, "localhost").0, KeyPair::generate().unwrap()));
    let unpaired = encryption.reload().unwrap_err();
    assert!(matches!(unpaired, EncryptionError::Unusable(_)), "{unpaired}");
    assert!(ask(&server, &second, None).await.is_ok());
}

#[tokio::test]
async fn where_clients_need_a_certificate_it_must_come_from_the_right_authority() {
    let (folder, authority, clients) = (TempDir::new().unwrap(), authority(), authority());
    let mut files = write(folder.path(), &issued(&authority, "localhost"));
    let trusted = folder.path().join("clients.pem");
    std::fs::write(&trusted, clients.pem()).unwrap();
    files.client_authorities = Some(trusted);
    let (server, _) = serving(files).await;
    assert!(ask(&server, &authority, None).await.is_err());
    let stranger = issued(&authority, "ann");
    assert!(ask(&server, &authority, Some(&stranger)).await.is_err());
    let known = issued(&clients, "ann");
    assert_eq!(ask(&server, &authority, Some(&known)).await, Ok((Version::HTTP_11, 202)));
    assert_eq!(server.door.arrived().len(), 1);
}
