"""Make the figure of the home page, which has no notebook of its own: book/_static/home_figure.html."""

import torch

import ddpm_lib
from ddpm_lib.data import spiral
from ddpm_lib.painting import painting, paintings
from ddpm_lib.widgets import ForwardReverse
from tools.steps import ROOT, step

TARGET = ROOT / "book" / "_static" / "home_figure.html"
CAPTION = (
    "Noise takes a picture and a spiral of points away, and a denoiser brings a picture and a spiral back."
    " Notice that the picture that comes back need not be the one that was lost. Drag the time yourself."
)


def figure() -> ForwardReverse:
    """The two processes on the book's painting and on a spiral, with exact denoisers: no network, nothing trained."""
    schedule, generator = ddpm_lib.linear_schedule(), torch.Generator().manual_seed(4)
    points = spiral(600, generator=generator)
    times = schedule.even_times(60)

    def reverse(data, shape):
        noise = torch.randn(shape, generator=generator)
        return list(ddpm_lib.sample_ddim(ddpm_lib.ExactDenoiser(data, schedule), schedule, noise, times))

    return ForwardReverse(
        schedule,
        points=points,
        points_reverse=reverse(points, (300, 2)),
        picture=painting(64),  # as fine as the way back: grain of one size in both
        picture_reverse=reverse(paintings(24, 64), (1, 3, 64, 64)),
        caption=CAPTION,
        autoplay=True,
    )


def write():
    """Write the fragment that book/index.md includes."""
    with step("the home page's figure"):
        TARGET.write_text(figure().html(), encoding="utf-8")


if __name__ == "__main__":
    write()
