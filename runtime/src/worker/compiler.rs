//! The compiler process: one untrusted module in, native code and its description out. Its time is the host's to
//! bound; its memory it bounds itself.

use std::io;
use std::os::fd::AsFd;

use super::{receive, unexpected};
use crate::engine::compile::{CompileError, compile};
use crate::ipc::wire::{self, Compile, Compiled};
use crate::sys::memory::{Mapping, check_sealed, sealed_memfd};
use crate::sys::process::limit_data;
use crate::sys::socket::Socket;

/// Compiles the one module that the host sends.
pub(super) fn run(socket: &Socket) -> io::Result<()> {
    let Some((request, mut fds)) = receive::<Compile>(socket)? else {
        return Ok(());
    };
    let module = match (fds.pop(), fds.is_empty()) {
        (Some(fd), true) => fd,
        _ => return Err(unexpected("a module is one descriptor")),
    };
    if check_sealed(&module)? != request.module_bytes {
        return Err(unexpected("a module of another size than announced"));
    }
    let bytes = usize::try_from(request.module_bytes).map_err(io::Error::other)?;
    let module = Mapping::read_only(module, bytes)?;
    limit_data(request.limits.compile_memory_bytes)?;

    let done = compile(&module, &request.mode, &request.limits).and_then(|compiled| {
        let manifest = compiled.manifest.encode();
        Ok((
            compiled.code,
            manifest.map_err(|error| CompileError::Invalid(error.to_string()))?,
        ))
    });
    match done {
        Ok((code, manifest)) => {
            let out = sealed_memfd("wasmpool-code", &[&code, &manifest])?;
            let answer = Compiled::Done {
                code_bytes: code.len() as u64,
                manifest_bytes: manifest.len() as u64,
            };
            socket.send(&wire::encode(&answer)?, &[out.as_fd()])
        }
        Err(error) => {
            let refusal = error.refusal();
            let answer = Compiled::Refused {
                message: refusal.message,
                hint: refusal.hint,
            };
            socket.send(&wire::encode(&answer)?, &[])
        }
    }
}
