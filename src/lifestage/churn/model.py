"""The churn model as it scores: features in, calibrated probability out; kept as text and JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightgbm as lgb
import numpy as np

from lifestage import bundle
from lifestage.churn.calibration import Calibrator
from lifestage.churn.dataset import matrix
from lifestage.errors import InputError
from lifestage.features import PLAIN, FeatureSpec
from lifestage.ragged import Floats

KIND = "churn"
MODEL, CALIBRATION, FEATURES = "model.json", "calibration.json", "features.json"
DTYPE = "float64"

FitName = Literal["evaluation", "shipped"]
FITS: tuple[FitName, ...] = ("evaluation", "shipped")


@dataclass(frozen=True, slots=True)
class Trees:
    """What one fit learnt: LightGBM's text format, and the map from its score to a probability."""

    text: str
    calibrator: Calibrator


class ChurnModel:
    """P(churn within `horizon_days`) of the customers eligible under the churn definition `definition`.

    `active_within_days` and `grace_days` are the definition's own figures (see lifestage.labels.Definition).

    `fits` holds the evaluation fit and, once refitted, the shipped one; `fit` names the one that predicts.
    """

    def __init__(
        self,
        fits: Mapping[FitName, Trees],
        fit: FitName,
        *,
        features: tuple[str, ...],
        horizon_days: int,
        active_within_days: int,
        spec: FeatureSpec = PLAIN,
        definition: str = "purchase",
        grace_days: int = 0,
    ) -> None:
        """Raises InputError where the trees are damaged or were grown on other features than `features`."""
        self.fits = dict(fits)
        self.fit = fit
        self.features = features
        self.horizon_days = horizon_days
        self.active_within_days = active_within_days
        self.spec = spec
        """How the features are made of a view."""
        self.definition = definition
        self.grace_days = grace_days
        self.calibrator = fits[fit].calibrator
        self.booster = _booster(fits[fit].text, features)

    @property
    def dtypes(self) -> dict[str, str]:
        """Feature -> dtype, in the model's order."""
        return dict.fromkeys(self.features, DTYPE)

    def predict(self, features: Mapping[str, Floats], *, num_threads: int = 1) -> Floats:
        """One row per customer, shape (n,): calibrated probability of churn, 0 to 1.

        `features`: exactly the model's names, in any order, float64 of one length, NaN = missing. Each
        customer's trees are summed in the same order and mapped alone: the result has the same bits in any
        block and for any `num_threads` (0 = all cores; one, because blocks run side by side).

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
                f"the churn probability of row {bad} is not a number; train the churn model again"
            )
        return probability

    def importance(self) -> dict[str, float]:
        """Feature -> share of all split gain (sums to 1), largest first."""
        gain = np.asarray(self.booster.feature_importance("gain"), np.float64)
        share = gain / (gain.sum() or 1.0)
        return {self.features[i]: float(share[i]) for i in np.argsort(-share, kind="stable")}

    def save(
        self, folder: Path, meta: Mapping[str, Any], files: Mapping[str, bytes | Path] | None = None
    ) -> Path:
        """Write both fits as one immutable bundle; returns `folder`.

        `evaluation.txt`, `shipped.txt` (trees), `calibration.json`, `model.json` (features with dtypes,
        horizon, eligibility) and `features.json` (how they are made) beside the caller's `files`; `meta` goes
        into the manifest. Raises InputError where a fit is missing, a name is taken, or the folder exists.
        """
        for name in FITS:
            if name not in self.fits:
                raise InputError(f"the churn model has no {name} fit yet; refit it before it is saved")
        about = {
            "horizon_days": self.horizon_days,
            "active_within_days": self.active_within_days,
            "definition": self.definition,
            "grace_days": self.grace_days,
            "features": [{"name": name, "dtype": dtype} for name, dtype in self.dtypes.items()],
        }
        own = {
            **{f"{name}.txt": self.fits[name].text.encode() for name in FITS},
            CALIBRATION: _json({name: self.fits[name].calibrator.to_json() for name in FITS}),
            MODEL: _json(about),
            FEATURES: self.spec.to_json(),
        }
        if taken := sorted({*own, bundle.MANIFEST} & set(files or {})):
            raise InputError(f"{taken[0]}: is a name of the churn model's own; choose another")
        return bundle.write(folder, KIND, {**(files or {}), **own}, meta)

    @classmethod
    def load(cls, folder: Path, fit: FitName = "shipped") -> "ChurnModel":
        """The model of a bundle whose every file was found unchanged, predicting with one of its two fits.

        Raises InputError for a missing, altered or foreign bundle, naming the file.
        """
        if fit not in FITS:
            raise InputError(f"the churn model has no fit '{fit}'; choose {' or '.join(FITS)}")
        bundle.read(folder, KIND)
        try:
            about = json.loads((folder / MODEL).read_text(encoding="utf-8"))
            maps = json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
            texts = {name: (folder / f"{name}.txt").read_text(encoding="utf-8") for name in FITS}
            dtypes = {feature["name"]: feature["dtype"] for feature in about["features"]}
            horizon_days, active_within_days = int(about["horizon_days"]), int(about["active_within_days"])
            definition, grace_days = str(about.get("definition", "purchase")), int(about.get("grace_days", 0))
            calibrators = {name: Calibrator.from_json(maps[name]) for name in FITS}
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: is no whole churn model ({error}); train again") from None
        if other := [name for name, dtype in dtypes.items() if dtype != DTYPE]:
            found = dtypes[other[0]]
            raise InputError(f"{folder / MODEL}: feature '{other[0]}' has dtype {found}, expected {DTYPE}")
        return cls(
            {name: Trees(texts[name], calibrators[name]) for name in FITS},
            fit,
            features=tuple(dtypes),
            horizon_days=horizon_days,
            active_within_days=active_within_days,
            spec=load_spec(folder),
            definition=definition,
            grace_days=grace_days,
        )


def load_spec(folder: Path) -> FeatureSpec:
    """How the features of a saved model are made. Raises InputError."""
    try:
        content = (folder / FEATURES).read_bytes()
    except OSError as error:
        raise InputError(f"{folder / FEATURES}: cannot be read ({error.strerror}); train again") from None
    return FeatureSpec.from_json(content, str(folder / FEATURES))


def _booster(text: str, features: tuple[str, ...]) -> lgb.Booster:
    try:
        booster = lgb.Booster(model_str=text)
        inside = tuple(booster.feature_name())
    except lgb.basic.LightGBMError as error:
        raise InputError(f"the trees of the churn model are damaged ({error}); train again") from None
    if inside != features:
        pairs = zip([*inside, "nothing"], [*features, "nothing"], strict=False)
        grown, listed = next(pair for pair in pairs if pair[0] != pair[1])
        raise InputError(
            f"the churn model's trees have {len(inside)} features, its list {len(features)}; first difference: "
            f"'{grown}' in the trees, '{listed}' in the list; train again"
        )
    return booster


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()
