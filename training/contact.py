"""Whom to contact so that a retention campaign earns most; --help tells what it writes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown, whole
from training.exclusive import hold

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Weigh each customer of the newest scoring run with the costs and the success rate under 'profit' in the
config, and write those worth contacting, the best first, to a CSV file (UTF-8 with a byte order mark, which Excel
needs): churn probability, CLV, value at stake, expected gain, the churn probability above which contacting the
customer pays, stage and reasons. What is at stake is worth if they stay minus worth if they leave; CLV is the mean of
both by their chances, so it would be too low."""


def contact(shop: "Shop", out: Path | None, top: int | None) -> Path:
    """Write the list of the run that the store serves; returns the file."""
    import numpy as np
    import pyarrow as pa

    from lifestage.churn.model import ChurnModel
    from lifestage.clv.model import ClvModel
    from lifestage.errors import InputError
    from lifestage.history_file import HistoryFile
    from lifestage.lists.contacts import contact_list, contacts_text, csv_text
    from lifestage.runs import Run
    from lifestage.scoring import definition_of
    from lifestage.stakes import current_values, terms_of
    from lifestage.store import open_store

    terms = terms_of(shop)
    hold(shop.output)  # history, run and store must be of one time
    current = open_store(shop.store_url).current()
    if current is None:
        raise InputError(f"{shop.store_url}: holds no scores yet; run python -m training.score first")
    run = Run(current["run"], current["as_of"], shop.output / "runs" / current["run"], current["customers"])
    scores = pa.Table.from_batches(run.batches())
    if terms.value == "clv":
        folder = shop.releases / current["release"]
        file = HistoryFile(shop.output / "history.parquet")
        definition = definition_of(ChurnModel.load(folder / "churn"))
        with bar("value at stake", file.customers) as progress:
            model = ClvModel.load(folder / "clv")
            value = current_values(file, scores, run.as_of, model, definition=definition, progress=progress)
    else:
        value = np.full(len(scores), float(terms.value))
    found = contact_list(scores, value, terms, top)
    path = out or shop.output / "contacts.csv"
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(csv_text(found.table), encoding="utf-8-sig", newline="")
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"--out {path}: cannot be written ({error.strerror}); name a file elsewhere"
        ) from None
    say(f"{shop.shop}: whom to contact as of {shown(run.as_of, shop.timezone)}, release {current['release']}")
    say(contacts_text(found, terms, shop.currency))
    say()
    say(f"{len(found.table):,} rows written to {path}")
    return path


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    contact(settings.load(args.config), args.out, args.top)


if __name__ == "__main__":
    made = parser("contact", DESCRIPTION, as_of=False)
    made.add_argument(
        "--out", type=Path, metavar="FILE", help="default: contacts.csv in the shop's output folder"
    )
    made.add_argument(
        "--top",
        type=whole("customers"),
        metavar="N",
        help="the N best only (default: all that pay, within max_contacts and budget)",
    )
    main(made, run)
