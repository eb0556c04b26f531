"""Spans of uploads, as an application's exporter gets them."""
