//! The rings between the threads of a session and whoever keeps its trace: [`AudioEnd`], [`WorkerEnd`], [`Recording`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anira_scheduler::clock;
use anira_traits::Head;

use super::{Event, Header, Trace};

/// One thread's way into a recording. Wait-free: what finds no room is counted, and left out.
#[derive(Debug)]
struct End {
    ring: rtrb::Producer<Event>,
    lost: Arc<AtomicU64>,
    /// Since when times count.
    start: u64,
}

impl End {
    fn push(&mut self, event: Event) {
        if self.ring.push(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn since(&self, time: u64) -> u64 {
        time.saturating_sub(self.start)
    }

    fn now(&self) -> u64 {
        self.since(clock::now())
    }
}

/// The audio thread's end. Audio thread; wait-free.
#[derive(Debug)]
pub(crate) struct AudioEnd {
    end: End,
    stream: u64,
}

impl AudioEnd {
    pub(crate) fn block(&mut self, samples: usize) {
        let at = self.end.now();
        self.end.push(Event::Block { at, samples: samples as u64 });
    }

    pub(crate) fn hop(&mut self, hop: u64, times: Head) {
        let (at, deadline) = (self.end.since(times.submitted), self.end.since(times.deadline));
        self.end.push(Event::Hop { at, stream: self.stream, hop, deadline });
    }

    pub(crate) fn dropped(&mut self, hop: u64) {
        let at = self.end.now();
        self.end.push(Event::Drop { at, stream: self.stream, hop });
    }

    pub(crate) fn skipped(&mut self, hop: u64) {
        let at = self.end.now();
        self.end.push(Event::Skip { at, stream: self.stream, hop });
    }

    /// When the last look for results was, for [`out`](Self::out).
    pub(crate) fn now(&self) -> u64 {
        self.end.now()
    }

    pub(crate) fn out(&mut self, at: u64, samples: usize, late: u64) {
        self.end.push(Event::Out { at, samples: samples as u64, late });
    }

    pub(crate) fn reset(&mut self) {
        let at = self.end.now();
        self.end.push(Event::Reset { at });
        self.stream += 1;
    }
}

/// The end of whoever holds an engine of the session. Worker; wait-free.
#[derive(Debug)]
pub(crate) struct WorkerEnd(End);

impl WorkerEnd {
    pub(crate) fn run(&mut self, (stream, hop): (u64, u64), (started, ended): (u64, u64), ok: bool) {
        let (start, end) = (self.0.since(started), self.0.since(ended));
        self.0.push(Event::Run { stream, hop, worker: u64::from(this_thread()), start, end, ok });
    }
}

/// The number of this thread among those that ran a recorded hop. Without a destructor, so that nothing outlives an unload.
fn this_thread() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get() - 1
    })
}

/// A session's recording, while it is being made. Any thread but the session's own.
///
/// Its rings have room for as many events as was asked for; [`drain`](Self::drain) has to come often enough. A callback makes about two
/// events, a hop two more.
#[derive(Debug)]
pub struct Recording {
    header: Header,
    rings: Vec<rtrb::Consumer<Event>>,
    lost: Arc<AtomicU64>,
    events: Vec<Event>,
}

impl Recording {
    /// A recording with this room, and its ends: one for the audio thread, one for each engine at once. Control thread.
    pub(crate) fn new(header: Header, room: usize, engines: usize) -> (Self, AudioEnd, Vec<WorkerEnd>) {
        let (lost, start) = (Arc::new(AtomicU64::new(0)), clock::now());
        let mut rings = Vec::new();
        let mut end = || {
            let (ring, consumer) = rtrb::RingBuffer::new(room.max(1));
            rings.push(consumer);
            End { ring, lost: lost.clone(), start }
        };
        let audio = AudioEnd { end: end(), stream: 0 };
        let workers = (0..engines).map(|_| WorkerEnd(end())).collect();
        (Self { header, rings, lost, events: Vec::new() }, audio, workers)
    }

    /// Takes what has been recorded since out of the rings; how many events. Allocates.
    pub fn drain(&mut self) -> usize {
        let before = self.events.len();
        for ring in &mut self.rings {
            while let Ok(event) = ring.pop() {
                self.events.push(event);
            }
        }
        self.events.len() - before
    }

    /// The trace of all that has been recorded. For a whole one the session is at rest, or its audio half is gone.
    #[must_use]
    pub fn finish(mut self) -> Trace {
        self.drain();
        // A result that was there at the very moment of a look was found.
        self.events.sort_by_key(|event| (event.time(), !matches!(event, Event::Run { .. })));
        Trace { header: self.header, events: self.events, lost: self.lost.load(Ordering::Relaxed) }
    }
}
