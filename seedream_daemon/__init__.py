"""A dropped folder becomes pictures, by ByteDance's Seedream models."""

__version__ = "0.1.0"
