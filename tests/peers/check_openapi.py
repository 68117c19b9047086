"""Checks REST exchanges and webhooks against GitHub's own OpenAPI description.

    check_openapi.py DESCRIPTION.json < exchanges.jsonl > verdicts.jsonl

The description (13 MB) is loaded once. Each line of the input is an exchange

    {"method": "GET", "path": "/rate_limit", "request": null, "status": 200, "body": {...}}

or a webhook

    {"webhook": "workflow_job", "body": {"action": "queued", ...}}

and is answered by one line:

    {"route": "GET /rate_limit", "verdict": "ok" | "unknown" | "undocumented" | "invalid", "problems": [...]}

"unknown" is a path or an event that the description does not have. "undocumented" is a status that
it does not give for the path; its body is then checked as GitHub's basic error. Schemas are judged
by openapi-schema-validator alone, with one addition: GitHub marks values as nullable whose enum,
allOf, anyOf, oneOf or $ref lacks null (a job's `conclusion` is one), and means that they may be null.
"""

import json
import re
import sys

from jsonschema.validators import extend
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator, oas30_format_checker
from referencing import Resource, Specification
from referencing.jsonschema import EMPTY_REGISTRY

HERE = "urn:description"
LONGEST_PROBLEM = 300
MOST_PROBLEMS = 10


def unless_null(keyword):
    """The same keyword, satisfied by null where the schema says `nullable: true`."""

    def check(validator, value, instance, schema):
        if instance is None and schema.get("nullable") is True:
            return
        yield from keyword(validator, value, instance, schema) or ()

    return check


def nullable(validator):
    words = ("$ref", "allOf", "anyOf", "enum", "oneOf")
    return extend(validator, {word: unless_null(validator.VALIDATORS[word]) for word in words})


ANSWERS = nullable(OAS30ReadValidator)
REQUESTS = nullable(OAS30WriteValidator)


class Description:
    """What GitHub says of itself."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as text:
            self.whole = json.load(text)
        resource = Resource(contents=self.whole, specification=Specification.OPAQUE)
        self.registry = EMPTY_REGISTRY.with_resource(HERE, resource)
        self.templates = [(pattern(path), path) for path in self.whole["paths"]]

    def verdict(self, said):
        if "webhook" in said:
            return self.webhook(said)
        return self.exchange(said)

    def exchange(self, said):
        method, status = said["method"].lower(), str(said["status"])
        path = self.template(said["path"].split("?")[0])
        operation = self.whole["paths"].get(path, {}).get(method)
        if operation is None:
            return answer(f"{said['method']} {said['path']}", "unknown", [])
        route = f"{said['method']} {path}"
        problems = self.request_problems(operation, ["paths", path, method], said.get("request"))
        if status in operation["responses"]:
            pointer = self.resolved(["paths", path, method, "responses", status])
            problems += self.body_problems(ANSWERS, pointer, said["body"])
            return answer(route, "invalid" if problems else "ok", problems)
        problems += self.problems(ANSWERS, ["components", "schemas", "basic-error"], said["body"])
        return answer(route, "invalid" if problems else "undocumented", problems)

    def webhook(self, said):
        name = f"{said['webhook']}-{said['body'].get('action')}".replace("_", "-")
        if name not in self.whole["x-webhooks"]:
            return answer(name, "unknown", [])
        pointer = self.resolved(["x-webhooks", name, "post", "requestBody"])
        problems = self.body_problems(ANSWERS, pointer, said["body"])
        return answer(name, "invalid" if problems else "ok", problems)

    def template(self, path):
        """The fixed path before one with parameters, as OpenAPI demands."""
        if path in self.whole["paths"]:
            return path
        return next((path_ for matches, path_ in self.templates if matches.fullmatch(path)), None)

    def request_problems(self, operation, pointer, request):
        if request is None:
            required = operation.get("requestBody", {}).get("required", False)
            return ["the request lacks its body"] if required else []
        if "requestBody" not in operation:
            return ["the request has a body that nobody asked for"]
        return self.body_problems(REQUESTS, self.resolved(pointer + ["requestBody"]), request)

    def body_problems(self, validator, pointer, body):
        content = self.at(pointer).get("content", {})
        if "application/json" not in content:
            return [] if body is None else ["there is a body where none is described"]
        return self.problems(validator, pointer + ["content", "application/json", "schema"], body)

    def problems(self, validator, pointer, body):
        schema = {"$ref": HERE + "#" + "".join("/" + escaped(part) for part in pointer)}
        check = validator(schema, registry=self.registry, format_checker=oas30_format_checker)
        return [shown(error) for error, _ in zip(check.iter_errors(body), range(MOST_PROBLEMS))]

    def resolved(self, pointer):
        """Follows a `$ref` that stands in place of the thing itself."""
        reference = self.at(pointer).get("$ref")
        return reference.removeprefix("#/").split("/") if reference else pointer

    def at(self, pointer):
        found = self.whole
        for part in pointer:
            found = found[part]
        return found


def pattern(path):
    parts = re.split(r"\{[^}]+\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


def escaped(part):
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def shown(error):
    where = "/".join(str(part) for part in error.absolute_path)
    return f"{where or 'body'}: {error.message}"[:LONGEST_PROBLEM]


def answer(route, verdict, problems):
    return {"route": route, "verdict": verdict, "problems": problems}


def main():
    description = Description(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(description.verdict(json.loads(line))))


if __name__ == "__main__":
    main()
