"""Checks the Terraform modules without AWS: form, validity, plans, tests, policies, documentation.

`cargo xtask terraform` starts it in an environment that has checkov and parliament. docs and reasons: ../README.md.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import parliament

import iam_test
from iam import as_list, is_allowed
from permissions import EVERYTHING, TABLES, THIS_ROLE

TERRAFORM = Path(__file__).resolve().parent.parent
ROOT = TERRAFORM.parent
FOLDERS = sorted(path.parent.relative_to(TERRAFORM) for path in TERRAFORM.glob("*/*/versions.tf"))
NO_TERRAFORM = "terraform is not on the PATH: install Terraform 1.9 or later (https://developer.hashicorp.com/terraform/install)"
NO_PROVIDER = (
    "the Terraform registry does not answer, and there is no terraform-offline: set TERRAFORM_OFFLINE to it, or put it"
    " at ../shared/tools/terraform-offline/terraform-offline beside this checkout"
)

problems = []


def main():
    if not shutil.which("terraform"):
        sys.exit(f"error: {NO_TERRAFORM}")
    with tempfile.TemporaryDirectory(prefix="reprise-terraform-") as scratch:
        terraform = Offline(offline_tool()) if offline_tool_first() else Plain(Path(scratch))
        if isinstance(terraform, Plain) and not terraform.has_provider():
            if not offline_tool():
                sys.exit(f"error: {NO_PROVIDER}")
            terraform = Offline(offline_tool())
        print(f"terraform: {terraform}")
        step("fmt", check_form)
        states = {}
        for folder in FOLDERS:
            step(f"validate, plan and test {folder}", lambda: states.update(check_folder(terraform, folder)))
    step("the rules of IAM", check_rules)
    step("permissions", lambda: check_permissions(states))
    step("parliament", lambda: check_grammar(states))
    step("what comes in", lambda: check_ingress(states))
    step("settings", lambda: check_settings(states))
    step("the pattern of exhausted retries", lambda: check_pattern(states))
    step("README files", check_documentation)
    step("the GitHub App's manifest", check_manifest)
    step("checkov", check_with_checkov)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


def step(name, check):
    before = len(problems)
    check()
    print(f"{'ok' if len(problems) == before else 'FAILED'}: {name}", flush=True)


# Terraform, with the true provider or its stand-in


class Plain:
    """With the provider that `terraform init` gets. It works on a copy, so that nothing is left in the checkout. A
    plan asks AWS who we are, and so needs an account: here the tests with `command = plan` stand for it."""

    def __init__(self, scratch):
        self.tree = scratch / "terraform"
        shutil.copytree(TERRAFORM, self.tree)
        self.data = scratch / "data"

    def __str__(self):
        return "the provider of the registry"

    def has_provider(self):
        (folder, *_) = FOLDERS
        return self.run(folder, "init", "-backend=false").returncode == 0

    def run(self, folder, command, *arguments):
        quick = {"TF_REGISTRY_DISCOVERY_RETRY": "0", "TF_REGISTRY_CLIENT_TIMEOUT": "10", "CHECKPOINT_DISABLE": "1"}
        environment = {**os.environ, **quick, "TF_DATA_DIR": str(self.data / folder), "TF_INPUT": "0"}
        words = ["terraform", f"-chdir={self.tree / folder}", command, "-no-color", *arguments]
        return subprocess.run(words, env=environment, capture_output=True, text=True)

    def prepare(self, folder):
        return [self.run(folder, "init", "-backend=false"), self.run(folder, "validate")]

    def test(self, folder):
        return self.run(folder, "test", "-json", "-verbose")


class Offline:
    """With the provider's schema alone, where the registry does not answer."""

    def __init__(self, tool):
        self.tool = tool

    def __str__(self):
        return f"terraform-offline, {self.tool}"

    def run(self, folder, command, *arguments):
        words = [self.tool, command, TERRAFORM / folder, "--", *arguments]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True)

    def prepare(self, folder):
        return [self.run(folder, "validate"), self.run(folder, "plan", "-var-file=tests/terraform.tfvars")]

    def test(self, folder):
        return self.run(folder, "test", "-json", "-verbose")


def offline_tool_first():
    return "TERRAFORM_OFFLINE" in os.environ


