"""What a round has done so far, kept in its folder: a killed round goes on with the step it was at."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import now, shown

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.settings import Shop

Json = dict[str, Any]
FILE = "round.json"
APART = {"serving", "alerts", "output_dir"}
"""Settings that change nothing of what a round computes."""


@dataclass
class Round:
    """One round: the day it is as of, and the result of each step that is done."""

    path: Path
    shop: str
    as_of: str
    """Local day, YYYY-MM-DD, or day and time."""
    key: str
    """Changes with the data, the settings and the policy."""
    started: int
    """UTC microseconds."""
    steps: dict[str, Json] = field(default_factory=dict)
    """Step -> {"seconds", "result"}."""
    finished: int | None = None
    failed: str | None = None
    """Why it stopped, until it goes on."""

    def result(self, step: str) -> Json:
        """What a step came to; empty where it is not done."""
        return dict(self.steps.get(step, {}).get("result", {}))

    def done(self, step: str, seconds: float, result: Mapping[str, Any]) -> None:
        """Keep a step's result: from now on it is not done again."""
        self.steps[step] = {"seconds": round(seconds, 2), "result": dict(result)}
        self.save()

    def undo(self, *steps: str) -> None:
        """Forget that these were done."""
        self.steps = {name: step for name, step in self.steps.items() if name not in steps}
        self.finished = None

    def finish(self) -> None:
        self.finished, self.failed = now(), None
        self.save()

    def fail(self, message: str) -> None:
        self.failed = message
        self.save()

    def save(self) -> None:
        from training.whole_file import write_text

        document = {name: value for name, value in vars(self).items() if name != "path"}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.path, [text], option="round")


def load(path: Path) -> Round | None:
    """The round kept in a file; None where there is none that can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Round(path=path, **document)
    except (OSError, ValueError, TypeError):
        return None


def rounds_of(shop: "Shop") -> Iterator[Round]:
    """The rounds kept in a shop's folder, the earliest first."""
    for path in sorted((shop.output / "rounds").glob(f"*/{FILE}")):
        if (kept := load(path)) is not None:
            yield kept


def open_round(shop: "Shop", file: "HistoryFile", *, again: bool = False) -> Round:
    """The round as of the history's end: the one that was begun on the same data and settings, else a new one."""
    as_of = shown(file.facts["as_of"], file.zone)
    path = shop.output / "rounds" / as_of.replace(" ", "T").replace(":", "") / FILE
    key = _key(shop, file)
    kept = load(path)
    if kept is not None and kept.key == key and not again:
        return kept
    return Round(path=path, shop=shop.shop, as_of=as_of, key=key, started=now())


def note_failure(shop: "Shop", as_of: str, message: str) -> None:
    """Keep that a round failed, also where it failed before it began."""
    path = shop.output / "rounds" / as_of / FILE
    made = load(path) or Round(path=path, shop=shop.shop, as_of=as_of, key="", started=now())
    made.fail(made.failed or message)


def _key(shop: "Shop", file: "HistoryFile") -> str:
    settings = shop.model_dump(mode="json", exclude=APART)
    policy = Path(shop.policy)
    written = policy.read_text(encoding="utf-8") if policy.is_file() else ""
    text = json.dumps([settings, file.facts["fingerprint"], file.facts["as_of"], written], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
