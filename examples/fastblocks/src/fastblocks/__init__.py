"""A block pipeline: templates rendered by the workers of any queue, stored in any database, found by any vector index."""

from fastblocks.block import Block, InvalidBlock
from fastblocks.library import Found, Library
from fastblocks.page import Page
from fastblocks.pipeline import FastBlocksPipeline
from fastblocks.site import read_site
from fastblocks.steps import STEPS

__all__ = ["STEPS", "Block", "FastBlocksPipeline", "Found", "InvalidBlock", "Library", "Page", "read_site"]
