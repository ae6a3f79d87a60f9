"""Readiness of a shop's history: measured once per history and settings, kept as readiness.json beside it."""

import hashlib
import json
from typing import TYPE_CHECKING

from training.command import bar, say

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.readiness import Report
    from lifestage.settings import Shop


def readiness(shop: "Shop", file: "HistoryFile") -> "Report":
    """The report of this history under these settings; `readiness.json` beside the history holds it."""
    from lifestage.readiness import Report, assess

    path = file.path.with_name("readiness.json")
    asked = shop.model_dump(mode="json", include={"churn", "readiness", "timezone"})
    key = hashlib.sha256(json.dumps([file.facts["fingerprint"], asked], sort_keys=True).encode()).hexdigest()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return Report.from_json(kept)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with bar("measuring the data", file.customers) as progress:
        report = assess(shop, file, progress)
    document = {"shop": shop.shop, "key": key, **report.to_json()}
    draft = path.with_name(".readiness.part")
    draft.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    draft.replace(path)
    return report


def show(report: "Report") -> None:
    """Print the lines, and the outcomes at each cutoff."""
    for line in report.lines:
        say(f"  {line.level:<7} {line.name:<15} {line.said}")


def require_ready(shop: "Shop", file: "HistoryFile", accept: bool) -> None:
    """Raises InputError where the data miss a minimum; with `accept`, or accept_unready, says so instead."""
    from lifestage.errors import InputError

    refused = readiness(shop, file).refused
    if not refused:
        return
    missing = "; ".join(f"{line.name}: {line.said}" for line in refused)
    if not (accept or shop.readiness.accept_unready):
        raise InputError(
            f"the data are not ready to train on. {missing}. Give more or better data, change the figures under "
            "'readiness' in the config, or train all the same with --accept-unready"
        )
    say(f"note: the data are not ready to train on: {missing}")
