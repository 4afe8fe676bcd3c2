"""What is wrong with an expression, and where."""


class ExpressionError(ValueError):
    """An expression does not parse, has another type than asked for, or is not supported."""

    def __init__(self, message: str, line: int, column: int) -> None:
        """Tell what is wrong at a place of the text; `line` and `column` count from 1."""
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        """What is wrong, without the place."""
        self.line = line
        self.column = column
