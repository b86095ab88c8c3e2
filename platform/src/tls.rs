//! TLS by ourselves: a certificate and its key, read again when they were renewed; and certificate authorities
//! of one's own, which the services trust when they call one another.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use ipnet::IpNet;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Deserialize;

use crate::{config::Mistakes, server::Shutdown};

/// How often the files are looked at. Renewals come weeks before the end.
const RENEWAL: Duration = Duration::from_secs(5);

/// PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate, and after it those between it and the authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What the two files held when they were read.
#[derive(PartialEq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// What makes TLS of a TCP connection. A renewed certificate counts from the next connection on; one that
    /// cannot be used is said in the log, and the old one goes on.
    pub(crate) fn acceptor(&self, shutdown: &Shutdown) -> Result<RustlsAcceptor, String> {
        let mut files = self.read()?;
        let config = RustlsConfig::from_config(self.server_config(&files)?);
        let (tls, renewed) = (self.clone(), config.clone());
        let mut said = None;
        shutdown.every(RENEWAL, move || {
            match tls.read() {
                Ok(read) if read == files => said = None,
                read => match read.and_then(|read| Ok((tls.server_config(&read)?, read))) {
                    Ok((config, read)) => {
                        renewed.reload_from_config(config);
                        tracing::info!(certificate = %tls.certificate.display(), "the certificate was renewed");
                        (files, said) = (read, None);
                    }
                    Err(reason) if said.as_ref() == Some(&reason) => {}
                    Err(reason) => {
                        tracing::error!("{reason}; the known certificate goes on");
                        said = Some(reason);
                    }
                },
            }
            std::future::ready(())
        });
        // Who opens a connection and says nothing is cut off after 10 seconds, as without TLS.
        Ok(RustlsAcceptor::new(config))
    }

    fn read(&self) -> Result<Files, String> {
        Ok(Files { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn server_config(&self, files: &Files) -> Result<Arc<ServerConfig>, String> {
        let chain = certificates(&self.certificate, &files.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
            let file = self.key.display();
            if is_encrypted(&files.key) {
                format!("the private key in {file} is encrypted; it has to be without a passphrase")
            } else {
                format!("{file} holds no private key in PEM")
            }
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| {
                let (certificate, key) = (self.certificate.display(), self.key.display());
                format!("{certificate} and {key} cannot be used together: {error}")
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// How a service is reached.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    /// `idp`, `api` or `web`: where its settings are.
    pub section: &'a str,
    pub public_url: &'a str,
    pub listen: &'a [SocketAddr],
    pub tls: Option<&'a Tls>,
    pub trusted_proxies: &'a [IpNet],
}

impl Reached<'_> {
    /// Adds what would let plain http be spoken to strangers, or https be spoken where it is not promised.
    pub fn check(&self, mistakes: &mut Mistakes) {
        let Self { section, public_url, listen, tls, trusted_proxies } = *self;
        let https = public_url.starts_with("https:");
        match tls {
            Some(tls) => {
                if let Err(reason) = tls.read().and_then(|files| tls.server_config(&files)) {
                    mistakes.add(format!("{section}.tls"), reason);
                }
                if !https {
                    let reason = format!("needs a public address that is https, not {public_url}");
                    mistakes.add(format!("{section}.tls"), reason);
                }
            }
            None => {
                let exposed = listen.iter().find(|address| !address.ip().to_canonical().is_loopback());
                if let Some(address) = exposed.filter(|_| trusted_proxies.is_empty()) {
                    let (instead, proxy) = match https {
                        true => (format!("set {section}.tls"), "the proxy that speaks https"),
                        false => ("listen on addresses of this machine".to_owned(), "the proxy that asks it"),
                    };
                    let reason = format!(
                        "{address} can be reached from other machines by plain http: {instead}, or name {proxy} in \
                         {section}.trusted_proxies"
                    );
                    mistakes.add(format!("{section}.listen"), reason);
                }
            }
        }
        if let Some(everybody) = trusted_proxies.iter().find(|network| network.prefix_len() == 0) {
            let reason = format!("{everybody} is everybody: anybody could say whose address is counted");
            mistakes.add(format!("{section}.trusted_proxies"), reason);
        }
    }
}

/// A client that also trusts the authorities in `ca_file`, beside those of the system.
///
/// # Errors
/// When the file cannot be read or holds no certificate: a sentence that names it.
pub fn trusting(
    client: reqwest::ClientBuilder,
    ca_file: Option<&Path>,
) -> Result<reqwest::ClientBuilder, String> {
    let Some(file) = ca_file else { return Ok(client) };
    let mut known = RootCertStore::empty();
    let mut trusted = Vec::new();
    for certificate in certificates(file, &read(file)?)? {
        let unusable = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        trusted.push(reqwest::Certificate::from_der(&certificate).map_err(|error| unusable(&error))?);
        known.add(certificate).map_err(|error| unusable(&error))?;
    }
    Ok(client.tls_certs_merge(trusted))
}

/// Adds what is wrong with `<section>.ca_file`.
pub fn check_ca_file(section: &str, ca_file: Option<&Path>, mistakes: &mut Mistakes) {
    if let Err(reason) = trusting(reqwest::Client::builder(), ca_file) {
        mistakes.add(format!("{section}.ca_file"), reason);
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// PKCS#8 (RFC 7468 §11), and the older form with its headers (RFC 1421 §4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let has = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| format!("{} is not PEM", file.display()))?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate", file.display()));
    }
    Ok(certificates)
}
