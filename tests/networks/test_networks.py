"""Generator and critic: shapes, ranges, conditioning, and the norms of the critic."""

import copy

import pytest
import torch

from gan.critic import ConvCritic, make_critic, with_planes
from gan.generator import ConvGenerator, make_generator, one_hot
from gan.networks.layers import init_weights
from gan.presets import PRESETS, from_preset

TWO = ("dandelion", "marigold")


@pytest.mark.parametrize("name", PRESETS)
def test_pictures_and_scores(name):
    torch.manual_seed(0)
    model, train = from_preset(name, TWO, width=4)
    generator, critic = made(model, train)
    code = one_hot(torch.tensor([0, 0, 0]), model)
    pictures = generator(torch.randn(3, model.z_dim), code)
    assert pictures.shape == (3, 3, model.resolution, model.resolution)
    assert pictures.abs().max() <= (5 if model.grows or model.styled else 1), "only some end with a tanh"
    assert critic(critic.features(pictures), code).shape == {"flagship": (3, 4), "acgan-64": (3, 1 + 2)}.get(name, (3,))


def made(model, train):
    """Both networks of a preset, ready to use."""
    generator, critic = make_generator(model), make_critic(model, train.critic, torch.device("cpu"))
    generator.init_weights()
    critic.init_weights()
    if critic.needs_calibration:
        critic.calibrate(torch.randn(8, 3, model.resolution, model.resolution))
    return generator, critic


def test_one_hot_planes_are_all_ones_or_all_zeros():
    images = torch.randn(2, 3, 5, 5)
    model, _ = from_preset("cwgan-gp-28", ("a", "b", "c"))
    planes = with_planes(images, one_hot(torch.tensor([2, 0]), model))
    assert planes.shape == (2, 6, 5, 5)
    assert torch.equal(planes[:, :3], images)
    assert torch.equal(planes[0, 3:], torch.stack([torch.zeros(5, 5), torch.zeros(5, 5), torch.ones(5, 5)]))
    assert torch.equal(planes[1, 3:], torch.stack([torch.ones(5, 5), torch.zeros(5, 5), torch.zeros(5, 5)]))


def test_a_plain_model_has_no_planes_and_no_code():
    model, _ = from_preset("wgan-gp-28", TWO)
    code = one_hot(torch.tensor([0]), model)
    assert code.shape == (1, 0)
    assert with_planes(torch.zeros(1, 3, 4, 4), code).shape == (1, 3, 4, 4)


@pytest.mark.parametrize(("norm", "alone"), [("none", True), ("ln", True), ("bn", False)])
def test_a_score_depends_on_its_own_picture_unless_the_norm_is_batch_norm(norm, alone):
    torch.manual_seed(0)
    model, train = from_preset("cwgan-gp-28", TWO, width=4, critic_norm=norm)
    critic = ConvCritic(model, train.critic)
    images, code = torch.randn(4, 3, 28, 28), one_hot(torch.tensor([0, 1, 0, 1]), model)
    changed = images.clone()
    changed[1:] += 3
    same = torch.allclose(critic(images, code)[0], critic(changed, code)[0], atol=1e-5)
    assert same is alone


@pytest.mark.parametrize("name", PRESETS)
def test_the_critic_sees_every_pixel(name):
    """A pixel without influence on the score is one the generator never learns to draw."""
    torch.manual_seed(0)
    model, train = from_preset(name, TWO, width=8)
    images = torch.randn(4, 3, model.resolution, model.resolution, requires_grad=True)
    code = one_hot(torch.zeros(4, dtype=torch.int64), model)
    critic = made(model, train)[1]
    critic(critic.features(images), code).sum().backward()
    assert (images.grad.abs().sum((0, 1)) > 0).all()


def test_initial_weights():
    torch.manual_seed(0)
    model, train = from_preset("cwgan-gp-64", TWO)
    generator = ConvGenerator(model)
    init_weights(generator)
    weights = torch.cat([weight.flatten() for name, weight in generator.named_parameters() if ".0.weight" in name])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert all(bias.eq(0).all() for name, bias in generator.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("name", ["wgan-gp-28", "cwgan-gp-64-k4", "cwgan-gp-64", "dcgan-64"])
def test_norms_fold_into_the_convolutions(name):
    """A folded network draws what it drew, in float32 to rounding, and has no norm left."""
    model, _ = from_preset(name, ("a", "b"), width=8)
    torch.manual_seed(0)
    generator = make_generator(model)
    generator.init_weights()
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    generator.eval()
    z, code = torch.randn(2, model.z_dim), torch.eye(2)[:, : model.code_dim]
    with torch.no_grad():
        before = generator(z, code)
        whole = copy.deepcopy(generator)
        generator.for_inference(torch.float32)
        assert torch.allclose(generator(z, code), before, atol=1e-5)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in generator.modules())
        assert torch.equal(whole(z, code), before)
        generator.for_inference(torch.bfloat16)
        assert (generator(z, code).float() - before).abs().max() < 0.05


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.critic[0].endswith("norm lrelu")])
def test_the_gradient_of_a_plain_critic_is_autograds_and_so_is_what_its_weights_learn_from_it(name):
    torch.manual_seed(0)
    model, train = from_preset(name, TWO, width=4)
    critic = made(model, train)[1].double()
    images = torch.randn(3, 3, model.resolution, model.resolution, dtype=torch.double)
    code = one_hot(torch.tensor([0, 1, 0]), model).double() if model.code_dim else torch.zeros(3, 0, dtype=torch.double)
    at = images.clone().requires_grad_(True)
    (wanted,) = torch.autograd.grad(critic(at, code).sum(), at, create_graph=True)
    gradient = critic.gradient(images, code)
    assert torch.allclose(gradient.double(), wanted, atol=1e-6)
    weights = [weight for name, weight in critic.named_parameters() if name.endswith("weight")]
    ours, theirs = (torch.autograd.grad(x.square().sum(), weights) for x in (gradient, wanted))
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(ours, theirs))


@pytest.mark.parametrize("at_the_bend", [False, True])
def test_so_it_is_with_a_stride_that_leaves_a_rest_and_where_a_relu_bends(at_the_bend):
    torch.manual_seed(0)
    model, _ = from_preset("cwgan-gp-28", TWO, width=4)
    critic = ConvCritic(model, ("C4,3,1>4 lrelu", "C3,1,1>4 lrelu", "C9,1,0>1")).double()
    images, code = torch.randn(3, 3, 28, 28).double(), one_hot(torch.tensor([0, 1, 0]), model).double()
    if at_the_bend:  # what goes into the first activation is 0 everywhere
        images, code = torch.zeros_like(images), torch.zeros_like(code)
        torch.nn.init.zeros_(next(part for part in critic.modules() if isinstance(part, torch.nn.Conv2d)).bias)
    images.requires_grad_(True)
    (wanted,) = torch.autograd.grad(critic(images, code).sum(), images)
    assert torch.allclose(critic.gradient(images.detach(), code).double(), wanted, atol=1e-6) and wanted.abs().max() > 0


@pytest.mark.parametrize(("norm", "plain"), [("none", True), ("ln", False), ("bn", False)])
def test_a_critic_with_a_norm_is_not_piecewise_linear(norm, plain):
    model, train = from_preset("cwgan-gp-28", TWO, width=4, critic_norm=norm)
    assert ConvCritic(model, train.critic).piecewise_linear == plain
