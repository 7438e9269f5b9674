//! A band: sessions of like deadlines, and the workers that serve them.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_traits::Ran;

use crate::registry::{Door, Entry, Registry, View};
use crate::schedule::Order;
use crate::sync::{Arc, Ordering, fence, mutated};
use crate::watch::{Sleep, Watch};

/// Wakes a worker of the session's band, if none is looking. Audio thread, after publishing: one fence, two loads; one futex call
/// if somebody has to be woken.
pub(crate) fn announce(bands: &[Band], door: &Door) {
    // Pairs with the fences in `Watch::end_search` and `Watch::sleep`; so of "published, then read the band" and "changed the
    // band, then had it looked through" at least one sees the other, too.
    if !mutated("notify-without-fence") {
        fence(Ordering::SeqCst);
    }
    if let Some(band) = bands.get(door.hints.band.load(Ordering::Relaxed) as usize) {
        band.watch.notify();
    }
}

/// Looks at what [`announce`] will look at, so that the line is under way from the other core while the callback does its work.
/// Audio thread; changes nothing.
pub(crate) fn approach(bands: &[Band], door: &Door) {
    if let Some(band) = bands.get(door.hints.band.load(Ordering::Relaxed) as usize) {
        band.watch.glance();
    }
}

/// Runs a slot of `entry`, if one is still there, for a worker of band number `index`: the worker searches before and after, not
/// meanwhile. `claimed` says whether it leaves the clock to another for the time.
pub(crate) fn run_one(
    bands: &[Band],
    index: usize,
    view: &View,
    entry: &Entry,
    mut claimed: impl FnMut() -> bool,
) -> Ran {
    let Some(band) = bands.get(index) else { return Ran::Nothing };
    let mut searches = true;
    let ran = entry.run_one(&mut || {
        if std::mem::take(&mut searches) {
            // A session that this view does not have yet may have submitted while this worker counted as looking.
            let more = || !view.is_current(&band.registry) || view.has_work();
            band.watch.end_search(claimed(), more);
        }
    });
    if !searches {
        band.watch.begin_search();
        // Moved while its slot ran: the other band's workers may have seen the next slot and no executor to run it.
        let moved = entry.door.hints.band.load(Ordering::Relaxed) as usize != index;
        if moved && !mutated("run-without-announcing-the-move") {
            announce(bands, &entry.door);
        }
    }
    ran
}

#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) registry: Registry,
    pub(crate) watch: Watch,
    pub(crate) order: Order,
}

impl Band {
    pub(crate) fn new(seats: usize, order: Order) -> Self {
        Self { registry: Registry::default(), watch: Watch::new(seats), order }
    }

    /// Takes a session in as band number `index`, also one that another band serves and that plays. Control thread.
    pub(crate) fn add(&self, index: u32, entry: &Arc<Entry>) {
        self.registry.add(entry.clone());
        entry.door.hints.band.store(index, Ordering::Relaxed);
        // What was submitted before the list had the session was announced elsewhere: look. The fence that who is woken makes
        // before it sleeps again pairs with the one in `announce`.
        if !mutated("move-without-a-look") {
            self.watch.wake_all();
        }
    }

    /// The session to serve now. Worker.
    pub(crate) fn find(&self, view: &mut View) -> Option<Arc<Entry>> {
        view.refresh(&self.registry);
        view.most_urgent(self.order).cloned()
    }

    /// This worker ends. It may have been woken for a slot, or have kept a submission from waking anybody: another looks.
    pub(crate) fn leave(&self, seat: usize) {
        self.watch.leave_clock(seat);
        self.watch.end_search(!mutated("leave-without-waking"), || false);
    }

    /// Sleeps on `seat`, unless there is work, the list has changed, or `over` says that the worker is to end.
    pub(crate) fn sleep(&self, seat: usize, view: &mut View, how: Sleep, over: impl Fn() -> bool) {
        // The old list would keep closed sessions alive for as long as this worker sleeps.
        view.refresh(&self.registry);
        self.watch.sleep(seat, how, || over() || !view.is_current(&self.registry) || view.has_work());
    }
}
