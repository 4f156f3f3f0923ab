"""The drawing of a U-Net: its shapes are those of a real call, and every word of it can be read."""

import matplotlib.pyplot as plt
import pytest

from ddpm_lib.models import UNet
from ddpm_lib.network_plots import Level, outline, show_unet

SMALL = dict(channels=1, dim=8, multipliers=(1, 2, 4), blocks=1, attention_levels=())


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_the_outline_of_the_chapters_network():
    plan = outline(UNet(**SMALL), 28)
    assert plan.picture == (1, 28, 28)
    assert plan.down == [
        Level(1, False, (8, 28, 28), (8, 8)),
        Level(1, False, (16, 14, 14), (8, 16)),
        Level(1, False, (32, 7, 7), (16, 32)),
    ]
    assert plan.middle == Level(2, True, (32, 7, 7))
    assert [level.shape for level in plan.up] == [level.shape for level in plan.down]
    assert [level.blocks for level in plan.up] == [2, 2, 2], "one more than on the way down: a block for each skip"


def test_the_skips_of_a_level_are_what_its_blocks_take_besides_the_features():
    model = UNet(channels=3, dim=6, multipliers=(1, 2, 3), blocks=2, attention_levels=(1,))
    plan, blocks = outline(model, 8), [layer[0] for layer in model.up if hasattr(layer, "__len__")]
    taken = [plan.middle.shape[0]]
    for level in plan.up[::-1]:
        for skip in level.skips:
            block = blocks.pop(0)
            assert block.conv1.in_channels == taken[-1] + skip
            taken.append(block.conv1.out_channels)
    assert not blocks
    assert [level.attends for level in plan.down] == [False, True, False]


def test_the_drawing_says_every_shape_and_how_many_skips():
    said = words(show_unet(UNet(**SMALL), 28))
    for shape in ("8 × 28 × 28", "16 × 14 × 14"):
        assert said.count(shape) == 2, "down and up"
    assert said.count("32 × 7 × 7") == 3, "down, in the middle and up"
    assert said.count("2 skips") == 3 and "16 + 32 channels" in said
    assert said.count("ResBlock") == 3 and said.count("2 ResBlocks") == 3
    assert "2 ResBlocks with attention" in said, "the middle"
    assert any("32 numbers" in text for text in said), "what the time becomes"


def test_a_network_of_squares_of_pixels_says_so():
    said = words(show_unet(UNet(channels=3, dim=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), patch=2), 16))
    assert any("3 × 16 × 16" in text for text in said) and "8 × 8 × 8" in said
    assert "2 × 2 pixels are one place" in said and "ResBlock with attention" in said


@pytest.mark.parametrize("levels", [1, 4])
def test_no_word_leaves_the_drawing_or_lies_on_another_or_on_a_frame(levels):
    model = UNet(channels=3, dim=32, multipliers=(4,) * levels, blocks=3, attention_levels=tuple(range(levels)))
    figure = show_unet(model, 64)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)
    frames = [patch.get_window_extent() for patch in figure.axes[0].patches]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    touching = [(frame, box) for frame in frames for box in boxes if frame.overlaps(box)]
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 for frame, box in touching)
    assert len(touching) == 2 * len(frames), "what a level does, and its shape"


def test_the_network_is_left_as_it_was():
    model = UNet(**SMALL).train()
    outline(model, 28)
    assert model.training and not any(m._forward_hooks for m in model.modules())
    with pytest.raises(ValueError, match="divisible"):
        outline(model, 30)
    assert model.training and not any(m._forward_hooks for m in model.modules())
