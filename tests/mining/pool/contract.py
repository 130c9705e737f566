"""mining/pool/contract.json as a judge of requests and answers."""

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.sandbox import ROOT

CONTRACT: dict[str, Any] = json.loads((ROOT / "mining/pool/contract.json").read_text())
REGISTRY: Registry[Any] = Registry().with_resource("urn:contract", DRAFT202012.create_resource(CONTRACT))
OPERATIONS = {
    (path, method): operation for path, item in CONTRACT["paths"].items() for method, operation in item.items()
}


class Broken(AssertionError):
    """What was sent is not what the contract says."""


@cache
def judge(*place: str) -> Draft202012Validator:
    """Of the schema at that place of the document."""
    pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in place)
    return Draft202012Validator({"$ref": f"urn:contract#/{pointer}"}, registry=REGISTRY)


def request_judge(path: str) -> Draft202012Validator:
    return judge("paths", path, "post", "requestBody", "content", "application/json", "schema")


def check_request(path: str, body: Any) -> None:
    _check(request_judge(path), body, f"request to {path}")


def check_query(path_and_query: str) -> None:
    """Values of a query are texts: whole numbers are judged as the numbers they spell."""
    parts = urlsplit(path_and_query)
    known = {parameter["name"]: parameter for parameter in OPERATIONS[parts.path, "get"]["parameters"]}
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    missing = [name for name, parameter in known.items() if parameter["required"] and name not in given]
    if missing or not given.keys() <= known.keys():
        raise Broken(f"{path_and_query}: {missing or given.keys() - known.keys()}")
    for name, value in given.items():
        place = list(known).index(name)
        schema = judge("paths", parts.path, "get", "parameters", str(place), "schema")
        _check(schema, int(value) if value.isdigit() else value, f"{name} of {path_and_query}")


def check_answer(path: str, method: str, *, status: int, content_type: str, body: bytes) -> None:
    response = OPERATIONS[path, method]["responses"].get(str(status))
    place = ["paths", path, method, "responses", str(status)]
    if response and "$ref" in response:
        place = response["$ref"].removeprefix("#/").split("/")
        response = CONTRACT["components"]["responses"][place[-1]]
    kind = content_type.partition(";")[0]
    if response is None or kind not in response["content"]:
        raise Broken(f"{method} {path} answered {status} as {kind}: {body[:200]!r}")
    value = json.loads(body) if kind == "application/json" else body.decode()
    _check(judge(*place, "content", kind, "schema"), value, f"answer {status} of {path}")


def _check(validator: Draft202012Validator, value: Any, what: str) -> None:
    for error in validator.iter_errors(value):
        raise Broken(f"{what}: {error.json_path} {error.message}: {str(value)[:500]}")
