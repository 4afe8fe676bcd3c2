"""Both overlays, rendered once."""

import pytest

from tests.deploy.rendered import OVERLAYS, Rendered, render


@pytest.fixture(scope="session", params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """Each overlay in turn."""
    return render(request.param)


@pytest.fixture(scope="session")
def prod() -> Rendered:
    """The overlay with autoscalers."""
    return render("prod")
