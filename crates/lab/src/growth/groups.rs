//! Sub-assemblies: members whose prompts lie near one another, and the gates that first pick the group and then, within it,
//! the members.

use crate::{
    LabError,
    e1::{
        Plan,
        gate::{Parts, PromptGate, Prompts, share},
    },
};
use hinet_train::Stream;

/// How many members each of as few groups as can be has, none more than `size`, and all about as many.
fn even(members: usize, size: usize) -> Vec<usize> {
    let count = members.div_ceil(size.max(1));
    (0..count).map(|at| members * (at + 1) / count - members * at / count).collect()
}

/// The direction of the middle of some places.
fn middle<'a>(places: impl Iterator<Item = &'a Vec<f32>>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for place in places {
        sum.resize(place.len(), 0.0);
        sum.iter_mut().zip(place).for_each(|(sum, number)| *sum += number);
    }
    let length = dot(&sum, &sum).sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|number| *number /= length);
    }
    sum
}

fn dot(one: &[f32], two: &[f32]) -> f32 {
    one.iter().zip(two).map(|(a, b)| a * b).sum()
}

/// Groups of members that lie near one another, at most `size` in each: whoever is farthest from the middle of those who
/// are left takes the nearest of them. The members of each are in their order.
pub(super) fn near(members: &[Prompts], size: usize) -> Vec<Vec<usize>> {
    let centres: Vec<Vec<f32>> = members.iter().map(|(_, prompts)| middle(prompts.iter())).collect();
    let mut left: Vec<usize> = (0..members.len()).collect();
    let mut groups = Vec::new();
    for count in even(members.len(), size) {
        let all = middle(left.iter().map(|member| &centres[*member]));
        let nearness = |to: &[f32], member: &usize| dot(to, &centres[*member]);
        let Some(first) = left.iter().copied().min_by(|a, b| nearness(&all, a).total_cmp(&nearness(&all, b))) else {
            break;
        };
        let begins = &centres[first];
        // Equals stay in their order, and nobody is nearer to somebody than they are.
        left.sort_by(|a, b| {
            let nearer = nearness(begins, b).total_cmp(&nearness(begins, a));
            (*b == first).cmp(&(*a == first)).then(nearer).then(a.cmp(b))
        });
        let rest = left.split_off(count.min(left.len()));
        let mut group = std::mem::replace(&mut left, rest);
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// As large groups of members that are drawn: the control.
pub(super) fn drawn(members: usize, size: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..members).collect();
    Stream::new(seed, "groups that are drawn").shuffle(&mut all);
    let group = |count: usize| {
        let mut group: Vec<usize> = all.drain(..count).collect();
        group.sort_unstable();
        group
    };
    even(members, size).into_iter().map(group).collect()
}

/// Groups with the gates over and within them.
pub(super) struct Tiers {
    pub groups: Vec<Vec<usize>>,
    over: PromptGate,
    within: Vec<PromptGate>,
}

impl Tiers {
    /// The gates over these groups of members, made as the product makes its own.
    ///
    /// # Errors
    /// Where a member has too few prompts.
    pub fn new(
        plan: &Plan,
        outside: &[Vec<f32>],
        members: &[Prompts],
        groups: Vec<Vec<usize>>,
    ) -> Result<Self, LabError> {
        let of = |group: &Vec<usize>| group.iter().map(|member| members[*member].clone()).collect::<Vec<Prompts>>();
        let together = |group: &Vec<usize>| -> Prompts {
            let (names, prompts): (Vec<String>, Vec<Vec<Vec<f32>>>) = of(group).into_iter().unzip();
            (names.join(" "), spread(&prompts))
        };
        let over = PromptGate::new(plan, outside, &groups.iter().map(together).collect::<Vec<_>>())?;
        let within: Vec<PromptGate> =
            groups.iter().map(|group| PromptGate::new(plan, outside, &of(group))).collect::<Result<_, _>>()?;
        Ok(Self { groups, over, within })
    }

    /// The one group that answers a text at this place; none where the anchor answers.
    pub fn group(&self, place: &[f32]) -> Parts {
        self.over.parts(place).first().map(|(group, _)| (*group, 1.0)).into_iter().collect()
    }

    /// The members who answer it: those of the group whom its own gate chooses.
    pub fn members(&self, place: &[f32]) -> Parts {
        let Some((group, _)) = self.group(place).first().copied() else { return Parts::new() };
        let chosen = self.within[group].parts(place);
        chosen.into_iter().map(|(at, weight)| (self.groups[group][at], weight)).collect()
    }

    /// Share of questions of these packs that go to the group of the member who knows.
    pub fn right(&self, packs: &[usize], chosen: &[Parts]) -> f64 {
        let has = |parts: &Parts, pack: &usize| {
            parts.first().is_some_and(|(group, _)| self.groups.get(*group).is_some_and(|group| group.contains(pack)))
        };
        let right = packs.iter().zip(chosen).filter(|(pack, parts)| has(parts, pack)).count();
        share(right, packs.len())
    }
}

/// The prompts of several in turns, so that of any even part of them each has its share.
fn spread(all: &[Vec<Vec<f32>>]) -> Vec<Vec<f32>> {
    let most = all.iter().map(Vec::len).max().unwrap_or(0);
    (0..most).flat_map(|at| all.iter().filter_map(move |one| one.get(at).cloned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Members in the plane, each with two prompts about an angle.
    fn members(angles: &[f32]) -> Vec<Prompts> {
        let place = |angle: f32| vec![angle.cos(), angle.sin()];
        let member = |(at, angle): (usize, &f32)| (format!("m{at}"), vec![place(angle - 0.02), place(angle + 0.02)]);
        angles.iter().enumerate().map(member).collect()
    }

    #[test]
    fn who_lies_near_is_grouped_and_nobody_is_left_out() {
        // Three near one direction and three near another, one after the other.
        let all = members(&[0.0, 1.5, 0.1, 1.4, 0.2, 1.3]);
        assert_eq!(near(&all, 3).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([vec![0, 2, 4], vec![1, 3, 5]]));
        // Groups are as few and as even as can be.
        let seven = members(&[0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]);
        let sizes = |size| near(&seven, size).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((sizes(3), sizes(4), sizes(9)), (vec![2, 2, 3], vec![3, 4], vec![7]));
        let mut everybody = near(&seven, 3).concat();
        everybody.sort_unstable();
        assert_eq!(everybody, (0..7).collect::<Vec<_>>());
        assert_eq!(near(&all, 3), near(&all, 3));
        assert!(near(&[], 3).is_empty());
    }

    #[test]
    fn groups_that_are_drawn_are_as_large_and_decided_by_the_seed() {
        let found = drawn(32, 8, 1);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [8; 4]);
        assert_eq!(found.concat().into_iter().collect::<BTreeSet<_>>().len(), 32);
        assert_eq!(found, drawn(32, 8, 1));
        assert_ne!(found, drawn(32, 8, 2));
    }

    #[test]
    fn prompts_of_several_come_in_turns() {
        let one = |number: f32| vec![number];
        let all = vec![vec![one(1.0), one(2.0)], vec![one(3.0)]];
        assert_eq!(spread(&all), [one(1.0), one(3.0), one(2.0)]);
        assert!(spread(&[]).is_empty());
    }
}
