"""The network in the page: python -m benchmarks.browser --out FILE.json measures it in a headless Chromium.

Milliseconds of a call, seconds for 20 steps, bytes loaded; how far its answers and whole chains are from torch's; and
digits drawn in the page, judged by the classifier that judges Python's digits from the same noise.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch

from ddpm_lib.checkpoints import load_pretrained
from ddpm_lib.runtime import provenance
from tests import browser
from tests.network_page import HEAD, LISTEN, answer, make_figure, redraw
from tools import site, vendor

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
    page.wait_for_function("films.length === 1", timeout=WAIT)  # it draws by itself once it is there
    for name, scale in (("unguided", "1"), ("guided", "2")):
        control("scale").fill(scale)
        first = film()  # slower: the browser has not yet compiled all of it
        films = [film() for _ in range(runs)]
        result[name] = {
            "first_seconds": first["seconds"],
            "furthest_from_python": float((_last(first) - redraw(first, "dpmpp", float(scale))).abs().max()),
            "ms_per_call": spread([f["ms"] for f in films]),
            "seconds_of_20_steps": spread([f["seconds"] for f in films]),
            "fastest_seconds": min(f["seconds"] for f in films),  # the nearest to a machine that does nothing else
        }
    return result


def _last(film):
    return torch.tensor(film["steps"][-1]["x"]).float().reshape(-1, 1, 28, 28)


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
        drawn = _last(film)
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
    with tempfile.TemporaryDirectory() as name, site.serving(name) as address, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "index.html").write_text(HEAD + LISTEN + make_figure().html(), encoding="utf-8")
        (folder / "_static").symlink_to(site.HTML / "_static")
        chromium = playwright.chromium.launch(executable_path=browser.find_or_install(), args=browser.ARGUMENTS)
        page, log = chromium.new_page(), browser.Log()
        log.attach(page)
        page.goto(f"{address}/index.html")
        runtime = next(package.version for package in vendor.PACKAGES if package.name == "onnxruntime-web")
        result = {"command": "python -m benchmarks.browser", "browser": f"Chromium {chromium.version}, headless"}
        result |= {"onnxruntime-web": runtime, **provenance(), **surroundings("cpu")}
        result |= {"cores": os.cpu_count(), "load_average": os.getloadavg()[0]}  # of other work: it slows what follows
        result |= measure(page, options.runs)
        times, labels = [1, 20, 100, 250, 500, 750, 900, 1000], [3, -1, 0, 9, 5, 7, -1, 1]
        result["furthest_answer"] = answer(page, f"{address}/", times, labels)
        result["judged"] = agreement(page, options.batches, options.steps, options.scale)
        result["requests_elsewhere"] = len(log.foreign)
        chromium.close()
    result["seconds"] = round(time.time() - started)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return result


if __name__ == "__main__":
    main()
