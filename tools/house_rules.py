"""The house rules of a notebook. Each rule is a function that yields what breaks it.

A mistyped tag or a missing output fails silently everywhere else: nbval passes a notebook
that was never run, and a site shows an unfolded solution without a word.
"""

import ast
import json
import re
import statistics
from io import StringIO
from tokenize import TokenError, generate_tokens

from IPython.core.inputtransformer2 import TransformerManager

from tools.outputs import CELL_KEYS, METADATA, SOLUTION_METADATA, WIDGET_VIEW
from tools.stamp import TAGS, setup_cell

KNOWN_TAGS = {
    "remove-cell", "hide-cell", "hide-input", "hide-output", "remove-input", "solution",
    "nbval-check-output", "nbval-ignore-output", "nbval-skip",
}  # fmt: skip
MAX_LINES, MAX_WIDTH, MAX_MEDIAN = 15, 72, 6
MAX_NOTEBOOK, MAX_OUTPUT = 1_000_000, 150_000  # bytes
MIN_EXERCISES, MIN_CHECKED = 6, 3
FEWER_EXERCISES = {"A": 3, "B": 3}  # by chapter or appendix: those that have not grown to six yet
GROWING_CLASS = "class SimpleDiffusion"  # the one cell that may be long
EXERCISE = re.compile(r"^#+ Exercise ((?:\d+|[A-Z])\.\d+)", re.MULTILINE)  # of a chapter, or of an appendix
# A proof, folded wherever Markdown is read: the blank lines let its formulas be set.
ON_PAPER = re.compile(r"<details>\n<summary>Solution (\S+), on paper</summary>\n\n.+\n\n</details>", re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.:/])(/(home|root|Users|tmp|work|mnt|content)/|[A-Z]:\\\\?\w)")
OTHER_HOST = re.compile(
    r"""!\[[^\]]*\]\(\s*<?(https?:)?//"""  # a picture in Markdown
    r"""|<(img|script|iframe|video|audio|source|embed|object|link)\b[^>]*\b(src|href|data)\s*=\s*["']?(https?:)?//"""
    r"""|\bimport\s*\(?[^;\n]{0,80}["']https?://|\bfetch\(\s*["']https?://|\burl\(\s*["']?https?://""",
    re.IGNORECASE,
)


def check(notebook):
    """Every breach of every rule in a notebook, as sentences that name the cell."""
    return [breach for rule in RULES for breach in rule(notebook)]


def metadata(notebook):
    for key, value in METADATA.items():
        if notebook.metadata.get(key) != value:
            yield f"notebook metadata: {key} must be {value} (`make outputs` writes it)"
    for key in set(notebook.metadata) - set(METADATA):
        yield f"notebook metadata: {key} does not belong there (`make outputs` cleans it)"
    for i, cell in enumerate(notebook.cells):
        for key in set(cell.metadata) - set(CELL_KEYS):
            yield f"cell {i}: metadata {key} does not belong there"
        for tag in cell.metadata.get("tags", []):
            if tag not in KNOWN_TAGS:
                yield f"cell {i}: the tag {tag} is not known"


def opening(notebook):
    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield "cell 0: a notebook opens with its title, `# …`"
    if len(cells) < 2 or cells[1].source != setup_cell() or cells[1].metadata.get("tags") != TAGS:
        yield "cell 1: the second cell is the setup cell (`make stamp` writes it)"
    if any(cell.source.startswith("# ") for cell in cells[1:] if cell.cell_type == "markdown"):
        yield "a notebook has one title: use ## for its sections"


def size(notebook):
    if len(json.dumps(notebook, ensure_ascii=False).encode()) > MAX_NOTEBOOK:
        yield f"the notebook is larger than {MAX_NOTEBOOK:,} bytes"
    lengths = [len(cell.source.splitlines()) for _, cell in _code(notebook)]
    if lengths and statistics.median(lengths) > MAX_MEDIAN:
        yield f"half of the code cells have more than {MAX_MEDIAN} lines"
    for i, cell in _code(notebook):
        lines = cell.source.splitlines()
        if len(lines) > MAX_LINES and GROWING_CLASS not in cell.source:
            yield f"cell {i}: {len(lines)} lines, the cap is {MAX_LINES}"
        for line in lines:
            if len(line) > MAX_WIDTH:
                yield f"cell {i}: {len(line)} characters in one line, the page shows {MAX_WIDTH}"
        for output in cell.outputs:
            forms = list(output.get("data", {}).values()) or [output]  # of a figure: its page, and a still beside it
            if max(len(json.dumps(form, ensure_ascii=False).encode()) for form in forms) > MAX_OUTPUT:
                yield f"cell {i}: an output is larger than {MAX_OUTPUT:,} bytes"


