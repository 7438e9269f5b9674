//! Which workers there are, and in which band.

use super::*;

/// Terms that need this share of a worker, with this deadline.
fn load(percent: u64, millis: u64) -> Terms {
    let mut terms = Terms::new("load", Duration::from_millis(millis));
    terms.max_inference = terms.period * u32::try_from(percent).unwrap() / 100;
    terms
}

#[test]
fn a_pool_grows_and_shrinks_by_declared_need() {
    let pool = Pool::builder().threads_up_to(4).bands(1).build().unwrap();
    assert_eq!((pool.threads(), pool.running()), (4, 0));
    let mut held = Vec::new();
    // 30 % each; every fourth needs a worker more, up to four.
    for right in [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4] {
        held.push(pool.attach(Slots::new(0, || ()), load(30, 10)).unwrap());
        assert_eq!(pool.running(), right, "{} sessions", held.len());
    }
    held.truncate(5);
    assert_eq!(pool.running(), 2);
    held.clear();
    assert_eq!((pool.running(), pool.snapshot().workers.len()), (0, 0), "nothing prepared: no thread");
}

#[test]
fn a_session_that_may_run_n_slots_at_once_gets_n_workers() {
    let pool = Pool::builder().threads_up_to(3).build().unwrap();
    let mut terms = load(10, 10);
    terms.engines = 8;
    let (_submit, _attachment) = pool.attach(Slots::new(0, || ()), terms).unwrap();
    assert_eq!(pool.running(), 3, "no more than the pool may have");
}

#[test]
fn mad_terms_ask_for_no_more_than_there_is() {
    let pool = Pool::builder().threads_up_to(2).build().unwrap();
    let mut terms = Terms::new("mad", Duration::ZERO);
    (terms.max_inference, terms.engines) = (Duration::MAX, usize::MAX);
    let (_submit, attachment) = pool.attach(Slots::new(0, || ()), terms).unwrap();
    assert_eq!(pool.running(), 2);
    assert!(!attachment.admission().unwrap().fits());
}

#[test]
fn a_long_inference_does_not_stand_before_a_short_deadline() {
    let pool = Pool::builder().threads(1).bands(2).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let long = Slots::new(0, move || lock(&gate).recv().unwrap());
    let (sender, receiver) = mpsc::channel();
    let short = Slots::new(0, move || sender.send(()).unwrap());
    let (mut submit_long, _long) = pool.attach(long.clone(), load(50, 40)).unwrap();
    assert_eq!(pool.running(), 1);
    let (mut submit_short, mut attached) = pool.attach(short.clone(), load(20, 1)).unwrap();
    let bands: Vec<usize> = pool.snapshot().workers.iter().map(|w| w.band).collect();
    assert_eq!((bands.contains(&0), bands.contains(&1), bands.len()), (true, true, 2));
    // The only worker of the long session is inside for as long as we like; the short one is served all the same.
    long.pending.fetch_add(1, Ordering::Release);
    submit_long.submitted(Forecast::default());
    wait_until(LONG, || long.pending.load(Ordering::Acquire) == 0).unwrap();
    for _ in 0..100 {
        short.pending.fetch_add(1, Ordering::Release);
        submit_short.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
    }
    // With the short one gone the long one is alone, and moves up, also while it runs.
    attached.detach(LONG).unwrap();
    open.send(()).unwrap();
    wait_until(LONG, || pool.snapshot().workers.iter().all(|w| w.running.is_none())).unwrap();
    long.pending.fetch_add(1, Ordering::Release);
    submit_long.submitted(Forecast::default());
    wait_until(LONG, || long.pending.load(Ordering::Acquire) == 0).unwrap();
    open.send(()).unwrap();
    assert_eq!(pool.snapshot().workers.iter().map(|w| w.band).collect::<Vec<_>>(), [0]);
}

