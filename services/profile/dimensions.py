"""What GetProfile answers of a user beyond what is stored: behaviour and interests."""

import time
from collections.abc import Collection

import grpc

from harken.profile.v1 import profile_pb2
from services.common.deadline import seconds_to_wait
from services.profile.convert import set_habits, set_interests
from services.profile.domain.habits import habits_of
from services.profile.domain.history import History
from services.profile.domain.interests import HalfLives, interests_of, newest_items
from services.profile.item_labels import ItemLabels
from services.profile.store.profile_store import StoredProfile

_CALL_SECONDS = 2.0


class Dimensions:
    """Made from a user's events when they are asked for, so that they are what the events say."""

    def __init__(self, labels: ItemLabels, half_lives: HalfLives) -> None:
        self._labels = labels
        self._half_lives = half_lives

    async def fill(
        self,
        profile: profile_pb2.Profile,
        tenant: str,
        stored: StoredProfile,
        parts: Collection[str],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Fill in those of "behaviour" and "interests" that are among the parts.

        Raises:
            StoreUnavailableError: the catalogue, which interests need, does not answer.

        """
        history = stored.history
        if history is None:
            return
        now_us = time.time_ns() // 1000
        if "behaviour" in parts:
            set_habits(profile.behaviour, habits_of(history, stored.types, now_us), now_us)
        if "interests" in parts:
            left = seconds_to_wait(context)
            seconds = _CALL_SECONDS if left is None else min(_CALL_SECONDS, left)
            await self._set_interests(profile.interests, tenant, history, now_us, seconds)

    async def _set_interests(
        self,
        interests: profile_pb2.Interests,
        tenant: str,
        history: History,
        now_us: int,
        seconds: float,
    ) -> None:
        items = newest_items(history)
        labels = await self._labels.of(tenant, items, seconds)
        categories, tags = interests_of(history, labels, now_us, self._half_lives)
        set_interests(interests, categories, tags, now_us)
        interests.items = len(labels)
        interests.items_not_known = len(items) - len(labels)
