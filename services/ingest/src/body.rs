//! Reading a body: within its time, its size and, when it is compressed, the size that it inflates to.

use std::io::Read as _;
use std::sync::LazyLock;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::web;
use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;
use tokio::sync::Semaphore;

use crate::sources::Source;

/// Time that a body may take to arrive.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest inflated body, in bytes: 10,000 alerts that arrive in less than 1 MiB.
const MAX_INFLATED_BYTES: usize = 16 * 1024 * 1024;
/// Bodies that are inflated, and then parsed, at the same time: their memory is what a few small requests could exhaust.
const MAX_INFLATIONS: usize = 2;
/// Longest wait for one of these places.
const INFLATE_TIMEOUT: Duration = Duration::from_secs(5);

static INFLATIONS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(MAX_INFLATIONS));

/// A body, as its sender meant it.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: web::Bytes,
    /// Held until an inflated body is no longer needed.
    _place: Option<tokio::sync::SemaphorePermit<'static>>,
}

impl Body {
    /// Reads it whole.
    pub(crate) async fn read(source: &Source, headers: &HeaderMap, payload: web::Payload) -> Result<Self, Problem> {
        let coding = Coding::of(headers)?;
        require_media_type(source, headers)?;
        let limit = source.max_body_bytes;
        let bytes = arrived(payload, limit).await?;
        match coding {
            Coding::Identity => Ok(Self { bytes, _place: None }),
            Coding::Gzip => inflated(bytes).await,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body as it is sent, within its time and of at most `limit` bytes. It is not empty.
pub(crate) async fn arrived(payload: web::Payload, limit: usize) -> Result<web::Bytes, Problem> {
    match tokio::time::timeout(ARRIVAL_TIMEOUT, whole(payload, limit)).await {
        Err(_elapsed) => {
            let detail = format!("the body did not arrive within {} s", ARRIVAL_TIMEOUT.as_secs());
            Err(Problem::new(ErrorCode::RequestTimeout).detail(detail))
        }
        Ok(Err(PayloadError::Overflow)) => {
            let detail = format!("the body is longer than {limit} bytes");
            Err(Problem::new(ErrorCode::PayloadTooLarge).detail(detail))
        }
        Ok(Err(error)) => Err(Problem::new(ErrorCode::BadRequest).detail(error.to_string())),
        Ok(Ok(bytes)) if bytes.is_empty() => Err(Problem::new(ErrorCode::EmptyBody)),
        Ok(Ok(bytes)) => Ok(bytes),
    }
}

/// All of a body, if it is not longer than `limit`. Most arrive in one piece, which is neither copied nor given room for
/// more.
async fn whole(mut payload: web::Payload, limit: usize) -> Result<web::Bytes, PayloadError> {
    let mut first = web::Bytes::new();
    let mut rest = web::BytesMut::new();
    while let Some(piece) = payload.try_next().await? {
        if first.len().max(rest.len()) + piece.len() > limit {
            return Err(PayloadError::Overflow);
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&piece);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(CONTENT_ENCODING) else {
            return Ok(Self::Identity);
        };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(Problem::new(ErrorCode::UnsupportedEncoding).detail("send Content-Encoding: gzip, or none")),
        }
    }
}

async fn inflated(bytes: web::Bytes) -> Result<Body, Problem> {
    let place = tokio::time::timeout(INFLATE_TIMEOUT, INFLATIONS.acquire()).await.ok().and_then(Result::ok);
    let Some(place) = place else {
        let problem = Problem::new(ErrorCode::Overloaded).detail("too many compressed bodies at a time");
        return Err(problem.retry_after(1));
    };
    // Away from the thread that serves everybody else.
    let inflating = tokio::task::spawn_blocking(move || inflate(&bytes));
    let bytes = inflating.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal)))?;
    Ok(Body { bytes: bytes.into(), _place: Some(place) })
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut inflated = Vec::new();
    let most = u64::try_from(MAX_INFLATED_BYTES).unwrap_or(u64::MAX);
    let read = MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut inflated);
    if let Err(error) = read {
        return Err(Problem::new(ErrorCode::BadRequest).detail(format!("the body is not gzip: {error}")));
    }
    if inflated.len() > MAX_INFLATED_BYTES {
        let detail = format!("the body inflates to more than {MAX_INFLATED_BYTES} bytes");
        return Err(Problem::new(ErrorCode::PayloadTooLarge).detail(detail));
    }
    if inflated.is_empty() { Err(Problem::new(ErrorCode::EmptyBody)) } else { Ok(inflated) }
}

/// Refuses what says that it is something other than JSON. A sender that says nothing is believed to mean it.
fn require_media_type(source: &Source, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json || (source.takes_text && essence == "text/plain") {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType).detail("send Content-Type: application/json"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use actix_web::http::header::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_is_what_is_read() {
        assert_eq!(inflate(&gzip(b"{}")).unwrap(), b"{}");
        let two = [gzip(b"{"), gzip(b"}")].concat();
        assert_eq!(inflate(&two).unwrap(), b"{}", "gzip may have several members");
    }

    #[test]
    fn a_bomb_is_refused_without_being_inflated_whole() {
        let bomb = gzip(&vec![0; MAX_INFLATED_BYTES + 1]);
        assert!(bomb.len() < 1024 * 1024);
        assert_eq!(inflate(&bomb).unwrap_err().code(), ErrorCode::PayloadTooLarge);
        assert_eq!(inflate(&gzip(&vec![0; MAX_INFLATED_BYTES])).unwrap().len(), MAX_INFLATED_BYTES);
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let mut cut = gzip(b"some text that is long enough to be cut");
        cut.truncate(cut.len() - 9);
        for bytes in [b"{}".as_slice(), &cut] {
            assert_eq!(inflate(bytes).unwrap_err().code(), ErrorCode::BadRequest);
        }
        assert_eq!(inflate(&gzip(b"")).unwrap_err().code(), ErrorCode::EmptyBody);
    }

    #[test]
    fn codings_are_told_apart() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(text))]);
            Coding::of(&headers).map_err(|problem| problem.code())
        };
        assert_eq!(of("GZIP"), Ok(Coding::Gzip));
        assert_eq!(of("identity"), Ok(Coding::Identity));
        assert_eq!(of("br"), Err(ErrorCode::UnsupportedEncoding));
        assert_eq!(of("gzip, gzip"), Err(ErrorCode::UnsupportedEncoding));
    }
}
