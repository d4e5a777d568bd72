//! Filling the events stream as ingest does, without ingest: for what is about the worker, and more than anybody could
//! send in the time.

use tocsin_shared::Envelope;
use tocsin_shared::envelope::FIELDS;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
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
    let mut redis = BufReader::new(TcpStream::connect(address).await.map_err(failed)?);
    let (mut bytes, mut waiting) = (Vec::new(), 0);
    for delivery in deliveries {
        let values = delivery.to_values().map_err(|error| failed(error.into()))?;
        let mut command = vec!["XADD", stream.as_str(), "*"];
        command.extend(FIELDS.into_iter().zip(&values).flat_map(|(name, value)| [name, value.as_str()]));
        bytes.extend(resp_command(&command));
        waiting += 1;
        if waiting == PIPELINED {
            exchange(&mut redis, &bytes, waiting).await.map_err(failed)?;
            bytes.clear();
            waiting = 0;
        }
    }
    exchange(&mut redis, &bytes, waiting).await.map_err(failed)
}

/// Sends commands, and reads as many answers: each an entry's id, after a line with its length.
async fn exchange(redis: &mut BufReader<TcpStream>, commands: &[u8], count: usize) -> std::io::Result<()> {
    redis.write_all(commands).await?;
    let mut line = String::new();
    for _ in 0..2 * count {
        line.clear();
        redis.read_line(&mut line).await?;
        if line.is_empty() || line.starts_with('-') {
            return Err(std::io::Error::other(line));
        }
    }
    Ok(())
}
