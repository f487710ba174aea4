//! Threads that share work, their instruction set, and memory that is used again.
#![allow(unsafe_code, reason = "threads write to separate parts of one buffer")]

use crate::{
    gemm::{APART, Pack},
    rowwise::{Narrow, Widen},
    tape::Pool,
};
use hinet_model::kernels::{Crew, Running, Slots};
use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Threads, their instruction set, and memory for each.
pub(crate) struct Engine {
    pub running: Running,
    pub crew: Crew,
    rooms: Vec<Mutex<Vec<f32>>>,
    /// Packed rows, used again.
    packs: Mutex<Pool>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({}, {} threads)", self.running.kernel().name(), self.crew.threads())
    }
}

impl Engine {
    pub fn new(running: Running, threads: usize) -> Self {
        let crew = Crew::patient(threads);
        let rooms = (0..crew.threads()).map(|_| Mutex::default()).collect();
        Self { running, crew, rooms, packs: Mutex::default() }
    }

    /// Memory of a worker, at least so much.
    pub fn room(&self, worker: usize, count: usize) -> MutexGuard<'_, Vec<f32>> {
        let mut room = self.rooms[worker].lock().unwrap_or_else(PoisonError::into_inner);
        if room.len() < count {
            room.resize(count, 0.0);
        }
        room
    }

    /// Calls `job` with parts of `0..count`, each at least `least` long, shared by the threads.
    pub fn share(&self, count: usize, least: usize, job: impl Fn(usize, Range<usize>) + Sync) {
        let tasks = (self.crew.threads() * 4).min(count / least.max(1)).max(1);
        self.crew.run(tasks, |worker, task| job(worker, count * task / tasks..count * (task + 1) / tasks));
    }

    /// Rows as they are multiplied; to be given back with [`Engine::unpack`].
    pub fn pack(&self, x: &[f32], columns: usize) -> Vec<f32> {
        let mut to = self.packs().take(x.len());
        let rows = x.len() / columns;
        let slots = Slots::over(&mut to);
        self.share(rows.div_ceil(APART), 2, |_, range| {
            let (first, last) = (range.start * APART, (range.end * APART).min(rows));
            let from = &x[first * columns..last * columns];
            // SAFETY: these rows are this task's alone.
            let to = unsafe { slots.part(first * columns, from.len()) };
            let pack = Pack { rows: last - first, columns, from, row: columns, step: 1, to };
            // SAFETY: the job asks for nothing.
            unsafe { self.running.run(pack) };
        });
        to
    }

    /// Takes the memory of packed rows back.
    pub fn unpack(&self, pack: Vec<f32>) {
        self.packs().give(pack);
    }

    /// Floats as bfloat16.
    pub fn narrow_down(&self, from: &[f32], to: &mut [u16]) {
        let to = Slots::over(to);
        self.share(from.len(), 1 << 14, |_, range| {
            // SAFETY: this part is this task's alone, and the job asks for nothing.
            unsafe { self.running.run(Narrow { from: &from[range.clone()], to: to.part(range.start, range.len()) }) };
        });
    }

    /// And back.
    pub fn widen_up(&self, from: &[u16], to: &mut [f32]) {
        let to = Slots::over(to);
        self.share(from.len(), 1 << 14, |_, range| {
            // SAFETY: this part is this task's alone, and the job asks for nothing.
            unsafe { self.running.run(Widen { from: &from[range.clone()], to: to.part(range.start, range.len()) }) };
        });
    }

    /// Overwrites all that is left of anything computed.
    pub fn wipe(&self) {
        self.packs().wipe();
        let rooms = self.rooms.iter().map(|room| room.lock().unwrap_or_else(PoisonError::into_inner));
        rooms.for_each(|mut room| room.fill(0.0));
    }

    /// Memory of packed rows.
    pub fn packs(&self) -> MutexGuard<'_, Pool> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
