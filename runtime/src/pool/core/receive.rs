//! What workers and the launcher say: read, checked against what they were given, and taken or not.

use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use super::{Chunk, Core, Logged, MESSAGE_BYTES};
use crate::failure::FailureKind;
use crate::ids::{Generation, JobId, Seq, SlotId};
use crate::ipc::frame::{self, MAX_MESSAGE, Status, ToHost};
use crate::ipc::launch::Heard;
use crate::ipc::link::{Control, HostLink};
use crate::ipc::wire::{FromWorker, TaskInfo};
use crate::pool::core::Broken;
use crate::pool::job::Accepted;
use crate::pool::options::Bytes;
use crate::pool::slot::{Cause, State};
use crate::sys::clock::now;
use crate::sys::process::ProcessHandle;
use crate::text::printable;

impl Core {
    /// A worker's socket has something.
    pub(in crate::pool) fn on_socket(&mut self, slot: u32, generation: u32) {
        let Some(at) = self.current(SlotId(slot), Generation(generation)) else {
            return;
        };
        if self.places[at].link.is_some() {
            self.read_socket(at);
            self.read_frames(at);
            self.settle(at);
        }
    }

    /// The place of a worker; `None` if it has had a successor: what is still heard of it is late.
    fn current(&self, slot: SlotId, generation: Generation) -> Option<usize> {
        let at = slot.0 as usize;
        let place = self.places.get(at)?;
        (place.slot.generation() == generation).then_some(at)
    }

    pub(in crate::pool) fn read_socket(&mut self, at: usize) {
        let mut controls = Vec::new();
        let Some(link) = &mut self.places[at].link else {
            return;
        };
        let drained = link.drain(&mut controls);
        for control in controls {
            self.on_control(at, control);
        }
        match drained {
            Ok(true) => {}
            Ok(false) => {
                // Its last frames may say why it ended.
                self.read_frames(at);
                if let Some(link) = &self.places[at].link {
                    self.poller.remove(link.as_fd());
                }
                self.places[at].slot.closed(now());
            }
            Err(e) => self.violation(at, e.to_string()),
        }
    }

    pub(in crate::pool) fn on_control(&mut self, at: usize, control: Control) {
        let place = &mut self.places[at];
        match control.message {
            FromWorker::Born if place.kill.is_none() => {
                let process = control.sender.map(ProcessHandle::open);
                let lives = place.link.as_ref().is_some_and(HostLink::is_held);
                // While its socket is held the process has not ended, so that the number still means it.
                if let (Some(Ok(process)), true) = (process, lives) {
                    if let Some(recorder) = &mut self.recorder {
                        recorder.born(at, process.pid());
                    }
                    place.kill = Some(Box::new(process));
                }
                if matches!(place.slot.state(), State::Ending { .. })
                    && let Some(kill) = &place.kill
                {
                    kill.kill();
                }
            }
            FromWorker::Ready(tasks) => {
                if !place.slot.ready(now()) {
                    return self.violation(at, "it said twice that it is ready".into());
                }
                place.failed_starts = 0;
                if let Some(recorder) = &mut self.recorder {
                    recorder.ready(at, now());
                }
                if self.tasks.is_none() {
                    self.stats.start_nanos = now() - self.opened;
                    self.tasks = Some(checked_tasks(tasks));
                    self.notify();
                }
            }
            FromWorker::StartFailed { message, backtrace }
                if matches!(place.slot.state(), State::Starting { .. }) =>
            {
                let message = printable(&message, MESSAGE_BYTES);
                let backtrace = checked_backtrace(backtrace);
                self.end_worker(at, Cause::NotReady(message.clone()), None);
                self.give_up(Broken::Start { message, backtrace });
            }
            FromWorker::WantFile(bytes) => self.give_file(at, bytes),
            FromWorker::StartFailed { .. } | FromWorker::Born | FromWorker::Doorbell => {
                self.violation(at, "a message out of turn".into());
            }
        }
    }

    /// News of the launcher.
    pub(in crate::pool) fn on_news(&mut self) {
        let mut heard = Vec::new();
        if let Some(launcher) = &mut self.launcher
            && let Err(e) = launcher.heard(&mut heard)
        {
            self.give_up(Broken::Pool {
                doing: "the fork server has ended".into(),
                reason: e.to_string(),
            });
        }
        for news in heard {
            match news {
                Heard::Exited(slot, generation, status) => {
                    if let Some(at) = self.current(slot, generation) {
                        self.places[at].exit = Some(status);
                        self.read_socket(at);
                        self.places[at].slot.closed(now());
                        self.settle(at);
                    }
                }
                Heard::StartFailed(slot, generation, message) => {
                    if let Some(at) = self.current(slot, generation) {
                        self.end_worker(at, Cause::NotReady(message), None);
                        self.places[at].slot.closed(now());
                        self.places[at].exit = Some(ExitStatus::default());
                        self.settle(at);
                    }
                }
            }
        }
    }

