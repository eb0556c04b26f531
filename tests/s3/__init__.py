"""Tests of the S3 destination: its pure rooms, its signatures, and uploads to a real server."""
