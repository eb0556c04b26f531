"""Tests of the TikTok destination: its pure rooms, its real wire, its drop-in."""
