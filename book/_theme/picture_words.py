"""Words for the pictures of a notebook, for those who hear a page: made from the cell that drew them.

A stored picture has no words of its own. But its cell says what it draws, and over which names, and the
sentence before the cell says what for: "Curves: signal rate, noise rate. Here are both rates, for every t."
"""

import ast
import re

KINDS = {
    "show_images": "Pictures",
    "show_points": "Clouds of points",
    "show_paths": "Paths through the plane",
    "show_steps": "A film as a strip of frames",
    "show_curves": "Curves",
    "show_records": "Measurements joined by lines",
    "show_unet": "A U-Net as boxes and arrows, each box with the shape of its features",
    "imshow": "A map of values in colour",
    "hist": "A histogram",
    "bar": "Bars",
    "scatter": "Points",
    "plot": "Curves",
}
# Where a plotting call names its axes: by keyword, or at these places.
AXES = {"show_curves": (2, 3), "show_records": (1, 2)}
LONGEST = 160  # characters of the sentence before the cell
ASKED = re.compile(r"before you run|predict|guess|\?$", re.IGNORECASE)


def describe(source, paragraph="", section=""):
    """One line for the picture that a cell of this source drew, under this paragraph, in this section."""
    said = _last_sentence(paragraph) or (f"In the section {section.strip()}." if section else "")
    return f"{_drawn(source)}. {said}".strip()


def _drawn(source):
    """What the cell's plotting calls draw, and the names that stand in the picture."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return "A picture"
    values = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            values |= {name: value for target in node.targets for name, value in _pairs(target, node.value)}
    kind, names, axes = "A picture", [], {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name not in KINDS and name != "set":
            continue
        kind = KINDS.get(name, kind)
        places = AXES.get(name, ())
        axes |= {k.arg[0]: k.value for k in call.keywords if k.arg in ("xlabel", "ylabel")}
        axes |= {axis: call.args[i] for axis, i in zip("xy", places) if i < len(call.args)}
        kept = [argument for i, argument in enumerate(call.args) if i not in places]
        kept += [k.value for k in call.keywords if k.arg in ("titles", "title", "label")]
        names += [text for node in kept for text in _texts(node, values)]
    across, up = (next(iter(_texts(axes.get(axis), values)), "") for axis in "xy")
    words = f"{kind}: {', '.join(dict.fromkeys(names))}" if names else kind
    if up:
        words += f"; {up}" if names else f": {up}"
    return f"{words} over {across}" if across else words


def _pairs(target, value):
    """The names that an assignment binds, each with its expression: `a = …` and `a, b = …, …`."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for inner, expression in zip(target.elts, value.elts):
            yield from _pairs(inner, expression)


def _texts(node, values):
    """The texts that an expression holds, as far as they stand in the cell: of a list, the keys of a dict."""
    if isinstance(node, ast.Name):
        return _texts(values[node.id], {}) if node.id in values else []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.Dict):
        return [text for key in node.keys if key is not None for text in _texts(key, values)]
    if isinstance(node, (ast.ListComp, ast.DictComp)):
        return _each(node, values)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [text for item in node.elts for text in _texts(item, values)]
    if isinstance(node, ast.BinOp):
        return _texts(node.left, values) + _texts(node.right, values)
    return []


def _each(node, values):
    """The texts of `[f"t = {t}" for t in (0, 50)]`, one for each value, where the values stand in the cell."""
    text = getattr(node, "elt", None) or node.key
    loop = node.generators[0]
    over = values.get(loop.iter.id) if isinstance(loop.iter, ast.Name) else loop.iter
    plain = isinstance(over, (ast.List, ast.Tuple)) and all(isinstance(item, ast.Constant) for item in over.elts)
    if not (plain and isinstance(text, ast.JoinedStr) and isinstance(loop.target, ast.Name)):
        return _texts(text, values)
    made = []
    for item in over.elts:
        parts = []
        for part in text.values:
            named = isinstance(part, ast.FormattedValue) and getattr(part.value, "id", "") == loop.target.id
            parts.append(str(item.value) if named else part.value if isinstance(part, ast.Constant) else "…")
        made.append("".join(parts))
    return made


def _last_sentence(paragraph):
    """The last sentence that is no question to the reader, short enough to be heard at one go."""
    sentences = re.split(r"(?<=[.!?:])\s+(?=[A-Z“‘(])", " ".join(paragraph.split()))
    last = next((sentence for sentence in reversed(sentences) if not ASKED.search(sentence)), "")
    if len(last) > LONGEST:
        last = last[:LONGEST].rsplit(" ", 1)[0] + " …"
    return re.sub(r"[:;,]$", ".", last)
