"""The functions that long work calls to say how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], object]  # how much is done, how much there is
StageProgress = Callable[[str, int, int], object]  # what is being done, how much of it is done, how much of it there is
