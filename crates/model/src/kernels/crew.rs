//! A few threads that share the work of one operation, and sleep between.
//!
//! A decoder runs some hundred and fifty small operations per token, so handing work over has to cost about a
//! microsecond: the workers spin for a moment before they sleep. Tasks are taken one by one from a counter, so that a
//! worker the system has put aside holds nothing up but the task it began; when that has happened, the caller works
//! alone for a while. Which thread runs a task changes no result:
//! tasks write to separate places and share no sums.
#![allow(unsafe_code, reason = "a borrowed closure is lent to threads that outlive the borrow")]

use std::{
    cell::UnsafeCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Polls before a worker sleeps: some tens of microseconds, longer than the pause between two operations of one token.
const SPINS: u32 = 1500;
/// Polls before whoever waits for the others looks at the clock and lets other programs run.
const WAIT_SPINS: u32 = 10_000;
/// A wait this much longer than the round was before means that the system has put a worker aside, because the machine is
/// busy with something else. In a round of many rows the last task alone may take as long as all that came before.
const HELD_UP: Duration = Duration::from_millis(1);
/// Rounds that the caller then does alone: about two tokens of a small model; four times as many each time it happens
/// again soon, up to some hundreds of tokens.
const ROUNDS_ALONE: std::ops::RangeInclusive<u32> = 300..=76_800;
/// Set in the gate while tasks may be taken; the bits below count the workers inside, those above are the round.
const OPEN: u64 = 1 << 32;

type Job = dyn Fn(usize, usize) + Sync;

struct Shared {
    gate: AtomicU64,
    next: AtomicUsize,
    tasks: AtomicUsize,
    job: UnsafeCell<Option<*const Job>>,
    stop: AtomicBool,
    panicked: AtomicBool,
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is written only while the gate is closed and no worker is inside, and read only by workers inside.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is only ever used between opening and closing the gate, while its closure is borrowed.
unsafe impl Send for Shared {}

/// A crew of threads, the caller's included.
pub struct Crew {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    busy: AtomicBool,
    /// Rounds the caller still does alone.
    alone: AtomicU32,
    /// Rounds it does alone when it is held up next.
    penalty: AtomicU32,
    /// Whether rounds are long, so that waiting says nothing.
    patient: bool,
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("threads", &self.threads()).finish()
    }
}

impl Crew {
    /// A crew of `threads`, of which one is whoever calls [`Crew::run`]. Threads the system refuses are done without.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let helpers = threads.clamp(1, 256) - 1;
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            asleep: (0..helpers).map(|_| AtomicBool::new(false)).collect(),
        });
        let spawn = |index: usize| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("kernels-{index}")).spawn(move || shared.work(index)).ok()
        };
        let workers = (0..helpers).map_while(spawn).collect();
        let penalty = AtomicU32::new(*ROUNDS_ALONE.start());
        Self { shared, workers, busy: AtomicBool::new(false), alone: AtomicU32::new(0), penalty, patient: false }
    }

    /// A crew for rounds of milliseconds, in which waiting for the last task is nothing unusual: it never works alone.
    #[must_use]
    pub fn patient(threads: usize) -> Self {
        let mut crew = Self::new(threads);
        crew.patient = true;
        crew
    }

    /// Threads in the crew, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(worker, task)` for every task below `tasks`, each exactly once, and returns when all are done.
    ///
    /// `worker` is below [`Crew::threads`], and no two calls of one run that overlap in time have the same. When the crew is
    /// already at work for someone else, the caller does everything alone.
    pub fn run<F: Fn(usize, usize) + Sync>(&self, tasks: usize, job: F) {
        let alone = self.alone.load(Ordering::Relaxed);
        self.alone.store(alone.saturating_sub(1), Ordering::Relaxed);
        if tasks <= 1 || alone > 0 || self.workers.is_empty() || self.busy.swap(true, Ordering::Acquire) {
            (0..tasks).for_each(|task| job(0, task));
            return;
        }
        let round = Round { crew: self, began: Instant::now() };
        round.open(tasks, &job);
        while let Some(task) = self.shared.take() {
            job(0, task);
        }
        drop(round);
        assert!(!self.shared.panicked.swap(false, Ordering::Relaxed), "a kernel thread panicked");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker never panics: its jobs are caught.
            let _ = worker.join();
        }
    }
}

/// From opening the gate until the last worker has left, also when the caller's own task panics.
struct Round<'a> {
    crew: &'a Crew,
    began: Instant,
}

