"""A folder of backups: which are kept, and that only backups are ever removed."""

import fcntl
from pathlib import Path

import pytest

from services.cli.backup.kept_backups import backups_in, next_backup, one_backup
from services.cli.failures import CommandError


def written(path: Path) -> Path:
    path.mkdir(mode=0o700)
    (path / "manifest.json").write_text("{}")
    return path


def old_backup(folder: Path, day: int) -> Path:
    return written(folder / f"202611{day:02}T021000Z")


def test_the_newest_are_kept_and_what_is_no_backup_stays(tmp_path: Path) -> None:
    for day in (4, 1, 3, 2):
        old_backup(tmp_path, day)
    others = [
        written(tmp_path / "before-the-upgrade"),
        tmp_path / "20261101T000000Z",  # no manifest in it
        tmp_path / "notes.txt",
    ]
    others[1].mkdir()
    others[2].write_text("")
    broken_off = tmp_path / "20261102T111111Z.partial"
    broken_off.mkdir()
    with next_backup(tmp_path, keep=3) as new:
        assert not new.exists()
        assert not broken_off.exists()
        assert len(backups_in(tmp_path)) == 4, "nothing goes before the new one is complete"
        written(new)
    assert [path.name for path in backups_in(tmp_path)] == [
        "20261103T021000Z", "20261104T021000Z", new.name,
    ]  # fmt: skip
    assert all(path.exists() for path in others)
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_that_fails_removes_nothing(tmp_path: Path) -> None:
    for day in (1, 2):
        old_backup(tmp_path, day)
    with pytest.raises(OSError, match="disk full"), next_backup(tmp_path, keep=1):
        raise OSError("disk full")
    assert len(backups_in(tmp_path)) == 2


def test_two_backups_are_not_written_into_one_folder_at_once(tmp_path: Path) -> None:
    running = tmp_path / "20261102T111111Z.partial"
    with next_backup(tmp_path, keep=1):
        running.mkdir()
        with (
            pytest.raises(CommandError, match="another backup is being written"),
            next_backup(tmp_path, keep=1),
        ):
            pass
        assert running.exists()
    with (tmp_path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_of_several_backups_is_not_taken_for_one(tmp_path: Path) -> None:
    first = old_backup(tmp_path, 1)
    second = old_backup(tmp_path, 2)
    assert one_backup(first) == first
    with pytest.raises(CommandError, match=f"name one of them: {first.name}, {second.name}"):
        one_backup(tmp_path)
