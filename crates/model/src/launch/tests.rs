use super::*;

#[test]
fn each_fault_is_a_shortage_passing_for_an_operator_or_the_pools_own_and_never_two_of_them() {
    for fault in LaunchFault::ALL {
        let kinds = [
            fault.is_shortage(),
            fault.is_passing(),
            fault.needs_operator(),
        ];
        let expected = usize::from(fault != LaunchFault::Unusable);
        assert_eq!(
            kinds.iter().filter(|is| **is).count(),
            expected,
            "{fault:?}"
        );
    }
}

#[test]
fn words_of_strategies_and_faults_are_those_of_their_stored_form() {
    let stored = |value: serde_json::Value| value.as_str().map(str::to_owned);
    for one in SpotStrategy::ALL {
        let json = serde_json::to_value(one).expect("json");
        assert_eq!(stored(json).as_deref(), Some(one.as_str()));
    }
    for one in LaunchFault::ALL {
        let json = serde_json::to_value(one).expect("json");
        assert_eq!(stored(json).as_deref(), Some(one.as_str()));
    }
}
