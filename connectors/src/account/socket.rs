//! The connection to a mail server: TLS with the public authorities and what the owner trusts besides; in the clear to
//! this machine only.

use super::AccountError;
use hinet_protocol::{AccountPlan, Transport};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

/// How long a server may take to answer at all.
const CONNECT: Duration = Duration::from_secs(20);

/// A connection, protected or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Wire for T {}

/// A server's name and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Server {
    /// What `host`, `host:port` and `[::1]:port` mean; the port is the usual one where none is given.
    pub(super) fn of(plan: &AccountPlan) -> Result<Self, AccountError> {
        let what = plan.server.as_deref().unwrap_or_default().trim();
        let usual = if plan.transport == Transport::Tls { 993 } else { 143 };
        let wrong = |why: &str| AccountError::Address { what: format!("\"{what}\""), why: why.to_owned() };
        let (host, port) = match what.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None if what.matches(':').count() == 1 => {
                what.split_once(':').map_or((what, None), |(host, port)| (host, Some(port)))
            }
            None => (what, None),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong("the port is not a number up to 65535"))?,
            None => usual,
        };
        let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        if host.is_empty() || !host.chars().all(known) {
            return Err(wrong("it should be like mail.example.org or mail.example.org:993"));
        }
        Ok(Self { host: host.to_lowercase(), port })
    }

    fn unreachable(&self, why: impl fmt::Display) -> AccountError {
        AccountError::Unreachable { server: self.to_string(), why: why.to_string() }
    }

    /// Opens the connection; nothing is sent over it.
    #[allow(clippy::disallowed_types, reason = "the door to mail servers, opened under a reading of the account only")]
    pub(super) async fn connect(&self, transport: Transport) -> Result<tokio::net::TcpStream, AccountError> {
        let found = timeout(CONNECT, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let found: Vec<SocketAddr> = found
            .map_err(|_| self.unreachable("its name was not found in time"))?
            .map_err(|e| self.unreachable(e))?
            .collect();
        if transport == Transport::Plain && !found.iter().all(|at| at.ip().is_loopback()) {
            return Err(AccountError::NotLocal { server: self.to_string() });
        }
        let opened = timeout(CONNECT, tokio::net::TcpStream::connect(found.as_slice())).await;
        opened.map_err(|_| self.unreachable("it did not answer in time"))?.map_err(|e| self.unreachable(e))
    }

    /// Speaks TLS over an open connection.
    pub(super) async fn protect<W: Wire + 'static>(
        &self,
        wire: W,
        certificate: Option<&str>,
    ) -> Result<Box<dyn Wire>, AccountError> {
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| AccountError::Address { what: self.host.clone(), why: "it is no name of a server".into() })?;
        let shake = TlsConnector::from(Arc::new(config(certificate)?)).connect(name, wire);
        match timeout(CONNECT, shake).await {
            Ok(Ok(wire)) => Ok(Box::new(wire)),
            Ok(Err(error)) => Err(self.tls(&error)),
            Err(_) => Err(self.unreachable("it did not answer in time")),
        }
    }

    fn tls(&self, error: &std::io::Error) -> AccountError {
        let server = self.to_string();
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            // The last is what the library says of a certificate that vouches for itself.
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))) => {
                AccountError::Certificate {
                    server,
                    why:
                        "its certificate is of no authority that is trusted; give it with --certificate if you trust it"
                            .into(),
                }
            }
            Some(rustls::Error::InvalidMessage(_)) => {
                AccountError::Certificate { server, why: "it does not speak TLS at once; try --tls starttls".into() }
            }
            Some(error) => AccountError::Certificate { server, why: error.to_string() },
            None => self.unreachable(error),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn config(certificate: Option<&str>) -> Result<ClientConfig, AccountError> {
    let broken = |why: String| AccountError::Address { what: "the certificate".into(), why };
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut own = Vec::new();
    if let Some(pem) = certificate {
        for one in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            own.push(one.map_err(|error| broken(error.to_string()))?);
        }
        if own.is_empty() {
            return Err(broken(
                "there is no certificate in it (a PEM file begins with -----BEGIN CERTIFICATE-----)".into(),
            ));
        }
        // What no authority can be made of may still be the very certificate that the server shows.
        roots.add_parsable_certificates(own.iter().cloned());
    }
    let public = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| broken(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(error.to_string()))?;
    let verifier = Arc::new(Trusted { public, own, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The public authorities, and certificates that the owner named: those are trusted as they are, whatever name and
/// dates they carry, as long as the server proves that it has their key.
#[derive(Debug)]
struct Trusted {
    public: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.own.iter().any(|own| own == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.public.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::Server;
    use hinet_protocol::{AccountKind, AccountPlan, Transport};

    fn server(server: &str, transport: Transport) -> Option<(String, u16)> {
        let plan = AccountPlan {
            kind: AccountKind::Imap,
            user: "ana".into(),
            server: Some(server.into()),
            transport,
            certificate: None,
            folders: Vec::new(),
            since: None,
            oauth: None,
        };
        Server::of(&plan).ok().map(|server| (server.host, server.port))
    }

    #[test]
    fn addresses() {
        let of = |text: &str| server(text, Transport::Tls);
        assert_eq!(of("Mail.Example.org"), Some(("mail.example.org".into(), 993)));
        assert_eq!(server("127.0.0.1", Transport::Starttls), Some(("127.0.0.1".into(), 143)));
        assert_eq!(of("[::1]:1143"), Some(("::1".into(), 1143)));
        assert_eq!(of("::1"), Some(("::1".into(), 993)));
        for wrong in ["", ":993", "mail.example.org:many", "mail example.org", "https://mail.example.org", "a/b"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
