"""Uploads to parcel servers: `from parcel_uploader import Parcel`."""

from parcel_uploader.destination import Parcel

__all__ = ["Parcel"]
