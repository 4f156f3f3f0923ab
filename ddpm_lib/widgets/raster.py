"""A still drawing as pixels, for places that take no SVG: pages of paper made by nbconvert, and the like."""

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
from PIL import Image, ImageColor, ImageDraw, ImageFont

from ..colours import INK

WIDTH = 480  # pixels
FINE = 3  # drawn so many times as large, and averaged down
COLOURS = 48  # of the palette: with noise in it, a picture of more would be a large file


def png_of(svg: str, width: int = WIDTH) -> bytes:
    """A drawing of encode.drawing as a PNG on white paper, `width` pixels wide.

    It knows what the stills are made of and no more: images, texts, groups that are moved, and paths of straight lines.
    Raises ValueError for another element, or a path with curves.
    """
    root = ElementTree.fromstring(svg)
    left, top, wide, tall = map(float, root.get("viewBox").split())
    scale = FINE * width / wide
    page = Image.new("RGB", (round(scale * wide), round(scale * tall)), "white")
    _draw(page, root, scale, -left, -top)
    small = page.resize((width, max(1, round(width * tall / wide))), Image.Resampling.BOX)
    store = io.BytesIO()
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(store, "png", optimize=True)
    return store.getvalue()


def _draw(page, parent, scale, left, top):
    """The children of an element, moved by (left, top) in the drawing's own units."""
    for node in parent:
        kind, at = node.tag.split("}")[-1], lambda name, node=node: float(node.get(name, 0))
        if kind == "g":
            moved = [float(v) for v in re.findall(r"-?[\d.]+", node.get("transform", "0 0"))]
            _draw(page, node, scale, left + moved[0], top + moved[1])
        elif kind == "image":
            picture = Image.open(io.BytesIO(base64.b64decode(node.get("href").split(",", 1)[1]))).convert("RGB")
            size = round(scale * at("width")), round(scale * at("height"))
            place = round(scale * (at("x") + left)), round(scale * (at("y") + top))
            page.paste(picture.resize(size, Image.Resampling.BICUBIC), place)
        elif kind == "text":
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[node.get("text-anchor", "start")]
            place = scale * (at("x") + left), scale * (at("y") + top)
            words = "".join(node.itertext())
            ImageDraw.Draw(page).text(place, words, _rgb(node.get("fill")), _font(node, scale), anchor)
        elif kind == "path":
            _path(page, node, scale, left, top)
        else:
            raise ValueError(f"a still is drawn of image, text, g and path, this one has <{kind}>.")


def _font(node, scale):
    face = "DejaVuSans-Bold" if node.get("font-weight") == "600" else "DejaVuSans"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf", round(11.5 * scale))


def _rgb(colour):
    return ImageColor.getrgb(INK if colour in (None, "currentColor") else colour)


def _lines(path):
    """A path's pieces, each a list of points; a piece may be one point, a dot."""
    pieces, x, y, words = [], 0.0, 0.0, re.findall(r"[a-zA-Z]|-?\d*\.?\d+(?:e-?\d+)?", path)
    command, i = "", 0
    while i < len(words):
        if words[i].isalpha():
            command, i = words[i], i + 1
        if command in "Zz":
            pieces[-1].append(pieces[-1][0])
            continue
        count = 2 if command in "MLml" else 1
        values, i = [float(word) for word in words[i : i + count]], i + count
        if command in "ML":
            x, y = values
        elif command in "hvHV":
            x = x + values[0] if command == "h" else values[0] if command == "H" else x
            y = y + values[0] if command == "v" else values[0] if command == "V" else y
        else:
            raise ValueError(f"a still's path is made of M, L, H, V, h, v and Z, this one has {command}.")
        if command == "M":
            pieces.append([])
            command = "L"
        pieces[-1].append((x, y))
    return pieces


def _path(page, node, scale, left, top):
    stroke, fill = node.get("stroke"), node.get("fill")
    wide = scale * float(node.get("stroke-width", 1))
    strength = float(node.get("opacity", 1))
    over = page.copy()
    pen = ImageDraw.Draw(over)
    pieces = [[(scale * (x + left), scale * (y + top)) for x, y in piece] for piece in _lines(node.get("d"))]
    if fill not in (None, "none"):
        for piece in pieces:
            pen.polygon(piece, _rgb(fill))
        page.paste(Image.blend(page, over, strength * float(node.get("fill-opacity", 1))))
        over = page.copy()
        pen = ImageDraw.Draw(over)
    if stroke:
        round_end = node.get("stroke-linecap") == "round"
        for piece in pieces:
            if round_end and len(set(piece)) == 1:
                (x, y), r = piece[0], wide / 2
                pen.ellipse((x - r, y - r, x + r, y + r), _rgb(stroke))
            elif node.get("stroke-dasharray"):
                for a, b in zip(piece[::2], piece[1::2]):
                    pen.line((a, b), _rgb(stroke), round(wide))
            else:
                pen.line(piece, _rgb(stroke), round(wide), "curve")
        page.paste(Image.blend(page, over, strength))
