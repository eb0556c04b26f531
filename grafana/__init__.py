"""What watches uploads from outside: dashboards, alerts, and the servers that show them.

Rule: not part of the distribution; it knows metrics by their names only, and
tests/grafana holds every name to `uploader.instruments.table`.
"""
