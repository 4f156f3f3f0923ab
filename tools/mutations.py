"""Small wrong changes of a Python text: one operator, number, name or call at a time.

Docstrings, annotations, decorators, imports and the messages of errors are left alone: what they say is no
arithmetic, and no test should pin it word by word.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

OPERATORS = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.FloorDiv: "/", ast.Mod: "*",
}  # fmt: skip
COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "amin": "amax", "amax": "amin",
    "any": "all", "all": "any", "sum": "mean", "mean": "sum", "cos": "sin", "sin": "cos", "randn": "rand",
    "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like", "exp": "expm1",
    "expm1": "exp", "logsumexp": "sum", "argmin": "argmax", "argmax": "argmin", "cumprod": "cumsum",
}  # fmt: skip
DROPPED = {"clamp", "sqrt", "square", "abs", "log", "exp", "pow", "cumprod", "round", "mean", "sum", "flip"}


class Mutant(NamedTuple):
    """One change: the line it begins on, the lines before and after it, and the whole changed text."""

    line: int
    before: str
    after: str
    text: str


def mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of a Python text, in the order of its lines; none that does not compile, and none twice."""
    seen, found = {text}, []
    source = text.encode()  # the tree counts columns in bytes
    starts = [0]
    for row in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))

    def span(node) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    for node in _visited(ast.parse(text)):
        for start, end, new in _changes(node, span, source):
            changed = (source[:start] + new + source[end:]).decode()
            if changed in seen or not _compiles(changed):
                continue
            seen.add(changed)
            line = source[:start].count(b"\n")
            rows = changed.splitlines()
            lines = slice(line, line + source[start:end].count(b"\n") + 1)
            after = rows[line : line + new.count(b"\n") + 1]
            found.append(Mutant(line + 1, _join(text.splitlines()[lines]), _join(after), changed))
    yield from sorted(found, key=lambda mutant: mutant.line)


def _join(rows: list[str]) -> str:
    return " ".join(row.strip() for row in rows)


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _visited(node) -> Iterator[ast.AST]:
    """The nodes that may be changed."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        children = value if isinstance(value, list) else [value]
        for child in children:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Raise, ast.Import, ast.ImportFrom)):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            if isinstance(child, ast.JoinedStr):
                continue  # a message
            yield from _visited(child)


def _changes(node, span, source: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, new) of every change of this one node, in bytes."""
    if isinstance(node, ast.BinOp):
        yield from _between(node.left, node.right, OPERATORS.get(type(node.op)), span, source)
        if isinstance(node.op, ast.Pow):
            yield *span(node), source[slice(*span(node.left))]
    elif isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators):
            yield from _between(left, right, COMPARISONS[type(operator)], span, source)
    elif isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:]):
            yield from _between(left, right, "or" if isinstance(node.op, ast.And) else "and", span, source)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield *span(node), source[slice(*span(node.operand))]
    elif isinstance(node, ast.AugAssign):
        yield from _between(node.target, node.value, f"{OPERATORS.get(type(node.op), '+')}=", span, source)
    elif isinstance(node, ast.Constant):
        yield from ((*span(node), new.encode()) for new in _other_values(node.value))
    elif isinstance(node, (ast.If, ast.IfExp)) and isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
        yield *span(node.test), b"not " + source[slice(*span(node.test))]
    elif isinstance(node, ast.Call):
        yield from _other_calls(node, span, source)


def _between(left, right, new: str | None, span, source: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Another operator in the place of the one between two nodes; brackets around them stay."""
    if new is None:
        return
    start, end = span(left)[1], span(right)[0]
    gap = source[start:end].decode()
    core = gap.strip(" ()\n")
    place = start + len(gap[: gap.index(core)].encode())
    yield place, place + len(core.encode()), new.encode()


def _other_values(value) -> list[str]:
    if value is True or value is False:
        return [str(not value)]
    if isinstance(value, int):
        return [str(value + 1)]
    if isinstance(value, float):
        return [repr(value / 2 or 1.0)]
    return []


def _other_calls(node: ast.Call, span, source: bytes) -> Iterator[tuple[int, int, bytes]]:
    """A call by another name, a method not called at all, and the first two arguments swapped."""
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name in NAMES:
        end = span(called)[1]
        yield end - len(name), end, NAMES[name].encode()
    owner = getattr(called, "value", None)
    is_module = isinstance(owner, ast.Name) and owner.id in ("torch", "math")
    if name in DROPPED and owner is not None and not is_module:
        yield *span(node), source[slice(*span(owner))]
    if len(node.args) >= 2 and not any(isinstance(arg, (ast.Starred, ast.Constant)) for arg in node.args[:2]):
        (a, b), (c, d) = span(node.args[0]), span(node.args[1])
        yield a, d, source[c:d] + source[b:c] + source[a:b]