#[test]
fn bands_are_counted_on_only_where_priorities_were_granted() {
    for priority in [Priority::Normal, Priority::Realtime(5)] {
        let pool = Pool::builder().threads(1).priority(priority).build().unwrap();
        let (_long, _one) = pool.attach(Slots::new(0, || ()), load(50, 40)).unwrap();
        let (_short, two) = pool.attach(Slots::new(0, || ()), load(20, 1)).unwrap();
        let granted = pool.granted().iter().all(|g| g.priority != Priority::Normal);
        // 20 ms without interruption, before a deadline of 1 ms.
        assert_eq!(two.admission().unwrap().fits(), granted, "{:?}", pool.granted());
    }
}

#[test]
fn sessions_that_play_are_moved_between_bands_without_losing_a_slot() {
    let pool = Pool::builder().threads(1).bands(3).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    let playing = Slots::new(0, move || sender.send(()).unwrap());
    let (mut submit, _playing) = pool.attach(playing.clone(), load(30, 20)).unwrap();
    let mut bands = std::collections::BTreeSet::new();
    for round in 0..60 {
        // A session of short deadline comes and goes: the playing one has to make room for it each time.
        let other = (round % 2 == 0).then(|| pool.attach(Slots::new(0, || ()), load(30, 1)).unwrap());
        for _ in 0..5 {
            playing.pending.fetch_add(1, Ordering::Release);
            submit.submitted(Forecast::default());
            receiver.recv_timeout(LONG).unwrap();
        }
        bands.insert(submit.door.hints.band.load(Ordering::Relaxed));
        drop(other);
    }
    assert_eq!(bands.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn very_long_inferences_get_no_real_time_class() {
    let pool = Pool::builder().threads(1).priority(Priority::Realtime(5)).build().unwrap();
    let mut terms = load(50, 1000);
    terms.max_inference = Duration::from_millis(500);
    let (_submit, _attachment) = pool.attach(Slots::new(0, || ()), terms).unwrap();
    let granted = pool.granted();
    assert_eq!((granted[0].priority, &granted[0].refusal), (Priority::Normal, &None), "not even asked for");
}

#[test]
fn a_band_served_in_order_of_submission_ignores_deadlines() {
    for (order, right) in [(Order::EarliestDeadline, [9, 5]), (Order::Fifo, [5, 9])] {
        let pool = Pool::builder().threads(1).order(order).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let blocker = Slots::new(0, move || lock(&gate).recv().unwrap());
        // The one that was submitted first (5) is needed last.
        let works = [5u64, 9].map(|submitted| {
            let sender = sender.clone();
            let slots = Slots::new(100 - submitted, move || sender.send(submitted).unwrap());
            Arc::new(Slots { submitted, ..Arc::into_inner(slots).unwrap() })
        });
        let (mut submit, _hold) = pool.attach(blocker.clone(), terms(2)).unwrap();
        let _held: Vec<_> = works.iter().map(|w| pool.attach(w.clone(), terms(0)).unwrap()).collect();
        blocker.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        wait_until(LONG, || blocker.pending.load(Ordering::Acquire) == 0).unwrap();
        works.iter().for_each(|work| {
            work.pending.fetch_add(1, Ordering::Release);
        });
        open.send(()).unwrap();
        assert_eq!([(); 2].map(|()| receiver.recv_timeout(LONG).unwrap()), right);
    }
}

#[test]
fn a_set_of_cores_is_granted_whole_or_refused_in_words() {
    let granted = |affinity| {
        let pool = Pool::builder().threads(2).affinity(affinity).build().unwrap();
        let (_submit, _attachment) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
        pool.granted()
    };
    let right = cfg!(any(target_os = "linux", target_os = "android"));
    assert_eq!(granted(Affinity::Set(vec![0])).iter().all(|g| g.refusal.is_none()), right);
    for cores in [vec![4096], vec![1000], vec![usize::MAX]] {
        let granted = granted(Affinity::Set(cores.clone()));
        assert!(granted.iter().all(|g| g.refusal.is_some()), "{cores:?}: {granted:?}");
    }
}
