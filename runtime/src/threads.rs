//! stub
pub(crate) fn launcher(
    _f: &std::os::fd::OwnedFd,
    _n: u64,
    _m: crate::mode::CodeMode,
    _l: &crate::limits::Limits,
    _s: usize,
) -> Result<Box<dyn crate::ipc::launch::Launch>, crate::pool::Error> {
    todo!()
}
