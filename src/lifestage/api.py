"""For Python users: pandas frames in, pandas frames out, the same functions underneath as in batch and service."""

import tempfile
import time
import warnings
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lifestage import engines, fitting, settings
from lifestage import release as releases
from lifestage.decision import condition_columns, finish
from lifestage.errors import InputError
from lifestage.fitting import FittedChurn, FittedClv, Progress, learn_features, silent
from lifestage.history_file import HistoryFile
from lifestage.lifecycle import policy as policies
from lifestage.localtime import midnight
from lifestage.references import collect
from lifestage.release import Release
from lifestage.samples import reference_columns
from lifestage.schemas import CANONICAL, PREVIOUS, SCORE
from lifestage.settings import DEFINED_BY, Shop

Frames = Mapping[str, pd.DataFrame]


def _shop(frames: Frames, folder: Path, options: Mapping[str, Any]) -> Shop:
    """A configuration over the frames, written as Parquet into `folder`; columns carry the canonical names."""
    sources = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        frame.to_parquet(path, index=False)
        known = CANONICAL[name].names
        extra = name == "customers"
        columns = {str(c): str(c) for c in frame.columns if extra or c in known}
        sources[name] = {"path": str(path), "columns": columns}
    for name in ("grain", "where"):
        if name in options:
            sources["transactions"][name] = options[name]
    rest = {key: value for key, value in options.items() if key not in ("grain", "where")}
    document = {"sources": sources, "output_dir": str(folder / "out"), **rest}
    for name, frame in frames.items():
        for column in CANONICAL[name].required:
            if column not in frame.columns:
                raise InputError(f"{name}: the frame has no column '{column}'; rename yours to it")
    return settings.parse(document, "options")


def _history(shop: Shop, folder: Path, as_of: int | None) -> HistoryFile:
    file = engines.make_history(shop, time.time_ns() // 1_000, as_of, folder / "history.parquet")
    for name, counts in file.facts["report"]["tables"].items():
        if counts["rejected_rows"]:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in counts["rejected"].items())
            warnings.warn(f"{name}: {counts['rejected_rows']:,} rows were left out: {reasons}", stacklevel=3)
    return file


def _given(
    transactions: pd.DataFrame | None, others: Mapping[str, pd.DataFrame | None]
) -> dict[str, pd.DataFrame]:
    return {k: v for k, v in {"transactions": transactions, **others}.items() if v is not None}


def _instant(as_of: date | str | None, zone: str) -> int | None:
    if as_of is None:
        return None
    if isinstance(as_of, str):
        try:
            as_of = date.fromisoformat(as_of)
        except ValueError:
            raise InputError(f"as_of: '{as_of}' is not a date; write it as YYYY-MM-DD") from None
    return midnight(as_of, zone)


def fit(
    transactions: pd.DataFrame | None = None,
    *,
    into: str | Path,
    customers: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    feedback: pd.DataFrame | None = None,
    identities: pd.DataFrame | None = None,
    subscriptions: pd.DataFrame | None = None,
    labels: pd.DataFrame | None = None,
    as_of: date | str | None = None,
    shop: str = "shop",
    timezone: str = "UTC",
    currency: str = "USD",
    progress: Progress = silent,
    **options: Any,
) -> Release:
    """Train both models on frames with the canonical column names and write them as a release below `into`.

    transactions: one row an order (customer_id, ordered_at, amount; order_id ...), or an order line with
    grain="line". `options` are further keys of a shop's configuration, e.g. churn={"horizon_days": 60},
    clv={"horizon_days": 180}, policy="my_policy.yaml". Without transactions (churn={"definition": "given"} or
    another one) the release has no CLV model. Raises InputError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        others = {"customers": customers, "events": events, "feedback": feedback}
        others |= {"identities": identities, "subscriptions": subscriptions, "labels": labels}
        frames = _given(transactions, others)
        config = _shop(frames, folder, {"shop": shop, "timezone": timezone, "currency": currency, **options})
        policies.read(config.policy)  # a wrong name is refused before anything is read
        file = _history(config, folder, _instant(as_of, timezone))
        spec = learn_features(config, file, progress)
        policy = policies.load(config.policy, spec)
        clv = fitting.fit_clv(config, file, progress) if transactions is not None else None
        churn = fitting.fit_churn(config, file, progress, spec=spec)
        if clv is not None:
            clv.shipped.save(folder / "clv", {"metrics": clv.evaluation.metrics()})
        churn.shipped.model.save(folder / "churn", {"metrics": churn.evaluation.metrics()})
        moment = file.facts["as_of"]
        reference = collect(
            reference_columns(file, moment, churn.shipped.model, clv.shipped if clv else None)
        )
        name = f"{shop}-{file.facts['fingerprint'][:8]}-{time.time_ns():x}"
        metrics = {f"{shop}-churn": churn.evaluation.metrics()}
        if clv is not None:
            metrics[f"{shop}-clv"] = clv.evaluation.metrics()
        releases.write(
            Path(into),
            name,
            churn=folder / "churn",
            clv=folder / "clv" if clv is not None else None,
            policy=policy,
            reference=reference,
            meta={
                "shop": shop,
                "timezone": timezone,
                "currency": currency,
                "as_of": moment,
                "metrics": metrics,
                "reasons": config.scoring.reasons.model_dump(),
            },
        )
    releases.point_to(Path(into), name)
    return releases.load(Path(into) / name)


def fit_churn(
    transactions: pd.DataFrame | None = None,
    *,
    customers: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    feedback: pd.DataFrame | None = None,
    identities: pd.DataFrame | None = None,
    subscriptions: pd.DataFrame | None = None,
    labels: pd.DataFrame | None = None,
    as_of: date | str | None = None,
    shop: str = "shop",
    timezone: str = "UTC",
    currency: str = "USD",
    progress: Progress = silent,
    **options: Any,
) -> FittedChurn:
    """Train the churn model alone: both fits, the graded customers, the grade, and the figures for churn.plots.

    Arguments as in `fit`; profit={"contact_cost": 1, "offer_cost": 5, "success_rate": 0.1} adds what lists of
    customers would have earned. Raises InputError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        others = {"customers": customers, "events": events, "feedback": feedback}
        others |= {"identities": identities, "subscriptions": subscriptions, "labels": labels}
        frames = _given(transactions, others)
        config = _shop(frames, folder, {"shop": shop, "timezone": timezone, "currency": currency, **options})
        return fitting.fit_churn(config, _history(config, folder, _instant(as_of, timezone)), progress)


