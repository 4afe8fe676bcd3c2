"""The first slate of a suite that was just started."""

import time
from typing import Any

import grpc

from harken.common.v1 import subject_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2_grpc, slate_pb2
from services.cli.service_process import ServiceProcess
from services.common.channel_identity import ChannelIdentity, blocking_channel

_CALL_SECONDS = 5.0
_POLL_SECONDS = 0.05
_PASSING = frozenset(
    {
        slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE,
        slate_pb2.DEGRADATION_PROFILE_BEHIND,
        slate_pb2.DEGRADATION_FEED_DISCONNECTED,
    }
)
"""What a slate may lack because processes have just started."""


def wait_answers(
    ranker: ServiceProcess, address: str, deadline: float, identity: ChannelIdentity | None = None
) -> None:
    """Wait until a ranker makes a slate that lacks nothing; without a catalogue there is none.

    Raises:
        ProcessFailedError: it died, or does not by `deadline` (time.monotonic).

    """
    with blocking_channel(address, identity) as channel:
        stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
        while not _answers(stub):
            ranker.check_alive(deadline)
            time.sleep(_POLL_SECONDS)


def _answers(stub: Any) -> bool:
    try:
        state = stub.GetServingState(pb.GetServingStateRequest(), timeout=_CALL_SECONDS)
        serving = [one.tenant for one in state.tenants if one.generation_id]
        if not serving:
            return True
        request = pb.RecommendRequest(
            tenant=serving[0],
            subject=subject_pb2.Subject(session_id="harken-asks-for-a-first-slate"),
            count=1,
            preview=True,
        )
        slate = stub.Recommend(request, timeout=_CALL_SECONDS)
    except grpc.RpcError:
        return False
    return _PASSING.isdisjoint(slate.degradations)