def offline_tool():
    beside = ROOT.parent / "shared/tools/terraform-offline/terraform-offline"
    named = os.environ.get("TERRAFORM_OFFLINE")
    if named and not os.access(named, os.X_OK):
        sys.exit(f"error: TERRAFORM_OFFLINE names {named}, which cannot be started")
    return named or (beside if os.access(beside, os.X_OK) else None)


def check_form():
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)], capture_output=True, text=True
    )
    if done.returncode:
        problems.append(f"terraform fmt -recursive terraform would change:\n{done.stdout}{done.stderr}")


def check_folder(terraform, folder):
    for done in terraform.prepare(folder):
        if done.returncode:
            problems.append(f"{folder}: {done.args}\n{done.stdout}{done.stderr}")
            return {}
    done = terraform.test(folder)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    passed = sum(message.get("test_summary", {}).get("passed", 0) for message in messages)
    if done.returncode or not passed:
        told = [told_diagnostic(message) for message in messages if message.get("type") == "diagnostic"]
        problems.append(f"{folder}: terraform test passed {passed}\n" + "\n".join(told) + done.stderr)
    return {
        (str(folder), message["@testrun"]): dict(resources(message["test_state"]["root_module"]))
        for message in messages
        if message.get("type") == "test_state"
    }


def told_diagnostic(message):
    diagnostic = message["diagnostic"]
    return f"  {message.get('@testrun', '')}: {diagnostic['summary']}: {diagnostic.get('detail', '')}"


def resources(module):
    for resource in module.get("resources", []):
        yield resource["address"], resource
    for child in module.get("child_modules", []):
        yield from resources(child)


# Policies


def policies(state):
    """Each policy by its address; a role's is about who takes it on."""
    for address, resource in state.items():
        values = resource["values"]
        match resource["type"]:
            case "aws_iam_role_policy" | "aws_sqs_queue_policy" | "aws_iam_policy":
                yield address, resource["type"], json.loads(values["policy"])
            case "aws_iam_role":
                yield address, resource["type"], json.loads(values["assume_role_policy"])
            case kind if str(values.get("policy", "")).lstrip().startswith("{"):
                problems.append(f"{address}: policies of {kind} are not looked at")


def check_rules():
    outcome = unittest.TextTestRunner(stream=open(os.devnull, "w")).run(
        unittest.defaultTestLoader.loadTestsFromModule(iam_test)
    )
    problems.extend(text for _, text in outcome.failures + outcome.errors)


def check_permissions(states):
    judged = set()
    for table in TABLES:
        state = states.get((table.folder, table.run))
        if state is None:
            problems.append(f"{table.folder} has no test run {table.run} that applies")
            continue
        known = {"everything": EVERYTHING} | {address: policy for address, _, policy in policies(state)}
        judged.update((table.folder, address) for address in [*table.identity, table.of_resource])
        for row in table.rows:
            judge(table, row, known)
    for (folder, run), state in states.items():
        for address, _, _ in policies(state):
            if folder.startswith("modules/") and (folder, address) not in judged:
                problems.append(f"{folder}: nothing says what {address} must allow and deny")


def judge(table, row, known):
    may, what, action, resource, context = row
    who = context.get("who")
    request = {
        "action": action,
        "resource": resource,
        "principal": who,
        "context": {key: value for key, value in context.items() if key != "who"},
    }
    identity = [known[address] for address in table.identity] if not who or who[0] == "AWS" else []
    of_resource = with_resource(known[table.of_resource]) if table.of_resource else None
    if is_allowed(request, identity, of_resource) != may:
        names = ", ".join([*table.identity, *([table.of_resource] if table.of_resource else [])])
        problems.append(f"{table.folder}, {table.run}: {names} must {'allow' if may else 'deny'} to {what}")


def with_resource(policy):
    """A role's policy is about the role, and does not say so."""
    return {**policy, "Statement": [{"Resource": THIS_ROLE, **one} for one in as_list(policy["Statement"])]}


# EC2 checks a launch over many kinds of resources, which stand in statements of their own, as each has its own
# condition. Parliament misses the other kinds in each: so it sees these statements as one.
LAUNCH = {"ec2:CreateFleet", "ec2:RunInstances"}

# EC2 sets aws:ARN for what an instance does to itself; parliament's list of keys does not have it.
KNOWN = "Unknown condition aws:ARN for action ec2:CreateTags"


