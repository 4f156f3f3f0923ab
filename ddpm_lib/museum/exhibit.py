"""What an exhibit is: a mistake that was really published, as a change of a few words in this library."""

import re
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Source:
    """Where a mistake was seen: a repository, a thread of it (None for a file), and what became of it."""

    repository: str
    thread: int | None
    story: str

    @property
    def link(self) -> str:
        """A Markdown link to the thread, or to the repository."""
        address = f"https://github.com/{self.repository}"
        if self.thread is None:
            return f"[{self.repository}]({address})"
        return f"[{self.repository}#{self.thread}]({address}/issues/{self.thread})"


@dataclass(frozen=True)
class Exhibit:
    """One mistake of the museum.

    file: of the library, where the same mistake could be made; before, after: the words that are there, exactly once,
    and the mistaken ones in their place. tests: pytest's names of ordinary tests that must fail with the mistake.
    sources: where it was published. trial: what measures its cost (trials.py), None where the program stops.
    """

    name: str
    title: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
    sources: tuple[Source, ...]
    trial: str | None

    def broken_source(self) -> str:
        """The text of the file with the mistake in it. Raises ValueError unless `before` is there exactly once."""
        text = (LIBRARY / self.file).read_text(encoding="utf-8")
        if text.count(self.before) != 1:
            raise ValueError(
                f"the exhibit {self.name!r} expects {self.before!r} exactly once in {self.file}, found"
                f" {text.count(self.before)}: the library has changed, so change the exhibit."
            )
        return text.replace(self.before, self.after)

    def listing(self) -> str:
        """The right lines and the mistaken ones, as a Markdown listing of differences, and the sources below it."""
        text, broken = (LIBRARY / self.file).read_text(encoding="utf-8"), self.broken_source()
        start = text.index(self.before)
        first = text.rfind("\n", 0, start) + 1
        end = text.find("\n", start + len(self.before))
        tail = len(text) - end
        lines = _marked("-", text[first:end]) + _marked("+", broken[first : len(broken) - tail])
        listing = "\n".join([f"```diff\n# ddpm_lib/{self.file}", *lines, "```"])
        return f"{listing}\n\n" + "\n".join(f"- {source.link}: {source.story}" for source in self.sources)


def _marked(sign: str, lines: str) -> list[str]:
    """Lines without their common indent, each after a sign."""
    rows = lines.splitlines()
    indent = min(len(re.match(" *", row)[0]) for row in rows if row.strip())
    return [f"{sign} {row[indent:]}" for row in rows]
