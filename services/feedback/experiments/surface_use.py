"""Whether an experiment that runs makes slates by a surface."""

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.errors import WrongStateError
from services.feedback.documents.tenant_documents import TenantDocuments
from services.feedback.experiments.conflicts import surfaces_named
from services.feedback.experiments.states import RUNNING


async def require_unused(surface: str, documents: TenantDocuments) -> None:
    """Raise WrongStateError where a variant of an experiment that runs is this surface. Drafts are
    no reason: they are not started without it.
    """
    for document in await documents.serving("experiment"):
        one = pb.Experiment.FromString(document.body)
        if one.state != RUNNING:
            continue
        for index, name in surfaces_named(one.config):
            if name == surface:
                variant = one.config.variants[index].name
                raise WrongStateError(
                    f"surface {surface!r} makes the slates of variant {variant!r} of experiment"
                    f" {one.name!r}, which is running: stop that first"
                )
