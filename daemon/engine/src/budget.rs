//! How many prompt tokens a step may read: so few that nobody who is being answered waits longer than the operator allows.

use std::time::Duration;

/// What steps were seen to take, and what they may take.
#[derive(Debug)]
pub(crate) struct StepBudget {
    /// With somebody waiting for their next token.
    limit: Duration,
    /// Seconds of a step that reads no prompt.
    decode: f64,
    /// Seconds a prompt token adds; `None` until a prompt was read.
    token: Option<f64>,
}

/// Nobody's answer stalls, but a cancellation or a newcomer should not wait much longer than this.
const ALONE: u32 = 10;

/// What is aimed at, of what is allowed: a step takes longer the further a prompt is, and the last ones were shorter.
const AIM: f64 = 0.75;

/// Before anything was measured.
const FIRST_TOKENS: usize = 64;

/// A step of fewer prompt tokens costs nearly as much, and a prompt must get on.
const LEAST_TOKENS: usize = 8;

/// How much the newest step counts.
const WEIGHT: f64 = 0.3;

impl StepBudget {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, decode: 0.0, token: None }
    }

    /// Prompt tokens for the next step, `room` at most. `decoding` sequences want their next token in it.
    pub(crate) fn prompt_tokens(&self, decoding: usize, room: usize) -> usize {
        let (limit, before) =
            if decoding > 0 { (self.limit, self.decode) } else { (self.limit * ALONE, 0.0) };
        let tokens = match self.token {
            Some(token) => ((limit.as_secs_f64() * AIM - before).max(0.0) / token) as usize,
            None => FIRST_TOKENS,
        };
        tokens.max(LEAST_TOKENS).min(room)
    }

    /// Takes in what a step took.
    pub(crate) fn learn(&mut self, prompt_tokens: usize, taken: Duration) {
        let taken = taken.as_secs_f64();
        if prompt_tokens == 0 {
            self.decode += WEIGHT * (taken - self.decode);
        } else if prompt_tokens >= LEAST_TOKENS {
            let token = (taken - self.decode).max(taken / 10.0) / prompt_tokens as f64;
            let known = self.token.unwrap_or(token);
            self.token = Some(known + WEIGHT * (token - known));
        }
    }
}

/// A prompt that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) owner: u64,
    /// Tokens that are left to read.
    pub(crate) left: usize,
}

/// Divides a step's prompt tokens: equally between owners, and within an owner to the shortest rest first, so that short
/// prompts do not wait for long ones, but a quarter to the one that came first, so that long ones end as well. `reading`
/// is in order of arrival; so is the answer.
pub(crate) fn shares(budget: usize, reading: &[Reading]) -> Vec<usize> {
    let mut given = vec![0; reading.len()];
    let mut left = budget.min(reading.iter().map(|prompt| prompt.left).sum());
    while left > 0 {
        let lacking = |at: &usize| given[*at] < reading[*at].left;
        let mut owners: Vec<u64> = (0..reading.len()).filter(lacking).map(|at| reading[at].owner).collect();
        owners.sort_unstable();
        owners.dedup();
        let quota = (left / owners.len().max(1)).max(1);
        for owner in owners {
            let own: Vec<usize> = (0..reading.len()).filter(|at| reading[*at].owner == owner).collect();
            left -= divide(quota.min(left), &own, reading, &mut given);
        }
    }
    given
}

/// Divides one owner's quota among its prompts; what was given.
fn divide(quota: usize, own: &[usize], reading: &[Reading], given: &mut [usize]) -> usize {
    let mut left = quota;
    let mut give = |at: usize, most: usize| {
        let count = most.min(left).min(reading[at].left - given[at]);
        given[at] += count;
        left -= count;
    };
    if let Some(first) = own.iter().find(|at| reading[**at].left > 0) {
        give(*first, quota.div_ceil(4));
    }
    let mut shortest = own.to_vec();
    shortest.sort_by_key(|at| reading[*at].left);
    shortest.into_iter().for_each(|at| give(at, usize::MAX));
    quota - left
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[test]
    fn a_step_stays_within_its_time_while_somebody_is_answered() {
        let mut budget = StepBudget::new(LIMIT);
        assert_eq!(budget.prompt_tokens(1, 512), FIRST_TOKENS);
        for _ in 0..50 {
            budget.learn(0, Duration::from_millis(20));
            // 2 ms a prompt token, on top of the 20 for the others.
            budget.learn(100, Duration::from_millis(220));
        }
        let tokens = budget.prompt_tokens(1, 512);
        assert!((64..=66).contains(&tokens), "{tokens}");
        assert_eq!(budget.prompt_tokens(0, 512), 512, "alone, as many as there is room for");
        budget.learn(0, Duration::from_secs(9));
        assert_eq!(budget.prompt_tokens(1, 512), LEAST_TOKENS, "a prompt always gets on");
    }

    #[test]
    fn prompt_tokens_are_divided_between_owners_first() {
        let reading = |owner, left| Reading { owner, left };
        let greedy = [reading(1, 900), reading(1, 900), reading(1, 900), reading(2, 900)];
        assert_eq!(shares(400, &greedy)[3], 200);
        assert_eq!(shares(400, &greedy).iter().sum::<usize>(), 400);
        assert_eq!(
            shares(400, &[reading(1, 900), reading(2, 10)]),
            [390, 10],
            "what one does not need, others get"
        );
        assert_eq!(shares(400, &[reading(1, 100), reading(1, 10)]), [100, 10], "no more than there is");
        assert_eq!(shares(0, &greedy), [0; 4]);
    }

    #[test]
    fn a_short_prompt_passes_a_long_one_and_neither_starves() {
        let reading = |left| Reading { owner: 1, left };
        assert_eq!(shares(100, &[reading(4000), reading(60)]), [40, 60]);
        assert_eq!(shares(100, &[reading(4000), reading(3000), reading(2000)]), [25, 0, 75]);
    }
}
