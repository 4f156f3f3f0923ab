"""The table of a result: python -m benchmarks.table FILE.json prints it as markdown."""

import json
import sys
from pathlib import Path


def markdown(result: dict) -> str:
    """One row for each network in each mode, then our fastest mode over each peer's fastest, size by size."""
    rows = [row for row in result["rows"] if "error" not in row]
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    parts = [_rows(rows), *(_ratios(size, [row for row in rows if row["size"] == size]) for size in sizes)]
    failed = [
        f"- {row['size']} {row['network']} {row['mode']}: {row['error']}" for row in result["rows"] if "error" in row
    ]
    if failed:
        parts.append("Not run:\n\n" + "\n".join(failed) + "\n")
    return "\n".join(parts)


def _rows(rows: list[dict]) -> str:
    lines = [
        "| size | network | mode | M parameters | GFLOPs an image | batch | training images/s (quartiles) |"
        " sampling ms/step (quartiles) | TFLOP/s | of ceiling | peak MB | compile s | readings | on |",
        "|---|---|---|" + "---:|" * 10 + "---|",
    ]
    for row in rows:
        speed, step = row["images_per_second"], row["sample_ms"]
        memory = f"{row['peak_bytes'] / 1e6:,.0f}" if "peak_bytes" in row else "–"
        few = " (time cap)" if row["readings"] < row["rounds"] else ""
        lines.append(
            f"| {row['size']} | {row['network']} | {row['mode']} | {row['parameters'] / 1e6:.3f}"
            f" | {row['forward_gflops']:.3f} | {row['batch']}"
            f" | {speed['median']:,.1f} ({speed['q1']:,.1f}–{speed['q3']:,.1f})"
            f" | {step['median']:,.1f} ({step['q1']:,.1f}–{step['q3']:,.1f})"
            f" | {row['train_tflops']:.3f} | {row['share_of_ceiling']:.0%} | {memory} | {row['compile_seconds']:.0f}"
            f" | {row['readings']}{few} | {row['hardware']}, {row['threads']} thread(s), torch {row['torch']} |"
        )
    return "\n".join(lines) + "\n"


def ratios(rows: list[dict]) -> list[dict]:
    """Our fastest mode over each peer's fastest, in training and in sampling, raw and per operation; one size's rows.

    Per operation is the quotient of the FLOP/s reached: what would be left of the lead at equal FLOPs.
    """
    found = []
    for what, speed in [
        ("training", lambda row: row["images_per_second"]["median"]),
        ("sampling", lambda row: 1000 * row["batch"] / row["sample_ms"]["median"]),
    ]:
        best = {}
        for row in rows:
            if row["network"] not in best or speed(row) > speed(best[row["network"]]):
                best[row["network"]] = row
        mine = best.pop("ours", None)
        for network, row in best.items() if mine else ():
            raw = speed(mine) / speed(row)
            memory = mine["peak_bytes"] / row["peak_bytes"] if "peak_bytes" in mine and "peak_bytes" in row else None
            found.append(
                {"what": what, "over": network, "our_mode": mine["mode"], "their_mode": row["mode"], "raw": raw,
                 "per_flop": raw * mine["forward_gflops"] / row["forward_gflops"], "memory": memory}
            )  # fmt: skip
    return found


def _ratios(size: str, rows: list[dict]) -> str:
    lines = [
        f"{size}: our fastest mode over their fastest",
        "",
        "| | over | our mode | their mode | raw | at equal FLOPs | memory, ours / theirs |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for r in ratios(rows):
        memory = f"{r['memory']:.2f}" if r["memory"] else "–"
        lines.append(
            f"| {r['what']} | {r['over']} | {r['our_mode']} | {r['their_mode']} | {r['raw']:.2f} × |"
            f" {r['per_flop']:.2f} × | {memory} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
