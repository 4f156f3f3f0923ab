"""What the pages have beyond their theme: words and sizes for pictures, a card for links. A Sphinx extension.

Everything is done while the pages are written, so the notebooks stay as Jupyter stores them.
"""

import re
from pathlib import Path

import picture_words
from docutils import nodes
from PIL import Image

CARD = "_static/card.jpg"
LONGEST = 200  # characters of a description: what link previews and search engines show
WORDY = 30  # characters from which a cell of a table is one of words
PICTURE = re.compile(r'<img alt="([^"]*)" src="([^"]*/_images/([^"/]+))" ?/>')
FORMULA_AND_POINT = re.compile(r'(\(?<span class="math notranslate nohighlight">[^<]*</span>(?:[.,;:!?)’”]+|-\w+))')
SOLUTION = re.compile(
    r'(tag_solution[^>]*>\s*<details[^>]*>\s*<summary>\s*<p class="collapsed[^>]*>)[^<]*(</p>\s*<p [^>]*>)[^<]*(</p>)'
)


def describe_pictures(app, doctree, docname):
    """Give every stored picture of a notebook words (see picture_words) and remember its size."""
    sizes = {}
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir, image["uri"])
        if path.suffix == ".png" and path.exists():
            with Image.open(path) as picture:
                sizes[path.name] = picture.size
    # From the cells down: the fold around a solution does not know its parent.
    for cell in doctree.findall(nodes.container):
        for image in cell.findall(nodes.image) if cell.get("nb_element") == "cell_code" else ():
            if not image.get("alt"):
                source = next((code.astext() for code in cell.findall(nodes.literal_block)), "")
                image["alt"] = picture_words.describe(source, *_before(cell))
    app.env.metadata[docname]["book_sizes"] = sizes
    app.env.metadata[docname]["book_description"] = _opening(doctree)


def finish_page(app, pagename, templatename, context, doctree):
    """Hand the template its card; patch the page's body where no template reaches."""
    metadata = app.env.metadata.get(pagename, {})
    context["book_description"] = metadata.get("book_description") or app.config.html_title
    # Social sites read the whole address of a picture or none.
    base = app.config.html_baseurl or _home(context.get("theme_repository_url", ""))
    context["book_card"] = f"{base.rstrip('/')}/{CARD}" if base else context["pathto"](CARD, 1)
    if context.get("body"):
        context["body"] = patched(context["body"], metadata.get("book_sizes", {}))


def _home(repository):
    """Where the pages of a repository on GitHub are published: OWNER.github.io/NAME."""
    match = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+?)/?", repository or "")
    return f"https://{match[1].lower()}.github.io/{match[2]}" if match else ""


def patched(body, sizes):
    """The body of a page, with what its writer cannot say: each line below is one such thing."""

    def picture(match):
        alt, source, name = match.groups()
        width, height = sizes.get(name, (0, 0))
        size = f' width="{width}" height="{height}"' if width else ""
        return f'<img alt="{alt}" src="{source}"{size} loading="lazy" decoding="async">'

    def cell(match):
        words = re.sub(r"<[^>]+>", "", match[2])
        return f'<td class="book-words">{match[1]}' if len(words) > WORDY else match[0]

    # Pictures load when they come near, and keep their place until then.
    body = PICTURE.sub(picture, body)
    # The full stop after a formula, and the rest of "v-prediction", stay on its line.
    body = FORMULA_AND_POINT.sub(r'<span class="book-held">\1</span>', body)
    body = re.sub(r'(<h1><span class="section-number">)(\d+)\. </span>', r"\1Chapter \2 </span>", body)
    # A folded cell is named by its words, and a solution says that it is one.
    body = body.replace(' aria-label="Toggle hidden content"', "")
    body = SOLUTION.sub(r"\1Show a solution\2Hide the solution\3", body)
    # A list has items; "doc-biblioentry" is no longer a role. A header cell without words heads nothing.
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    body = re.sub(r'<th class="head([^"]*)"><p></p></th>', r'<td class="head\1"></td>', body)
    return re.sub(r"<td>(<p>(.*?)</p></td>)", cell, body, flags=re.DOTALL)


def _before(cell):
    """The paragraph before a cell, unless another picture stands between, and the title of its section."""
    section = cell.parent
    title = next((node.astext() for node in section.children if isinstance(node, nodes.title)), "")
    for node in reversed(section.children[: section.index(cell)]):
        if isinstance(node, nodes.paragraph):
            return _plain(node), title
        if isinstance(node, nodes.Element) and next(iter(node.findall(nodes.image)), None) is not None:
            break
    return "", title


def _plain(paragraph):
    """A paragraph as one would read it aloud, its formulas without their TeX."""
    words = []
    for node in paragraph.findall():
        if isinstance(node, nodes.Text):
            text = str(node)
            if isinstance(node.parent, nodes.math):
                text = re.sub(r"\\(?:[a-zA-Z]+(?=[{ \\])|[,;! ])|[{}$]", " ", text).replace("\\", "")
                text = re.sub(r"\s+", " ", text).strip()
            words.append(text)
    return " ".join("".join(words).split())


def _opening(doctree):
    """The first sentences of a page, for whoever is about to follow a link to it."""
    for node in doctree.findall(nodes.paragraph):
        if text := _plain(node):
            return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return ""


def setup(app):
    app.connect("doctree-resolved", describe_pictures)
    app.connect("html-page-context", finish_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
