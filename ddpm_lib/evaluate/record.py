"""The file of results: plain JSON that grows row by row, so that an interrupted run loses nothing."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from ..checkpoints import write_atomically
from ..runtime import provenance


class Record:
    """NAME.json, open for more. What it holds of other weights is forgotten: a number belongs to its weights.

    A row is a dict whose first keys (`same`) say what was measured. A row that is there is not measured again, unless
    `again`; every row carries the command, commit, hardware and seconds that made it.
    """

    def __init__(self, path: Path, weights: Path, command: str, about: dict, again: bool = False):
        self.path, self.command, self.again = path, command, again
        mark = {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), **about}
        old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if old and any(old.get(key) != value for key, value in mark.items()):
            print(f"{path.name} holds numbers of other weights or settings: starting afresh.", flush=True)
            old = {}
        self.content = {**old, **mark}

    def row(self, part: str, same: dict, measure: Callable[[], dict]) -> dict:
        """The row of a part (a list) that answers to `same`; measured now if it is not there. Rows keep their order."""
        rows = self.content.setdefault(part, [])
        found = [i for i, row in enumerate(rows) if all(row.get(key) == value for key, value in same.items())]
        if found and not self.again:
            return rows[found[0]]
        row = {**same, **self._timed(measure)}
        if found:
            rows[found[0]] = row
        else:
            rows.append(row)
        self._write(part, row)
        return row

    def put(self, part: str, measure: Callable[[], dict]) -> None:
        """A part that is one dict."""
        if part not in self.content or self.again:
            self.content[part] = self._timed(measure)
            self._write(part, self.content[part])

    def set(self, values: dict) -> None:
        """Values at the top of the file."""
        self.content |= values
        self._write("results", values)

    def _timed(self, measure: Callable[[], dict]) -> dict:
        started = time.time()
        found = measure()
        return {**found, "seconds": round(time.time() - started, 1), "command": self.command, **provenance()}

    def _write(self, part: str, row: dict) -> None:
        self.content["seconds"] = round(_seconds(self.content))
        write_atomically(self.path, (json.dumps(self.content, indent=1, ensure_ascii=False) + "\n").encode())
        quiet = ("command", "commit", "hardware")
        print(f"{part}: " + ", ".join(f"{k} {v}" for k, v in row.items() if k not in quiet), flush=True)


def _seconds(content: dict) -> float:
    """The seconds of all rows together."""
    rows = [row for part in content.values() for row in (part if isinstance(part, list) else [part])]
    return sum(row["seconds"] for row in rows if isinstance(row, dict) and "seconds" in row)
