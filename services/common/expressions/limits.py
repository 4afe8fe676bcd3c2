"""How much an expression may ask for."""

MAX_BYTES = 2048
"""Of an expression's text, in UTF-8."""

MAX_DEPTH = 32
"""Of brackets, operators and calls within each other. It is that of the parser, fixed in it."""

MAX_LOOPED = 100
"""Elements of a list of the request that a macro goes over. A longer list is an error there; `in`
takes any length."""

MAX_COST = 20_000
"""Of an expression: what `ROWS_COST` and its like say of each step, 1 for one that is the same for
all items; a macro multiplies what is in it by the length of its list (`MAX_LOOPED` where that is
not known before the request). A unit is 10 to 20 microseconds over 100,000 items."""

ROWS_COST = 10
"""A step that goes over all items."""

TEXTS_COST = 500
"""A step that goes over all distinct texts of items: every title may differ."""

LISTS_COST = 8
"""How many elements the lists of an item are taken to have in a macro."""
