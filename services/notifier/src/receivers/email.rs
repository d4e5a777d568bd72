//! Mail, over SMTP (RFC 5321): one thread per incident, by its headers.

mod letter;

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tocsin_bus::Quota;
use tocsin_service::config::document::{EmailSection, SmtpTls};
use tocsin_service::config::{Environment, ExposeSecret as _, Problem, SecretString};
use tocsin_service::with_causes;
use tokio::time::Instant;

use self::letter::{Layout, Letter};
use super::exchange::redacted;
use super::{Answer, Http, Provider, Sent, bounded};
use crate::message::{self, Message};
use crate::story::Story;
use crate::texts::Texts;

/// What a server takes from one sender without growing suspicious: one a second, and bursts.
const PACE: [Quota; 1] = [Quota { interval: Duration::from_secs(1), burst: 20 }];

/// Addresses, and the server that takes mail for them.
#[derive(Debug)]
pub(super) struct Email {
    to: Vec<Mailbox>,
    from: Mailbox,
    host: String,
    port: u16,
    tls: Tls,
    username: Option<String>,
    password: Option<SecretString>,
    texts: Texts,
    layout: Layout,
    destination: String,
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// `Auto-Submitted` (RFC 3834): whoever is away does not answer it.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Email {
    pub(super) fn new(section: &EmailSection, path: &str, texts: Texts, env: &Environment) -> Result<Self, Problem> {
        let mailbox = |name: String, text: &str| {
            text.parse::<Mailbox>().map_err(|error| {
                let remedy = "write it as ops@example.com, or as Operations <ops@example.com>";
                Problem::new(format!("{path}.email.{name}"), format!("is not an address: {error}"), remedy)
            })
        };
        let to = section.to.iter().enumerate().map(|(index, text)| mailbox(format!("to[{index}]"), text));
        let layout = Layout::new().map_err(|error| {
            Problem::new(format!("{path}.email"), with_causes(&error), "this is a fault of Tocsin; please report it")
        })?;
        let smtp = &section.smtp;
        let verified = || {
            TlsParameters::new(smtp.host.clone()).map_err(|error| {
                let remedy = "give the name that stands in the server's certificate";
                Problem::new(format!("{path}.email.smtp.host"), with_causes(&error), remedy)
            })
        };
        // Without the encryption that was asked for, nothing is sent.
        let tls = match smtp.tls {
            SmtpTls::Starttls => Tls::Required(verified()?),
            SmtpTls::Implicit => Tls::Wrapper(verified()?),
            SmtpTls::None => Tls::None,
        };
        Ok(Self {
            to: to.collect::<Result<_, _>>()?,
            from: mailbox("from".to_owned(), &section.from)?,
            host: smtp.host.clone(),
            port: smtp.port(),
            tls,
            username: smtp.username.clone(),
            password: smtp.password(path).map(|source| source.resolve(env)).transpose()?,
            texts,
            layout,
            destination: format!("email:{}:{}", smtp.host, smtp.port()),
        })
    }

