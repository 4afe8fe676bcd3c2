"""All named formats."""

from collections.abc import Mapping
from types import MappingProxyType

from services.dataset.presets.amazon_reviews import AMAZON_REVIEWS
from services.dataset.presets.ga4 import GA4
from services.dataset.presets.mind import MIND
from services.dataset.presets.movielens import MOVIELENS
from services.dataset.presets.otto import OTTO
from services.dataset.presets.personalize import PERSONALIZE
from services.dataset.presets.preset import Preset
from services.dataset.presets.recbole import RECBOLE
from services.dataset.presets.retailrocket import RETAILROCKET
from services.dataset.presets.segment import SEGMENT
from services.dataset.presets.snowplow import SNOWPLOW

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            MOVIELENS, RECBOLE, GA4, SEGMENT, SNOWPLOW, RETAILROCKET, OTTO, MIND, AMAZON_REVIEWS,
            PERSONALIZE,
        )
    }
)  # fmt: skip
"""By the name that --format takes."""
