//! A server that speaks TLS with a certificate for which nobody vouches: its own.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::{Result, TestbedError};

/// Longest that a client may be silent before its connection is closed.
const IDLE: Duration = Duration::from_secs(30);

/// What it speaks before TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// SMTP as far as `STARTTLS`.
    Smtp,
}

/// Such a server on a port of its own. Dropping it closes it.
#[derive(Debug)]
pub struct Stranger {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Shared {
    closed: AtomicBool,
    trusted: AtomicUsize,
    /// Why handshakes failed, in the words of who ended them.
    refusals: Mutex<Vec<String>>,
}

impl Stranger {
    /// Starts a server of HTTPS on a free port.
    ///
    /// # Errors
    /// When the operating system gives no port or thread.
    pub fn https() -> Result<Self> {
        Self::start(Before::Nothing)
    }

    /// Starts a mail server that begins with `STARTTLS`.
    ///
    /// # Errors
    /// When the operating system gives no port or thread.
    pub fn smtp() -> Result<Self> {
        Self::start(Before::Smtp)
    }

    fn start(before: Before) -> Result<Self> {
        Self::serve(before).map_err(|source| TestbedError::Spawn { name: "the stranger".to_owned(), source })
    }

    fn serve(before: Before) -> io::Result<Self> {
        let config = Arc::new(config()?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server = Self { shared: Arc::default(), address: listener.local_addr()? };
        let shared = Arc::clone(&server.shared);
        thread::Builder::new().name("stranger".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if shared.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (config, shared) = (Arc::clone(&config), Arc::clone(&shared));
                if let Ok(stream) = stream {
                    thread::spawn(move || meet(stream, before, config, &shared));
                }
            }
        })?;
        Ok(server)
    }

    /// Its port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many took its certificate.
    #[must_use]
    pub fn trusted(&self) -> usize {
        self.shared.trusted.load(Ordering::Relaxed)
    }

    /// What those said that did not.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn config() -> io::Result<ServerConfig> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let certificate = CertificateDer::from(own.cert.der().to_vec());
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key.into()))
        .map_err(io::Error::other)
}

/// One connection.
fn meet(mut stream: TcpStream, before: Before, config: Arc<ServerConfig>, shared: &Shared) {
    match shake_hands(&mut stream, before, config) {
        Ok(()) => {
            shared.trusted.fetch_add(1, Ordering::Relaxed);
        }
        Err(error) => shared.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string()),
    }
}

fn shake_hands(stream: &mut TcpStream, before: Before, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    if before == Before::Smtp {
        let mut reader = BufReader::new(stream.try_clone()?);
        stream.write_all(b"220 stranger ESMTP\r\n")?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let command = line.to_ascii_uppercase();
            if command.starts_with("EHLO") {
                stream.write_all(b"250-stranger\r\n250 STARTTLS\r\n")?;
            } else if command.starts_with("STARTTLS") {
                stream.write_all(b"220 go on\r\n")?;
                break;
            } else {
                stream.write_all(b"530 5.7.0 begin with STARTTLS\r\n")?;
            }
        }
    }
    let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(stream)?;
    }
    Ok(())
}
