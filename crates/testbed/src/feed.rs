//! Filling the events stream as ingest does, without ingest: for what is about the worker, and more than anybody could
//! send in the time.

use tocsin_shared::Envelope;
use tocsin_shared::envelope::FIELDS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tenant::resp_command;
use crate::{Result, Tenant, TestbedError};

/// Entries that are sent before their answers are read.
const PIPELINED: usize = 500;

/// Appends deliveries to the events stream, in this order.
///
/// # Errors
/// When Redis cannot be reached or refuses an entry.
pub async fn append(tenant: &Tenant, deliveries: impl IntoIterator<Item = &Envelope>) -> Result<()> {
    let stream = format!("{}:v1:{{0}}:events", tenant.redis_prefix());
    let failed = |source| TestbedError::Feed { source };
    let address = tenant.redis_url().trim_start_matches("redis://");
    let mut redis = TcpStream::connect(address).await.map_err(failed)?;
    let (mut bytes, mut waiting) = (Vec::new(), 0);
    for delivery in deliveries {
        let values = delivery.to_values().map_err(|error| failed(error.into()))?;
        let mut command = vec!["XADD", stream.as_str(), "*"];
        command.extend(FIELDS.into_iter().zip(&values).flat_map(|(name, value)| [name, value.as_str()]));
        bytes.extend(resp_command(&command));
        waiting += 1;
        if waiting == PIPELINED {
            exchange(&mut redis, &bytes, waiting).await.map_err(failed)?;
            (waiting, _) = (0, bytes.clear());
        }
    }
    exchange(&mut redis, &bytes, waiting).await.map_err(failed)
}

/// Sends commands, and reads as many answers: two lines each, the length of an entry's id and the id; or one, an error.
async fn exchange(redis: &mut TcpStream, commands: &[u8], count: usize) -> std::io::Result<()> {
    redis.write_all(commands).await?;
    let (mut answers, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while answers.iter().filter(|byte| **byte == b'\n').count() < 2 * count {
        let length = redis.read(&mut buffer).await?;
        answers.extend_from_slice(&buffer[..length]);
        if length == 0 || answers.starts_with(b"-") || answers.windows(2).any(|pair| pair == b"\n-") {
            return Err(std::io::Error::other(String::from_utf8_lossy(&answers).into_owned()));
        }
    }
    Ok(())
}
