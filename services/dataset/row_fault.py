"""What is wrong with a row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row was not taken: a reason in capitals, and one sentence."""

    reason: str
    detail: str


class RowFaultError(Exception):
    """A row cannot be converted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = RowFault(reason, detail)
