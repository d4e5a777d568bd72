//! A mail server that records what it is sent (RFC 5321), without TLS.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::poll::{self, TimedOut, expect};
use crate::{Result, TestbedError};

/// Longest that a client may be silent before its connection is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Longest mail that is taken, in bytes.
const MAX_MAIL_BYTES: usize = 4 * 1024 * 1024;

/// One mail as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Headers and body, with line feeds between lines.
    pub text: String,
}

impl Mail {
    /// The first header of this name, unfolded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\n\n").next().unwrap_or_default().replace("\n ", " ").replace("\n\t", " ");
        let line =
            head.lines().find(|line| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    }
}

/// What it does instead of taking a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// Answers the end of the mail with this line.
    Reply(String),
    /// Says nothing more on that connection.
    Hang,
}

/// A mail server on a port of its own. Dropping it closes it.
#[derive(Debug)]
pub struct SmtpServer {
    state: Arc<Mutex<State>>,
    closed: Arc<AtomicBool>,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    refusals: VecDeque<Refusal>,
    /// Addresses that it does not know.
    unknown: Vec<String>,
}

impl SmtpServer {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When the operating system gives no port or thread.
    pub fn start() -> Result<Self> {
        Self::serve().map_err(|source| TestbedError::Spawn { name: "the mail server".to_owned(), source })
    }

    fn serve() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (state, closed) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let server = Self { state: Arc::clone(&state), closed: Arc::clone(&closed), address };
        thread::Builder::new().name("smtp".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&state);
                let talk = move |stream| talk(stream, &state);
                if let Ok(stream) = stream {
                    thread::spawn(move || drop(talk(stream)));
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

    /// Refuses the next mail with this line, such as `550 5.1.1 no such user`.
    pub fn refuse(&self, reply: impl Into<String>) {
        self.state().refusals.push_back(Refusal::Reply(reply.into()));
    }

    /// Refuses this address from now on, with 550.
    pub fn refuse_recipient(&self, address: impl Into<String>) {
        self.state().unknown.push(address.into());
    }

    /// Says nothing any more once it has the next mail.
    pub fn hang(&self) {
        self.state().refusals.push_back(Refusal::Hang);
    }

    /// Every mail that it took, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    /// Waits until it has taken so many mails.
    ///
    /// # Errors
    /// [`TimedOut`], with the number of mails.
    pub async fn wait_for(&self, count: usize, deadline: Duration) -> Result<Vec<Mail>, TimedOut> {
        let what = format!("{count} mails");
        poll::until(&what, deadline, async || expect(self.mails().len(), |&taken| taken >= count)).await?;
        Ok(self.mails())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection.
fn talk(stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut say = move |line: &str| writer.write_all(format!("{line}\r\n").as_bytes());
    say("220 double ESMTP")?;
    let mut mail = Mail { from: String::new(), to: Vec::new(), text: String::new() };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.to_ascii_uppercase();
        if command.starts_with("EHLO") || command.starts_with("HELO") {
            say("250-double")?;
            say("250-8BITMIME")?;
            say("250 SMTPUTF8")?;
        } else if command.starts_with("MAIL FROM:") {
            mail.from = path(&line);
            mail.to.clear();
            say("250 ok")?;
        } else if command.starts_with("RCPT TO:") {
            let to = path(&line);
            if lock(state).unknown.contains(&to) {
                say("550 5.1.1 no such user")?;
            } else {
                mail.to.push(to);
                say("250 ok")?;
            }
        } else if command.starts_with("DATA") {
            say("354 go on")?;
            mail.text = read_text(&mut reader)?;
            let refusal = lock(state).refusals.pop_front();
            match refusal {
                None => {
                    lock(state).mails.push(mail.clone());
                    mail.to.clear();
                    say("250 2.0.0 queued")?;
                }
                Some(Refusal::Reply(reply)) => say(&reply)?,
                Some(Refusal::Hang) => {
                    // Until the client gives up.
                    while reader.read_line(&mut String::new())? > 0 {}
                    return Ok(());
                }
            }
        } else if command.starts_with("QUIT") {
            return say("221 bye");
        } else {
            say("250 ok")?;
        }
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or_else(String::new, |(path, _)| path.to_owned())
}

/// A mail up to the line with a dot alone; dots that begin a line were doubled (RFC 5321, 4.5.2).
fn read_text(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    while text.len() < MAX_MAIL_BYTES {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line == "." {
            return Ok(text);
        }
        text = text + line.strip_prefix('.').unwrap_or(line) + "\n";
    }
    Err(io::Error::other("the mail is too long"))
}
