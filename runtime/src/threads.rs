//! Workers in threads: where `pool` and `worker` are put together, since neither imports the other.

use std::os::fd::AsFd;

use crate::ipc::launch::Launch;
use crate::pool::Error;
use crate::sys::memory::Mapping;
pub(crate) use crate::worker::threads::Setup;
use crate::worker::threads::ThreadLauncher;

/// A launcher of worker threads for code that this user's own compiler process made. The one place where the host runs
/// guest code: asked for by `Isolation::Thread`, for components that are trusted.
pub(crate) fn launcher(
    code: impl AsFd,
    bytes: u64,
    setup: Setup<'_>,
) -> Result<Box<dyn Launch>, Error> {
    let failed = || Error::pool("worker threads cannot be started");
    let len = usize::try_from(bytes)
        .map_err(std::io::Error::other)
        .map_err(failed())?;
    let code = Mapping::read_only(code, len).map_err(failed())?;
    // SAFETY: the code comes from the compiler process, or from the user's own authenticated cache; whoever asks for
    // threads says that the component is trusted.
    let launcher = unsafe { ThreadLauncher::new(&code, setup) };
    Ok(Box::new(
        launcher.map_err(std::io::Error::other).map_err(failed())?,
    ))
}
