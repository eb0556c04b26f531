"""Tests of the engine, its pipeline and its sources, and of the faces in front of them."""
