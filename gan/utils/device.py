"""The device that a run uses, and the precision in which that device is fast."""

from __future__ import annotations

import platform

import torch

from gan.errors import UserError


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is CUDA, else Apple's MPS, else the CPU. Raises UserError where it is missing."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        others = [kind for kind in ("auto", "cpu", "cuda", "mps") if kind != name]
        raise UserError(
            f"--device {name} is not available on this computer; use {', '.join(others[:-1])} or {others[-1]}."
        ) from None
    return device


def pick_precision(device: torch.device, name: str = "auto") -> str:
    """For "auto": "bf16" where the processor multiplies bf16 natively, else "fp32". Any other `name` is returned unchanged."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and (has_amx() or _has("_is_avx512_bf16_supported")) else "fp32"


def has_amx() -> bool:
    """Whether the processor multiplies bf16 in tiles (Intel's AMX)."""
    return _has("_is_amx_tile_supported")


def _has(question: str) -> bool:
    """The answer of one of PyTorch's private functions; there is no public one. False where it is missing."""
    ask = getattr(torch.cpu, question, None)
    return bool(platform.machine() in ("x86_64", "AMD64") and ask and ask())


def describe(device: torch.device, processes: int = 1) -> str:
    """The hardware in words, for example "2 × AMD EPYC 7763, 4 threads": processes × the processor of each."""
    if processes > 1:
        return f"{processes} × {describe(device)}"
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple {platform.machine()} (MPS)"
    return f"{_processor()}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def _processor() -> str:
    """The name of the CPU."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
