//! Engines that hang, engines that panic, far too many sessions.

use super::*;

#[test]
fn an_engine_that_does_not_return_is_replaced_and_its_session_told() {
    let pool = Pool::builder().threads(1).bands(1).priority(Priority::Realtime(5)).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let hangs = Slots::new(0, move || lock(&gate).recv().unwrap());
    let (sender, receiver) = mpsc::channel();
    let good = Slots::new(0, move || sender.send(()).unwrap());
    let mut declared = terms(0);
    declared.max_inference = Duration::from_micros(500);
    let (mut submit, mut stuck) = pool.attach(hangs.clone(), declared.clone()).unwrap();
    let (mut other, mut fine) = pool.attach(good.clone(), declared).unwrap();
    hangs.pending.fetch_add(1, Ordering::Release);
    submit.submitted(Forecast::default());
    wait_until(LONG, || hangs.pending.load(Ordering::Acquire) == 0).unwrap();
    // The only worker hangs; another takes its place, and the other session goes on.
    for _ in 0..10 {
        good.pending.fetch_add(1, Ordering::Release);
        other.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
    }
    let now = pool.snapshot();
    assert_eq!((now.replaced, now.leaving, now.workers.len()), (1, 1, 1));
    // The drop is bounded, and says what was left behind.
    let error = stuck.detach(Duration::from_millis(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("never freed"), "{error}");
    let error = fine.detach(Duration::from_millis(10)).unwrap_err();
    assert!(error.to_string().contains("1 workers did not come back"), "{error}");
    // It comes back after all: the thread ends, and the pool can be used as before.
    open.send(()).unwrap();
    wait_until(LONG, || pool.snapshot().leaving == 0).unwrap();
    let (mut again, mut last) = pool.attach(good.clone(), terms(0)).unwrap();
    good.pending.fetch_add(1, Ordering::Release);
    again.submitted(Forecast::default());
    receiver.recv_timeout(LONG).unwrap();
    last.detach(LONG).unwrap();
    assert_eq!(pool.running(), 0);
}

#[test]
fn a_pool_does_not_run_out_of_seats_by_engines_that_hang() {
    let pool = Pool::builder().threads(1).bands(1).build().unwrap();
    let gates: Vec<_> = (0..4).map(|_| mpsc::channel::<()>()).collect();
    let (open, gates): (Vec<_>, Vec<_>) = gates.into_iter().unzip();
    let mut declared = terms(0);
    declared.max_inference = Duration::from_micros(500);
    let mut attached = Vec::new();
    for gate in gates {
        let gate = Mutex::new(gate);
        let work = Slots::new(0, move || assert!(lock(&gate).recv().is_err()));
        attached.push((work.clone(), pool.attach(work, declared.clone()).unwrap()));
    }
    for (work, (submit, _)) in &mut attached {
        work.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
    }
    // Two seats: the second worker that hangs has the last one, the other sessions wait.
    wait_until(LONG, || pool.snapshot().leaving == 2).unwrap();
    assert_eq!(pool.running(), 0);
    let error = pool.attach(Slots::new(0, || ()), declared).map(drop).unwrap_err();
    assert!(error.to_string().contains("all 2 seats"), "{error}");
    drop(open);
    // They come back, and there is room again: who waited is served, though nobody attaches or detaches.
    let all_ran = || attached.iter().all(|(work, _)| work.pending.load(Ordering::Acquire) == 0);
    wait_until(LONG, all_ran).unwrap();
    wait_until(LONG, || pool.snapshot().leaving == 0).unwrap();
    assert_eq!(pool.running(), 1);
    for (_, (_, attachment)) in &mut attached {
        attachment.detach(LONG).unwrap();
    }
    assert_eq!((pool.snapshot().leaving, pool.running()), (0, 0));
}

#[test]
fn an_engine_that_panics_on_every_call_is_told_by_name_each_time() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let pool = Pool::builder()
        .threads(1)
        .on_panic(move |name| {
            lock(&tell).send(name.to_owned()).unwrap();
            panic!("so does the hook");
        })
        .build()
        .unwrap();
    let work = Arc::new(Slots { caught: true, ..Arc::into_inner(Slots::new(0, || ())).unwrap() });
    let (mut submit, mut attachment) = pool.attach(work.clone(), terms(0)).unwrap();
    for _ in 0..20 {
        work.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        assert_eq!(told.recv_timeout(LONG).unwrap(), "test");
    }
    assert_eq!(pool.running(), 1);
    attachment.detach(LONG).unwrap();
}

