"""Net: every refusal in the source has a code that the API's documentation tells, and a sentence that a person saw.

tests/golden/sentences.txt is the one place where sentences are held: all other tests assert codes.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from portal.api.codes import CALLS, DOOR, REFUSALS, WRONG_BY_ITSELF

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/sentences.txt"
CODE = re.compile(r"[a-z]+\.[a-z_]+")
PLACE = re.compile(r"%\((\w+)\)")
# What hands on the code of a hold, which is collected where the hold is made.
HANDED_ON = "code=self.code"


class Saying(NamedTuple):
    code: str
    sentence: str


@cache
def sources() -> dict[str, ast.Module]:
    files = [path for room in ("customers", "mining", "billing", "portal") for path in (ROOT / room).rglob("*.py")]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in files}


def refusal_classes(trees: list[ast.Module]) -> set[str]:
    """Refused and what is derived from it, by name."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    classes = {"Refused"}
    while more := {name for name, of in bases.items() if of & classes} - classes:
        classes |= more
    return classes


def text(node: ast.expr | None) -> str:
    assert isinstance(node, ast.Constant), "a code and a sentence are written out where they are used"
    assert isinstance(node.value, str)
    return node.value


def sayings_of(tree: ast.Module, classes: set[str]) -> Iterator[Saying]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if call.func.id in classes and not isinstance(call.args[0], ast.Starred) and HANDED_ON not in ast.unparse(call):
            messages, code, params = call.args[:1], named.get("code"), named.get("params")
        elif call.func.id == "Hold":
            _, code, *messages, params = call.args[:5]
        else:
            continue
        sentence = " ".join(map(text, messages))
        if params is None or isinstance(params, ast.Dict):
            given = {text(key) for key in params.keys} if params else set()
            assert given == set(PLACE.findall(sentence)), sentence
        yield Saying(text(code), sentence)


@cache
def sayings() -> frozenset[Saying]:
    trees = list(sources().values())
    classes = refusal_classes(trees)
    return frozenset(saying for tree in trees for saying in sayings_of(tree, classes))


def test_every_code_is_told_in_the_apis_documentation_and_none_that_is_not_used() -> None:
    codes = {saying.code for saying in sayings()}
    assert codes == REFUSALS.keys()
    assert codes >= WRONG_BY_ITSELF
    assert list(REFUSALS) == sorted(REFUSALS)
    assert [code for code in [*codes, *CALLS, *(code for code, _ in DOOR.values())] if not CODE.fullmatch(code)] == []


def test_the_codes_of_the_apis_own_exceptions_are_told_too() -> None:
    own = {
        text(node.value)
        for file, tree in sources().items()
        if file.startswith("portal/api/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "default_code"
    }
    assert own == CALLS.keys()


def test_the_sentences_are_those_that_were_looked_at() -> None:
    told = "".join(f"{code}\n    {sentence}\n" for code, sentence in sorted(sayings()))
    if os.environ.get("RENEW_SENTENCES"):
        GOLDEN.write_text(told)
    renew = "Read the difference. When it is meant: RENEW_SENTENCES=1 make test ARGS=tests/nets/test_refusals.py"
    assert told == GOLDEN.read_text(), renew


def test_no_sentence_of_the_rooms_below_names_a_page() -> None:
    pages = re.compile(r"\b(page|button|press|click|below|above|heading|menu|tab)\b", re.IGNORECASE)
    assert [saying for saying in sayings() if pages.search(saying.sentence)] == []


def test_the_net_catches_what_is_not_written_out() -> None:
    caught = []
    for source in (
        'raise Refused(f"The account {name} is taken.", code="account.taken")',
        'raise Refused("The account is taken.", code=code)',
        'raise Refused("The account %(account)s is taken.", code="account.taken", params={"name": name})',
    ):
        try:
            list(sayings_of(ast.parse(source), {"Refused"}))
        except AssertionError:
            caught.append(source)
    assert len(caught) == 3
    plain = 'raise NoKey("There is %(what)s.", code="key.none", params={"what": what})'
    assert list(sayings_of(ast.parse(plain), {"NoKey"})) == [Saying("key.none", "There is %(what)s.")]
