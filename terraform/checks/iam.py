"""What IAM answers to a request, for the part of its language that our policies use.

A word of the language that is not known here raises `Unknown`: a policy is never judged by half. Not known, among
others: NotAction, NotResource, NotPrincipal, permission boundaries, service control policies, other accounts.
"""

import fnmatch
import re


class Unknown(Exception):
    """The policy says something that is not understood here."""


STATEMENT = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
VARIABLE = re.compile(r"\$\{([^}]+)\}")


def is_allowed(request, identity_policies=(), resource_policy=None):
    """An explicit denial wins; within one account either kind of policy is enough to allow."""
    effects = {
        statement["Effect"]
        for policy in [*identity_policies, *([resource_policy] if resource_policy else [])]
        for statement in as_list(policy["Statement"])
        if applies(statement, request, is_of_resource=policy is resource_policy)
    }
    if effects - {"Allow", "Deny"}:
        raise Unknown(f"effects {effects}")
    return effects == {"Allow"}


def applies(statement, request, is_of_resource):
    if set(statement) - STATEMENT:
        raise Unknown(f"elements {sorted(set(statement) - STATEMENT)}")
    if is_of_resource != ("Principal" in statement):
        raise Unknown("a principal stands in the policies of resources, and there alone")
    return (
        any(matches(action.lower(), request["action"].lower()) for action in as_list(statement["Action"]))
        and any(matches(fill(resource, request), request["resource"]) for resource in as_list(statement["Resource"]))
        and (not is_of_resource or is_principal(statement["Principal"], request))
        and all(
            holds(operator, key, as_list(wanted), request)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def is_principal(principal, request):
    if principal == "*":
        return True
    if len(principal) != 1 or set(principal) - {"AWS", "Service"}:
        raise Unknown(f"principal {principal}")
    ((kind, name),) = principal.items()
    if "*" in name:
        raise Unknown(f"principal {principal}")
    return request["principal"] == (kind, name)


def holds(operator, key, wanted, request):
    context = {name.lower(): values for name, values in request["context"].items()}
    found = as_list(context.get(key.lower(), []))
    if operator == "Null":
        return (not found) == (wanted == ["true"])
    quantifier, _, operator = operator.rpartition(":")
    if operator not in OPERATORS or quantifier not in ("", "ForAllValues"):
        raise Unknown(f"condition {quantifier}:{operator}")
    is_negated, compare = OPERATORS[operator]
    wanted = [fill(value, request) for value in wanted]
    hits = [any(compare(value, one) for one in wanted) for value in found]
    if quantifier == "ForAllValues":
        if is_negated:
            raise Unknown(f"condition {quantifier}:{operator}")
        return all(hits)
    if len(found) > 1:
        raise Unknown(f"{key} has several values and no quantifier")
    # Of a key that is not there, what is negated holds and nothing else does.
    return not any(hits) if is_negated else any(hits)


OPERATORS = {
    "StringEquals": (False, lambda value, wanted: value == wanted),
    "Bool": (False, lambda value, wanted: value.lower() == wanted.lower()),
    "ArnEquals": (False, lambda value, wanted: matches(wanted, value)),
    "ArnLike": (False, lambda value, wanted: matches(wanted, value)),
    "ArnNotEquals": (True, lambda value, wanted: matches(wanted, value)),
}


def fill(text, request):
    """A variable that the request does not have matches nothing."""

    def value(match):
        found = request["context"].get(match[1], "\0")
        if not isinstance(found, str):
            raise Unknown(f"variable {match[1]} with several values")
        return found

    return VARIABLE.sub(value, text)


def matches(pattern, text):
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def as_list(value):
    return value if isinstance(value, list) else [value]
