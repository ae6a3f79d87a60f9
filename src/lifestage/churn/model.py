"""The churn model as it scores: features in, calibrated probability out; kept as text and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lightgbm as lgb
import numpy as np

from lifestage import bundle
from lifestage.churn.calibration import Calibrator
from lifestage.churn.dataset import Floats, matrix
from lifestage.errors import InputError

KIND = "churn"
FITS = ("evaluation", "shipped")
MODEL, CALIBRATION = "model.json", "calibration.json"
DTYPE = "float64"

FitName = Literal["evaluation", "shipped"]


class ChurnModel:
    """P(no return within `horizon_days`) of customers who were active within `active_within_days`."""

    def __init__(
        self,
        booster: str,
        features: tuple[str, ...],
        calibrator: Calibrator,
        horizon_days: int,
        active_within_days: int,
    ) -> None:
        """`booster` is LightGBM's text format; its features must be `features`, in order.

        Raises InputError where they are not, or the text is damaged.
        """
        self.text = booster
        self.features = features
        self.calibrator = calibrator
        self.horizon_days = horizon_days
        self.active_within_days = active_within_days
        try:
            self.booster = lgb.Booster(model_str=booster, params={"verbosity": -1})
            inside = tuple(self.booster.feature_name())
        except lgb.basic.LightGBMError as error:
            raise InputError(f"the churn booster is damaged ({error}); train again") from None
        if inside != features:
            raise InputError(
                f"the churn booster has {len(inside)} features, its list {len(features)}, "
                f"first difference: {_first_difference(inside, features)}; train again"
            )

    @property
    def dtypes(self) -> dict[str, str]:
        """Feature -> dtype, in the model's order."""
        return dict.fromkeys(self.features, DTYPE)

    def predict(self, features: Mapping[str, Floats], *, num_threads: int = 0) -> Floats:
        """One row per customer, shape (n,): calibrated probability of churn, in (0, 1).

        `features`: exactly the model's names, in any order, float64 of one length, NaN = missing. Each
        customer's trees are summed in the same order and mapped alone: the result has the same bits in any
        block and for any `num_threads` (0 = all cores; give 1 for a few rows, starting threads costs more).

        Raises InputError for missing or unknown features, and rather than return a NaN.
        """
        rows = matrix(features, self.features)
        if not len(rows):
            return np.empty(0, np.float64)
        raw = self.booster.predict(rows, raw_score=True, num_threads=num_threads)
        probability = self.calibrator(np.asarray(raw, np.float64))
        if not np.isfinite(probability).all():
            bad = int(np.argmin(np.isfinite(probability)))
            raise InputError(
                f"the churn probability of row {bad} is not a number; the model is damaged, train again"
            )
        return probability

    def importance(self) -> dict[str, float]:
        """Feature -> share of all split gain (sums to 1), largest first."""
        gain = np.asarray(self.booster.feature_importance("gain"), np.float64)
        share = gain / (gain.sum() or 1.0)
        order = np.argsort(-share, kind="stable")
        return {self.features[i]: float(share[i]) for i in order}


def save(
    folder: Path,
    *,
    evaluation: ChurnModel,
    shipped: ChurnModel,
    meta: Mapping[str, Any],
    files: Mapping[str, bytes | Path] | None = None,
) -> Path:
    """Write both fits as one immutable bundle; returns `folder`.

    `evaluation.txt`, `shipped.txt` (LightGBM's text format), `calibration.json` and `model.json`, beside the
    caller's `files` (reference distributions, configuration ...); `meta` goes into the manifest.
    """
    if _description(evaluation) != _description(shipped):
        raise InputError(
            "the evaluation and the shipped churn fit differ in features, horizon or eligibility"
        )
    fits = {"evaluation": evaluation, "shipped": shipped}
    own = {
        **{f"{name}.txt": model.text.encode() for name, model in fits.items()},
        CALIBRATION: _json({name: model.calibrator.to_json() for name, model in fits.items()}),
        MODEL: _json(_description(shipped)),
    }
    if taken := sorted(set(own) & set(files or {})):
        raise InputError(f"{taken[0]}: is a name of the churn model's own; choose another")
    return bundle.write(folder, KIND, {**(files or {}), **own}, meta)


def load(folder: Path, fit: FitName = "shipped") -> ChurnModel:
    """One of the two fits of a bundle whose every file was found unchanged.

    Raises InputError for a missing, altered or foreign bundle, naming the file.
    """
    if fit not in FITS:
        raise InputError(f"the churn model has no fit '{fit}'; choose {' or '.join(FITS)}")
    bundle.read(folder, KIND)
    try:
        about = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        calibration = json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))[fit]
        features = {feature["name"]: feature["dtype"] for feature in about["features"]}
        days = int(about["horizon_days"]), int(about["active_within_days"])
        text = (folder / f"{fit}.txt").read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: is no whole churn model ({error}); train again") from None
    if other := [name for name, dtype in features.items() if dtype != DTYPE]:
        raise InputError(
            f"{folder / MODEL}: feature '{other[0]}' has dtype {features[other[0]]}, expected {DTYPE}"
        )
    return ChurnModel(text, tuple(features), Calibrator.from_json(calibration), *days)


def _description(model: ChurnModel) -> dict[str, Any]:
    return {
        "horizon_days": model.horizon_days,
        "active_within_days": model.active_within_days,
        "features": [{"name": name, "dtype": dtype} for name, dtype in model.dtypes.items()],
    }


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()


def _first_difference(inside: tuple[str, ...], features: tuple[str, ...]) -> str:
    for i in range(max(len(inside), len(features))):
        pair = [names[i] if i < len(names) else "nothing" for names in (inside, features)]
        if pair[0] != pair[1]:
            return f"'{pair[0]}' against '{pair[1]}'"
    return "none"
