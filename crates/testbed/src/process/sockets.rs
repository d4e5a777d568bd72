//! The TCP connections of a process, as `/proc` shows them: who has the socket is found by its inode.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::unistd::Pid;

use super::tree;

/// State of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// A connection, as one of its ends sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Who has which connection: these processes with their descendants, as far as they are in our network and we may look into
/// them. A connection that is being opened is one. Takes a tenth of a second where there are thousands.
pub(crate) fn owners<Name: Clone>(roots: &[(Name, u32)]) -> HashMap<Connection, Name> {
    let mut names = HashMap::new();
    for (name, root) in roots {
        let root = Pid::from_raw(root.cast_signed());
        let tree = tree::descendants(root).into_iter().chain([root]);
        names.extend(tree.flat_map(sockets_of).map(|inode| (inode, name)));
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines());
    let ours = rows.filter_map(|row| Some((row, *names.get(&inode(row)?)?)));
    ours.filter_map(|(row, name)| Some((parse(row)?, (*name).clone()))).collect()
}

/// The connections of one process with its descendants.
pub(crate) fn connections_of(root: u32) -> Vec<Connection> {
    owners(&[((), root)]).into_keys().collect()
}

/// The inodes of the sockets that a process has.
fn sockets_of(pid: Pid) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

/// Which socket a row of `/proc/net/tcp` or `tcp6` is about. `None` for the headings.
fn inode(row: &str) -> Option<u64> {
    row.split_ascii_whitespace().nth(9)?.parse().ok()
}

/// The local and the remote address of a row, and the state. `None` for one that listens.
fn parse(row: &str) -> Option<Connection> {
    let mut columns = row.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (address(columns.next()?)?, address(columns.next()?)?, columns.next()?);
    (state != LISTENS).then_some(Connection { local, remote })
}

/// Such as `0100007F:1F90`. Each word of 32 bits is in the machine's own order.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(words.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match words.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words: Option<Vec<[u8; 4]>> = (0..4).map(word).collect();
            let bytes: [u8; 16] = words?.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn both_ends_of_a_connection_of_ours_are_found_and_the_listener_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let found = connections_of(std::process::id());
        for end in [&client, &server] {
            let end = Connection { local: end.local_addr().unwrap(), remote: end.peer_addr().unwrap() };
            assert!(found.contains(&end), "{end:?} is not in {found:?}");
        }
        assert!(!found.iter().any(|connection| connection.remote.port() == 0), "{found:?}");
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(address("0100007F:1F90"), Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(address("00000000000000000000000001000000:0050"), Some("[::1]:80".parse().unwrap()));
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), Some("127.0.0.1:80".parse().unwrap()));
    }
}
