//! The way out to SNS.

use std::time::Duration;

use reqwest::StatusCode;
use tocsin_service::http::client_builder;
use url::Url;

/// Longest that one request may take, answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Gets what an address holds. The only way in which trust reaches out, so that tests can stand in its place.
pub(crate) trait Fetch {
    /// What is there, if it has at most `max_bytes`.
    async fn get(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, FetchError>;
}

/// Nothing that can be used was there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There was no answer, or none in time.
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// There was another answer.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer has no end.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

/// The network.
#[derive(Debug)]
pub(crate) struct Web(reqwest::Client);

impl Web {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        client_builder().https_only(true).timeout(REQUEST_TIMEOUT).build().map(Self)
    }
}

impl Fetch for Web {
    async fn get(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
        let no_answer = |error: reqwest::Error| FetchError::NoAnswer(error.without_url());
        let mut response = self.0.get(url.clone()).send().await.map_err(no_answer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if bytes.len() + chunk.len() > max_bytes {
                return Err(FetchError::TooLong(max_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// The address of a server that gives one answer.
    fn answering(answer: &'static str) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        format!("http://{address}/c.pem?token=secret").parse().unwrap()
    }

    async fn get(answer: &'static str) -> Result<Vec<u8>, FetchError> {
        let web = Web(client_builder().no_proxy().timeout(REQUEST_TIMEOUT).build().unwrap());
        web.get(&answering(answer), 5).await
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_bound() {
        assert_eq!(get("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap(), b"hello");
        let told = get("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello!").await.unwrap_err();
        assert!(matches!(told, FetchError::TooLong(5)), "{told}");
    }

    #[tokio::test]
    async fn another_answer_is_a_failure_and_a_redirect_is_not_followed() {
        let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let told = get(elsewhere).await.unwrap_err();
        assert!(matches!(told, FetchError::Status(StatusCode::FOUND)), "{told}");
    }

    #[tokio::test]
    async fn nothing_is_fetched_without_tls_and_no_address_is_in_the_error() {
        let told = Web::new().unwrap().get(&answering("HTTP/1.1 200 OK\r\n\r\n"), 5).await.unwrap_err();
        assert!(matches!(told, FetchError::NoAnswer(_)), "{told}");
        let cut_off = get("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await.unwrap_err();
        for error in [told, cut_off] {
            assert!(!tocsin_service::with_causes(&error).contains("secret"), "{error:?}");
        }
    }
}
