"""How much would the tests notice? Every small wrong change of the mathematics, tried against the ordinary tests.

    python -m tools.mutants                   all six files again (the better part of an hour on one core)
    python -m tools.mutants denoisers losses  these files again, the others as they are stored
    python -m tools.mutants --survivors       only what was not noticed before, after tests have been added
    python -m tools.mutants --score           the score as it is stored

A mutant is killed when an ordinary test fails, or when the tests do not end. What was found is in tests/mutants.json;
tools/mutants_survivors.json says of each survivor why it may live. The raw score counts all mutants; the other one
leaves out those that are equivalent: no test could tell them from the original. The stored score may be of an older
file: then the report says so, and the nightly job (.github/workflows/nightly.yml) has the one of the present file.
"""

import argparse
import ast
import hashlib
import json
import time

from tools.mutation_worker import ROOT, Worker
from tools.mutations import Mutant, mutants

LIBRARY = ROOT / "ddpm_lib"
RESULTS = ROOT / "tests" / "mutants.json"
REASONS = ROOT / "tools" / "mutants_survivors.json"
# The ordinary tests of each file, the likeliest to notice first.
TESTS = {
    "schedules": ["schedules.py", "noising.py", "denoisers.py", "losses.py", "simple.py"],
    "noising": ["noising.py", "simple.py", "denoisers.py", "losses.py", "oracle.py"],
    "denoisers": ["denoisers.py", "examples.py", "oracle.py"],
    "guidance": ["denoisers.py", "examples.py"],
    "samplers": ["samplers.py::test_ode_samplers_reach_the_closed_form", "oracle.py", "samplers.py", "examples.py"],
    "losses": ["losses.py", "bound.py", "denoisers.py", "examples.py"],
}
TIMEOUT = 240  # seconds; the longest list of tests takes a quarter of it on a busy core


def source(name: str) -> str:
    return (LIBRARY / f"{name}.py").read_text(encoding="utf-8")


def fingerprint(text: str) -> str:
    """Of what a file does: the same after a change of comments, docstrings or layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def tests_of(name: str) -> list[str]:
    return [f"tests/test_{test}" for test in TESTS[name]]


def try_all(name: str, wanted: list[Mutant], worker: Worker, tests: list[str] | None = None) -> list[dict]:
    """What became of each of the wanted mutants of one file, as rows; what is found is said as it is found."""
    tests = tests or tests_of(name)
    if (outcome := worker.try_out({}, tests, TIMEOUT)).how != "passed":
        raise RuntimeError(f"the tests of {name} do not pass as it is: {outcome.test or outcome.why}")
    rows = []
    for mutant in wanted:
        # Found at once where the file's own tests see it; the others are asked one after the other.
        outcome = worker.try_out({f"{name}.py": mutant.text}, tests, TIMEOUT)
        rows.append({"line": mutant.line, "before": mutant.before, "after": mutant.after, **outcome._asdict()})
        del rows[-1]["why"]
        if outcome.how == "passed":
            print(f"  {len(rows)} of {len(wanted)}: lives: {name}.py:{mutant.line}: {mutant.after}", flush=True)
    return rows


def run(names: list[str], survivors_only: bool = False) -> None:
    """Try the mutants of the named files and store what became of them, file by file."""
    with Worker() as worker:
        for name in names:
            stored, text, started = stored_results(), source(name), time.monotonic()
            wanted, kept = list(mutants(text)), []
            if survivors_only:
                known = stored["files"][name]
                if known["sha256"] != fingerprint(text):
                    raise RuntimeError(f"{name}.py has changed: run python -m tools.mutants {name}")
                lived = {(row["before"], row["after"]) for row in known["mutants"] if row["how"] == "passed"}
                wanted = [mutant for mutant in wanted if (mutant.before, mutant.after) in lived]
                kept = [row for row in known["mutants"] if (row["before"], row["after"]) not in lived]
            print(f"{name}: {len(wanted)} mutants", flush=True)
            rows = sorted(kept + try_all(name, wanted, worker), key=lambda row: row["line"])
            stored = stored_results()  # again: another run may have stored another file meanwhile
            stored["files"][name] = {"sha256": fingerprint(text), "tests": tests_of(name), "mutants": rows}
            stored["files"] = {name: stored["files"][name] for name in TESTS if name in stored["files"]}
            write(stored)
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def stored_results() -> dict:
    empty = {"made_by": "python -m tools.mutants", "files": {}}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else empty


def write(results: dict) -> None:
    """One mutant a line, so that a second run shows as a small difference."""
    text = json.dumps({**results, "files": {}}, indent=1, ensure_ascii=False)
    files = []
    for name, file in results["files"].items():
        rows = ",\n   ".join(json.dumps(row, ensure_ascii=False) for row in file["mutants"])
        head = json.dumps({"sha256": file["sha256"], "tests": file["tests"]})[:-1]
        files.append(f'  {json.dumps(name)}: {head}, "mutants": [\n   {rows}\n  ]}}')
    text = text.replace('"files": {}', '"files": {\n' + ",\n".join(files) + "\n }")
    RESULTS.write_text(text + "\n", encoding="utf-8")


def reasons() -> dict[tuple[str, str, str], dict]:
    """Why a survivor may live, by (file, before, after): {"equivalent": bool, "reason": str}."""
    rows = json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else []
    return {(row["file"], row["before"], row["after"]): row for row in rows}


def survivors(results: dict) -> list[tuple[str, dict]]:
    return [(name, row) for name, file in results["files"].items() for row in file["mutants"] if row["how"] == "passed"]


def score(results: dict) -> dict[str, int | float]:
    """How many mutants there are, how many were killed, and the share; raw, and without the equivalent ones."""
    total = sum(len(file["mutants"]) for file in results["files"].values())
    lived, known = survivors(results), reasons()
    same = sum(known.get((name, row["before"], row["after"]), {}).get("equivalent", False) for name, row in lived)
    killed = total - len(lived)
    shares = {"raw": killed / max(total, 1), "without_equivalent": killed / max(total - same, 1)}
    return {"mutants": total, "killed": killed, "equivalent": same, **shares}


def report(results: dict) -> str:
    """The score of each file and of all, and every survivor with its reason."""
    lines, known = ["file         mutants  killed  share"], reasons()
    for name, file in results["files"].items():
        killed = sum(row["how"] != "passed" for row in file["mutants"])
        stale = "" if file["sha256"] == fingerprint(source(name)) else "  (of an older file: run it again)"
        lines.append(f"{name:12} {len(file['mutants']):7} {killed:7}  {killed / len(file['mutants']):5.1%}{stale}")
    for name, row in survivors(results):
        why = known.get((name, row["before"], row["after"]))
        told = "no reason written" if why is None else ("equivalent: " if why["equivalent"] else "") + why["reason"]
        lines.append(f"lives: {name}.py:{row['line']}: {row['before']}\n    as {row['after']}\n    {told}")
    found = score(results)
    lines.append(
        f"killed {found['killed']} of {found['mutants']} mutants, {found['raw']:.1%};"
        f" without {found['equivalent']} equivalent ones {found['without_equivalent']:.1%}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", choices=[[], *TESTS], help="modules of ddpm_lib; all six if none")
    parser.add_argument("--survivors", action="store_true", help="try again only what was not noticed before")
    parser.add_argument("--score", action="store_true", help="print the stored score, run nothing")
    asked = parser.parse_args()
    if not asked.score:
        run(asked.files or list(TESTS), asked.survivors)
    print(report(stored_results()))


if __name__ == "__main__":
    main()
