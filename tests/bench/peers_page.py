"""docs/peers.md, .svg, .json and peers/ from what peers.py found: `python tests/bench/peers.py PHOTOS --page`.

Every figure, and which contender a sentence names, comes from the results; nothing is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan.utils import images, svg_plots
from gan.utils.files import json_bytes
from gan.utils.formatting import number

Results = Mapping[str, Any]
Moment = Mapping[str, Any]

LABELS = {
    "flagship": "ours (flagship)", "lightweight-gan": "lightweight-gan", "stylegan2-pytorch": "stylegan2-pytorch",
    "mimicry-sngan": "mimicry (SNGAN)", "cwgan-gp-64": "cwgan-gp-64", "diffusion": "diffusion",
}  # fmt: skip
ABOUT = {  # what each is, and what had to be bent
    "flagship": "this project's `--preset flagship`; its critic looks through a network that was trained on ImageNet",
    "lightweight-gan": "lightweight-gan 1.2.1, defaults of its command line; it refuses to start without CUDA, so on a "
    "processor it is told that CUDA is there",
    "stylegan2-pytorch": "stylegan2-pytorch 1.9.0, defaults of its command line; bent in the same way",
    "mimicry-sngan": "torch-mimicry 0.1.16, SNGAN for 64×64 as its README trains it; its metrics and data sets, "
    "which want TensorFlow and an older PyTorch, are left out",
    "cwgan-gp-64": "the paper's recipe in this project's trainer (`--preset cwgan-gp-64`)",
    "diffusion": "denoising-diffusion-pytorch 2.3.4, its Trainer's defaults; the U-Net has half the width of its README's, and "
    "25 steps of DDIM draw a picture, because 250 take ten times as long",
}
SHOWN = 10  # pictures of each contender
COMPARABLE = 2  # times the lowest KID: what is worse as a whole may pass by its precision alone
ENOUGH = 2  # hours of each that say something
Read = Callable[[Moment], float | None]
# What speaks for a contender: in words, whether less is better, and how the figure is read from a moment and its costs.
JUDGED = (
    ("the pictures as a whole shall be near the photos (KID", True, "kid"),
    ("each picture shall pass (precision", False, "precision"),
    ("the pictures shall be varied (recall", False, "recall"),
    ("no photo shall be repeated (near copies", True, "copies"),
)
COSTS: tuple[tuple[str, bool, Read], ...] = (
    ("pictures shall be drawn fast", False, lambda moment: _drawn(moment)),
    ("the training has little memory", True, lambda moment: moment["memory"]),
    ("the file shall be small", True, lambda moment: moment["bytes"]),
)


def _drawn(moment: Moment) -> float:
    """Pictures a second."""
    return 1 / moment["draw_seconds"]


def write(results: Results, out: Path, folder: Path) -> None:
    """Write the page, the plot, the results and a row of pictures of each contender in peers.py's `out` into `folder`."""
    folder.joinpath("peers.json").write_bytes(json_bytes(results))
    folder.joinpath("peers.svg").write_text(plot(results), encoding="utf-8")
    folder.joinpath("peers.md").write_text(page(results), encoding="utf-8")
    folder.joinpath("peers").mkdir(exist_ok=True)
    for name, one in results["contenders"].items():
        first = out / name / f"pictures-{one['moments'][-1]['moment']:g}" / "000.npy"
        if first.exists():  # those of an earlier machine keep the row that they have
            row = images.grid(list(np.load(first)[:SHOWN]), SHOWN)
            Image.fromarray(row).save(folder / "peers" / f"{name}.webp", quality=90, method=6)