def fit_clv(
    transactions: pd.DataFrame,
    *,
    customers: pd.DataFrame | None = None,
    as_of: date | str | None = None,
    shop: str = "shop",
    timezone: str = "UTC",
    currency: str = "USD",
    progress: Progress = silent,
    **options: Any,
) -> FittedClv:
    """Train the CLV model alone: the model, its holdout figures (for lifestage.clv.plots) and what spoke for it.

    Arguments as in `fit`; clv={"model": "mbg_nbd", "covariates": [...]} and the like are options. The holdout is as
    long as churn={"horizon_days": ...}. Raises InputError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = _given(transactions, {"customers": customers})
        config = _shop(frames, folder, {"shop": shop, "timezone": timezone, "currency": currency, **options})
        return fitting.fit_clv(config, _history(config, folder, _instant(as_of, timezone)), progress)


def load(folder: str | Path) -> Release:
    """The current release below `folder`: what `fit(into=folder)` or training.promote published last."""
    return releases.load(releases.current(Path(folder)))


def score(
    release: Release,
    transactions: pd.DataFrame | None = None,
    *,
    customers: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    feedback: pd.DataFrame | None = None,
    identities: pd.DataFrame | None = None,
    subscriptions: pd.DataFrame | None = None,
    previous: pd.DataFrame | None = None,
    as_of: date | str | None = None,
    with_features: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """One row per customer known before as_of (by default the midnight after the last purchase): schemas.SCORE.

    `previous` (customer_id, stage, stage_since) holds the stages of an earlier date; absent = first sight.
    `with_features` appends every further column that a policy may read, which is what `stage` takes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        zone = release.timezone
        others = {"customers": customers, "events": events, "feedback": feedback}
        others |= {"identities": identities, "subscriptions": subscriptions}
        frames = _given(transactions, others)
        definition = _scoring_definition(release, frames)
        if (
            definition == "given" and "labels" not in frames
        ):  # nobody's label is known when scoring: placeholders
            frames["labels"] = pd.DataFrame(
                {"customer_id": frames["customers"]["customer_id"], "churned": False}
            )
        given = {
            "shop": "shop",
            "timezone": zone,
            "currency": release.currency,
            "churn": {"definition": definition},
            **options,
        }
        file = _history(_shop(frames, folder, given), folder, _instant(as_of, zone))
        before = _previous(previous)
        tables = []
        for history in file:
            columns = condition_columns(
                history, file.facts["as_of"], release, journeys=True if with_features else None
            )
            table = finish(columns, file.facts["as_of"], release, before)
            for name, column in columns.items():
                if with_features and name not in SCORE.names:
                    table = table.append_column(name, column)
            tables.append(table)
    return pa.concat_tables(tables).to_pandas()


def _scoring_definition(release: Release, frames: Frames) -> str:
    """What settles the as_of of frames to score: the release's own definition where its table is among them."""
    own = release.churn.definition
    found = [name for name in (own, "purchase", "activity", "subscription") if DEFINED_BY[name] in frames]
    if not found and "customers" not in frames:
        raise InputError("score: give transactions, or another table that says something about the customers")
    return found[0] if found else "given"


def _previous(frame: pd.DataFrame | None) -> pa.Table | None:
    if frame is None:
        return None
    missing = [name for name in PREVIOUS.names if name not in frame.columns]
    if missing:
        raise InputError(f"previous: column '{missing[0]}' is missing; it needs {', '.join(PREVIOUS.names)}")
    return pa.Table.from_pandas(frame[PREVIOUS.names], schema=PREVIOUS, preserve_index=False)


def stage(
    release: Release, columns: pd.DataFrame, as_of: date | str, previous: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Stage given scores or features under the release's policy: one row per row of `columns`, schemas.SCORE.

    columns: customer_id and the columns that the policy reads, as `score(..., with_features=True)` gives them;
    other columns of a score row are passed over. Raises InputError for an unknown column, or one that is missing.
    """
    if "customer_id" not in columns.columns:
        raise InputError("columns: 'customer_id' is missing; give one row per customer with its id")
    given = release.policy.given
    unknown = [c for c in columns.columns if c not in given and c not in SCORE.names]
    if unknown:
        close = get_close_matches(str(unknown[0]), list(given), n=1)
        hint = f"; did you mean '{close[0]}'?" if close else "; see release.policy.given"
        raise InputError(f"columns: unknown column '{unknown[0]}'{hint}")
    arrays = {"customer_id": pa.array(columns["customer_id"].astype(str), pa.string())}
    for name in columns.columns:
        if name in given:
            arrays[name] = pa.array(columns[name], given[name].type, from_pandas=True)
    instant = _instant(as_of, release.timezone)
    if instant is None:
        raise InputError("as_of: give the date that the scores are for, as YYYY-MM-DD")
    return finish(arrays, instant, release, _previous(previous)).to_pandas()
