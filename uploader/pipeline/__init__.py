"""From pages of a file to the body of a request, through a bounded queue."""

from uploader.pipeline.body import PartBody
from uploader.pipeline.budget import Allowance, WindowBudget
from uploader.pipeline.reader import Reader

__all__ = ["Allowance", "PartBody", "Reader", "WindowBudget"]
