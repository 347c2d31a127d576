"""Where a home is, and what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.home import Home


def test_a_home_is_made_with_all_its_folders(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new" / "home")
    folders = {home.landing, home.vault, home.lake, home.reports, home.registry, home.dagster, home.scratch}
    assert all(folder.is_dir() for folder in folders)
    assert {folder.parent for folder in folders} == {home.root}
    assert home.warehouse == home.root / "warehouse.duckdb"
    assert not home.warehouse.exists()


def test_opening_a_home_again_changes_nothing(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    (home.lake / "kept").write_text("x")
    assert Home.at(tmp_path / "home") == home
    assert (home.lake / "kept").read_text() == "x"


def test_a_named_home_wins_over_the_environment_and_that_over_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINELAKE_HOME", str(tmp_path / "from-environment"))
    assert Home.at(tmp_path / "named").root == tmp_path / "named"
    assert Home.at().root == tmp_path / "from-environment"
    monkeypatch.delenv("KINELAKE_HOME")
    assert Home.at().root == tmp_path / "kinelake-home"


def test_a_relative_path_and_a_link_become_the_absolute_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Home.at("link").root == tmp_path / "real"


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.at("~/mine").root == tmp_path / "mine"
