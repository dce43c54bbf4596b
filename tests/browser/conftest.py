"""What every browser test starts from."""

from __future__ import annotations

import pytest
from visitor import DESKTOP, Visitor


@pytest.fixture
def visit(browser, app_url):
    """A function that opens the page; afterwards nothing may have gone wrong or left this computer."""
    visitors = []

    def arrive(address: str = "", tab: str | None = "generate", **options) -> Visitor:
        visitors.append(Visitor(browser, app_url, **{"viewport": DESKTOP, **options}))
        return visitors[-1].open(address, tab)

    yield arrive
    for visitor in visitors:
        visitor.context.close()
        assert not visitor.errors and not visitor.away
