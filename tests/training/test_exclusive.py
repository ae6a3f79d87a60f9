"""Whose the output folder is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lifestage.errors import InputError
from tests.training.conftest import release_locks
from training.exclusive import hold


@pytest.fixture(autouse=True)
def free() -> Iterator[None]:
    yield
    release_locks()


def test_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    hold(tmp_path / "var" / "shop")
    assert (tmp_path / "var" / "shop").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_the_rights_of_a_folder_that_is_there_stay(tmp_path: Path, mode: int) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop").chmod(mode)
    hold(tmp_path / "shop")
    assert (tmp_path / "shop").stat().st_mode & 0o777 == mode


def test_what_others_fetch_is_open_to_them(tmp_path: Path) -> None:
    hold(tmp_path / "alerts", mode=0o777)
    assert (tmp_path / "alerts").stat().st_mode & 0o055 == 0o055


def test_a_file_in_the_way_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("x", encoding="utf-8")
    for place in (tmp_path / "var", tmp_path / "var" / "shop"):
        with pytest.raises(InputError, match="is to be a folder, and there is a file in its way"):
            hold(place)
