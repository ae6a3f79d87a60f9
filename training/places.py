"""What was found, removed and remains of a person, place by place: a table to print."""

from collections import Counter
from dataclasses import dataclass, field

from training.command import say

FOUND, REMOVED, REMAINS = range(3)
"""Columns of the table of places."""
SHOWN = 40
"""Rows of the table of places that are printed."""


@dataclass
class Places:
    """What became of each place; the files of all scoring runs are one place."""

    rows: dict[str, tuple[Counter[str], Counter[str], Counter[str]]] = field(default_factory=dict)
    """Place -> found, removed, remains: what, and how many of it."""

    def note(self, place: str, column: int, what: str, n: int = 1) -> None:
        row = self.rows.setdefault(place, (Counter(), Counter(), Counter()))
        row[column][what] += n

    def remaining(self) -> list[str]:
        return [place for place, row in self.rows.items() if row[REMAINS]]

    def show(self) -> None:
        """What remains first."""
        if not self.rows:
            return
        rows = sorted(self.rows.items(), key=lambda row: (not row[1][REMAINS], row[0]))
        lines = [
            ("place", "found", "removed", "remains"),
            *((name, *map(_counted, row)) for name, row in rows[:SHOWN]),
        ]
        widths = [max(len(line[i]) for line in lines) for i in range(4)]
        for line in lines:
            say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        if len(rows) > SHOWN:
            say(f"... and {len(rows) - SHOWN:,} more places")


def _counted(found: Counter[str]) -> str:
    return ", ".join(what if n == 1 else f"{n:,} x {what}" for what, n in sorted(found.items()))
