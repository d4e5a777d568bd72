//! One who watches. It reads the stream as bytes: thousands of them run beside what is measured.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::BenchError;

/// What the titles of incidents begin and end with.
const BEGIN: &str = "live-";
const END: char = '.';
/// Longest title, so that one which is cut in two is seen nevertheless.
const LONGEST: usize = 32;
/// By which it is known that the answer has begun.
const HELLO: &str = "retry: ";

/// The title of an incident.
pub(super) fn title(number: u32) -> String {
    format!("{BEGIN}{number}{END}")
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Watcher {
    stream: TcpStream,
    /// What was read and not looked at.
    text: Vec<u8>,
}

impl Watcher {
    /// Opens a stream and waits until it has begun.
    pub(super) async fn open(url: &str, token: &str) -> Result<Self, BenchError> {
        let broken = |_| BenchError::Broken { what: "a stream could not be opened" };
        let address = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.map_err(broken)?;
        let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(broken)?;
        let mut watcher = Self { stream, text: Vec::new() };
        while !String::from_utf8_lossy(&watcher.text).contains(HELLO) {
            watcher.read().await?;
        }
        Ok(watcher)
    }

    /// Reads on until it has seen so many incidents. Gives when it has seen each for the first time.
    pub(super) async fn see(mut self, count: u32) -> Result<Vec<Instant>, BenchError> {
        let mut seen: Vec<Option<Instant>> = vec![None; count as usize];
        let mut unseen = seen.len();
        while unseen > 0 {
            self.read().await?;
            let now = Instant::now();
            for number in numbers(&String::from_utf8_lossy(&self.text)) {
                if let Some(first @ None) = seen.get_mut(number) {
                    *first = Some(now);
                    unseen -= 1;
                }
            }
            // The beginning of a title may be there already.
            self.text.drain(..self.text.len().saturating_sub(LONGEST));
        }
        Ok(seen.into_iter().flatten().collect())
    }

    async fn read(&mut self) -> Result<(), BenchError> {
        match self.stream.read_buf(&mut self.text).await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(BenchError::Broken { what: "a stream has ended" }),
        }
    }
}

/// The numbers of the incidents that a text tells of, again and again if it does.
fn numbers(text: &str) -> impl Iterator<Item = usize> {
    text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END)?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_are_known_by_their_titles() {
        let text =
            format!("data: {{\"title\":\"{}\"}}\n\ndata: {{\"title\":\"{}\", \"x\": \"live-3", title(12), title(7));
        assert_eq!(numbers(&text).collect::<Vec<_>>(), [12, 7], "the last one has not ended");
        assert!(title(u32::MAX).len() <= LONGEST);
    }
}