def plot(results: Results) -> str:
    """KID against hours of the processor, a plot for each network."""
    hours = {moment["moment"]: f"{moment['moment']:g}" for one in results["contenders"].values() for moment in one["moments"]}
    plots = []
    for network, floor in results["floors"].items():
        series = []
        for kind, (name, one) in zip(svg_plots.KINDS, _in_order(results["contenders"]).items()):
            known = [moment for moment in one["moments"] if network in moment["judged"]]
            points = [(moment["cpu"] / 3600, moment["judged"][network]["kid"]) for moment in known]
            errors = [moment["judged"][network]["kid_error"] for moment in known]
            if points:
                series.append(svg_plots.Series(LABELS[name], kind, points, errors, dots=True))
        if series:
            ends = [x for one in series for x, _ in one.points]
            x = svg_plots.Axis("hours of one core", min(ends) / 1.3, max(ends) * 1.3, "log", names=hours)
            highest = [value + error for one in series for (_, value), error in zip(one.points, one.errors)]
            y = svg_plots.span(highest, f"KID-{floor['label']}")
            plots.append(svg_plots.lines(f"KID by {floor['label']} against hours of training", x, y, series))
    return svg_plots.figure(plots)


def _in_order(contenders: Mapping[str, Any]) -> dict[str, Any]:
    """The contenders in the order of LABELS."""
    return {name: contenders[name] for name in LABELS if name in contenders}


def page(results: Results) -> str:
    """docs/peers.md."""
    photos, contenders = results["photos"], _in_order(results["contenders"])
    side = results["resolution"]
    lines = [
        "# Beside its peers", "",
        "What else can be trained on so many photos, on one core, in the same time? Each contender began from nothing on the "
        f"same {photos['trained_on']:,} photos at {side}×{side}; {photos['held_out']} more were held out. Time is that of the "
        f"processor. Each drew {results['pictures']:,} pictures at each moment{_fewer(results)}, as its maker has it by "
        "default. One run, one seed.", "",
        "```sh", "make build/peers/.done", "python tests/bench/peers.py PHOTOS --hours 2    # goes on where it was stopped",
        "python tests/bench/peers.py PHOTOS --page", "```", "",
        _machines(results), "",
        "| contender | what it is | settings |", "| --- | --- | --- |",
        *(f"| {LABELS[name]} | {ABOUT[name]} | {one['moments'][-1]['settings']} |" for name, one in contenders.items()), "",
        *_missing(contenders), "## Quality against time", "", "![KID against hours, by each judge](peers.svg)", "",
    ]  # fmt: skip
    lines += _pictures(contenders)
    moment = shared_moment(contenders)
    if moment is not None and moment < ENOUGH:
        lines += [
            f"Measured so far: {moment:g} h of each. Less than {ENOUGH} h say who begins well, not who ends best.", ""
        ]  # fmt: skip
    for network, floor in results["floors"].items():
        lines += _quality(network, floor, contenders, moment)
    lines += _repeats(results["floors"], contenders)
    lines += ["## What it costs", "", *_costs(contenders), "", "## Which one?", "", *_choice(results, contenders, moment), ""]
    return "\n".join(lines)


def _machines(results: Results) -> str:
    """Where it was measured, and what an hour is on another machine than the one whose hours count."""
    home = results["hardware"]
    others: dict[str, dict[str, None]] = {}
    for name, one in results["contenders"].items():
        for moment in one["moments"]:
            if moment.get("hardware", home) != home:
                others.setdefault(moment["hardware"], {})[LABELS[name]] = None
    beside = "Other programs ran beside it. Processor time leaves them out, but they share cache and memory"
    if not others:
        return f"Measured on {home}, PyTorch {results['torch']}. {beside}: small differences say nothing."
    elsewhere = "; ".join(f"{machine}: {', '.join(names)}" for machine, names in others.items())
    return (
        f"An hour is one of a core of {home}, PyTorch {results['torch']}. {beside}. What was trained elsewhere ({elsewhere}) "
        "was given as many updates as it makes in such an hour; where that is not known, the ratio between the machines is "
        "that of the others. Small differences say nothing."
    )


def _fewer(results: Results) -> str:
    """Which moments were judged by fewer pictures than the others, in brackets."""
    found = [
        f"{LABELS[name]} {count:,} after {moment['moment']:g} h"
        for name, one in _in_order(results["contenders"]).items()
        for moment in one["moments"]
        if moment["judged"] and (count := min(j["n"] for j in moment["judged"].values())) < results["pictures"]
    ]
    return f" ({', '.join(found)})" if found else ""


