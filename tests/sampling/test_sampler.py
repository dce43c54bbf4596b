"""A flower is one picture, however it is asked for."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import styled_generator

from gan.errors import UserError
from gan.generator import ConvGenerator, make_generator
from gan.networks import latents
from gan.presets import PRESETS, from_preset
from gan.sampling import interpolation
from gan.sampling.flower import Flower, StyleMix, grid_flowers, read_shift, write_shift
from gan.sampling.sampler import Sampler
from gan.utils.images import to_uint8


@pytest.fixture
def sampler(tiny):
    sampler = Sampler(tiny, workers=2)
    yield sampler
    sampler.close()


def test_pictures_have_shape_type_and_variety(sampler):
    pictures = sampler.draw(grid_flowers(0, 0, 1.5, 9))
    assert pictures.shape == (9, 16, 16, 3) and pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == 9 and pictures.std() > 20


@pytest.mark.parametrize("preset", list(PRESETS))
def test_one_picture_is_the_same_alone_and_in_a_batch_in_every_preset(preset):
    torch.manual_seed(0)
    generator = make_generator(from_preset(preset, ("a", "b"), width=8)[0]).requires_grad_(False).eval()
    generator.init_weights()
    generator.calibrate()
    flowers = grid_flowers(None if len(generator.config.classes) > 1 else 0, 3, 1.5, 5)
    one, three = Sampler(generator, workers=1), Sampler(generator, workers=3)
    batch = one.draw(flowers)
    for i, flower in enumerate(flowers):
        assert np.array_equal(three.draw([flower])[0], batch[i])
    one.close(), three.close()


def test_what_makes_drawing_fast_changes_no_weight_and_no_picture_of_note(tiny):
    z, code = latents.noise([4], 8, None), torch.tensor([[1.0, 0.0]])
    before = tiny(z, code)
    picture = Sampler(tiny, 1).draw_latents(z, code)[0]
    wanted = ((before[0].permute(1, 2, 0) + 1) * 127.5).round().numpy()
    assert np.abs(picture - wanted).max() <= 3 and np.abs(picture - wanted).mean() < 1  # bf16, where the processor has it
    assert torch.equal(tiny(z, code), before), "the generator that was given is as it was"


def test_all_means_one_class_a_seed(sampler):
    assert [flower.resolve(2).label for flower in grid_flowers(None, 4, 1.5, 3)] == [0, 1, 0]
    for label in (0, None, (0.5, 0.5)):
        with pytest.raises(UserError, match="seed"):
            Flower(label, 2**40).resolve(2)
    assert np.array_equal(sampler.draw([Flower(None, 5)]), sampler.draw([Flower(1, 5)]))
    assert not np.array_equal(sampler.draw([Flower(0, 5)]), sampler.draw([Flower(1, 5)]))


def test_seeds_of_a_grid_follow_on_and_wrap():
    assert [flower.seed for flower in grid_flowers(0, 2**32 - 2, None, 4)] == [2**32 - 2, 2**32 - 1, 0, 1]


def test_the_truncation_changes_the_picture(sampler):
    pictures = sampler.draw([Flower(0, 1, 0.01), Flower(0, 2, 0.01), Flower(0, 1, 3.0), Flower(0, 1, None)]).astype(int)
    assert np.abs(pictures[0] - pictures[1]).mean() < 3 < np.abs(pictures[0] - pictures[2]).mean()
    assert not np.array_equal(pictures[2], pictures[3])


@pytest.mark.parametrize("way", interpolation.PATHS)
def test_the_ends_of_a_path_are_the_flowers_themselves(sampler, way):
    start, end = Flower(0, 10), Flower(None, 11)
    frames = sampler.path(start, end, 7, way)
    assert frames.shape == (7, 16, 16, 3)
    assert np.array_equal(frames[0], sampler.draw([start])[0]) and np.array_equal(frames[-1], sampler.draw([end])[0])
    loop = sampler.path(start, end, 6, way, loop=True)
    assert np.array_equal(loop[1], loop[5]) and np.array_equal(loop[2], loop[4])


@pytest.mark.parametrize("way", interpolation.PATHS)
@pytest.mark.parametrize("steps", [2, 3, 4, 5, 7, 8])
def test_a_loop_of_any_length_holds_both_flowers(sampler, way, steps):
    start, end = Flower(0, 10), Flower(1, 11)
    first, last = sampler.draw([start, end])
    loop = sampler.path(start, end, steps, way, loop=True)
    assert len(loop) == steps and np.array_equal(loop[0], first) and np.array_equal(loop[steps // 2], last)


def test_the_two_ways_differ_between_the_ends(sampler):
    frames = [sampler.path(Flower(0, 1, None), Flower(1, 2, None), 3, way)[1] for way in interpolation.PATHS]
    assert not np.array_equal(*frames)


def test_many_threads_get_their_own_pictures(sampler):
    wanted = {seed: sampler.draw(grid_flowers(0, seed, 1.5, 3)) for seed in range(8)}
    wrong = []

    def visit(seed):
        for _ in range(5):
            if not np.array_equal(sampler.draw(grid_flowers(0, seed, 1.5, 3)), wanted[seed]):
                wrong.append(seed)

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_warming_up_draws_a_picture_for_every_thread(sampler, monkeypatch):
    drawn = []
    monkeypatch.setattr(sampler, "draw", drawn.extend)
    sampler.warm_up()
    assert len(drawn) == 2 and all(flower.resolve(2).label == 0 for flower in drawn)


def test_the_thread_count_of_the_caller_stays(sampler, two_threads):
    sampler.warm_up()
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("asked", "given"), [(None, 2), (3, 3), (100, 32)])
def test_as_many_threads_draw_as_were_asked_for_and_else_as_torch_has(tiny, two_threads, asked, given):
    sampler = Sampler(tiny, asked)
    assert sampler.workers == given
    sampler.close()


def passes(sampler, monkeypatch):
    """Of each pass that is drawn from now on: how many pictures, and on how many threads of torch."""
    seen, paint = [], sampler._generator.decode

    def watched(own, of_class, side=None):
        seen.append((len(own), torch.get_num_threads()))
        return paint(own, of_class, side)

    monkeypatch.setattr(sampler._generator, "decode", watched)
    return seen


@pytest.mark.parametrize(("amx", "pairs"), [(False, [1, 1, 1]), (True, [2, 2])], ids=["without AMX", "with AMX"])
def test_a_pass_is_always_of_one_size_and_on_one_core(tiny, styled, two_threads, monkeypatch, amx, pairs):
    """Kernels go by both: another size, or another cut over the cores, would be another picture."""
    monkeypatch.setattr("gan.sampling.sampler.has_amx", lambda: amx)
    for generator, sizes in ((tiny, [1, 1, 1]), (styled._generator, pairs)):
        drawer = Sampler(generator)
        seen = passes(drawer, monkeypatch)
        flowers = [Flower(0, seed) for seed in range(3)]
        assert np.array_equal(drawer.draw(flowers)[2], drawer.draw(flowers[2:])[0])
        assert seen == [(size, 1) for size in (*sizes, sizes[0])]
        assert len(list(zip(drawer.each(flowers), range(1)))) == 1  # whoever wants no more than the first gets it
        drawer.close()


def test_a_film_keeps_no_more_than_two_passes_a_thread_waiting(sampler, monkeypatch):
    own, of_class = sampler.latents([Flower(0, seed) for seed in range(20)])
    sent, submit = [], sampler._pool.submit
    monkeypatch.setattr(sampler._pool, "submit", lambda *work: sent.append(1) or submit(*work))
    frames = sampler._each(own, of_class)
    next(frames)
    assert len(sent) == 4
    assert len(list(frames)) == 19 and len(sent) == 20


def test_what_waits_is_dropped_when_it_is_closed_and_what_is_drawn_is_finished(tiny):
    sampler, begun, go_on = Sampler(tiny, 1), threading.Event(), threading.Event()
    first = sampler._pool.submit(lambda: begun.set() or go_on.wait(30))
    second = sampler._pool.submit(lambda: None)
    assert begun.wait(30)
    threading.Timer(0.1, go_on.set).start()
    sampler.close()
    assert first.result() and second.cancelled()


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_it_draws_in_bf16_only_where_the_processor_has_it(tiny, monkeypatch, precision, kind):
    asked = []
    monkeypatch.setattr("gan.sampling.sampler.pick_precision", lambda device: precision)
    monkeypatch.setattr(ConvGenerator, "for_inference", lambda self, dtype: asked.append(dtype))
    Sampler(tiny, 1).close()
    assert asked == [kind]


def test_no_flowers_are_no_pictures(sampler):
    own, of_class = sampler.latents([Flower(0, 1)])
    for none in (sampler.draw([]), sampler.draw_latents(own[:0], of_class[:0])):
        assert none.shape == (0, 16, 16, 3) and none.dtype == np.uint8


def test_a_plain_model_has_one_class():
    generator = ConvGenerator(from_preset("wgan-gp-28", ("a", "b"), width=4)[0]).requires_grad_(False).eval()
    sampler = Sampler(generator, 1)
    sampler.warm_up()
    assert np.array_equal(sampler.draw([Flower(None, 3)]), sampler.draw([Flower(0, 3)]))
    assert sampler.path(Flower(0, 1), Flower(0, 2), 3).shape == (3, 28, 28, 3)


@pytest.mark.parametrize(
    "flower",
    [Flower(2, 1), Flower(-1, 1), Flower("0", 1), Flower(True, 1), Flower(10**5000, 1), Flower(0, -1), Flower(0, 1, 9.0)],
    ids=range(7),
)
def test_bad_flowers_are_refused_and_the_next_is_drawn(sampler, flower):
    with pytest.raises(UserError):
        sampler.draw([Flower(0, 1), flower])
    assert len(sampler.draw([Flower(0, 1)])) == 1


@pytest.mark.parametrize(
    ("steps", "way"),
    [*((steps, "straight") for steps in (1, 0, 2.5, True, None)), (3, "round"), (3, ["straight"])],
)
def test_bad_paths_are_refused(sampler, steps, way):
    with pytest.raises(UserError):
        sampler.path(Flower(0, 1), Flower(0, 2), steps, way)


# ------------------------------------------------------------------------------------------------------------- styles


@pytest.fixture(scope="module")
def styled():
    """A sampler of an untrained generator with styles, 32×32, three classes."""
    layers = ("M>16", "M>16", "S>16", "S>16", "S>16", "S>8")
    sampler = Sampler(styled_generator(("a", "b", "c"), layers, 32), workers=2)
    yield sampler
    sampler.close()


def test_the_generator_given_stays_exact(styled):
    """The sampler may draw in bf16; who measures paths in steps of a ten-thousandth may not."""
    generator = make_generator(styled.config)
    generator.init_weights()
    z, code = torch.randn(2, 8), torch.eye(3)[:2]
    with torch.no_grad():
        before = generator(z, code)
        Sampler(generator, workers=1).close()
        assert torch.allclose(before, generator(z, code), atol=1e-5), "its layout in memory may cost a last bit, no more"


def test_truncation_draws_styles_together(styled):
    def spread(truncation):
        return styled.draw(grid_flowers(1, 0, truncation, 12)).astype(float).std(0).mean()

    assert spread(0.01) < 1 < spread(0.5) < spread(1.5) < spread(None)


@pytest.mark.parametrize("way", interpolation.PATHS)
def test_a_path_between_styles_ends_in_the_flowers_and_is_smooth(styled, way):
    start, end = Flower(0, 10), Flower(2, 11)
    path = styled.path(start, end, 30, way)
    assert np.array_equal(path[0], styled.draw([start])[0]) and np.array_equal(path[-1], styled.draw([end])[0])
    steps = np.abs(np.diff(path.astype(float), axis=0)).mean((1, 2, 3))
    assert steps.max() < np.abs(path[0].astype(float) - path[-1]).mean() / 4


def test_a_mix_of_classes_lies_between_them(sampler, styled):
    for drawer, rest in ((sampler, ()), (styled, (0.0,))):
        pure = [drawer.draw([Flower((*weights, *rest), 5)])[0] for weights in ((1.0, 0.0), (2.0, 2.0), (0.0, 1.0))]
        assert np.array_equal(pure[0], drawer.draw([Flower(0, 5)])[0]), "all weight on one class is that class"
        assert np.array_equal(pure[1], drawer.draw([Flower((0.5, 0.5, *rest), 5)])[0]), "only ratios count"
        first, half, second, nearly = (
            picture.astype(float) for picture in (*pure, drawer.draw([Flower((99, 1, *rest), 5)])[0])
        )
        assert np.abs(half - first).mean() > 1 < np.abs(half - second).mean()
        assert np.abs(nearly - first).mean() < np.abs(half - first).mean() / 4


@pytest.mark.parametrize(
    ("weights", "says"),
    [((1.0,), "has 1 weights; give one for each of the 2"), ((0.0, 0.0), "every weight"), ((1.0, -1.0), "weight of a class"),
     ((float("nan"), 1.0), "weight of a class"), ((True, 1.0), "weight of a class")],
)  # fmt: skip
def test_a_mix_that_is_none_is_refused(sampler, weights, says):
    with pytest.raises(UserError, match=says):
        sampler.draw([Flower(weights, 1)])


def test_crossing_takes_coarse_scales_from_one_and_fine_ones_from_the_other(styled):
    coarse, fine = Flower(0, 1, None), Flower(2, 2, None)
    drawn = [
        styled.draw([replace(coarse, fine=StyleMix(fine.label, fine.seed, scales))])[0].astype(float) for scales in range(5)
    ]
    assert np.array_equal(drawn[0], styled.draw([fine])[0]) and np.array_equal(drawn[4], styled.draw([coarse])[0])
    away = [np.abs(picture - drawn[4]).mean() for picture in drawn]
    assert away == sorted(away, reverse=True) and len(set(away)) == 5, "each scale more is nearer to the flower it is from"


def test_what_cannot_be_crossed(sampler, styled):
    with pytest.raises(UserError, match="has no styles"):
        sampler.draw([Flower(0, 1, fine=StyleMix(1, 2, 1))])
    with pytest.raises(UserError, match="number of scales"):
        styled.draw([Flower(0, 1, fine=StyleMix(1, 2, 5))])


@pytest.mark.parametrize("which", ["sampler", "styled"])
def test_a_shift_moves_a_flower_and_its_text_brings_it_back(request, which):
    drawer = request.getfixturevalue(which)
    own, of_class = drawer.latents([Flower(0, 1)])
    code = write_shift(torch.linspace(-1, 1, own.shape[1]))
    moved = Flower(0, 1, shift=code)
    there, _ = drawer.latents([moved])
    assert torch.allclose(there - own, torch.linspace(-1, 1, own.shape[1]).expand_as(own), atol=0.006)
    assert not np.array_equal(drawer.draw([moved]), drawer.draw([Flower(0, 1)]))
    back = replace(moved, shift=write_shift(read_shift(code, own.shape[1])))
    assert np.array_equal(drawer.draw([back]), drawer.draw([moved])), "writing what was read changes nothing"
    assert drawer.draw([replace(moved, shift="")]).tobytes() == drawer.draw([Flower(0, 1)]).tobytes()


def test_a_path_runs_between_a_crossed_flower_and_a_plain_one(styled):
    start, end = Flower(0, 1, fine=StyleMix(1, 2, 2)), Flower(1, 3)
    frames = styled.path(start, end, 4)
    assert np.array_equal(frames[0], styled.draw([start])[0]) and np.array_equal(frames[-1], styled.draw([end])[0])


@pytest.mark.parametrize("text", ["x", "é", "AAAA", "A" * 4000, "AAAAAAAA", None, 7, "////" * 3])
def test_a_shift_that_is_none_is_refused(sampler, text):
    with pytest.raises(UserError, match="shift of the flower"):
        sampler.draw([replace(Flower(0, 1), shift=text or "!")])


def test_a_flower_by_name_is_drawn_at_the_models_own_truncation(tiny):
    judged = copy.deepcopy(tiny)
    judged.config = replace(tiny.config, scores={"truncation": 0.75})
    for generator, level in ((judged, 0.75), (tiny, 1.5)):
        sampler = Sampler(generator, workers=1)
        try:
            assert sampler.truncation == level
            assert sampler.flower(1, 7) == sampler.flower(tiny.config.classes[1], 7) == Flower(1, 7, level)
            assert sampler.flower(None, 7) == Flower(None, 7, level).resolve(len(tiny.config.classes))
            for label, seed in ((2, 7), ("rose", 7), (None, -1)):
                with pytest.raises(UserError):
                    sampler.flower(label, seed)
        finally:
            sampler.close()


def test_a_coarser_picture_is_the_one_on_the_way(styled, sampler):
    assert styled.sides == (4, 8, 16, 32) and sampler.sides == (16,)
    flowers = [Flower(number % 3, number) for number in range(3)]
    of_seed, of_class = styled.latents(flowers)
    for side in styled.sides:
        drawn = list(styled.each(flowers, side))
        wanted = styled._generator.synthesize(of_seed + of_class, side)
        assert np.abs(np.stack(drawn).astype(int) - to_uint8(wanted)).max() <= 1 and drawn[0].shape == (side, side, 3)
        assert np.array_equal(next(styled.each(flowers[2:], side)), drawn[2])  # alone and in company
    assert np.array_equal(np.stack(drawn), styled.draw(flowers))
    for drawer, side in ((styled, 64), (styled, 5), (sampler, 8)):
        with pytest.raises(UserError, match="the side is"):
            list(drawer.each([Flower(0, 1)], side))
