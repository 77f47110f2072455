//! Probes of sockets: every kind that the kernel makes, and more of the one socket that the process has.

use libc::{
    AF_ALG, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK, IPPROTO_ICMP, IPPROTO_RAW,
    NETLINK_ROUTE, SHUT_RDWR, SO_PEERCRED, SO_RCVBUF, SO_TYPE, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_RAW,
    SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
};

use super::Control::{Namespaced, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const SOCKETS: Family = Family::Sockets;

/// 127.0.0.1 with a port of the kernel's choice.
fn loopback() -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    }
}

const ADDRESS: usize = size_of::<libc::sockaddr_in>();

impl Scene<'_> {
    fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Tried {
        ask!(self, SYS_socket, domain, kind | SOCK_CLOEXEC, protocol)
    }

    fn socket_close(&self, domain: i32, kind: i32, protocol: i32) -> Tried {
        let socket = self.socket(domain, kind, protocol)?;
        self.close(socket)?;
        Ok(socket)
    }

    fn pair(&self, kind: i32) -> Result<[i32; 2], rustix::io::Errno> {
        let mut pair = [-1i32; 2];
        ask!(
            self,
            SYS_socketpair,
            AF_UNIX,
            kind | SOCK_CLOEXEC,
            0,
            &mut pair
        )?;
        Ok(pair)
    }

    fn close_pair(&self, pair: [i32; 2]) -> Tried {
        self.close(pair[0].into())?;
        self.close(pair[1].into())
    }

    /// A TCP socket that listens on the loopback interface, and where.
    fn listener(&self) -> Result<(i64, libc::sockaddr_in), rustix::io::Errno> {
        let mut at = loopback();
        let listener = self.socket(AF_INET, SOCK_STREAM, 0)?;
        ask!(self, SYS_bind, listener, &raw const at, ADDRESS)?;
        ask!(self, SYS_listen, listener, 1)?;
        let mut length = [ADDRESS as u32];
        ask!(self, SYS_getsockname, listener, &raw mut at, &mut length)?;
        Ok((listener, at))
    }

    /// Reads an option of the channel, of four bytes.
    fn channel_option(&self, option: i32) -> Tried {
        let (mut value, mut length) = ([0u32; 4], [16u32]);
        ask!(
            self,
            SYS_getsockopt,
            self.channel,
            SOL_SOCKET,
            option,
            &mut value,
            &mut length
        )
    }
}