    /// What the shared words say of a worker's progress.
    pub(in crate::pool) fn observe(&mut self, at: usize) {
        let place = &mut self.places[at];
        // Before the claim: a chunk that is taken afterwards may have an item started in between.
        let (time, taken) = (now(), place.has_taken());
        if let Some(link) = &place.link {
            let page = link.page();
            let claimed = page.claim.read();
            place
                .slot
                .progress(claimed, page.started.0.load(Ordering::Relaxed), now());
            if !taken {
                place.slot.untouched(time);
            }
        }
    }

    pub(in crate::pool) fn read_frames(&mut self, at: usize) {
        self.observe(at);
        self.excuse(at);
        let mut frame = std::mem::take(&mut self.frame);
        let mut any = false;
        loop {
            frame.clear();
            let Some(link) = &mut self.places[at].link else {
                break;
            };
            match link.read(&mut frame) {
                Ok(true) => {
                    any = true;
                    if let Err(reason) = self.on_frame(at, &frame) {
                        self.violation(at, reason);
                        break;
                    }
                }
                Ok(false) => break,
                Err(e) => {
                    self.violation(at, e.to_string());
                    break;
                }
            }
        }
        self.frame = frame;
        if !any {
            return;
        }
        let place = &mut self.places[at];
        if let Some(link) = &mut place.link {
            link.release();
        }
        if let Some(recorder) = &mut self.recorder {
            if place.slot.unfinished() == 0 {
                recorder.over(at);
            }
            recorder.heard(at, now());
        }
    }

    /// A frame of a worker. An error means that the worker broke the protocol.
    pub(in crate::pool) fn on_frame(&mut self, at: usize, bytes: &[u8]) -> Result<(), String> {
        match frame::decode_to_host(bytes).map_err(|e| e.to_string())? {
            ToHost::Result {
                item,
                status,
                fuel,
                payload,
            } => {
                let value = match payload {
                    Some(bytes) => Bytes::Owned(bytes.to_vec()),
                    None => {
                        let link = self.places[at].link.as_mut().ok_or("no link")?;
                        Bytes::Mapped(link.take_file().map_err(|e| e.to_string())?)
                    }
                };
                if status != Status::Emitted {
                    self.check_fuel(fuel)?;
                }
                self.on_result(at, item, status, value, fuel)
            }
            ToHost::Log(seq, level, bytes) => {
                let Some(item) = self.places[at].slot.item(seq) else {
                    return Err("a log message for an item that it does not run".into());
                };
                self.seen(at);
                let Some(job) = self.jobs.get_mut(&item.job) else {
                    return Ok(());
                };
                match job.log(item.index, bytes.len(), &self.shape.limits) {
                    Accepted::Yes => self.logs.push(Logged {
                        index: item.index,
                        level,
                        message: printable(&String::from_utf8_lossy(bytes), MESSAGE_BYTES),
                    }),
                    Accepted::TooMuch(limit) => self.too_much(at, seq, "log messages", limit),
                }
                Ok(())
            }
            ToHost::Sample {
                item,
                requests,
                stack,
            } => self.on_sample(at, item, requests, stack),
            ToHost::Call {
                instance,
                object,
                op,
                message,
            } => self.on_call(at, instance, object, op, message),
            ToHost::Over(instance) => self.on_over(at, instance),
            ToHost::Ended(seq, mut ended) => {
                let known = match ended.kind {
                    FailureKind::Trap | FailureKind::Memory | FailureKind::OutputLimit => true,
                    // That is for the host to say; it says so before it asks where the guest is.
                    FailureKind::Timeout => self.places[at].slot.is_interrupted(),
                    FailureKind::Failed
                    | FailureKind::InvalidInput
                    | FailureKind::WorkerLost
                    | FailureKind::Cancelled => false,
                };
                if !known || self.places[at].slot.item(seq).is_none() {
                    return Err("an end that cannot be".into());
                }
                if ended.fuel.is_some() {
                    self.check_fuel(ended.fuel)?;
                }
                ended.message = printable(&ended.message, MESSAGE_BYTES);
                ended.backtrace = checked_backtrace(ended.backtrace);
                self.end_worker(at, Cause::Ended(ended), Some(seq));
                Ok(())
            }
        }
    }

    /// Whether a worker tells what it must of an item's fuel, and no more than there can be.
    fn check_fuel(&self, fuel: Option<u64>) -> Result<(), String> {
        let most = self.shape.limits.fuel.unwrap_or(u64::MAX);
        match fuel {
            Some(fuel) if self.shape.deterministic && fuel <= most => Ok(()),
            None if !self.shape.deterministic => Ok(()),
            _ => Err("fuel that cannot be".into()),
        }
    }

