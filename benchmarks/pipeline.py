"""The text-to-image pipeline in the page: python -m benchmarks.pipeline --out FILE.json measures it in a Chromium.

Bytes loaded, seconds to load and to draw a guided picture of 20 steps, milliseconds of a call; how far the answers of
the three networks are from torch's, and whole pictures from those of diffusers' pipeline.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch

from ddpm_lib.runtime import provenance
from ddpm_lib.widgets.pipeline_in_page import FOLDER
from tests import browser
from tests.pipeline_page import furthest_answers, redraw, write_page
from tools import site, vendor

from .measure import spread, surroundings

WAIT = 300_000


def measure(page, folder: Path, prompts: list[str], runs: int) -> dict:
    """Load the model, draw each prompt, then one picture `runs` times for the clock."""

    def control(name):
        return page.locator(f'[data-control="{name}"]')

    def picture():
        count = page.evaluate("pictures.length")
        control("another").click()
        page.wait_for_function(f"pictures.length === {count + 1}", timeout=WAIT)
        return page.evaluate("pictures.at(-1)")

    control("load").click()
    page.wait_for_function("pictures.length === 1", timeout=WAIT)
    loaded = page.evaluate("({ ...document.querySelector('[data-loaded]').dataset })")
    first = page.evaluate("pictures[0]")
    drawn = []
    for prompt in prompts:
        control("prompt").fill(prompt)
        drawn.append(picture())
    timed = [picture() for _ in range(runs)]
    return {
        "bytes": int(loaded["loaded"]),
        "fetch_seconds": float(loaded["fetched"]) / 1000,  # from this machine: no line between
        "prepare_seconds": float(loaded["prepared"]) / 1000,
        "steps": first["steps"], "scale": first["scale"], "first_seconds": first["seconds"],
        "seconds": spread([one["seconds"] for one in timed]),
        "fastest_seconds": min(one["seconds"] for one in timed),  # the nearest to a machine that does nothing else
        "ms_per_call": spread([one["ms"] for one in timed]),
        "furthest_from_diffusers": {one["prompt"]: _apart(folder, one) for one in drawn},
    }  # fmt: skip


def _apart(folder: Path, drawn: dict) -> float:
    """The largest difference of a pixel, in [−1, 1], from what diffusers draws out of the same noise."""
    theirs = redraw(folder, drawn)
    return float((torch.tensor(drawn["frames"][-1]["picture"]).reshape(theirs.shape).clamp(-1, 1) - theirs).abs().max())


def main(arguments: list[str] | None = None) -> dict:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the model, with its graphs in page/")
    parser.add_argument("--runs", type=int, default=7, help="pictures of 20 steps for the times")
    parser.add_argument("--prompts", nargs="*", default=["panda, flat style", "红苹果，noto 风格"])
    parser.add_argument("--out", type=Path, help="file for the results, JSON")
    options = parser.parse_args(arguments)
    started = time.time()
    with tempfile.TemporaryDirectory() as name, site.serving(name) as address, sync_playwright() as playwright:
        write_page(Path(name), options.folder)
        chromium = playwright.chromium.launch(executable_path=browser.find_or_install(), args=browser.ARGUMENTS)
        page, log = chromium.new_page(), browser.Log()
        log.attach(page)
        page.goto(f"{address}/index.html")
        runtime = next(package.version for package in vendor.PACKAGES if package.name == "onnxruntime-web")
        result = {"command": "python -m benchmarks.pipeline", "browser": f"Chromium {chromium.version}, headless"}
        result |= {"onnxruntime-web": runtime, **provenance(), **surroundings("cpu")}
        result |= {"cores": os.cpu_count(), "load_average": os.getloadavg()[0]}  # of other work: it slows what follows
        result |= measure(page, options.folder, options.prompts, options.runs)
        result["furthest_answers"] = furthest_answers(page, address, options.folder)
        result["requests_elsewhere"] = len(log.foreign)
        chromium.close()
    result["seconds_in_all"] = round(time.time() - started)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return result


if __name__ == "__main__":
    main()