def check_grammar(states):
    seen = set()
    for (folder, run), state in states.items():
        for address, _, policy in policies(state):
            text = json.dumps(with_launch_as_one(with_resource(policy)))
            if text not in seen:
                seen.add(text)
                found = [str(finding) for finding in parliament.analyze_policy_string(text).findings]
                told = [f"{folder}, {run}, {address}: parliament: {finding}" for finding in found if KNOWN not in finding]
                problems.extend(told)
    if not seen:
        problems.append("parliament saw no policy")


def with_launch_as_one(policy):
    launches = [one for one in policy["Statement"] if set(as_list(one["Action"])) == LAUNCH]
    others = [one for one in policy["Statement"] if one not in launches]
    where = [resource for one in launches for resource in as_list(one["Resource"])]
    one = [{"Effect": "Allow", "Action": sorted(LAUNCH), "Resource": where}] if launches else []
    return {**policy, "Statement": [*others, *one]}


def check_ingress(states):
    """A rule for what comes in is a resource of its own, which a module's test does not find."""
    for (folder, run), state in states.items():
        for address, resource in state.items():
            comes_in = resource["type"] in ("aws_vpc_security_group_ingress_rule", "aws_security_group_rule")
            if comes_in and not address.startswith("aws_vpc_security_group_ingress_rule.metrics["):
                problems.append(f"{folder}, {run}: {address} lets something in")


# The controller's settings and log


def check_settings(states):
    """The variables of the task are keys that the controller has."""
    keys = (ROOT / "crates/config/src/keys.rs").read_text()
    table = re.search(r"KEYS: \[.*?\] = \[(.*?)\n\];", keys, re.S)[1]
    sections = re.findall(r'\(\s*"(\w+)",\s*&\[(.*?)\]', table, re.S)
    known = {f"REPRISE__{section}__{key}".upper() for section, words in sections for key in re.findall(r'"(\w+)"', words)}
    seen = set()
    for (folder, run), state in states.items():
        for address, resource in state.items():
            if resource["type"] == "aws_ecs_task_definition":
                (container,) = json.loads(resource["values"]["container_definitions"])
                names = {one["name"] for one in container["environment"] + container["secrets"]}
                seen |= names
                for name in sorted(names - known - {"REPRISE_CONFIG"}):
                    problems.append(f"{folder}, {run}: the controller does not read {name}")
    if not seen:
        problems.append("no task definition was seen")


# Lines of the log as the controller writes them, and whether they mean that a job will not come back.
LINES = [
    ({"decision": "settled", "reason": "attempt-limit"}, True),
    ({"decision": "settled", "reason": "failed-again"}, True),
    ({"decision": "settled", "reason": "never-completed"}, True),
    ({"decision": "settled", "reason": "refused-too-old"}, True),
    ({"decision": "launch-given-up", "reason": "launch-given-up"}, True),
    ({"decision": "settled", "reason": "recovered"}, False),
    ({"decision": "settled", "reason": "not-interrupted"}, False),
    ({"decision": "settled", "reason": "succeeded"}, False),
    ({"decision": "rerun", "reason": "refused-too-old"}, False),
    ({"message": "attempt-limit"}, False),
]


def check_pattern(states):
    patterns = {
        resource["values"]["pattern"]
        for state in states.values()
        for resource in state.values()
        if resource["type"] == "aws_cloudwatch_log_metric_filter"
    }
    if not patterns:
        problems.append("no metric filter was seen")
    exhausted_ones = {pattern for pattern in patterns if "$.decision" in pattern}
    check_said(patterns - exhausted_ones)
    for pattern in exhausted_ones:
        for line, wanted in LINES:
            if finds(pattern, line) != wanted:
                problems.append(f"{pattern} must {'find' if wanted else 'pass over'} {line}")
    # The ends that the engine calls exhausted are words of the pattern, and the pattern has no other words.
    engine = (ROOT / "crates/engine/src/view.rs").read_text()
    arm = re.search(r"((?:\s*\|?\s*SettleReason::\w+(?:\(_\))?)+) => RetryState::Exhausted", engine)[1]
    reasons = (ROOT / "crates/model/src/reason.rs").read_text()
    exhausted = {
        "refused-*" if name == "Refused" else re.search(rf'Self::{name} => "([a-z-]+)"', reasons)[1]
        for name in re.findall(r"SettleReason::(\w+)", arm)
    }
    for pattern in exhausted_ones:
        words = set(re.findall(r'\$\.reason = "([^"]+)"', pattern))
        if words != exhausted:
            problems.append(f"exhausted are {sorted(exhausted)}, and the metric filter has {sorted(words)}")


