//! The compiler process: one untrusted module in, native code and its description out. Its time is the host's to
//! bound; its memory it bounds itself.

use std::io;
use std::os::fd::OwnedFd;

use super::allocator::end_without_memory;
use super::{Broken, exit, receive, unexpected};
use crate::engine::compile::{CompileError, compile};
use crate::ipc::manifest::OverLimit;
use crate::ipc::wire::{self, Compile, Compiled};
use crate::sandbox::{Bounds, Confined};
use crate::sys::memory::{Mapping, allocate_without_files, write_at};
use crate::sys::process::exit_now;
use crate::sys::socket::Socket;

/// Compiles the one module that the host sends.
pub(super) fn run(socket: &Socket, confined: Confined) -> Result<(), Broken> {
    let Some((request, fds)) = receive::<Compile>(socket)? else {
        return Ok(());
    };
    let [module, out] = <[OwnedFd; 2]>::try_from(fds)
        .map_err(|_| unexpected("a module and a file for its code are two descriptors"))?;
    let limits = &request.limits;
    let bytes = usize::try_from(request.module_bytes).map_err(io::Error::other)?;
    let module = Mapping::read_only(module, bytes)?;
    let fenced = confined.fence(Bounds::of_compiler(limits), &[])?;
    // Locked with all of them: none can be started afterwards.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    allocate_without_files(threads + 1);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(io::Error::other)?;
    let layers = fenced.lock_compiler()?.layers();
    end_without_memory();
    send(socket, &Compiled::Locked(layers))?;

    let done = compile(&module, &request.mode, limits).and_then(|compiled| {
        let manifest = compiled.manifest.encode();
        let manifest = manifest.map_err(|error| CompileError::Invalid(error.to_string()))?;
        let bytes = (compiled.code.len() + manifest.len()) as u64;
        OverLimit::test("bytes of compiled code", bytes, limits.compiled_bytes)?;
        Ok((compiled.code, manifest))
    });
    let answer = match done {
        Ok((code, manifest)) => {
            write_at(&out, 0, &code)?;
            write_at(&out, code.len() as u64, &manifest)?;
            Compiled::Done {
                code_bytes: code.len() as u64,
                manifest_bytes: manifest.len() as u64,
            }
        }
        Err(CompileError::OverLimit(over)) => Compiled::OverLimit(over),
        Err(error) => {
            let refusal = error.refusal();
            Compiled::Refused {
                message: refusal.message,
                hint: refusal.hint,
            }
        }
    };
    send(socket, &answer)?;
    // Returning would close files, which is not on its list.
    exit_now(exit::DONE)
}

fn send(socket: &Socket, answer: &Compiled) -> io::Result<()> {
    socket.send(&wire::encode(answer)?, &[])
}
