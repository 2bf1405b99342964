//! The socket: handed down by the service manager, or bound here.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd};

use anyhow::{Context as _, bail};

pub(crate) struct Listening {
    pub(super) listener: TcpListener,
    /// As browsers know it.
    pub(super) address: SocketAddr,
    pub(super) is_handed_down: bool,
}

impl Listening {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `address` is where to listen if nothing was handed down.
    pub(crate) fn begin(address: Option<SocketAddr>) -> anyhow::Result<Self> {
        if let Some(listener) = handed_down()? {
            let address = listener.local_addr().context("use the socket that was handed down")?;
            if !address.ip().is_loopback() {
                bail!(
                    "the socket that was handed down is {address}, which other machines can \
                     reach: let bpf-recorder-web.socket listen at 127.0.0.1"
                );
            }
            return Ok(Self { listener, address, is_handed_down: true });
        }
        let Some(address) = address else {
            bail!(
                "the web page is switched off: give --web-address, or set it in the configuration"
            )
        };
        let listener = match TcpListener::bind(address) {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "another program listens at {address}: stop it, or give another --web-address"
            ),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("listen at {address}: give another --web-address"));
            }
        };
        Ok(Self { listener, address, is_handed_down: false })
    }
}

fn handed_down() -> anyhow::Result<Option<TcpListener>> {
    let mut fds = sd_notify::listen_fds().context("take the socket from the service manager")?;
    let Some(fd) = fds.next() else { return Ok(None) };
    if fds.next().is_some() {
        bail!("several sockets were handed down: bpf-recorder-web.socket is to have one address");
    }
    // Of another kind, asking for its address fails.
    Ok(Some(TcpListener::from(owned(fd))))
}

#[expect(unsafe_code, reason = "the protocol of the service manager hands numbers down")]
fn owned(fd: std::os::fd::RawFd) -> OwnedFd {
    // SAFETY: listen_fds has checked that the number is meant for this process; it is asked once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