#[test]
fn a_thousand_sessions_are_all_served() {
    let pool = Pool::builder().threads(2).build().unwrap();
    let ran = Arc::new(AtomicU64::new(0));
    let mut held: Vec<_> = (0..1_000u32)
        .map(|n| {
            let counter = ran.clone();
            let work = Slots::new(n.into(), move || {
                counter.fetch_add(1, Ordering::Relaxed);
            });
            let mut terms =
                Terms::new(format!("session {n}"), Duration::from_micros(u64::from(n % 50) * 500 + 700));
            terms.max_inference = Duration::from_micros(u64::from(n % 7) * 100);
            let (submit, attachment) = pool.attach(work.clone(), terms).unwrap();
            (work, submit, attachment)
        })
        .collect();
    for (work, submit, _) in &mut held {
        work.pending.fetch_add(2, Ordering::Release);
        submit.submitted(Forecast::default());
    }
    wait_until(LONG * 3, || ran.load(Ordering::Relaxed) == 2_000).unwrap();
    assert_eq!(pool.admission().sessions.len(), 1_000);
    held.clear();
    assert_eq!((pool.running(), pool.snapshot().sessions), (0, 0));
}

#[test]
fn sessions_that_are_not_called_wake_nobody() {
    let pool = Pool::builder().threads(2).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    let work = Slots::new(0, move || sender.send(()).unwrap());
    let mut held: Vec<_> = (0..4).map(|_| pool.attach(work.clone(), terms(0)).unwrap()).collect();
    // Called for a while, foretelling more that never comes.
    for k in 0..50 {
        work.pending.fetch_add(1, Ordering::Release);
        let now = clock::now();
        held[k % 4].0.submitted(Forecast { now, next: Some(now + 1_000_000) });
        receiver.recv_timeout(LONG).unwrap();
    }
    wait_until(LONG, || pool.inner.bands[0].watch.searchers() == 0).unwrap();
    let wake_ups = || pool.snapshot().workers.iter().map(|w| w.wake_ups).sum::<u64>();
    // Once the last forecast has passed, nothing happens any more; how soon that is, is the machine's affair.
    let is_still = || {
        let before = wake_ups();
        std::thread::sleep(Duration::from_millis(200));
        wake_ups() == before
    };
    assert!((0..50).any(|_| is_still()), "{} wake-ups, and they go on", wake_ups());
    assert!(
        !pool.inner.bands[0].watch.is_clock_minded(),
        "by one who sleeps, so that nobody would be awake in time"
    );
}

#[test]
fn a_pool_that_wakes_nobody_serves_all_the_same() {
    for idle in [
        IdlePolicy { wake: Wake::Never, ..IdlePolicy::default() },
        IdlePolicy::polling(Duration::from_micros(100)),
    ] {
        let pool = Pool::builder().threads(2).idle(idle).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let work = Slots::new(0, move || sender.send(()).unwrap());
        let (mut submit, _attachment) = pool.attach(work.clone(), terms(0)).unwrap();
        for pause in [0, 1, 30] {
            std::thread::sleep(Duration::from_millis(pause));
            work.pending.fetch_add(1, Ordering::Release);
            submit.submitted(Forecast::default());
            receiver.recv_timeout(LONG).unwrap();
        }
    }
}

#[cfg(unix)]
#[test]
fn a_priority_that_the_system_refuses_is_reported_and_the_pool_works() {
    use std::os::unix::process::CommandExt;

    const ME: &str =
        "pool::tests::trouble::a_priority_that_the_system_refuses_is_reported_and_the_pool_works";
    const INSIDE: &str = "ANIRA_TEST_UNPRIVILEGED";
    let check = || {
        let pool = Pool::builder().threads(1).priority(Priority::Realtime(50)).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let work = Slots::new(0, move || sender.send(()).unwrap());
        let (mut submit, attachment) = pool.attach(work.clone(), terms(0)).unwrap();
        work.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
        assert!(attachment.admission().is_some());
        pool.granted().remove(0)
    };
    let here = check();
    let refused = |g: &Granted| g.priority == Priority::Normal && g.refusal.is_some();
    if std::env::var_os(INSIDE).is_some() {
        assert!(refused(&here), "{here:?}");
    } else if !refused(&here) {
        // We are privileged: the same test once more as a user who is not, from where that user can read the program.
        let copy = std::env::temp_dir().join(format!("anira-unprivileged-{}", std::process::id()));
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let nobody = 65_534;
        let mut command = std::process::Command::new(&copy);
        command.args(["--exact", ME]).env(INSIDE, "1").uid(nobody).gid(nobody).current_dir("/");
        let output = command.output();
        std::fs::remove_file(&copy).unwrap();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
