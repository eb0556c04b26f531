"""`uploader doctor`: what would keep uploads from working, found before they fail.

Rule: an edge. One check after the other, each a `Finding` with its figure and what to do next;
which checks a destination has, its transport's factory says. Nothing is opened, changed or posted,
except by --probe, which says first what it will do.
"""
