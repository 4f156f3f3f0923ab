"""Figures that answer to the reader's hand, in a notebook and in the built page alike."""

from .forward_reverse import ForwardReverse
from .guidance_map import GuidanceMap
from .ink import InkAndRestorer
from .loss_by_time import LossByTime
from .network_in_page import NetworkInPage
from .one_dimension import OneDimension
from .picture_process import PictureProcess
from .pipeline_in_page import PipelineInPage
from .prompt_film import PromptFilm
from .sampler_race import SamplerRace
from .schedule_explorer import ScheduleExplorer

__all__ = [
    "ForwardReverse",
    "GuidanceMap",
    "InkAndRestorer",
    "LossByTime",
    "NetworkInPage",
    "OneDimension",
    "PictureProcess",
    "PipelineInPage",
    "PromptFilm",
    "SamplerRace",
    "ScheduleExplorer",
]
