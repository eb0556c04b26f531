"""What users install is built from this tree and holds what it should."""

import configparser
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and sdist with the backend that is installed: no network, no isolation."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    """Open the wheel."""
    (path,) = built.glob("mmap_uploader-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Tests and benchmarks stay at home; types travel."""
    names = set(wheel.namelist())

    assert {"uploader/py.typed", "transports/py.typed", "uploader/__init__.py"} <= names
    assert {name.split("/")[0] for name in names} == {
        "uploader",
        "transports",
        "mmap_uploader-0.1.0.dist-info",
    }


def test_the_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    """No ignore rule swallows a module or the demonstration video."""
    files = {
        path.relative_to(ROOT).as_posix()
        for package in ("uploader", "transports")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert files <= set(wheel.namelist())


def test_the_wheel_declares_its_doors(wheel: zipfile.ZipFile) -> None:
    """The command, the transports and the pytest plug-in, each of which can be loaded."""
    doors = configparser.ConfigParser()
    doors.read_string(wheel.read("mmap_uploader-0.1.0.dist-info/entry_points.txt").decode())
    names = set(wheel.namelist())

    assert doors["console_scripts"]["uploader"] == "uploader.cli:main"
    assert "tiktok" in doors["uploader.transports"]
    assert doors["pytest11"]
    for section in doors.sections():
        for target in doors[section].values():
            file = target.partition(":")[0].replace(".", "/")
            assert {f"{file}.py", f"{file}/__init__.py"} & names, target


def test_the_sdist_can_be_tested(built: Path) -> None:
    """It carries tests, locks and the Makefile, and no caches."""
    (path,) = built.glob("mmap_uploader-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "LICENSE",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "requirements-dev.lock",
        "requirements.lock",
        "tests/conftest.py",
        "uploader/py.typed",
    } <= names
    assert any(name.startswith("benchmarks/") for name in names)
    assert not any("__pycache__" in name or name.startswith(".venv") for name in names)
