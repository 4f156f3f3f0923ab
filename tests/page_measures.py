"""What a browser can tell of a page: bytes, requests, first paint, layout shift, and what axe finds wrong with it."""

import statistics
from importlib.resources import files

from tests.browser import is_local

AXE = files("axe_playwright_python") / "axe.min.js"
GRAVE = ("serious", "critical")
PAINT = """() => new Promise(done => {
  const seen = () => performance.getEntriesByType("paint").find(e => e.name === "first-contentful-paint");
  if (seen()) done(seen().startTime);
  else new PerformanceObserver((list, self) => { if (seen()) { self.disconnect(); done(seen().startTime); } })
    .observe({ type: "paint", buffered: true });
})"""
SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) sum += e.value; }))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 100);
})"""
SET = "() => window.MathJax?.startup?.promise"
RUN_AXE = """async ([context, options]) => {
  const { violations } = await axe.run(context ?? document, { resultTypes: ["violations"], ...options });
  return violations.map(({ id, impact, nodes }) =>
    ({ id, impact, places: nodes.map(node => node.target.join(" ")), why: nodes[0].failureSummary }));
}"""


def load(chromium, url, width=1200):
    """Open a page with an empty cache and count: {"bytes", "unpacked", "requests", "paint_ms", "shift"}.

    bytes: what went over the wire, headers included; unpacked: what the browser read after gunzip. Both until the
    page is at rest, formulas set, nothing scrolled. paint_ms: from the click to the first words.
    """
    context = chromium.new_context(viewport={"width": width, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    addresses, wire, unpacked = {}, {}, {}
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.requestWillBeSent", lambda e: addresses.setdefault(e["requestId"], e["request"]["url"]))
    session.on("Network.loadingFinished", lambda e: wire.update({e["requestId"]: e["encodedDataLength"]}))
    session.on("Network.dataReceived", lambda e: unpacked.update(
        {e["requestId"]: unpacked.get(e["requestId"], 0) + e["dataLength"]}
    ))  # fmt: skip
    page.goto(url, wait_until="load")
    page.evaluate(SET)
    page.wait_for_load_state("networkidle")
    sent = [key for key, address in addresses.items() if is_local(address) and address.startswith("http")]
    measured = {
        "bytes": round(sum(wire.get(key, 0) for key in sent)),
        "unpacked": sum(unpacked.get(key, 0) for key in sent),
        "requests": len(sent),
        "paint_ms": round(page.evaluate(PAINT)),
        "shift": round(page.evaluate(SHIFT), 3),
    }
    context.close()
    return measured


def loads(chromium, url, times=3, width=1200):
    """The medians of several loads, each with an empty cache."""
    runs = [load(chromium, url, width) for _ in range(times)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def violations(page, context=None, **options):
    """What axe finds on an open page: [{"id", "impact", "places", "why"}]; folded parts are unfolded first.

    context and options are those of `axe.run`.
    """
    page.evaluate("() => document.querySelectorAll('details').forEach(e => { e.open = true; })")
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(RUN_AXE, [context, options])


def told(found):
    """Violations as lines that name the place, for a failed test."""
    return [f"{v['impact']} {v['id']}: {v['places'][:5]} ({len(v['places'])}) {v['why']}" for v in found]