def _pictures(contenders: Mapping[str, Any]) -> list[str]:
    lines = [f"The first {SHOWN} pictures of each; nobody chose among them.", ""]
    for name, one in contenders.items():
        lines += [
            f"{LABELS[name]}, {one['moments'][-1]['moment']:g} h:",
            "",
            f"![Pictures of {LABELS[name]}](peers/{name}.webp)",
            "",
        ]
    return lines


def _missing(contenders: Mapping[str, Any]) -> list[str]:
    absent = [LABELS[name] for name in LABELS if name not in contenders]
    return [f"Not measured yet: {', '.join(absent)}.", ""] if absent else []


def _quality(network: str, floor: Mapping[str, Any], contenders: Mapping[str, Any], shared: float | None) -> list[str]:
    """The tables of one judge: KID at every moment, and all figures at the latest that all have reached."""
    hours = sorted({moment["moment"] for one in contenders.values() for moment in one["moments"]})
    lines = [
        f"### By {floor['label']}", "", f"KID after so many hours (photos beside photos: {floor['kid']:.3f}):", "",
        "| contender | " + " | ".join(f"{hour:g}" for hour in hours) + " |", "| --- |" + " ---: |" * len(hours),
    ]  # fmt: skip
    for name, one in contenders.items():
        known = {moment["moment"]: moment["judged"].get(network) for moment in one["moments"]}
        cells = [f"{j['kid']:.3f} ± {j['kid_error']:.3f}" if (j := known.get(hour)) else "" for hour in hours]
        lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
    rows = []
    for name, one in contenders.items():
        for moment in one["moments"]:
            if moment["moment"] == shared and (j := moment["judged"].get(network)):
                rows.append(
                    f"| {LABELS[name]} | {number(j['fd'])} | {j['precision']:.2f} | {j['recall']:.2f} | {j['copies']:.1%} |"
                )
    if rows:
        lines += [
            "", f"All figures after {shared:g} h:", "", "| contender | FD | precision | recall | near copies |",
            "| --- | ---: | ---: | ---: | ---: |", *rows,
            f"| *photos beside photos, {floor['n']} each* | {number(floor['fd'])} | {floor['precision']:.2f} | "
            f"{floor['recall']:.2f} | 1.0%, by definition |",
        ]  # fmt: skip
    return [*lines, ""]


def _repeats(floors: Mapping[str, Any], contenders: Mapping[str, Any]) -> list[str]:
    """What trainings gave that were done again on another machine, the newest last."""
    rows = []
    for name, one in contenders.items():
        for moment in one["moments"]:
            if repeats := moment.get("repeats"):
                kids = [[number(j[network]["kid"]) for j in (*repeats, moment["judged"]) if network in j] for network in floors]
                rows.append(f"| {LABELS[name]} | {moment['moment']:g} | " + " | ".join(", ".join(of) for of in kids) + " |")
    if not rows:
        return []
    return [
        "### The same training twice", "",
        "Another processor rounds otherwise, and from then on it is another training. KID of each, the newest last:", "",
        "| contender | hours | " + " | ".join(f"by {floor['label']}" for floor in floors.values()) + " |",
        "| --- | ---: |" + " ---: |" * len(floors), *rows, "",
    ]  # fmt: skip