/// The name of a socket that no file stands for.
fn abstract_name(own: i32) -> libc::sockaddr_un {
    let mut name = libc::sockaddr_un {
        sun_family: AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    let number = own.to_ne_bytes();
    let bytes = b"wasmpool-audit-".iter().chain(&number);
    // The first byte stays zero, which is what makes the name abstract.
    for (place, byte) in name.sun_path[1..20].iter_mut().zip(bytes) {
        *place = *byte as libc::c_char;
    }
    name
}

/// Bytes of [`abstract_name`]: the family, the zero, the rest.
const NAMED: usize = size_of::<libc::sa_family_t>() + 20;

pub(super) const PROBES: &[Probe] = &[
    probe(
        "tcp",
        SOCKETS,
        call!(SYS_socket),
        "make a TCP socket",
        Plain,
        |s| s.socket_close(AF_INET, SOCK_STREAM, 0),
    ),
    probe(
        "tcp_v6",
        SOCKETS,
        call!(SYS_socket),
        "make a TCP socket for IPv6",
        Switched("whether the kernel has IPv6"),
        |s| s.socket_close(AF_INET6, SOCK_STREAM, 0),
    ),
    probe(
        "udp",
        SOCKETS,
        call!(SYS_socket),
        "make a UDP socket",
        Plain,
        |s| s.socket_close(AF_INET, SOCK_DGRAM, 0),
    ),
    probe(
        "unix_stream",
        SOCKETS,
        call!(SYS_socket),
        "make a socket to local programs",
        Plain,
        |s| s.socket_close(AF_UNIX, SOCK_STREAM, 0),
    ),
    probe(
        "unix_datagram",
        SOCKETS,
        call!(SYS_socket),
        "make a datagram socket to local programs",
        Plain,
        |s| s.socket_close(AF_UNIX, SOCK_DGRAM, 0),
    ),
    probe(
        "netlink",
        SOCKETS,
        call!(SYS_socket),
        "make a socket to network settings",
        Plain,
        |s| s.socket_close(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
    ),
    probe(
        "ping",
        SOCKETS,
        call!(SYS_socket),
        "make a socket for pings",
        Switched("net.ipv4.ping_group_range"),
        |s| s.socket_close(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    ),
    probe(
        "raw_ip",
        SOCKETS,
        call!(SYS_socket),
        "make a socket for raw IP packets",
        Namespaced,
        |s| s.socket_close(AF_INET, SOCK_RAW, IPPROTO_RAW),
    ),
    probe(
        "packet",
        SOCKETS,
        call!(SYS_socket),
        "listen to all packets of the network",
        Switched("root of the network namespace, and CONFIG_PACKET"),
        |s| s.socket_close(AF_PACKET, SOCK_RAW, 0),
    ),
    probe(
        "vsock",
        SOCKETS,
        call!(SYS_socket),
        "make a socket to the hypervisor",
        Switched("whether the kernel has AF_VSOCK"),
        |s| s.socket_close(AF_VSOCK, SOCK_STREAM, 0),
    ),
    probe(
        "crypto",
        SOCKETS,
        call!(SYS_socket),
        "make a socket to the kernel's ciphers",
        Switched("whether the kernel has AF_ALG"),
        |s| s.socket_close(AF_ALG, SOCK_SEQPACKET, 0),
    ),
    probe(
        "socketpair",
        SOCKETS,
        call!(SYS_socketpair),
        "make a pair of sockets",
        Plain,
        |s| {
            let pair = s.pair(SOCK_STREAM)?;
            s.close_pair(pair)
        },
    ),
    probe(
        "bind",
        SOCKETS,
        call!(SYS_bind),
        "take a TCP port",
        Plain,
        |s| {
            let at = loopback();
            let _ = ask!(s, SYS_bind, s.channel, &raw const at, ADDRESS);
            let socket = s.socket(AF_INET, SOCK_STREAM, 0)?;
            ask!(s, SYS_bind, socket, &raw const at, ADDRESS)?;
            s.close(socket)
        },
    ),
    probe(
        "bind_abstract",
        SOCKETS,
        call!(SYS_bind),
        "take a name that other programs can reach",
        Plain,
        |s| {
            let at = abstract_name(s.own);
            let _ = ask!(s, SYS_bind, -1, &raw const at, NAMED);
            let socket = s.socket(AF_UNIX, SOCK_STREAM, 0)?;
            ask!(s, SYS_bind, socket, &raw const at, NAMED)?;
            s.close(socket)
        },
    ),
    probe(
        "listen",
        SOCKETS,
        call!(SYS_listen),
        "wait for connections",
        Plain,
        |s| {
            let _ = ask!(s, SYS_listen, -1, 1);
            let (listener, _) = s.listener()?;
            s.close(listener)
        },
    ),
    probe(
        "connect",
        SOCKETS,
        call!(SYS_connect),
        "connect over TCP",
        Switched("whether the loopback interface is up"),
        |s| {
            let nowhere = loopback();
            let _ = ask!(s, SYS_connect, -1, &raw const nowhere, ADDRESS);
            let (listener, at) = s.listener()?;
            let client = s.socket(AF_INET, SOCK_STREAM, 0)?;
            ask!(s, SYS_connect, client, &raw const at, ADDRESS)?;
            s.close(client)?;
            s.close(listener)
        },
    ),
    probe(
        "connect_abstract",
        SOCKETS,
        call!(SYS_connect),
        "connect to a local program",
        Plain,
        |s| {
            let at = abstract_name(s.own);
            let _ = ask!(s, SYS_connect, -1, &raw const at, NAMED);
            let listener = s.socket(AF_UNIX, SOCK_STREAM, 0)?;
            ask!(s, SYS_bind, listener, &raw const at, NAMED)?;
            ask!(s, SYS_listen, listener, 1)?;
            let client = s.socket(AF_UNIX, SOCK_STREAM, 0)?;
            ask!(s, SYS_connect, client, &raw const at, NAMED)?;
            s.close(client)?;
            s.close(listener)
        },
    ),
    probe(
        "accept4",
        SOCKETS,
        call!(SYS_accept4),
        "accept a connection",
        Plain,
        |s| {
            let _ = ask!(s, SYS_accept4, s.channel, 0, 0, SOCK_CLOEXEC);
            let at = abstract_name(s.own);
            let listener = s.socket(AF_UNIX, SOCK_STREAM, 0)?;
            ask!(s, SYS_bind, listener, &raw const at, NAMED)?;
            ask!(s, SYS_listen, listener, 1)?;
            let client = s.socket(AF_UNIX, SOCK_STREAM, 0)?;
            ask!(s, SYS_connect, client, &raw const at, NAMED)?;
            let accepted = ask!(s, SYS_accept4, listener, 0, 0, SOCK_CLOEXEC)?;
            s.close(accepted)?;
            s.close(client)?;
            s.close(listener)
        },
    ),
    probe(
        "accept",
        SOCKETS,
        call!(SYS_accept),
        "accept a connection on the socket it has",
        Plain,
        |s| {
            // Its socket is connected and so cannot accept: the kernel says that only to those who may ask.
            let asked = ask!(s, SYS_accept, s.channel, 0, 0);
            s.permitted(asked, &[rustix::io::Errno::INVAL])
        },
    ),
    probe(
        "send_datagram",
        SOCKETS,
        call!(SYS_sendmmsg),
        "send a packet of UDP",
        Switched("whether the loopback interface is up"),
        |s| {
            let mut at = loopback();
            let mut byte = [0u8; 1];
            let mut part = libc::iovec {
                iov_base: byte.as_mut_ptr().cast(),
                iov_len: 1,
            };
            // SAFETY: a message header is plain data for which zeros are valid.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = (&raw mut at).cast();
            message.msg_hdr.msg_namelen = ADDRESS as u32;
            message.msg_hdr.msg_iov = &raw mut part;
            message.msg_hdr.msg_iovlen = 1;
            let _ = ask!(s, SYS_sendmmsg, -1, &raw mut message, 1, 0);
            let socket = s.socket(AF_INET, SOCK_DGRAM, 0)?;
            ask!(s, SYS_bind, socket, &raw const at, ADDRESS)?;
            let mut length = [ADDRESS as u32];
            ask!(s, SYS_getsockname, socket, &raw mut at, &mut length)?;
            ask!(s, SYS_sendmmsg, socket, &raw mut message, 1, 0)?;
            s.close(socket)
        },
    ),
    probe(
        "pass_descriptor",
        SOCKETS,
        call!(SYS_socketpair),
        "pass a descriptor on",
        Plain,
        |s| {
            let pair = s.pair(SOCK_DGRAM)?;
            let passed = s.pass(pair);
            s.close_pair(pair)?;
            passed
        },
    ),
    probe(
        "recvmmsg",
        SOCKETS,
        call!(SYS_recvmmsg),
        "receive many messages in one call",
        Plain,
        |s| {
            let asked = ask!(s, SYS_recvmmsg, s.channel, 0, 0, libc::MSG_DONTWAIT, 0);
            // No message fits no room; none waits either.
            s.permitted(asked, &[rustix::io::Errno::AGAIN])
        },
    ),
    probe(
        "getpeername",
        SOCKETS,
        call!(SYS_getpeername),
        "learn the other end's name",
        Plain,
        |s| {
            let mut length = [128u32];
            ask!(s, SYS_getpeername, s.channel, &mut [0u64; 16], &mut length)
        },
    ),
    probe(
        "getsockname",
        SOCKETS,
        call!(SYS_getsockname),
        "learn its own end's name",
        Plain,
        |s| {
            let mut length = [128u32];
            ask!(s, SYS_getsockname, s.channel, &mut [0u64; 16], &mut length)
        },
    ),
    probe(
        "peer_credentials",
        SOCKETS,
        call!(SYS_getsockopt),
        "learn who holds the other end",
        Plain,
        |s| s.channel_option(SO_PEERCRED),
    ),
    probe(
        "getsockopt",
        SOCKETS,
        call!(SYS_getsockopt),
        "read its socket's settings",
        Plain,
        |s| s.channel_option(SO_TYPE),
    ),
    probe(
        "setsockopt",
        SOCKETS,
        call!(SYS_setsockopt),
        "change its socket's settings",
        Plain,
        |s| {
            ask!(
                s,
                SYS_setsockopt,
                s.channel,
                SOL_SOCKET,
                SO_RCVBUF,
                &[65_536u32],
                4
            )
        },
    ),
    probe(
        "shutdown",
        SOCKETS,
        call!(SYS_shutdown),
        "close a socket for all who hold it",
        Plain,
        |s| {
            let _ = ask!(s, SYS_shutdown, -1, SHUT_RDWR);
            let pair = s.pair(SOCK_STREAM)?;
            ask!(s, SYS_shutdown, pair[0], SHUT_RDWR)?;
            s.close_pair(pair)
        },
    ),
];

impl Scene<'_> {
    /// Sends a descriptor from one end of a pair to the other.
    fn pass(&self, pair: [i32; 2]) -> Tried {
        #[repr(C)]
        struct Control {
            header: libc::cmsghdr,
            descriptor: i32,
        }
        let mut byte = [0u8; 1];
        let mut part = libc::iovec {
            iov_base: byte.as_mut_ptr().cast(),
            iov_len: 1,
        };
        // SAFETY: both are plain data for which zeros are valid.
        let (mut control, mut message): (Control, libc::msghdr) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        control.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<i32>()) as _;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.descriptor = pair[0];
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Control>() as _;
        ask!(self, SYS_sendmsg, pair[0], &raw const message, 0)
    }
}