    fn transport(&self, timeout: Duration) -> Transport {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(self.tls.clone())
            .timeout(Some(timeout));
        match (&self.username, &self.password) {
            (Some(username), Some(password)) => {
                builder.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()))
            }
            _ => builder,
        }
        .build()
    }

    /// Each notice has its id, which is the same when it is sent again; all of an incident answer one that was never sent, and
    /// so stand in one thread. Its subject is the same but for what stands before it.
    fn mail(&self, story: &Story, letter: Letter, subject: &str) -> Result<lettre::Message, lettre::error::Error> {
        let domain = self.from.email.domain();
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .date(SystemTime::from(story.at))
            .message_id(Some(format!("<{}@{domain}>", story.notice)))
            .subject(subject)
            .header(AutoSubmitted);
        if !story.is_test {
            let thread = format!("<incident-{}@{domain}>", story.record.incident.id);
            mail = mail.in_reply_to(thread.clone()).references(thread);
        }
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
    }

    fn subject(&self, story: &Story) -> String {
        let what = if story.is_test { "Test" } else { message::reason(story) };
        format!("[{what}] {}", message::subject(story, &self.texts))
    }

    fn letter(&self, story: &Story) -> Result<Letter, minijinja::Error> {
        self.layout.render(&Message::of(story, &self.texts))
    }

    async fn submit(&self, http: &Http, story: &Story) -> Sent {
        let letter = match self.letter(story) {
            Ok(letter) => letter,
            Err(error) => return Sent::refused(&bounded(&with_causes(&error))),
        };
        let mail = match self.mail(story, letter, &self.subject(story)) {
            Ok(mail) => mail,
            Err(error) => return Sent::refused(&bounded(&with_causes(&error))),
        };
        let transport = self.transport(http.timeout);
        let bytes = mail.formatted();
        let sent = self.hand_over(&transport, mail.envelope(), &bytes, Instant::now() + http.timeout).await;
        if sent.answer == Answer::Refused && self.to.len() > 1 {
            // Who refuses one address refuses the whole, and nobody has it.
            return self.submit_to_each(&transport, &bytes, Instant::now() + http.timeout).await;
        }
        sent
    }

    /// To one after the other, so that an address that is refused keeps it from nobody else. It is taken when anybody has it: to
    /// send it to all again would tell those twice; what is said of it names who has not.
    async fn submit_to_each(&self, transport: &Transport, mail: &[u8], deadline: Instant) -> Sent {
        let (mut taken, mut failed, mut without) = (None, None, Vec::new());
        for to in &self.to {
            let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()]);
            let sent = match envelope {
                Ok(envelope) => self.hand_over(transport, &envelope, mail, deadline).await,
                Err(error) => Sent::refused(&with_causes(&error)),
            };
            match sent.answer {
                Answer::Taken => taken = Some(sent),
                answer => {
                    without.push(format!("{}: {}", to.email, sent.text));
                    failed = failed.or((answer != Answer::Refused).then_some(answer));
                }
            }
        }
        let without = without.join("; ");
        match (taken, failed) {
            (Some(sent), _) if without.is_empty() => sent,
            (Some(sent), _) => {
                Sent { text: bounded(&format!("not to {without}; to the others: {}", sent.text)), ..sent }
            }
            (None, Some(answer)) => Sent { answer, ..Sent::failed(&without) },
            (None, None) => Sent::refused(&bounded(&without)),
        }
    }

    async fn hand_over(&self, transport: &Transport, envelope: &Envelope, mail: &[u8], deadline: Instant) -> Sent {
        match tokio::time::timeout_at(deadline, transport.send_raw(envelope, mail)).await {
            Ok(Ok(response)) => {
                let words = response.message().collect::<Vec<_>>().join(" ");
                let text = redacted(&format!("{} {words}", response.code()), &self.secrets());
                Sent { answer: Answer::Taken, http_status: None, text: bounded(text.trim()), message: None }
            }
            Ok(Err(error)) => self.failure(&error),
            Err(_) => Sent::failed("the mail server timed out"),
        }
    }

    /// A reply of 5xx is final (RFC 5321, 4.2.1); one of 4xx and everything else may pass.
    fn failure(&self, error: &smtp::Error) -> Sent {
        let words = match (error.status(), std::error::Error::source(error)) {
            (Some(code), Some(reply)) => format!("{code} {reply}"),
            // It tells its cause itself.
            _ => error.to_string(),
        };
        let text = redacted(&words, &self.secrets());
        if error.is_permanent() { Sent::refused(&bounded(&text)) } else { Sent::failed(&text) }
    }

    fn secrets(&self) -> Vec<&SecretString> {
        self.password.iter().collect()
    }
}

impl Provider for Email {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &PACE
    }

    /// The headers that people see, and both bodies.
    fn preview(&self, story: &Story) -> String {
        let to: Vec<_> = self.to.iter().map(ToString::to_string).collect();
        match self.letter(story) {
            Ok(Letter { text, html }) => format!(
                "From: {}\nTo: {}\nSubject: {}\n\n{text}\n\n{html}",
                self.from,
                to.join(", "),
                self.subject(story)
            ),
            Err(error) => with_causes(&error),
        }
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.submit(http, story))
    }
}