def _costs(contenders: Mapping[str, Any]) -> list[str]:
    lines = [
        "| contender | photos/s | updates/min | GFLOP/s | memory, MiB | pictures/s drawn | GFLOP a picture | weights, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in contenders.items():
        last = one["moments"][-1]
        rate = last["photos"] / last["cpu"]
        lines.append(
            f"| {LABELS[name]} | {number(rate)} | {number(60 * last['updates'] / last['cpu'])} | "
            f"{rate * one['gflop_a_photo']:.0f} | {last['memory'] / 2**20:,.0f} | {number(_drawn(last))} | "
            f"{number(one['gflop_a_picture'])} | {one['bytes'] / 1e6:.1f} |"
        )
    return [
        *lines, "",
        "- *Photos* are those the critic, or the denoiser, sees. Only convolutions and matrix products count as operations.",
        "- *Memory* is the peak of the process, PyTorch and its imports included.",
        "- *Weights* are those that draw, in float32. Pictures are drawn on one thread, twenty at a time.",
    ]  # fmt: skip


def shared_moment(contenders: Mapping[str, Any]) -> float | None:
    """The latest moment that all have reached."""
    reached = [{moment["moment"] for moment in one["moments"]} for one in contenders.values()]
    return max(set.intersection(*reached), default=None) if reached else None


def _choice(results: Results, contenders: Mapping[str, Any], moment: float | None) -> list[str]:
    """Which contender is best by what, at the latest moment that all have reached; and whether ours leads."""
    if moment is None or len(contenders) < 2:
        return ["There is no moment yet that two contenders have reached."]
    at = {name: next({**one, **m} for m in one["moments"] if m["moment"] == moment) for name, one in contenders.items()}
    best: dict[str, list[str]] = {name: [] for name in contenders}
    for words, less, key in JUDGED:
        judges: dict[str, list[str]] = {}
        for network, floor in results["floors"].items():
            judged = {name: m["judged"].get(network, {}) for name, m in at.items()}
            if key != "kid":
                judged = _comparable(judged)
            for name in _first({name: figures.get(key) for name, figures in judged.items()}, less):
                judges.setdefault(name, []).append(floor["label"])
        for name, labels in judges.items():
            best[name].append(f"{words} by {' and '.join(labels)})")
    for words, less, read in COSTS:
        for name in _first({name: read(m) for name, m in at.items()}, less):
            best[name].append(words)
    lines = [
        f"After {moment:g} h of one core, the latest moment that all have reached, each is best of all where:", "",
        "| choose | when |", "| --- | --- |",
        *(f"| {LABELS[name]} | {'; '.join(words) or 'nothing that was measured here speaks for it'} |"
          for name, words in best.items()), "",
        "A class can be asked for with the flagship and with cwgan-gp-64; the others draw from all photos alike.",
        "Best of all is no recommendation where all are poor: the rows of photos beside photos say what is possible.",
        f"Precision, recall and near copies count only beside a KID of at most {COMPARABLE} times the lowest: noise may have "
        "any of them.", "",
    ]  # fmt: skip
    return lines + [sentence for network in results["floors"] for sentence in _lead(results, network, contenders)]


def _comparable(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Those whose KID is at most COMPARABLE times the lowest; nobody where there is one alone."""
    lowest = min((figures["kid"] for figures in judged.values() if "kid" in figures), default=0)
    near = {name: figures for name, figures in judged.items() if "kid" in figures and figures["kid"] <= COMPARABLE * lowest}
    return near if len(near) > 1 else {}


def _first(values: Mapping[str, float | None], less: bool) -> list[str]:
    """Whose value is the best; nobody where one has none, or where all have the same."""
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(values) or len(set(known.values())) < 2:
        return []
    best = (min if less else max)(known.values())
    return [name for name, value in known.items() if value == best]


def _lead(results: Results, network: str, contenders: Mapping[str, Any]) -> list[str]:
    """At how many moments that another has reached ours has the lowest KID, and when it had what any reached at its best."""
    kids = {
        name: {m["moment"]: (m["cpu"], m["judged"][network]["kid"]) for m in one["moments"] if network in m["judged"]}
        for name, one in contenders.items()
    }
    ours, rest = kids.pop("flagship", {}), [point for points in kids.values() for point in points.values()]
    if not ours or not rest:
        return []
    label = results["floors"][network]["label"]
    rivals = {moment: [points[moment][1] for points in kids.values() if moment in points] for moment in ours}
    ahead = [ours[moment][1] <= min(others) for moment, others in rivals.items() if others]
    spent, best = min(rest, key=lambda point: point[1])
    first = next((cpu for cpu, kid in ours.values() if kid <= best), None)
    goal = f"what the best of the others reached (KID {best:.3f}, {spent / 3600:.2f} h)"
    if first is None:
        when = f"it did not reach {goal}"
    elif first == min(cpu for cpu, _ in ours.values()):
        when = f"at its first moment, {first / 3600:.2f} h, it was past {goal}"
    else:
        when = f"it had {goal} by {first / 3600:.2f} h, {spent / first:.1f} times as soon"
    return [f"- By {label}, ours has the lowest KID at {sum(ahead)} of {len(ahead)} moments; {when}."]