def check_said(patterns):
    """What a filter looks for as a whole message is one that the controller writes, and no less often than the alarm needs it."""
    said = {
        "swept": ("crates/controller/src/sweep/mod.rs", "info"),
        "failed to deal with a message; it comes again": ("crates/controller/src/pump.rs", "error"),
    }
    looked_for = {re.fullmatch(r'\{ \$\.message = "([^"]+)" \}', pattern)[1] for pattern in patterns}
    if looked_for != set(said):
        problems.append(f"filters look for the messages {sorted(looked_for)}, and known are {sorted(said)}")
    for message, (file, level) in said.items():
        code = (ROOT / file).read_text()
        if not re.search(rf'{level}!\([^;]*"{re.escape(message)}"', code):
            problems.append(f"{file} does not say {message!r} by {level}!, and an alarm counts it")


def finds(pattern, line):
    """CloudWatch's patterns over JSON, as far as ours go: comparisons of text with a star at the end, and, or."""
    python = re.sub(
        r'\$\.([a-z]+) = "([a-z-]+)(\*?)"',
        lambda match: f"holds({match[1]!r}, {match[2]!r}, {bool(match[3])})",
        pattern.strip().removeprefix("{").removesuffix("}"),
    ).replace("&&", " and ").replace("||", " or ")
    if re.sub(r"holds\('[a-z]+', '[a-z-]+', (True|False)\)|and|or|[() ]", "", python):
        sys.exit(f"error: the pattern {pattern} says something that is not understood here")
    holds = lambda field, word, is_start: (
        line.get(field, "").startswith(word) if is_start else line.get(field) == word
    )
    return eval(python.strip(), {"holds": holds})  # Nothing but the three words that were let through.


# Documentation, the App's manifest, checkov


def check_manifest():
    """The App asks for what the page about it says, and for the events that the controller reads."""
    manifest = json.loads((ROOT / "deploy/github-app/manifest.json").read_text())
    page = (ROOT / "docs/github-app.md").read_text()
    said = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.M))
    if manifest["default_permissions"] != said:
        problems.append(f"the manifest asks for {manifest['default_permissions']}, and docs/github-app.md says {said}")
    webhooks = (ROOT / "crates/model/src/webhook/mod.rs").read_text()
    read = set(re.findall(r'"([a-z_]+)" =>', webhooks))
    if set(manifest["default_events"]) != read:
        problems.append(f"the manifest subscribes to {manifest['default_events']}, and the controller reads {sorted(read)}")


def check_documentation():
    for folder in FOLDERS:
        readme = (TERRAFORM / folder / "README.md").read_text()
        text = "\n".join(path.read_text() for path in sorted((TERRAFORM / folder).glob("*.tf")))
        for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', text, re.S | re.M):
            if not re.search(r"^  description\s*= \"\S", body, re.M):
                problems.append(f"{folder}: {kind} {name} has no description")
            if f"| `{name}` |" not in readme:
                problems.append(f"{folder}/README.md does not have a row for the {kind} {name}")


def check_with_checkov():
    checkov = Path(sys.executable).parent / "checkov"
    done = subprocess.run(
        [str(checkov), "--directory", str(TERRAFORM), "--framework", "terraform", "--compact",
         "--skip-download", "--output", "json"],
        capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "ERROR", "BC_SKIP_MAPPING": "TRUE"},
    )
    try:
        report = json.loads(done.stdout)
        passed, failed = report["summary"]["passed"], report["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError):
        problems.append(f"checkov said nothing that can be read: {done.stdout}{done.stderr}")
        return
    if not passed:
        problems.append("checkov looked at nothing")
    skipped = {(check["check_id"], Path(check["file_path"]).name) for check in report["results"]["skipped_checks"]}
    for path in TERRAFORM.glob("*/*/*.tf"):
        for name in re.findall(r"#checkov:skip=(\w+):", path.read_text()):
            if (name, path.name) not in skipped:
                problems.append(f"{path.relative_to(ROOT)}: checkov does not ask for {name}, which is skipped there")
    for check in failed:
        problems.append(f"checkov: {check['check_id']} {check['resource']} {check['file_path']}: {check['check_name']}")


if __name__ == "__main__":
    main()
