//! Pre-merges go with whoever of their members leaves, and leave nothing behind: after any leavings, in any order, a home
//! is what one is in which they were never made.

use super::*;
use hinet_vault::VaultError;
use hinet_vault::records::{DeltaRow, PremergeRow, SeatRow};

const MEMBERS: usize = 5;
const CASES: u64 = 8;

fn member(n: usize) -> Hash {
    Hash([u8::try_from(n + 1).unwrap(); 32])
}

/// Numbers as good as drawn.
struct Lots(u64);

impl Lots {
    fn below(&mut self, end: usize) -> usize {
        self.0 += 1;
        usize::from(blake3::hash(&self.0.to_le_bytes()).as_bytes()[0]) % end
    }

    /// Some of all members, at least so many, in any order.
    fn some(&mut self, least: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..MEMBERS).collect();
        for at in (1..MEMBERS).rev() {
            all.swap(at, self.below(at + 1));
        }
        all.truncate(least + self.below(MEMBERS - least));
        all
    }
}

impl Desk {
    /// Gives everybody a seat, and makes these pre-merges.
    fn seat_all(&self, premerges: &[Vec<usize>]) {
        let sealed = |set: &Vec<usize>| self.node.vault.put_object(format!("{set:?}").as_bytes()).unwrap();
        let objects: Vec<Hash> = premerges.iter().map(sealed).collect();
        self.node
            .vault
            .write(|tx| {
                for n in 0..MEMBERS {
                    let (hash, name, said) = (member(n), format!("member {n}"), String::new());
                    let kind = crate::protocol::DeltaKind::Imported;
                    tx.put_delta(&DeltaRow { hash, kind, object: hash, at: 1, name, said, bytes: 1, worn: false })?;
                    let (assembly, none) = ("house".to_owned(), "{}".to_owned());
                    let (signature, admitted) = (none.clone(), none);
                    tx.put_seat(&SeatRow { assembly, delta: hash, anchor: Hash([7; 32]), at: 1, signature, admitted })?;
                }
                for (set, object) in premerges.iter().zip(&objects) {
                    let (assembly, recipe) = ("house".to_owned(), format!("{set:?}"));
                    let row = PremergeRow { assembly, hash: *object, object: *object, bytes: 1, at: 2, recipe };
                    tx.put_premerge(&row, &set.iter().map(|n| member(*n)).collect::<Vec<_>>())?;
                }
                Ok::<_, VaultError>(())
            })
            .unwrap();
    }

    async fn leaves(&mut self, n: usize) {
        let said = self.one(Op::AssemblyLeave { assembly: "house".into(), delta: member(n) }).await;
        assert!(matches!(said, Event::Assemblies { .. }), "{said:?}");
    }

    /// Everything that is kept of the assembly: the rows, and how many sealed objects there are.
    fn kept(&self) -> (Vec<SeatRow>, Vec<PremergeRow>, usize) {
        let rows = self.node.vault.read(|r| Ok::<_, VaultError>((r.seats()?, r.premerges()?))).unwrap();
        let objects = std::fs::read_dir(self.node.vault.home().objects_dir()).map_or(0, Iterator::count);
        (rows.0, rows.1, objects)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_takes_every_pre_merge_along_and_nothing_else() {
    let (mut home, mut never) = (Desk::open().await, Desk::open().await);
    let mut went = 0;
    for case in 0..CASES {
        let mut lots = Lots(1000 * case);
        let mut premerges: Vec<Vec<usize>> = (0..4).map(|_| lots.some(2)).collect();
        premerges.iter_mut().for_each(|set| set.sort_unstable());
        premerges.sort();
        premerges.dedup();
        let leaving = lots.some(1);
        let stays = |set: &&Vec<usize>| !set.iter().any(|n| leaving.contains(n));
        let left: Vec<Vec<usize>> = premerges.iter().filter(stays).cloned().collect();
        went += premerges.len() - left.len();
        home.seat_all(&premerges);
        never.seat_all(&left);
        assert_eq!(home.kept().2, premerges.len(), "case {case}");
        for n in &leaving {
            home.leaves(*n).await;
            never.leaves(*n).await;
            assert!(home.kept().1.iter().all(|row| !row.recipe.contains(&n.to_string())), "case {case}: {n} has left");
        }
        assert_eq!(home.kept(), never.kept(), "case {case}: {premerges:?} without {leaving:?}");
        assert_eq!(home.kept().2, left.len(), "case {case}: nothing is on the disk that no row names");
        // The others leave as well, so that the next case begins with nothing.
        for n in (0..MEMBERS).filter(|n| !leaving.contains(n)) {
            home.leaves(n).await;
            never.leaves(n).await;
        }
        assert_eq!(home.kept(), (vec![], vec![], 0), "case {case}");
    }
    assert!(went > 4, "some were taken along: {went}");
    assert!(home.ledger().await.iter().any(|line| line.ends_with("a pre-merge went along")));
    let never = never.ledger().await;
    let home = home.ledger().await;
    let bare = |line: &String| line.split("; ").next().unwrap_or_default().to_owned();
    let leavings = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| line.contains("has left the assembly")).map(bare).collect()
    };
    assert_eq!(leavings(&home), leavings(&never), "the ledger says no more than that they left");
}
