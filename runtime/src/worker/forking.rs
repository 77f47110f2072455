//! One thread that forks children for the host and tells it how they end: what a fork server and a prober have in common.
//! Knows neither what the children are nor what is said about them.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::receive;
use crate::ipc::wire;
use crate::sys::poll::Poller;
use crate::sys::process::{Forked, child_signal, forget_child_signal, fork, reap};
use crate::sys::socket::Socket;

const CONTROL: u64 = 0;
const CHILDREN: u64 = 1;

/// A process that forks. `K` is what a child is called.
pub(super) struct Forking<K> {
    control: Socket,
    signal: OwnedFd,
    poller: Poller,
    children: HashMap<Pid, K>,
}

/// Which process one is in after a fork.
pub(super) enum Side<K> {
    /// The child, with the parent's end of the socket to the host, whose number is the child's to use.
    Child(Socket),
    /// The parent, and whether there is a child.
    Parent(Forking<K>, io::Result<()>),
}

impl<K> Forking<K> {
    /// The process must have one thread, for ever.
    pub(super) fn new(control: Socket) -> io::Result<Forking<K>> {
        let forking = Forking {
            control,
            signal: child_signal()?,
            poller: Poller::new()?,
            children: HashMap::new(),
        };
        forking.poller.add(&forking.control, CONTROL)?;
        forking.poller.add(&forking.signal, CHILDREN)?;
        Ok(forking)
    }

    /// Tells the host. If it is gone, the end of file says so next.
    pub(super) fn tell(&self, message: &impl Serialize) {
        tell(&self.control, message);
    }

    /// Waits for the host's next message, `None` at the end. Tells of children that end meanwhile, with their status as
    /// `wait` gives it, in the words of `ended`.
    pub(super) fn next<T: DeserializeOwned, W: Serialize>(
        &mut self,
        ended: impl Fn(K, i32) -> W,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut ready = Vec::new();
        loop {
            self.poller.wait(None, &mut ready)?;
            if ready.contains(&CHILDREN) {
                self.reap(&ended);
            }
            if ready.contains(&CONTROL) {
                return receive(&self.control);
            }
        }
    }

    fn reap<W: Serialize>(&mut self, ended: impl Fn(K, i32) -> W) {
        // Several signals may have become one: read it away, then take whoever has ended.
        let _ = rustix::io::read(&self.signal, &mut [0u8; 128 * 8]);
        while let Some((pid, status)) = reap() {
            if let Some(child) = self.children.remove(&pid) {
                self.tell(&ended(child, status.into_raw()));
            }
        }
    }

    /// Forks. The child has no descriptor of this but the socket.
    pub(super) fn fork(mut self, child: K) -> Side<K> {
        // SAFETY: this process has one thread.
        match unsafe { fork() } {
            Ok(Forked::Child) => {
                forget_child_signal();
                Side::Child(self.control)
            }
            Ok(Forked::Parent(pid)) => {
                self.children.insert(pid, child);
                Side::Parent(self, Ok(()))
            }
            Err(error) => Side::Parent(self, Err(error)),
        }
    }
}

/// Tells the host. If it is gone, the end of file says so next.
pub(super) fn tell(socket: &Socket, message: &impl Serialize) {
    if let Ok(message) = wire::encode(message) {
        let _ = socket.send(&message, &[]);
    }
}