    /// A worker wants a file for a large result, or a large message. The file is as large as it says and takes memory as it is written.
    fn give_file(&mut self, at: usize, bytes: u64) {
        let messages = self.granted.iter().map(|g| g.largest);
        let limit = self.shape.limits.result_bytes;
        let limit = limit.max(messages.max().unwrap_or(0));
        let busy = self.places[at].slot.unfinished() > 0;
        let given = match &mut self.places[at].link {
            Some(_) if bytes > limit || bytes <= MAX_MESSAGE as u64 || !busy => {
                Err(format!("a file of {bytes} bytes was asked for"))
            }
            Some(link) => link.give_file(bytes).map_err(|e| e.to_string()),
            None => Ok(()),
        };
        if let Err(reason) = given {
            self.violation(at, reason);
        }
    }

    pub(in crate::pool) fn on_result(
        &mut self,
        at: usize,
        seq: Seq,
        status: Status,
        value: Bytes,
        fuel: Option<u64>,
    ) -> Result<(), String> {
        let Some(item) = self.places[at].slot.item(seq) else {
            return Err("a result for an item that it does not have".into());
        };
        let limits = &self.shape.limits;
        let len = value.len();
        if let Some(job) = self.jobs.get_mut(&item.job)
            && let Accepted::TooMuch(limit) = job.fits(item.index, len, limits)
        {
            self.too_much(at, seq, "results", limit);
            return Ok(());
        }
        self.stats.bytes_out += len as u64;
        self.seen(at);
        if status == Status::Emitted {
            if let Some(job) = self.jobs.get_mut(&item.job)
                && let Accepted::TooMuch(limit) = job.emit(item.index, value, limits)
            {
                self.too_much(at, seq, "results", limit);
            }
            return Ok(());
        }
        let time = now();
        self.places[at].slot.finish(seq, time);
        let took = self.chunk_progress(at, seq, time, item.job);
        if let Some(recorder) = &mut self.recorder {
            recorder.finished(at, item.index, status != Status::Done);
        }
        let Some(job) = self.jobs.get_mut(&item.job) else {
            return Ok(());
        };
        job.used(item.index, fuel);
        // More is not shown, so it is not looked at.
        let text = |bytes: &Bytes| {
            let start = &bytes[..bytes.len().min(MESSAGE_BYTES + 1)];
            printable(&String::from_utf8_lossy(start), MESSAGE_BYTES)
        };
        match status {
            Status::Done => job.succeed(item.index, value, took),
            Status::Failed => {
                job.fail_run(item.index, FailureKind::Failed, text(&value), Vec::new())
            }
            Status::InvalidInput => job.fail_run(
                item.index,
                FailureKind::InvalidInput,
                text(&value),
                Vec::new(),
            ),
            Status::Emitted => {}
        }
        if status != Status::Done && job.limit() != u64::MAX {
            self.end_unwanted(item.job);
        }
        Ok(())
    }

    /// Measures chunks as their last items are finished; gives an item's share of time.
    pub(in crate::pool) fn chunk_progress(
        &mut self,
        at: usize,
        seq: Seq,
        time: u64,
        job: JobId,
    ) -> u64 {
        let place = &mut self.places[at];
        let Some(&Chunk {
            end, items, sent, ..
        }) = place.chunks.front()
        else {
            return 0;
        };
        let took = time.saturating_sub(sent.max(place.chunk_done));
        if seq.plus(1).since(end).is_some() {
            place.chunks.pop_front();
            place.chunk_done = time;
            if let Some(recorder) = &mut self.recorder {
                recorder.over(at);
            }
            let page = place.link.as_ref().map(HostLink::page);
            let worked = page.map_or(0, |page| page.worked.0.load(Ordering::Relaxed));
            // In what passed here it was woken, too, which larger chunks make rarer. Its own word, of what passed at most.
            let spent = match worked {
                0 => took,
                worked => worked.wrapping_sub(place.worked).min(took),
            };
            place.worked = worked;
            if let Some(job) = self.jobs.get_mut(&job) {
                job.pace.measured(items, spent);
            }
        }
        took / u64::from(items.max(1))
    }

    pub(in crate::pool) fn too_much(&mut self, at: usize, seq: Seq, what: &str, limit: u64) {
        let ended = frame::Ended {
            kind: FailureKind::OutputLimit,
            message: format!("the item's {what} passed the limit of {limit} bytes"),
            backtrace: Vec::new(),
            fuel: None,
        };
        self.end_worker(at, Cause::Ended(ended), Some(seq));
    }

    pub(in crate::pool) fn violation(&mut self, at: usize, reason: String) {
        if let Some(link) = &mut self.places[at].link {
            link.distrust();
        }
        self.end_worker(at, Cause::Violation(reason), None);
    }
}

fn checked_tasks(tasks: Vec<TaskInfo>) -> Vec<TaskInfo> {
    tasks
        .into_iter()
        .take(4096)
        .map(|t| TaskInfo {
            name: printable(&t.name, 512),
            description: printable(&t.description, 4096),
        })
        .collect()
}

fn checked_backtrace(frames: Vec<String>) -> Vec<String> {
    frames
        .into_iter()
        .take(64)
        .map(|f| printable(&f, 512))
        .collect()
}
