"""The tabs of the page. Each file here that defines a subclass of `Tab` adds it to the page; no other file lists it."""

from __future__ import annotations

import importlib
import pkgutil

from gan.studio.tabs.base import Tab


def find_tabs() -> tuple[type[Tab], ...]:
    """The tab classes of this folder, ordered by `position`."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    found = {value for value in classes if issubclass(value, Tab) and hasattr(value, "id")}  # not the base classes
    return tuple(sorted(found, key=lambda tab: (tab.position, tab.id)))
