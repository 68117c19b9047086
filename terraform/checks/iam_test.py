"""IAM's own rules, each by an example: the table of permissions says nothing if these do not hold."""

import unittest

from iam import Unknown, is_allowed


def policy(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s:Get", "Resource": "*", **statement}]}


def request(action="s:Get", resource="arn:r", principal=("AWS", "arn:me"), **context):
    return {"action": action, "resource": resource, "principal": principal, "context": context.get("context", {})}


class Rules(unittest.TestCase):
    def allows(self, statement, **what):
        return is_allowed(request(**what), [policy(**statement)])

    def test_what_nothing_allows_is_denied(self):
        self.assertFalse(is_allowed(request(), []))

    def test_a_denial_wins(self):
        self.assertFalse(is_allowed(request(), [policy(), policy(Effect="Deny")]))

    def test_actions_match_by_wildcards_and_in_any_case(self):
        self.assertTrue(self.allows({"Action": "S:g*"}))
        self.assertFalse(self.allows({"Action": "s:Put"}))

    def test_resources_match_by_wildcards_and_case(self):
        self.assertTrue(self.allows({"Resource": ["arn:x", "arn:?"]}))
        self.assertFalse(self.allows({"Resource": "arn:R"}))

    def test_brackets_are_letters(self):
        self.assertFalse(self.allows({"Resource": "arn:[qr]"}))

    def test_every_condition_must_hold(self):
        both = {"Condition": {"StringEquals": {"a": "1", "b": "2"}}}
        self.assertTrue(self.allows(both, context={"a": "1", "B": "2"}))
        self.assertFalse(self.allows(both, context={"a": "1", "b": "1"}))

    def test_a_key_that_is_missing_holds_only_when_negated(self):
        self.assertFalse(self.allows({"Condition": {"StringEquals": {"a": "1"}}}))
        self.assertTrue(self.allows({"Condition": {"ArnNotEquals": {"a": "1"}}}))

    def test_none_of_the_values_may_match_where_negated(self):
        self.assertFalse(self.allows({"Condition": {"ArnNotEquals": {"a": ["1", "2"]}}}, context={"a": "2"}))

    def test_all_values_may_be_none(self):
        only = {"Condition": {"ForAllValues:StringEquals": {"k": ["x"]}}}
        self.assertTrue(self.allows(only))
        self.assertTrue(self.allows(only, context={"k": ["x"]}))
        self.assertFalse(self.allows(only, context={"k": ["x", "y"]}))

    def test_null_tells_whether_a_key_is_there(self):
        there = {"Condition": {"Null": {"k": "false"}}}
        self.assertFalse(self.allows(there))
        self.assertFalse(self.allows(there, context={"k": []}))
        self.assertTrue(self.allows(there, context={"k": ["x"]}))

    def test_a_variable_is_the_requests(self):
        own = {"Condition": {"StringEquals": {"a": "${me}"}}}
        self.assertTrue(self.allows(own, context={"a": "1", "me": "1"}))
        self.assertFalse(self.allows(own, context={"a": "1", "me": "2"}))
        self.assertFalse(self.allows(own, context={"a": "1"}))

    def test_a_resources_policy_names_who(self):
        mine = policy(Principal={"AWS": "arn:me"})
        self.assertTrue(is_allowed(request(), resource_policy=mine))
        self.assertFalse(is_allowed(request(principal=("AWS", "arn:you")), resource_policy=mine))
        self.assertFalse(is_allowed(request(), [policy()], policy(Effect="Deny", Principal="*")))

    def test_what_is_not_known_is_not_judged(self):
        for statement in (
            {"NotAction": "s:Put"},
            {"Condition": {"NumericLessThan": {"a": "1"}}},
            {"Condition": {"ForAnyValue:StringEquals": {"a": "1"}}},
            {"Principal": "*"},
        ):
            with self.assertRaises(Unknown):
                self.allows(statement)


if __name__ == "__main__":
    unittest.main()
