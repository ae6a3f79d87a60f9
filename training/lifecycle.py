"""The lifecycle metrics of a shop as tables and as a page for people; --help tells what it writes."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import bar, main, parser, say, shown, whole
from training.exclusive import hold

if TYPE_CHECKING:
    import pyarrow as pa

    from lifestage.lifecycle.metrics import LifecycleMetrics
    from lifestage.lifecycle.policy import Policy
    from lifestage.runs import Run
    from lifestage.settings import Shop

DESCRIPTION = """What each lifecycle stage is judged by, from the scoring runs kept so far (training.score
--flow-months N stages past months too): churn, win-back, repurchase and conversion rates, time in stage, who moved
where, customers new, kept, returned and lost, cohort retention, LTV / CAC by channel, NPS. Writes lifecycle_report.html
(one page, English and Chinese) and the tables as Parquet and CSV in lifecycle/, both in the shop's output folder."""
MONTH_DAYS = 28
COLUMNS = ("customer_id", "stage", "stage_since", "clv", "churn_probability")


def lifecycle(shop: "Shop", group: str | None, period_days: int, out: Path | None) -> Path:
    """Write page and tables as of the run that the store serves; returns the page."""
    import pyarrow as pa

    from lifestage import summary
    from lifestage.churn.model import load_spec
    from lifestage.errors import InputError
    from lifestage.history_file import HistoryFile
    from lifestage.lifecycle.metrics import lifecycle_metrics
    from lifestage.lifecycle.metrics.periods import spaced
    from lifestage.lifecycle.metrics.report import LifecycleReport, about_to_move, lifecycle_page
    from lifestage.lifecycle.policy import parse_text
    from lifestage.runs import Run
    from lifestage.store import open_store
    from training.whole_file import write_text

    hold(shop.output)  # history, runs and store must be of one time
    current = open_store(shop.store_url).current()
    if current is None:
        raise InputError(f"{shop.store_url}: holds no scores yet; run python -m training.score first")
    earlier = [run for run in _runs(shop.output / "runs") if run.as_of < current["as_of"]]
    folder: Path = shop.releases / current["release"]
    text = (folder / "policy.yaml").read_text(encoding="utf-8")
    policy = parse_text(text, "policy.yaml", load_spec(folder / "churn"))
    runs = {run.as_of: run for run in earlier if _policy(run) == policy.label}
    if left_out := len({run.as_of for run in earlier} - set(runs)):
        say(
            f"{left_out} earlier runs were staged by another policy and are left out; training.score --flow-months "
            f"{min(len({run.as_of for run in earlier}), 60)} stages past months by {policy.label}"
        )
    name = current["run"]
    runs[current["as_of"]] = Run(name, current["as_of"], shop.output / "runs" / name, current["customers"])
    file = HistoryFile(shop.output / "history.parquet")
    frames = {at: _frame(runs[at], group) for at in spaced(runs, period_days)}
    with bar("lifecycle metrics", file.customers) as progress:
        metrics = lifecycle_metrics(file, frames, policy, group, margin=shop.clv.margin, progress=progress)
    now = runs[current["as_of"]]
    scores = pa.Table.from_batches(now.batches(summary.COUNTED))
    report = LifecycleReport(
        shop=shop.shop,
        currency=shop.currency,
        zone=file.zone,
        metrics=metrics,
        policy=policy,
        horizon_days=shop.clv.horizon_days,
        at_risk=summary.most_valuable_of(now.batches(summary.NAMED), policy).to_pylist(),
        about_to=about_to_move(scores, current["as_of"]),
        release=folder.name,
    )
    target = out or shop.output
    page = target / "lifecycle_report.html"
    try:
        _write(metrics, target / "lifecycle")
    except OSError as error:
        raise InputError(
            f"--out {target}: cannot be written ({error.strerror}); name another folder"
        ) from None
    write_text(page, [lifecycle_page(report)], option="--out")
    say(
        f"{shop.shop}: lifecycle as of {shown(current['as_of'], file.zone)}, {len(frames)} runs, release {folder.name}"
    )
    if len(frames) > 1:
        first = list(frames)[-2]
        say(
            f"Rates of the period from {shown(first, file.zone)} on; '-': none, or fewer than {metrics.minimum}"
        )
    say(_headline(metrics, policy))
    say()
    say(f"Tables in {target / 'lifecycle'}; the page: {page}")
    return page


