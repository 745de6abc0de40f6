use proptest::prelude::*;

use super::*;

const EVERY: u64 = 15;

/// Plays rounds that come every [`EVERY`] seconds: `+` good, `-` bad, `b` blind, `v` void; answers
/// the news with the number of the round it came in.
fn play(machine: &mut Machine, from: usize, rounds: &str) -> Vec<(usize, News)> {
    let mut told = Vec::new();
    for (at, round) in rounds.chars().enumerate().map(|(at, round)| (from + at, round)) {
        let round = match round {
            '+' => Round::Good,
            '-' => Round::Bad,
            'b' => Round::Blind,
            'v' => Round::Void,
            other => panic!("no such round: {other}"),
        };
        let now = Duration::from_secs(u64::try_from(at).unwrap() * EVERY);
        told.extend(machine.take(now, round).into_iter().map(|news| (at, news)));
    }
    told
}

fn fresh(rounds: &str) -> Vec<(usize, News)> {
    play(&mut Machine::new(Numbers::default(), false), 0, rounds)
}

#[test]
fn it_is_down_after_five_bad_rounds_in_a_row_and_ninety_seconds() {
    assert_eq!(fresh("------"), []);
    assert_eq!(fresh("-------"), [(6, News::Down)], "six intervals are ninety seconds");
    assert_eq!(fresh("-----------"), [(6, News::Down)], "and it is told once");
}

#[test]
fn ninety_seconds_of_few_rounds_are_not_enough() {
    let mut machine = Machine::new(Numbers::default(), false);
    for (at, news) in [(0, None), (100, None), (200, None), (300, None), (400, Some(News::Down))] {
        let told = machine.take(Duration::from_secs(at), Round::Bad);
        assert_eq!(told, news.into_iter().collect::<Vec<_>>(), "{at}");
    }
}

#[test]
fn one_good_round_between_begins_anew() {
    assert_eq!(fresh("-----+------"), []);
    assert_eq!(fresh("-----+-------"), [(12, News::Down)]);
}

#[test]
fn it_is_up_after_twenty_good_rounds_in_a_row_and_five_minutes() {
    let mut machine = Machine::new(Numbers::default(), true);
    let twenty = "+".repeat(20);
    assert_eq!(play(&mut machine, 0, &twenty), [], "285 seconds");
    assert_eq!(play(&mut machine, 20, "+"), [(20, News::Up)]);
    let mut machine = Machine::new(Numbers::default(), true);
    assert_eq!(play(&mut machine, 0, &format!("{}-{twenty}", "+".repeat(19))), []);
}

#[test]
fn our_own_failure_and_being_cut_off_never_add_up_to_an_outage() {
    assert_eq!(fresh(&"v".repeat(50)), []);
    assert_eq!(fresh("---v---v---v---v"), []);
    assert_eq!(fresh(&"b".repeat(50)), [(0, News::Blind)]);
    assert_eq!(fresh("---b---"), [(3, News::Blind), (4, News::Seen)]);
}

#[test]
fn being_cut_off_ends_no_outage_either() {
    let mut machine = Machine::new(Numbers::default(), true);
    let told = play(&mut machine, 0, "bbbbv+");
    assert_eq!(told, [(0, News::Blind), (5, News::Seen)]);
}

#[test]
fn what_changes_too_often_opens_nothing_until_it_is_steady() {
    let numbers = Numbers {
        down_rounds: 1,
        down_seconds: 0,
        up_rounds: 1,
        up_seconds: 0,
        flap_changes: 3,
        flap_seconds: 300,
    };
    let mut machine = Machine::new(numbers, false);
    let told = play(&mut machine, 0, "-+--+-+");
    let down_up_down = [(0, News::Down), (1, News::Up), (2, News::Down)];
    assert_eq!(told[..3], down_up_down);
    assert_eq!(told[3..], [(4, News::Flapping), (4, News::Up)], "an end is still told");
    // The newest change was in round 6, so four changes are within 20 rounds until round 21.
    let told = play(&mut machine, 7, &"-".repeat(40));
    assert_eq!(told[0].1, News::Seen);
    assert_eq!(told[1].1, News::Down, "steadily down is down");
    assert_eq!(told.len(), 2);
}

#[test]
fn a_start_in_an_outage_goes_on_from_it() {
    let mut machine = Machine::new(Numbers::default(), true);
    assert_eq!(play(&mut machine, 0, "-----------"), [], "it is down on record already");
}

fn rounds() -> impl Strategy<Value = Vec<(u64, Round)>> {
    let round = prop_oneof![
        8 => Just(Round::Bad),
        8 => Just(Round::Good),
        1 => Just(Round::Blind),
        1 => Just(Round::Void),
    ];
    let streak = (1..40_usize, 1..30_u64, round);
    let streaks = streak.prop_map(|(count, every, round)| vec![(every, round); count]);
    prop::collection::vec(streaks, 1..30).prop_map(|streaks| streaks.concat())
}

proptest! {
    /// Whatever happens: down is told only after enough bad rounds in a row over enough time, up only
    /// after enough good ones, in turns, and never a beginning while flapping.
    #[test]
    fn news_is_always_earned(rounds in rounds(), down in any::<bool>()) {
        let numbers = Numbers { flap_seconds: 1800, ..Numbers::default() };
        let mut machine = Machine::new(numbers, down);
        let (mut now, mut on_record, mut flapping) = (0, down, false);
        let mut past: Vec<(u64, Round)> = Vec::new();
        for (every, round) in rounds {
            now += every;
            past.push((now, round));
            for news in machine.take(Duration::from_secs(now), round) {
                match news {
                    News::Down => {
                        prop_assert!(!on_record && !flapping);
                        on_record = true;
                        // While flapping, being down was earned before it was told.
                        let bad = past.iter().filter(|(_, round)| *round == Round::Bad).count();
                        prop_assert!(bad >= 5);
                        let streak: Vec<_> = past.iter().rev()
                            .take_while(|(_, round)| *round != Round::Good).collect();
                        let good = past.len() - streak.len();
                        prop_assert!(now - streak.last().map_or(0, |(at, _)| *at) >= 90 || good > 0);
                    }
                    News::Up => {
                        prop_assert!(on_record);
                        on_record = false;
                        let streak: Vec<_> = past.iter().rev()
                            .take_while(|(_, round)| *round != Round::Bad)
                            .filter(|(_, round)| *round == Round::Good).collect();
                        prop_assert!(streak.len() >= 20);
                        prop_assert!(now - streak.last().unwrap().0 >= 300);
                    }
                    News::Flapping => {
                        prop_assert!(!flapping);
                        flapping = true;
                    }
                    News::Seen => flapping = flapping && machine.flapping,
                    News::Blind => {
                        prop_assert_eq!(round, Round::Blind);
                    }
                }
            }
            prop_assert_eq!(machine.told_down, on_record);
        }
    }
}
