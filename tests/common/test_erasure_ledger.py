"""The ledger of erasures: what is added is there, whatever crashes (truth 12)."""

from pathlib import Path

import pytest

from services.common.erasure_ledger import ErasureLedger, LedgerFaultError, LedgerLine


def line(number: int) -> LedgerLine:
    return LedgerLine(f"erasure-{number}", "default", f"{number:064x}", 1_700_000_000_000_000)


def test_lines_are_read_back_each_erasure_once(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    assert ErasureLedger(path).read() == []
    for number in (1, 2, 1):
        ErasureLedger(path).add(line(number))
    assert ErasureLedger(path).read() == [line(1), line(2)]
    assert path.stat().st_mode & 0o077 == 0


def test_what_a_crash_tore_is_left_out_and_what_follows_is_not(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    ErasureLedger(path).add(line(1))
    torn = path.read_bytes()[:-20]
    path.write_bytes(path.read_bytes() + torn)
    ErasureLedger(path).add(line(2))
    assert ErasureLedger(path).read() == [line(1), line(2)]


@pytest.mark.parametrize("wrong", ["{}", '{"erasure_id": 7}', '["a"]}', '{"a": 1}'])
def test_what_is_no_ledger_is_refused_by_line(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "erasures.jsonl"
    ErasureLedger(path).add(line(1))
    with path.open("a") as file:
        file.write(wrong + "\n")
    with pytest.raises(LedgerFaultError, match="line 3"):
        ErasureLedger(path).read()
