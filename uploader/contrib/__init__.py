"""What joins the uploader to frameworks and services; each package needs an extra of its own.

Rule: an edge. Nothing below imports it, and `import uploader` never does.
"""
