"""The table of mutants still fits the source: every text is there once, and every test exists."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.mutations.__main__ import ROOT, StaleError, mutated
from tests.mutations.mutants import MUTANTS, Mutant, one


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mechanism)
def test_its_text_is_there_once_and_its_tests_exist(mutant: Mutant):
    ast.parse(mutated((ROOT / mutant.path).read_text(), mutant))
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert not name or name.partition("[")[0] in functions_of(ROOT / path), test


def test_no_mechanism_is_named_twice():
    assert len({each.mechanism for each in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("source", ["nothing of the kind", "the needle, and the needle"])
def test_a_text_that_is_not_there_once_is_stale(source: str):
    with pytest.raises(StaleError, match=r"times in a\.py: 'needle'"):
        mutated(source, one("x", "a.py", "needle", "", "tests"))


@cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
