"""Texts as small numbers, as long as somebody uses them."""

from collections.abc import Iterable, Sequence

from services.common.expressions.interned import Interned


class TextCodes:
    """Gives each text a code while it has uses; codes of texts without any are given again."""

    def __init__(self) -> None:
        self._values: list[str] = []
        self._uses: list[int] = []
        self._code_of: dict[str, int] = {}
        self._free: list[int] = []
        self.values: Sequence[str] = Interned(self._values, self._code_of)
        """The texts by code, "" where a code is free: it follows what is taken and dropped."""

    def find(self, text: str) -> int | None:
        """Return the code of a text, or None when nobody uses it."""
        return self._code_of.get(text)

    def take(self, texts: Iterable[str]) -> list[int]:
        """Return the codes of texts, which have one use more each."""
        code_of, values, uses, free = self._code_of, self._values, self._uses, self._free
        codes: list[int] = []
        for text in texts:
            code = code_of.get(text)
            if code is None:
                if free:
                    code = free.pop()
                    values[code] = text
                else:
                    code = len(values)
                    values.append(text)
                    uses.append(0)
                code_of[text] = code
            uses[code] += 1
            codes.append(code)
        return codes

    def drop(self, codes: Iterable[int]) -> None:
        """Take back one use each."""
        for code in codes:
            self._uses[code] -= 1
            if not self._uses[code]:
                del self._code_of[self._values[code]]
                self._values[code] = ""
                self._free.append(code)
