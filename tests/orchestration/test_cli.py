"""The command line: it answers, refuses with a reason and status 1, and is documented."""

from __future__ import annotations

import base64
import errno
import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from rich.console import Console
from typer.core import TyperGroup

from orchestration.cli import app
from orchestration.cli.face import Face, drawn, results_in
from orchestration.cli.machine import reason_of_the_machine
from warehouse.errors import KinelakeError
from warehouse.home import Home

_ROOT = Path(__file__).resolve().parents[2]
_KINELAKE = str(Path(sys.executable).with_name("kinelake"))


def _kinelake(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_KINELAKE, *arguments], capture_output=True, text=True, timeout=120, check=False)


def _commands() -> dict[str, list[str]]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    found: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        parts = command.commands.items() if isinstance(command, TyperGroup) else [("", command)]
        for part, leaf in parts:
            options = [option for parameter in leaf.params for option in parameter.opts if option.startswith("--")]
            found[f"{name} {part}".strip()] = [option for option in options if option != "--help"]
    return found


def test_every_command_and_option_is_in_the_docs() -> None:
    page = (_ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command, options in _commands().items():
        assert f"`kinelake {command}" in page, f"docs/commands.md does not name 'kinelake {command}'"
        for option in options:
            assert option in page, f"docs/commands.md does not name {option} of '{command}'"


def test_help_starts_without_loading_what_it_does_not_need() -> None:
    heavy = ("torch", "mlflow", "great_expectations", "dagster")
    code = f"import sys, orchestration.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("submit", "{missing}", "--study", "barbell", "--site", "north"), "source_missing"),
        (("submit", "{missing}", "--study", "barbel", "--site", "north"), "study_unknown"),
        (("report", "nothing"), "batch_unknown"),
        (("query", "select 1"), "warehouse_missing"),
        (("classify", "{missing}", "--task", "barbell.nothing"), "task_unknown"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_code_and_status_one(arguments: tuple[str, ...], code: str, home: Home) -> None:
    filled = [argument.format(missing=home.root / "missing") for argument in arguments]
    done = _kinelake("--home", str(home.root), "--json", *filled)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["reasons"][0]["code"] == code
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    done = _kinelake("--home", str(tmp_path / "file"), "--json", "status")
    assert (done.returncode, json.loads(done.stdout)["reasons"][0]["code"]) == (1, "home_unusable")
    assert "Traceback" not in done.stderr


def test_results_that_can_lie_nowhere_are_refused_and_other_errors_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    out = tmp_path / "file" / "converted"
    with pytest.raises(KinelakeError, match=r"not_writable.*--out"), results_in(out, option="--out"):
        out.mkdir(parents=True)
    with pytest.raises(FileNotFoundError), results_in(out, option="--out"):
        (tmp_path / "elsewhere").read_bytes()


def _through_a_library(error: OSError) -> Exception:
    try:
        try:
            raise error
        except OSError:
            raise RuntimeError("commit failed") from None
    except RuntimeError as wrapped:
        return wrapped


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/home/x"), "disk_full"),
        (_through_a_library(OSError(errno.EROFS, "Read-only file system", "/home/x")), "not_writable"),
        (sqlite3.OperationalError("database or disk is full"), "disk_full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "not_writable"),
        (sqlite3.OperationalError("disk I/O error"), "disk_error"),
        (ValueError("a defect"), None),
        (FileNotFoundError(errno.ENOENT, "No such file", "/home/x"), None),
    ],
)
def test_what_the_machine_refuses_is_told_from_a_defect(error: Exception, code: str | None) -> None:
    reason = reason_of_the_machine(error)
    assert (reason and reason.code) == code


def test_misuse_is_status_two(home: Home) -> None:
    assert _kinelake("--home", str(home.root), "submit").returncode == 2
    assert _kinelake("--home", str(home.root), "no-such-command").returncode == 2


def test_a_manifest_is_never_drafted_into_a_read_only_folder(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "walk.csv").write_text("epoch (ms),x-axis (g)\n1,2\n", encoding="utf-8")
    folder.chmod(0o555)
    done = _kinelake("--home", str(home.root), "--json", "manifest", str(folder))
    assert (done.returncode, json.loads(done.stdout)["reasons"][0]["code"]) == (1, "not_writable")
    assert [path.name for path in folder.iterdir()] == ["walk.csv"]


def test_pickles_are_converted_and_a_hostile_one_is_refused_with_status_one(tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    done = _kinelake("--json", "convert-pickles", str(tmp_path), "--out", str(tmp_path / "out"))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["converted"]) == (1, [])
    assert [(reason["code"], reason["place"]) for reason in answer["refused"]] == [("pickle_names_global", "bad.pkl")]
    assert "os.system" in answer["refused"][0]["sentence"]
    assert _kinelake("convert-pickles", str(tmp_path / "none"), "--out", str(tmp_path / "out")).returncode == 1


def _recordings(folder: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("epoch (ms),x-axis (g)\n1,2\n", encoding="utf-8")
    return folder


def test_a_manifest_for_a_folder_that_is_not_there_is_refused(home: Home, tmp_path: Path) -> None:
    folder, target = _recordings(tmp_path / "recordings", "walk.csv"), tmp_path / "missing" / "manifest.csv"
    done = _kinelake("--home", str(home.root), "--json", "manifest", str(folder), "--out", str(target))
    assert (done.returncode, json.loads(done.stdout)["reasons"][0]["code"]) == (1, "not_writable")


def test_a_manifest_on_stdout_is_the_very_file_however_long_its_lines(home: Home, tmp_path: Path) -> None:
    path = f"{'deep ' * 40}/walk.csv"
    done = _kinelake("--home", str(home.root), "manifest", str(_recordings(tmp_path / "recordings", path)), "--out", "-")
    assert done.stdout.splitlines() == ["path,participant,label", f"{path},,"]


@pytest.mark.parametrize("width", [40, 80, 400])
def test_no_cell_of_a_table_is_ever_cut_off(width: int) -> None:
    rows = [{f"column_{number}": f"{number}" + "abcdefghij" * number for number in range(4)} for _ in range(2)]
    written = io.StringIO()
    Console(file=written, width=width).print(drawn(rows, "", width=width))
    letters = [letter for letter in written.getvalue().rpartition("─")[2] if letter.isalnum()]
    assert sorted(letters) == sorted("".join(text for row in rows for text in row.values()))


def test_bytes_are_counted_for_a_person_and_whole_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    png = bytes(range(256)) * 5
    assert "1,280 bytes" in _drawn_text([{"png": png}])
    Face(None, as_json=True).table([{"png": png}])
    assert base64.b64decode(json.loads(capsys.readouterr().out)[0]["png"]) == png


def _drawn_text(rows: list[dict[str, bytes]]) -> str:
    written = io.StringIO()
    Console(file=written, width=80).print(drawn(rows, "", width=80))
    return written.getvalue()