def code(notebook):
    for i, cell in _code(notebook):
        python = TransformerManager().transform_cell(cell.source)
        try:
            tree = ast.parse(python)
            tokens = list(generate_tokens(StringIO(python).readline))
        except (SyntaxError, TokenError) as error:
            yield f"cell {i}: does not parse: {error}"
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield f"cell {i}: a star import hides where names come from"
            if isinstance(node, ast.Attribute) and node.attr in ("system", "getoutput", "getsystem"):
                if ast.unparse(node.value) == "get_ipython()":
                    yield f"cell {i}: `!` commands do not run everywhere"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.match(r"(/|~/|[A-Za-z]:\\)\w", node.value):
                    yield f"cell {i}: {node.value!r} is an absolute path"
        for token, after in zip(tokens, tokens[1:]):
            if token.string == ";" and (after.string.strip() == "" or after.string[0] == "#"):
                yield f"cell {i}: `;` at a line's end does not silence a value; end with plt.show()"


def outputs(notebook):
    ran = [(i, cell) for i, cell in _code(notebook) if cell.source.strip()]
    counts = [cell.execution_count for _, cell in ran]
    if counts != list(range(1, len(ran) + 1)):
        yield "the execution counts are not 1, 2, 3, …: run it with `make outputs`"
    if not any(cell.outputs for _, cell in ran):
        yield "no output is stored: run it with `make outputs`"
    for i, cell in ran:
        if not cell.outputs and _must_show(cell):
            yield f"cell {i}: it shows something, but no output is stored"
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {i}: its output is an error"
            if output.get("name") == "stderr":
                yield f"cell {i}: it writes to stderr: {output.text[:60]!r}"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"cell {i}: a live widget is stored; a page has no kernel"
            if MACHINE_PATH.search(_text(output)):
                yield f"cell {i}: its output shows a path of the machine it ran on"
    if sum("nbval-check-output" in cell.metadata.get("tags", []) for _, cell in ran) < MIN_CHECKED:
        yield f"fewer than {MIN_CHECKED} cells have the tag nbval-check-output"


def exercises(notebook):
    cells, found = notebook.cells, []
    for i, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        if "<details" in cell.source and _on_paper(cell) is None:
            yield f"cell {i}: a fold is a cell of its own, `<details>`, `<summary>Solution n.m, on paper</summary>`, …"
        for number in EXERCISE.findall(cell.source):
            found.append(number)
            yield from _unsolved(number, cells[i + 1 : i + 4])
    solutions = [cell for _, cell in _code(notebook) if _is_solution(cell)]
    for cell in solutions:
        if dict(cell.metadata) != SOLUTION_METADATA:
            yield f"{cell.source.splitlines()[0]}: its metadata must be {SOLUTION_METADATA}"
    solved = {_on_paper(cell) for cell in cells} - {None}
    solved |= {cell.source.split("\n", 1)[0].removeprefix("# Solution ") for cell in solutions}
    for number in sorted(solved - set(found)):
        yield f"solution {number}: there is no such exercise"
    least = FEWER_EXERCISES.get(found[0].split(".")[0] if found else "", MIN_EXERCISES)
    if len(found) < least:
        yield f"{len(found)} exercises; this chapter has at least {least}"
    if [int(number.split(".")[1]) for number in found] != list(range(1, len(found) + 1)):
        yield f"exercises are numbered 1, 2, 3, …, not {', '.join(found)}"


def _unsolved(number, after):
    """What is missing behind an exercise: a starter and a solution in code, or on paper, or both, paper first."""
    after = [*after, None, None, None]
    if _on_paper(after[0]) == number:
        return
    starter = after.pop(0)
    if starter is None or starter.cell_type != "code" or _is_solution(starter):
        yield f"exercise {number}: the next cell must be a starter cell, or its solution on paper"
    if _on_paper(after[0]) == number:
        after.pop(0)
    if after[0] is None or not after[0].source.startswith(f"# Solution {number}\n"):
        yield f"exercise {number}: no cell `# Solution {number}` after the starter"


def hosts(notebook):
    for i, cell in enumerate(notebook.cells):
        texts = [cell.source] if cell.cell_type == "markdown" else map(_text, cell.outputs)
        for text in texts:
            if match := OTHER_HOST.search(text):
                yield f"cell {i}: asks another host: {match[0][:60]}"


RULES = (metadata, opening, size, code, outputs, exercises, hosts)


def _code(notebook):
    return [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]


def _is_solution(cell):
    return cell.source.startswith("# Solution") or "solution" in cell.metadata.get("tags", [])


def _on_paper(cell):
    """The number of the exercise that a folded Markdown cell solves, or None."""
    match = ON_PAPER.fullmatch(cell.source) if cell is not None and cell.cell_type == "markdown" else None
    return match and match[1]


def _must_show(cell):
    shows = re.search(r"^(print|plt\.show|show_\w+)\(", cell.source, re.MULTILINE)
    return shows or "nbval-check-output" in cell.metadata.get("tags", [])


def _text(output):
    data = output.get("data", {})
    texts = [output.get("text", "")] + [v for k, v in data.items() if not k.startswith("image/")]
    return "\n".join(text if isinstance(text, str) else json.dumps(text) for text in texts)
