"""What every page weighs, how soon it paints, and what axe finds: `python -m benchmarks.pages --out FILE.json`.

Pages come from localhost, gzipped as any host of pages does it, each load with an empty cache. Axe looks at each page
wide and narrow, light and dark, with everything unfolded. The bounds that the tests hold are in test_page_weight.py.
"""

import argparse
import json
import platform
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import browser
from tests.page_measures import GRAVE, SET, loads, violations
from tools import site

VIEWS = [(width, scheme) for width in (1200, 390) for scheme in ("light", "dark")]


def measure(chromium, url, times):
    """One row: the medians of `times` loads, the page's height, and the findings of axe in all views."""
    row = loads(chromium, url, times)
    context = chromium.new_context()
    context.set_default_timeout(240_000)
    page, found = context.new_page(), []
    for width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(url, wait_until="load")
        page.evaluate(SET)
        found += violations(page)
    row["axe_grave"] = sorted({violation["id"] for violation in found if violation["impact"] in GRAVE})
    row["axe_light"] = sorted({violation["id"] for violation in found if violation["impact"] not in GRAVE})
    row["height"] = page.evaluate("() => document.documentElement.scrollHeight")
    context.close()
    return row


def table(rows):
    """The rows as a table for people."""
    head = f"{'page':32}{'kB':>7}{'unpacked':>10}{'requests':>10}{'paint ms':>10}{'shift':>8}  axe: grave | light"
    lines = [
        f"{path:32}{row['bytes'] / 1000:7.0f}{row['unpacked'] / 1000:10.0f}{row['requests']:10.0f}"
        f"{row['paint_ms']:10.0f}{row['shift']:8.3f}  {', '.join(row['axe_grave']) or '–'}"
        f" | {', '.join(row['axe_light']) or '–'}"
        for path, row in rows.items()
    ]
    return "\n".join([head, *lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--times", type=int, default=5, help="loads a page")
    options = parser.parse_args()
    site.build_if_stale()
    rows = {}
    with site.serving() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find_or_install(), args=browser.ARGUMENTS)
        machine = {"chromium": chromium.version, "machine": platform.machine(), "loads": options.times}
        for path in site.pages():
            rows[path] = measure(chromium, f"{address}/{path}", options.times)
            print(table({path: rows[path]}).splitlines()[-1], flush=True)
        chromium.close()
    print(f"\n{table(rows)}")
    if options.out:
        options.out.write_text(json.dumps({"machine": machine, "pages": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
