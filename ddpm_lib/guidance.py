"""Steering a sampler towards a label or a prompt."""

from dataclasses import dataclass

from torch import Tensor

from .denoisers import AnyDenoiser, Guess, check_schedule
from .schedules import Schedule


@dataclass(frozen=True)
class _Guided:
    conditional: AnyDenoiser
    unconditional: AnyDenoiser
    scale: float

    @property
    def schedule(self) -> Schedule:
        return self.conditional.schedule

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        if self.scale == 1:
            return self.conditional(xt, t)
        with_label, without = self.conditional(xt, t), self.unconditional(xt, t)
        # Both views are linear in the prediction, so one formula serves x0 and eps alike.
        return Guess(*(u + self.scale * (c - u) for c, u in zip(with_label, without)))


def guide(conditional: AnyDenoiser, unconditional: AnyDenoiser, scale: float) -> AnyDenoiser:
    """Classifier-free guidance (Ho & Salimans 2022): eps_u + scale · (eps_c − eps_u), as one denoiser.

    scale 1 is no guidance and costs one network call, any other costs two. The paper's w counts from 0:
    scale = 1 + w. A negative prompt takes the place of the unconditional denoiser.
    """
    check_schedule(unconditional, conditional.schedule)
    return _Guided(conditional, unconditional, float(scale))