def _policy(run: "Run") -> str | None:
    """The policy that staged a run; None for one of an earlier version, which did not say."""
    import pyarrow.parquet as pq

    if "policy" not in pq.read_schema(run.parts[0]).names:
        return None
    first = next(pq.ParquetFile(run.parts[0]).iter_batches(batch_size=1, columns=["policy"]))
    label: str | None = first["policy"][0].as_py()
    return label


def _runs(folder: Path) -> list["Run"]:
    """The scoring runs that the folder holds."""
    from lifestage.runs import Run

    found = []
    for path in sorted(folder.glob("*/run.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["customers"]:
            found.append(Run(facts["run"], facts["as_of"], path.parent, facts["customers"]))
    return found


def _frame(run: "Run", group: str | None) -> "pa.Table":
    """What the metrics read of a run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = []
    for part in run.parts:
        with pq.ParquetFile(part) as file:
            names = [n for n in dict.fromkeys((*COLUMNS, group)) if n in file.schema_arrow.names]
            parts.append(file.read(columns=names))
    return pa.concat_tables(parts)


def _write(metrics: "LifecycleMetrics", folder: Path) -> None:
    """Each table as Parquet, and as CSV that a spreadsheet opens right."""
    import io

    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for name, table in metrics.tables().items():
        pq.write_table(table, folder / f"{name}.parquet")
        text = io.BytesIO()
        pc.write_csv(table, text)
        (folder / f"{name}.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue())  # Excel needs the mark


def _headline(metrics: "LifecycleMetrics", policy: "Policy") -> str:
    """A line a stage: how many, and the newest rates."""
    from lifestage.summary import text_table

    wanted = ("conversion_to_next_stage", "churn_rate", "win_back_rate", "repurchase_rate")
    newest = metrics.stages["as_of"].to_pylist()[-1]
    held = {
        (r["stage"], r["metric"]): r["value"]
        for r in metrics.figures.to_pylist()
        if r["end"] == newest and r["group"] is None
    }
    labels = {stage.name: f"{stage.name} {stage.labels.zh}" for stage in policy.stages}

    def share(stage: str | None, metric: str) -> str:
        value: Any = held.get((stage, metric))
        return "-" if value is None else f"{value:.1%}"

    rows = []
    for r in metrics.stages.to_pylist():
        if r["as_of"] == newest and r["group"] is None:
            days = held.get((r["stage"], "time_in_stage"))
            rows.append(
                [
                    labels.get(r["stage"], r["stage"]),
                    f"{r['customers']:,}",
                    "-" if r["clv_mean"] is None else f"{r['clv_mean']:,.0f}",
                    *(share(r["stage"], metric) for metric in wanted),
                    "-" if days is None else f"{days:.0f}",
                ]
            )
    customers = held.get((None, "customers")) or 0
    rows.append(["all", f"{customers:,.0f}", "", *(share(None, metric) for metric in wanted), ""])
    header = [
        "stage",
        "customers",
        "value each",
        "to next stage",
        "lost",
        "won back",
        "bought again",
        "days in it",
    ]
    return text_table(header, rows)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    lifecycle(settings.load(args.config), args.group, args.period_days, args.out)


if __name__ == "__main__":
    made = parser("lifecycle", DESCRIPTION, as_of=False)
    made.add_argument(
        "--group",
        metavar="COLUMN",
        help="tell the metrics by group too: a column of the scores (tier, segment, risk), of the customers "
        "(acquisition_channel or an attribute), or cohort (month of the first order)",
    )
    made.add_argument(
        "--period-days",
        type=whole("days"),
        default=MONTH_DAYS,
        metavar="N",
        help="least days between two runs that are compared (default: 28, so that month beginnings are; runs "
        "between them are left out)",
    )
    made.add_argument("--out", type=Path, metavar="FOLDER", help="default: the shop's output folder")
    main(made, run)
