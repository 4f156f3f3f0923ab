"""The network in the page: python -m benchmarks.browser --out FILE.json measures it in a headless Chromium.

Milliseconds of a call, seconds for 20 steps, bytes loaded; and digits drawn in the page, judged by the classifier that
judges Python's digits from the same noise.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from ddpm_lib.checkpoints import load_pretrained
from ddpm_lib.runtime import provenance
from tests import browser
from tests.network_page import HEAD, LISTEN, make_figure, redraw, serve
from tools import site

from .measure import spread, surroundings

WAIT = 300_000


def measure(page, runs: int) -> dict:
    """Films of 20 steps with the page's own settings: without guidance, and with it."""

    def control(name):
        return page.locator(f'[data-control="{name}"]')

    def film():
        count = page.evaluate("films.length")
        control("draw").click()
        page.wait_for_function(f"films.length === {count + 1}", timeout=WAIT)
        return page.evaluate("films.at(-1)")

    start = time.perf_counter()
    control("load").click()
    control("draw").wait_for(timeout=WAIT)
    result = {"load_seconds": time.perf_counter() - start,
              "bytes": int(page.locator("[data-network]").get_attribute("data-network"))}  # fmt: skip
    for name, scale in (("unguided", "1"), ("guided", "2")):
        control("scale").fill(scale)
        film()  # the first calls are slower
        films = [film() for _ in range(runs)]
        result[name] = {
            "ms_per_call": spread([f["ms"] for f in films]),
            "seconds_of_20_steps": spread([f["seconds"] for f in films]),
        }
    return result


def agreement(page, batches: int, steps: int, scale: float) -> dict:
    """Ten digits a batch, 0 to 9, each batch from noise of its own: the judge's verdict on the page's and on ours."""
    judge, _ = load_pretrained("digits-classifier")
    page.locator('[data-control="label"]').select_option("all")
    page.locator('[data-control="steps"]').fill(str(steps))
    page.locator('[data-control="scale"]').fill(f"{scale:g}")
    asked, theirs, ours, furthest = torch.arange(10), [], [], 0.0
    for _ in range(batches):
        count = page.evaluate("films.length")
        page.locator('[data-control="another"]').click()
        page.locator('[data-control="draw"]').click()
        page.wait_for_function(f"films.length === {count + 1}", timeout=WAIT)
        film = page.evaluate("films.at(-1)")
        drawn = torch.tensor(film["steps"][-1]["x"]).float().reshape(10, 1, 28, 28)
        again = redraw(film, "dpmpp", scale)
        furthest = max(furthest, float((drawn - again).abs().max()))
        theirs.append(judge(drawn).argmax(1))
        ours.append(judge(again).argmax(1))
    theirs, ours = torch.stack(theirs), torch.stack(ours)
    return {"digits": theirs.numel(), "steps": steps, "scale": scale, "page": float((theirs == asked).double().mean()),
            "python": float((ours == asked).double().mean()), "same_verdict": float((theirs == ours).double().mean()),
            "largest_difference_of_a_pixel": furthest}  # fmt: skip


def main(arguments: list[str] | None = None) -> dict:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="films of 20 steps for each time")
    parser.add_argument("--batches", type=int, default=20, help="of ten digits each, to be judged")
    parser.add_argument("--steps", type=int, default=10, help="of the judged digits")
    parser.add_argument("--scale", type=float, default=1.0, help="of their guidance")
    parser.add_argument("--out", type=Path, help="file for the results, JSON")
    options = parser.parse_args(arguments)
    site.build_if_stale()
    started = time.time()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "index.html").write_text(HEAD + LISTEN + make_figure().html(), encoding="utf-8")
        (folder / "_static").symlink_to(site.HTML / "_static")
        server = serve(folder)
        chromium = playwright.chromium.launch(executable_path=browser.find_or_install(), args=browser.ARGUMENTS)
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        result = {"browser": f"Chromium {chromium.version}", **surroundings("cpu"), **measure(page, options.runs)}
        result["judged"] = agreement(page, options.batches, options.steps, options.scale)
        chromium.close()
        server.shutdown()
    result |= {"command": "python -m benchmarks.browser", "seconds": round(time.time() - started), **provenance()}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return result


if __name__ == "__main__":
    main()
