"""What changed since the current release was trained, and whether it matters; --help tells what it writes."""

import argparse
import json
from datetime import date
from typing import TYPE_CHECKING, Any

from training.command import bar, main, parser, say, shown
from training.prepare import history

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Compare the customers of today with those that the current release learnt from: features, scores and
stages (population stability index, beside the shop's normal movement over as long a time), rows of the last four weeks
beside the shop's own past, and the age of the newest rows. Says steady, warn or retrain with the reasons (limits:
monitoring in the config), and writes drift.html and drift.json into the shop's output folder."""
SHOWN = 12
"""Findings that are printed."""


def drift(shop: "Shop", as_of: date | None) -> dict[str, Any]:
    """{"status", "findings", "notes", "figures"}, plain types; also recorded in MLflow as a run of kind drift."""
    from lifestage import release
    from lifestage.drift.page import Report, drift_page
    from lifestage.drift.population import share_of, watch
    from lifestage.drift.reference import reference_of
    from lifestage.drift.watching import drift_of
    from lifestage.errors import InputError
    from lifestage.localtime import DAY
    from lifestage.scoring import definition_of
    from lifestage.tracking import Tracker
    from training.whole_file import write_text

    folder = release.current(shop.releases)
    loaded = release.load(folder)
    file = history(shop, as_of)
    moment = int(file.facts["as_of"])
    if moment < int(loaded.manifest["as_of"]):
        raise InputError(
            f"as of {shown(moment, file.zone)}: the current release {folder.name} is newer, and drift is told from a "
            "release onwards; give a later --as-of, or set output_dir to another folder in a copy of the config"
        )
    if not file.customers:
        raise InputError(
            f"as of {shown(moment, file.zone)}: the history holds nobody; check the sources and --as-of "
            "(python -m training.check)"
        )
    with bar("drift", file.customers) as progress:
        share = share_of(file.customers)
        seen = watch(file, [moment], moment, loaded, share=share, progress=progress)
    days = definition_of(loaded.churn).label_days
    found = drift_of(
        reference_of(folder),
        seen,
        file.facts["report"],
        shop.monitoring,
        as_of=moment,
        zone=file.zone,
        policy=loaded.policy.label,
        importance=loaded.churn.importance(),
        newest_labels=int(file.facts["observed_until"]) - days * DAY,
    )
    document = {
        "shop": shop.shop,
        "as_of": shown(moment, file.zone),
        "release": folder.name,
        **found.document(),
    }
    page = drift_page(
        Report(shop.shop, shown(moment, file.zone), folder.name, found, seen.rows, loaded, moment)
    )
    text = json.dumps(document, indent=1, ensure_ascii=False)
    write_text(shop.output / "drift.html", [page], option="output_dir")
    write_text(shop.output / "drift.json", [text], option="output_dir")
    tags = {
        "kind": "drift",
        "as_of": document["as_of"],
        "release": folder.name,
        "status": found.status,
    }
    with Tracker(shop.tracking_uri).run(shop.shop, "drift", tags) as run:
        run.metrics(found.metrics())
        run.document(document, "drift")
        run.text(page, "drift.html")
    return document


def show(document: dict[str, Any], page: str) -> None:
    """The status and its reasons, the gravest first."""
    from lifestage.drift.wording import STATUS

    label = STATUS[document["status"]]
    say(f"{document['shop']} as of {document['as_of']}, release {document['release']}: {label.en} {label.zh}")
    found = sorted(document["findings"], key=lambda f: f["severity"] != "retrain")
    for finding in found[:SHOWN]:
        say(f"  {finding['severity']}: {finding['sentence']}")
    if len(found) > SHOWN:
        say(f"  and {len(found) - SHOWN} more in the report")
    for note in document["notes"]:
        say(f"  note: {note}")
    say(f"report: {page} (open it in a browser)")


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    show(drift(shop, args.as_of), str(shop.output / "drift.html"))


if __name__ == "__main__":
    main(parser("drift", DESCRIPTION), run)
