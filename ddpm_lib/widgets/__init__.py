"""Figures that answer to the reader's hand, in a notebook and in the built page alike."""

from .forward_reverse import ForwardReverse
from .ink import InkAndRestorer
from .one_dimension import OneDimension
from .picture_process import PictureProcess
from .schedule_explorer import ScheduleExplorer

__all__ = ["ForwardReverse", "InkAndRestorer", "OneDimension", "PictureProcess", "ScheduleExplorer"]
