"""The uploader in a Django project, on SQLite and on PostgreSQL."""
