"""Figure: one JavaScript module with two hosts, a live widget and a page that needs no kernel.

Live (Jupyter, Colab, VS Code) anywidget hosts the module and Python hears every change.
In a built page there is no Python: `Figure.html` writes the same module with its data
baked in and a stand-in for the model, so it works offline and from a file.
"""

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import anywidget
import traitlets

from ..colours import INK
from .captions import CAPTIONS
from .raster import png_of

HERE = Path(__file__).parent
SVG = "http://www.w3.org/2000/svg"
BUDGET = 150_000  # bytes of HTML that one figure may put into a notebook


def join_modules(*names: str) -> str:
    """The named files of this folder as one ES module.

    The files import from each other by relative address, which a page without a server
    cannot follow; put one after the other they need no imports.
    """
    text = "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE)


class Figure(anywidget.AnyWidget):
    """An interactive figure. A subclass names its modules, its traits and draws its still.

    modules: the JavaScript files, in order; the last exports `render({ model, el })`.
    styles: the CSS files: figure.css, which all share, and the figure's own after it.
    Traits tagged `baked=True` are the figure's state: they travel to the live widget and
    into the page. `still()` returns an SVG, shown in print and without JavaScript, and as a picture wherever a
    notebook is shown that has not been run (a notebook that is not trusted loses scripts and SVG, not pictures).

    `jupyter nbconvert --execute --to html` puts a live widget into the page, which then asks unpkg.com for its code;
    with `--ExecutePreprocessor.store_widget_state=False` it takes the page's own figure, which asks nobody.
    """

    modules: tuple[str, ...] = ()
    styles: tuple[str, ...] = ("figure.css",)
    _css = (HERE / "figure.css").read_text(encoding="utf-8")
    caption = traitlets.Unicode("").tag(sync=True, baked=True)

    def __init_subclass__(cls, **kwargs):
        if "modules" in cls.__dict__:  # not in the classes that traitlets derives
            cls._esm = join_modules(*cls.modules)
            shared, *own = [(HERE / name).read_text(encoding="utf-8") for name in cls.styles]
            # Inside .ddpm-figure a figure's own rules outweigh the shared ones, which the next figure on the page
            # brings again and later.
            cls._css = shared + "".join(f".ddpm-figure {{\n{text}}}\n" for text in own)
        super().__init_subclass__(**kwargs)

    def __init__(self, *, caption=None, **state):
        super().__init__(**state)
        name = type(self).__name__
        own = CAPTIONS.get(f"{name}/{self.variant()}", CAPTIONS.get(name, ""))
        self.caption = own if caption is None else caption
        self.html()  # over the budget: said here, where the reader stands, not when it is shown

    def __repr__(self) -> str:
        return f"{type(self).__name__} figure"

    def variant(self) -> str:
        """Which of its captions (captions.py) the figure has by itself, where it has several."""
        return ""

    def state(self) -> dict:
        """What the module needs to draw: name → value, ready for JSON."""
        return {name: getattr(self, name) for name in sorted(self.traits(baked=True))}

    def still(self) -> str:
        """An SVG of the figure, made by encode.drawing, for print and for readers without JavaScript."""
        raise NotImplementedError(f"{type(self).__name__} must draw a still picture of itself")

    def html(self) -> str:
        """The figure as a piece of HTML: still, caption, style, module and data.

        Equal states give equal text. Raises ValueError above BUDGET, with what to do about it.
        """
        # "<" becomes \u003c: no string in the state can end the script or open a comment.
        state = json.dumps(self.state(), sort_keys=True, separators=(",", ":"))
        state = state.replace("<", "\\u003c")
        kind = f"{type(self).__name__}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
        module = self._esm.replace("export default { render };", "").strip()
        text = (
            f'<figure class="ddpm-figure" data-figure="{kind}">\n'
            f'<div class="ddpm-still">{_as_picture(self.still())}</div>\n'
            f"<figcaption>{escape(self.caption)}</figcaption>\n"
            f"<style>\n{self._css}</style>\n"
            f'<script type="module">\n{module}\nstart("{kind}", {state}, render);\n</script>\n'
            "</figure>"
        )
        if len(text) > BUDGET:
            raise ValueError(
                f"{type(self).__name__} would put {len(text) // 1000} kB into the page, over"
                f" {BUDGET // 1000} kB: give it fewer points, fewer frames or a smaller picture."
            )
        return text

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, the same figure as HTML for pages without a kernel, and its still for paper."""
        live, metadata = super()._repr_mimebundle_(**kwargs)
        png = base64.b64encode(png_of(self.still())).decode()
        return {**live, "text/html": self.html(), "image/png": png}, metadata


def _as_picture(svg: str) -> str:
    """An SVG as an <img>: what cleans HTML of scripts takes inline SVG away and leaves its words behind."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = root.get("viewBox").split()
    words = escape(root.get("aria-label"))
    alone = f'<svg xmlns="{SVG}" color="{INK}" font-family="system-ui, sans-serif" '  # it inherits nothing
    address = quote(svg.replace("<svg ", alone, 1), safe=" !$&'()*+,-./:;=?@_|~")
    return f'<img src="data:image/svg+xml,{escape(address)}" alt="{words}" width="{width}" height="{height}">'
