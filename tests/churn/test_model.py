"""Scoring and saving: the same bits in any block, both fits in one bundle, nothing altered goes unseen."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lifestage.churn.calibration import IDENTITY
from lifestage.churn.dataset import Sample
from lifestage.churn.model import ChurnModel, Trees
from lifestage.churn.training import Fit
from lifestage.errors import InputError

META = {"shop": "test", "as_of": "2024-01-01"}


def bits(values: np.ndarray) -> np.ndarray:
    return values.view(np.int64)


@pytest.fixture
def folder(fits: tuple[Fit, Fit], tmp_path: Path) -> Path:
    return fits[1].model.save(tmp_path / "churn", META, {"cutoffs.json": b"[]"})


def test_a_customer_has_the_same_bits_in_any_block(
    fits: tuple[Fit, Fit], simulate: Callable[..., Sample]
) -> None:
    model, features = fits[1].model, simulate(10_000, 5).features
    whole = bits(model.predict(features, num_threads=2))
    assert (bits(model.predict(features, num_threads=1)) == whole).all()
    for i in range(0, 10_000, 97):
        one = model.predict({name: x[i : i + 1] for name, x in features.items()}, num_threads=1)
        assert bits(one)[0] == whole[i]
    for size in (2, 7, 333):
        some = model.predict({name: x[40 : 40 + size] for name, x in features.items()})
        assert (bits(some) == whole[40 : 40 + size]).all()
    turned = {name: features[name] for name in reversed(list(features))}
    assert (bits(model.predict(turned)) == whole).all()


def test_an_empty_block(fits: tuple[Fit, Fit]) -> None:
    assert fits[1].model.predict({name: np.empty(0) for name in fits[1].model.features}).shape == (0,)


def test_features_must_match(fits: tuple[Fit, Fit], simulate: Callable[..., Sample]) -> None:
    features = dict(simulate(5, 1).features)
    features["shoe_size"] = features.pop("x2")
    with pytest.raises(
        InputError, match=r"do not match the 4 of the churn model \(missing: x2; unknown: shoe_size\)"
    ):
        fits[1].model.predict(features)


def test_saved_and_loaded_it_predicts_the_same_bits(
    folder: Path, fits: tuple[Fit, Fit], simulate: Callable[..., Sample]
) -> None:
    features = simulate(500, 5).features
    evaluated, shipped = (fitted.model for fitted in fits)
    loaded = ChurnModel.load(folder)
    assert (bits(loaded.predict(features)) == bits(shipped.predict(features))).all()
    again = ChurnModel.load(folder, "evaluation").predict(features)
    assert (bits(again) == bits(evaluated.predict(features))).all()
    assert (bits(again) != bits(loaded.predict(features))).any()
    assert (loaded.features, loaded.horizon_days, loaded.active_within_days) == (shipped.features, 90, 365)
    assert loaded.dtypes == dict.fromkeys(("x0", "x1", "x2", "x3"), "float64")
    with pytest.raises(InputError, match="no fit 'best'; choose evaluation or shipped"):
        ChurnModel.load(folder, "best")  # type: ignore[arg-type]


def test_the_bundle_is_text_complete_and_immutable(
    folder: Path, fits: tuple[Fit, Fit], tmp_path: Path
) -> None:
    names = {
        "evaluation.txt",
        "shipped.txt",
        "calibration.json",
        "model.json",
        "features.json",
        "cutoffs.json",
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == names
    assert manifest["shop"] == "test"
    assert (folder / "shipped.txt").read_text().startswith("tree\n")
    with pytest.raises(InputError, match="never overwritten"):
        fits[1].model.save(folder, META)
    with pytest.raises(InputError, match=r"model.json: is a name of the churn model's own"):
        fits[1].model.save(tmp_path / "other", META, {"model.json": b""})
    with pytest.raises(InputError, match="no shipped fit yet; refit it"):
        fits[0].model.save(tmp_path / "other", META)
    twin = fits[1].model.save(tmp_path / "twin", META)
    assert (twin / "shipped.txt").read_bytes() == (folder / "shipped.txt").read_bytes()
    reloaded = ChurnModel.load(folder).save(tmp_path / "reloaded", META)
    assert (reloaded / "evaluation.txt").read_bytes() == (folder / "evaluation.txt").read_bytes()


@pytest.mark.parametrize(
    "name",
    ["evaluation.txt", "shipped.txt", "calibration.json", "model.json", "features.json", "cutoffs.json"],
)
def test_one_changed_byte_is_found(folder: Path, name: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: differs from its checksum"):
        ChurnModel.load(folder)


def test_a_missing_file_and_a_missing_model(folder: Path, tmp_path: Path) -> None:
    (folder / "evaluation.txt").unlink()
    with pytest.raises(InputError, match=r"evaluation.txt: is missing from its churn"):
        ChurnModel.load(folder)
    with pytest.raises(InputError, match="no whole churn"):
        ChurnModel.load(tmp_path / "nowhere")


def test_trees_and_feature_list_must_agree(fits: tuple[Fit, Fit]) -> None:
    trees = fits[0].model.fits
    rule = {"horizon_days": 90, "active_within_days": 365}
    with pytest.raises(
        InputError, match=r"4 features, its list 3; first difference: 'x3' in the trees, 'nothing'"
    ):
        ChurnModel(trees, "evaluation", features=("x0", "x1", "x2"), **rule)
    with pytest.raises(InputError, match="trees of the churn model are damaged"):
        ChurnModel({"evaluation": Trees("tree\nnonsense", IDENTITY)}, "evaluation", features=("x0",), **rule)


def test_scoring_needs_neither_sklearn_nor_matplotlib_nor_pandas() -> None:
    """LightGBM takes scikit-learn and pandas where they are installed; with them hidden the model still imports."""
    code = (
        "import sys\n"
        "for name in ('sklearn', 'matplotlib', 'lifetimes', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "import lifestage.churn.model\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
