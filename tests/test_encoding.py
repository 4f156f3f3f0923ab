"""Text is read and written as UTF-8 everywhere, whatever the code page of the machine."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "ddpm_lib").rglob("*.py"), *(ROOT / "tools").rglob("*.py")])


def without_encoding(source):
    """The lines on which text is read or written in the code page of the machine."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        method = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if method in ("read_text", "write_text") and len(node.args) < (1 if method == "read_text" else 2):
            yield node.lineno
        # open(path, mode), but neither Image.open(path) nor os.open(path, flags)
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            modes = [word.value for word in node.keywords if word.arg == "mode"] + node.args[1:2]
            if not modes or isinstance(modes[0], ast.Constant) and "b" not in modes[0].value:
                yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_depends_on_the_code_page(path):
    assert list(without_encoding(path.read_text(encoding="utf-8"))) == [], "say encoding='utf-8'"


def test_the_reader_sees_every_kind():
    bad = "p.read_text()\np.write_text(x)\nopen(p)\nopen(p, 'w')\n(a / b).read_text()\nopen(p, mode='a')\n"
    good = "p.read_text(encoding='utf-8')\nopen(p, 'rb')\nos.open(p, 1)\nImage.open(p)\np.read_text('utf-8')\n"
    assert list(without_encoding(bad)) == [1, 2, 3, 4, 5, 6] and list(without_encoding(good)) == []