impl Round<'_> {
    fn open(&self, tasks: usize, job: &(dyn Fn(usize, usize) + Sync + '_)) {
        let shared = &self.crew.shared;
        // SAFETY: only the lifetime changes. The gate is opened below and closed in `drop`, which waits for every
        // worker inside, so nobody holds the pointer when the borrow of `job` ends.
        let job: &'static Job = unsafe { std::mem::transmute(job) };
        // SAFETY: the gate is closed and empty (`busy` admits one round at a time), so no one else looks at `job`.
        unsafe { *shared.job.get() = Some(job) };
        shared.tasks.store(tasks, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        let round = (shared.gate.load(Ordering::Relaxed) >> 33) + 1;
        shared.gate.store((round << 33) | OPEN, Ordering::SeqCst);
        for (worker, asleep) in self.crew.workers.iter().zip(&shared.asleep) {
            if asleep.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let shared = &self.crew.shared;
        if thread::panicking() {
            shared.next.store(usize::MAX / 2, Ordering::Relaxed);
        }
        shared.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let (mut polls, waits) = (0u32, Instant::now());
        while shared.gate.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            polls += 1;
            if polls < WAIT_SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
        let penalty = self.crew.penalty.load(Ordering::Relaxed);
        let (least, most) = (*ROUNDS_ALONE.start(), *ROUNDS_ALONE.end());
        if self.crew.patient {
            // Nothing is learned from it.
        } else if polls >= WAIT_SPINS && waits.elapsed() > HELD_UP + waits.duration_since(self.began) {
            self.crew.alone.store(penalty, Ordering::Relaxed);
            self.crew.penalty.store((penalty * 4).min(most), Ordering::Relaxed);
        } else {
            // Some hundreds of good rounds make up for one that was held up.
            self.crew.penalty.store((penalty - penalty / 256).max(least), Ordering::Relaxed);
        }
        self.crew.busy.store(false, Ordering::Release);
    }
}

impl Shared {
    fn take(&self) -> Option<usize> {
        let task = self.next.fetch_add(1, Ordering::Relaxed);
        (task < self.tasks.load(Ordering::Relaxed)).then_some(task)
    }

    fn work(&self, index: usize) {
        let mut seen = 0;
        while let Some(round) = self.enter(index, seen) {
            seen = round;
            // SAFETY: this worker is inside the open gate, so the job was published before and is still borrowed.
            let job = unsafe { (*self.job.get()).map(|job| &*job) };
            let done = catch_unwind(AssertUnwindSafe(|| {
                while let Some((job, task)) = job.zip(self.take()) {
                    job(index + 1, task);
                }
            }));
            if done.is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a round after `seen` and enters it; `None` when the crew is dismissed.
    fn enter(&self, index: usize, seen: u64) -> Option<u64> {
        let mut polls = 0u32;
        loop {
            let gate = self.gate.load(Ordering::SeqCst);
            if gate & OPEN != 0 && gate >> 33 != seen {
                if self.gate.compare_exchange(gate, gate + 1, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                    return Some(gate >> 33);
                }
                continue;
            }
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            polls += 1;
            if polls < SPINS {
                std::hint::spin_loop();
                continue;
            }
            self.asleep[index].store(true, Ordering::SeqCst);
            // Looked at once more after announcing sleep, so that a round opened in between is not missed.
            let gate = self.gate.load(Ordering::SeqCst);
            let called = gate & OPEN != 0 && gate >> 33 != seen;
            if !called && !self.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            self.asleep[index].store(false, Ordering::SeqCst);
            polls = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_task_runs_exactly_once_on_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let crew = Crew::new(threads);
            for round in 0..2000 {
                let tasks = round % 17;
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                crew.run(tasks, |worker, task| {
                    assert!(worker < threads);
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                if round % 500 == 0 {
                    thread::sleep(Duration::from_millis(5)); // lets the workers fall asleep
                }
            }
        }
    }

    #[test]
    fn two_callers_do_not_disturb_each_other() {
        let crew = Crew::new(2);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let sum = AtomicUsize::new(0);
                        crew.run(10, |_, task| {
                            sum.fetch_add(task, Ordering::Relaxed);
                        });
                        assert_eq!(sum.load(Ordering::Relaxed), 45);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_goes_on() {
        let crew = Crew::new(2);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| crew.run(8, |_, task| assert_ne!(task, 5))));
            assert!(result.is_err());
            let sum = AtomicUsize::new(0);
            crew.run(4, |_, task| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 6);
        }
    }
}
