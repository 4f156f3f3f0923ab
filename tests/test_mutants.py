"""The mutation tester: it changes what it should, sees what tests see, and its stored score is of the present files."""

import ast

import pytest
import yaml

from tools import mutants as tester
from tools.mutation_worker import Worker
from tools.mutations import Mutant, mutants

TEXT = '''"""A + docstring."""
import torch


@decorated(1)
def f(x: int | None = 3, flag=True) -> "a + b":
    """x + 1."""
    if x < 2 and not flag:
        raise ValueError(f"{x + 1} is bad" + "!")
    y = -(x + 1) ** 0.5 * torch.minimum(x, y)
    return y.clamp(min=0.25) if flag else g(x, y)
'''


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


def test_every_kind_of_change_is_made():
    found = {mutant.after for mutant in mutants(TEXT)}
    assert {
        'def f(x: int | None = 4, flag=True) -> "a + b":', 'def f(x: int | None = 3, flag=False) -> "a + b":',
        "if x <= 2 and not flag:", "if x < 3 and not flag:", "if x < 2 or not flag:", "if x < 2 and flag:",
        "y = (x + 1) ** 0.5 * torch.minimum(x, y)", "y = -(x - 1) ** 0.5 * torch.minimum(x, y)",
        "y = -(x + 2) ** 0.5 * torch.minimum(x, y)", "y = -(x + 1) * 0.5 * torch.minimum(x, y)",
        "y = -(x + 1) ** 0.25 * torch.minimum(x, y)", "y = -(x + 1) ** 0.5 / torch.minimum(x, y)",
        "y = -(x + 1) ** 0.5 * torch.maximum(x, y)", "y = -(x + 1) ** 0.5 * torch.minimum(y, x)",
        "return y if flag else g(x, y)", "return y.clamp(min=0.125) if flag else g(x, y)",
        "return y.clamp(min=0.25) if not flag else g(x, y)", "return y.clamp(min=0.25) if flag else g(y, x)",
    } <= found  # fmt: skip


def test_words_annotations_decorators_and_errors_are_left_alone():
    for mutant in mutants(TEXT):
        ast.parse(mutant.text)
        assert mutant.text != TEXT and mutant.before != mutant.after
        for kept in ('"""A + docstring."""', '"""x + 1."""', "@decorated(1)", '-> "a + b"', 'f"{x + 1} is bad" + "!"'):
            assert kept in mutant.text
        changed = [a for a, b in zip(mutant.text.splitlines(), TEXT.splitlines(), strict=True) if a != b]
        assert len(changed) == 1 and mutant.after == changed[0].strip()


def test_no_mutant_comes_twice_and_columns_are_counted_in_bytes():
    texts = [mutant.text for mutant in mutants('a = "√√" + b * 2\nc = a  # ≤\nd = c - 1\n')]
    assert len(texts) == len(set(texts))
    assert 'a = "√√" + b / 2\nc = a  # ≤\nd = c - 1\n' in texts and 'a = "√√" + b * 2\nc = a  # ≤\nd = c + 1\n' in texts


def planted(before, after):
    text = tester.source("guidance")
    assert text.count(before) == 1
    return Mutant(1, before, after, text.replace(before, after))


def test_a_planted_mutant_is_killed_and_one_that_changes_nothing_lives(worker):
    killed = planted("u + self.scale * (c - u)", "u - self.scale * (c - u)")
    lives = planted("u + self.scale * (c - u)", "self.scale * (c - u) + u")
    test = "tests/test_denoisers.py::test_guidance_is_linear_in_the_scale"
    first, second = tester.try_all("guidance", [killed, lives], worker, [test])
    assert (first["how"], first["test"]) == ("failed", test)
    assert (second["how"], second["test"]) == ("passed", None)
    blind = "tests/test_denoisers.py::test_label_reaches_the_network"
    assert tester.try_all("guidance", [killed], worker, [blind])[0]["how"] == "passed", "this test cannot see it"


def test_a_loop_without_end_is_stopped_and_a_broken_library_is_told_apart(worker):
    test = ["tests/test_denoisers.py::test_guidance_is_linear_in_the_scale"]
    endless = planted("if self.scale == 1:", "while True: pass\n        if self.scale == 1:")
    assert worker.try_out({"guidance.py": endless.text}, test, timeout=6).how == "timeout"
    assert worker.try_out({"guidance.py": "import nothing_of_that_name"}, test).how == "broken"
    assert worker.try_out({}, test).how == "passed", "the worker goes on"
    with pytest.raises(RuntimeError, match="do not pass as it is"):
        tester.try_all("guidance", [], worker, ["tests/test_denoisers.py::test_that_is_not_there"])


def test_the_score_counts_honestly(monkeypatch):
    rows = [
        {"line": 1, "before": "a", "after": str(i), "how": how} for i, how in enumerate(["failed"] * 7 + ["passed"] * 3)
    ]
    results = {"files": {"guidance": {"sha256": "", "mutants": rows}}}
    known = {("guidance", "a", "7"): {"equivalent": True, "reason": "x"}}
    monkeypatch.setattr(tester, "reasons", lambda: known)
    found = tester.score(results)
    assert (found["mutants"], found["killed"], found["equivalent"]) == (10, 7, 1)
    assert found["raw"] == 0.7 and found["without_equivalent"] == pytest.approx(7 / 9)
    told = tester.report(results)
    assert "no reason written" in told and "equivalent: x" in told and "of an older file" in told


def test_a_fingerprint_is_of_what_a_file_does():
    text = tester.source("guidance")
    assert tester.fingerprint("# a remark\n" + text) == tester.fingerprint(text.replace("Steering a", "Turning a"))
    assert tester.fingerprint(text.replace("== 1", "== 2")) != tester.fingerprint(text)


def test_nine_in_ten_mutants_are_killed():
    found = tester.score(tester.stored_results())
    assert found["mutants"] >= 500
    assert found["raw"] >= 0.9, tester.report(tester.stored_results())


def test_the_stored_score_says_of_which_files_it_is():
    """Of every file there is one; whether it is of the present file is told, and renewed every night."""
    stored = tester.stored_results()
    assert list(stored["files"]) == list(tester.TESTS)
    told = tester.report(stored).splitlines()
    for name, file in stored["files"].items():
        line = next(line for line in told if line.split()[0] == name)
        assert len(file["sha256"]) == 16 and len(file["mutants"]) > 5
        present = file["sha256"] == tester.fingerprint(tester.source(name))
        assert ("of an older file" in line) == (not present)
        if present:
            assert len(file["mutants"]) == len(list(mutants(tester.source(name))))


def test_a_nightly_job_tries_the_mutants_again():
    workflow = yaml.safe_load((tester.ROOT / ".github/workflows/nightly.yml").read_text())
    assert workflow[True]["schedule"], "YAML reads the key `on` as true"
    steps = workflow["jobs"]["mutants"]["steps"]
    run = " ".join(step.get("run", "") for step in steps)
    assert "python -m tools.mutants" in run and "pytest tests/test_mutants.py" in run
    assert any("upload-artifact" in step.get("uses", "") for step in steps), "so that its score can be stored"


def test_every_survivor_has_its_reason_and_no_reason_is_left_over():
    lived = {(name, row["before"], row["after"]) for name, row in tester.survivors(tester.stored_results())}
    assert lived == set(tester.reasons())
    assert all(len(row["reason"]) > 20 for row in tester.reasons().values())
