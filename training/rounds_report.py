"""The page of a shop's rounds, written after each."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.round_state import rounds_of
from training.whole_file import write_text

if TYPE_CHECKING:
    from lifestage.settings import Shop

OUTCOMES = "outcomes.json"
"""What became of the rounds' predictions as of the end of the data; until it is there, as of the newest round."""


def write_report(shop: "Shop") -> Path:
    """rounds.html in the shop's output folder."""
    from lifestage.rounds import rounds_page, told

    rounds = list(rounds_of(shop))
    came = _outcomes(shop) or next((r.result("what came true") for r in reversed(rounds)), {})
    page = rounds_page(
        shop.shop,
        [told(r.as_of, r.steps, r.failed) for r in rounds],
        came.get("runs", ()),
        came.get("sentences", ()),
    )
    target = shop.output / "rounds.html"
    write_text(target, [page], option="rounds.html")
    return target


def keep_outcomes(shop: "Shop", came: dict[str, Any]) -> None:
    """Keep what training.backtest told, for the page."""
    target = shop.output / "rounds" / OUTCOMES
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, [json.dumps(came, ensure_ascii=False)], option="outcomes")


def _outcomes(shop: "Shop") -> dict[str, Any]:
    try:
        return dict(json.loads((shop.output / "rounds" / OUTCOMES).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
