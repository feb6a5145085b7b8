"""What has to be installed, and how long a start takes."""

from __future__ import annotations

from pathlib import Path

from antiphon.bench.start import Installed, Start, installed


def test_packages_of_a_lock_file_are_counted_and_weighed(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==2.0.0\norjson==3.10 ; python_version < '4'\n# a remark\nno-such-package-for-us==1.0\n")
    found = installed(lock)
    assert found is not None
    assert found.packages == 2, "what is for other platforms is not there"
    assert 10 < found.mib < 200


def test_a_package_with_two_versions_for_two_pythons_is_installed_once(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==2.0.0 ; python_version < '3.12'\n")
    once = installed(lock)
    lock.write_text("numpy==2.0.0 ; python_version < '3.12'\nnumpy==2.1.0 ; python_version >= '3.12'\n")
    assert installed(lock) == once
    assert once is not None
    assert once.packages == 1


def test_without_a_lock_file_nothing_is_known(tmp_path: Path) -> None:
    assert installed(tmp_path / "requirements.lock") is None


def test_what_is_typical_is_the_median() -> None:
    assert Start((9.0, 1.0, 2.0), Installed(1, 1.0)).typical_s == 2.0
