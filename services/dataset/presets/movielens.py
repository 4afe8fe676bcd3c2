"""MovieLens of all sizes: ratings.dat ("::"), u.data, u.item, u.user, ratings.csv, movies.csv."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset, UserShape
from services.dataset.table.options import Quoting, ReadOptions

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
_RATINGS = ("user", "item", "value", "timestamp")


def _double_colon(line: str) -> bool:
    return "::" in line


def _bars(line: str) -> bool:
    return line.count("|") >= 4 and not line.startswith("movieId")


def _csv(line: str) -> bool:
    return line.lower().lstrip("\ufeff\"'").startswith(("userid", "movieid"))


def _genres(*flags: object) -> object:
    """Return the names of the genres whose flag is set."""
    return [name for name, flag in zip(_GENRES, flags, strict=False) if flag == "1"]


MOVIELENS = Preset(
    "movielens",
    "MovieLens: ratings.dat, u.data or ratings.csv; movies.dat, u.item or movies.csv; users.dat, "
    "u.user",
    events=(
        EventShape(
            ReadOptions("::", _RATINGS, Quoting.NONE),
            EventOptions(constant_type="rating"),
            _double_colon,
        ),
        EventShape(ReadOptions(), EventOptions(item="movieid", constant_type="rating"), _csv),
        EventShape(ReadOptions("\t", _RATINGS, Quoting.NONE), EventOptions(constant_type="rating")),
    ),
    items=(
        ItemShape(
            ReadOptions("::", ("item", "title", "genres"), Quoting.NONE, "latin-1"),
            ItemOptions(),
            _double_colon,
        ),
        ItemShape(
            ReadOptions(
                "|",
                ("item", "title", "released", "video", "url", *(f"g{n}" for n in range(19))),
                Quoting.NONE,
                "latin-1",
                converters={"categories": (tuple(f"g{n}" for n in range(19)), _genres)},
            ),
            ItemOptions(publish_time="", expire_time=""),
            _bars,
        ),
        ItemShape(ReadOptions(), ItemOptions(item="movieid"), _csv),
    ),
    users=(
        UserShape(
            ReadOptions("::", ("user", "gender", "age", "occupation", "zip"), Quoting.NONE),
            "user",
            _double_colon,
        ),
        UserShape(
            ReadOptions("|", ("user", "age", "gender", "occupation", "zip"), Quoting.NONE), "user"
        ),
    ),
)
