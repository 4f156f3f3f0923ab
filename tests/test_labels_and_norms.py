"""Labels that a network does not know, norms that would make it blind to its time, and sides that it cannot halve."""

import pytest
import torch

from ddpm_lib import Denoiser, linear_schedule
from ddpm_lib.models import Classifier, DigitClassifier, UNet
from ddpm_lib.models.latent import TextDenoiser
from ddpm_lib.recipes import RECIPES
from ddpm_lib.rivals.plans import PLANS
from ddpm_lib.text_recipes import TEXT_TO_IMAGE
from tests.test_models import tiny


def test_a_compiled_network_does_not_take_a_label_for_another_attributes():
    model = tiny(num_classes=(3, 4))
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([5])
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, t, torch.tensor([[2, 3]])), model(x, t, torch.tensor([[2, 3]])))
    for label in ([5, 0], [3, 0], [-2, 0]):
        with pytest.raises(IndexError, match="out of range"):
            compiled(x, t, torch.tensor([label]))
        with pytest.raises(ValueError, match="labels must lie in 0..2 and 0..3"):
            model(x, t, torch.tensor([label]))


def test_a_denoiser_checks_its_label_once_and_at_once():
    model = tiny(num_classes=3)
    for around in (model, torch.nn.DataParallel(model)):
        with pytest.raises(ValueError, match="labels must lie in 0..2"):
            Denoiser(around, linear_schedule(), label=torch.tensor([3]))
    with pytest.raises(TypeError, match="labels are integers"):
        model(torch.zeros(1, 1, 8, 8), torch.tensor([5]), torch.tensor([1.7]))
    with pytest.raises(ValueError, match="without labels"):
        Denoiser(tiny(num_classes=None), linear_schedule(), label=torch.tensor([1]))


def test_the_network_asks_nothing_of_labels_on_another_device():
    # What makes a processor wait for a GPU is a truth value of a tensor there: here none may be taken.
    with torch.device("meta"):
        model = UNet(1, 8, (1, 2), 1, num_classes=3)
        for label in (None, torch.ones(2).long()):
            assert model._embed_label(label, torch.zeros(2, 1, 8, 8)).shape == (2, 32)


@pytest.mark.parametrize(
    "patch, multipliers, told",
    [
        (3, (1, 1, 1, 1), "3 × 3 pixels enter as one and the side is halved 3 times"),
        (1, (1, 1, 1), "the side is halved 2 times"),
        (2, (1,), "2 × 2 pixels"),
    ],
)
def test_the_network_says_how_it_shrinks(patch, multipliers, told):
    model = tiny(patch=patch, multipliers=multipliers, attention_levels=(0,))
    with pytest.raises(ValueError, match=told):
        model(torch.zeros(1, 1, 25, 25), torch.tensor([5]))


def test_widths_that_share_no_factor_make_a_classifier():
    x = torch.randn(2, 1, 16, 16)
    assert Classifier(1, 16, widths=(32, 48), strides=(2, 2))(x).shape == (2, 10)
    groups = [m.num_groups for m in DigitClassifier().modules() if isinstance(m, torch.nn.GroupNorm)]
    assert groups == [32] * 4, "the shipped judges were trained so"


EVERY = {
    **{f"recipe {name}": recipe.model for name, recipe in RECIPES.items()},
    **{f"recipe {name}": plan.denoiser for name, plan in TEXT_TO_IMAGE.items()},
    **{f"rival {name}": plan.networks for name, plan in PLANS.items()},
}


def norms(model):
    return [m for m in model.modules() if isinstance(m, torch.nn.GroupNorm)]


@pytest.mark.parametrize("dim", [3, 8, 16, 24, 32, 48, 64, 96, 128])
def test_no_norm_that_a_time_passes_is_blind_to_it(dim):
    with torch.device("meta"):
        model = UNet(dim=dim)
    assert all(norm.num_channels // norm.num_groups >= 3 for norm in norms(model))


@pytest.mark.parametrize("name", EVERY)
def test_no_norm_of_any_recipe_has_fewer_than_three_channels_a_group(name):
    with torch.device("meta"):
        made = EVERY[name]()
    for network in made if isinstance(made, tuple) else (made,):
        assert all(norm.num_channels // norm.num_groups >= 3 for norm in norms(network))


def test_a_text_to_image_network_that_would_be_blind_is_refused():
    pytest.importorskip("diffusers")
    with pytest.raises(ValueError, match="hides the time"):
        TextDenoiser(vocabulary=20, tokens=6, text_width=16, text_layers=1, widths=(16, 32), groups=16)
