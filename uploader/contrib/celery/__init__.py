"""Uploads as Celery tasks: `install(app)` once, then `publish.delay(upload_id)`.

    app = Celery("shop", broker="redis://…")
    install(app)

    upload_id = uploader.enqueue("clip.mp4", DirectPost(account="acme", …))
    publish.delay(upload_id)

Rule: a message carries an id and nothing else; the journal decides whether anything is sent. A
worker that would post late, twice or never is refused when it starts, with the numbers.
"""

from uploader.contrib.celery.installing import install
from uploader.contrib.celery.process import current_uploader
from uploader.contrib.celery.routing import by_transport
from uploader.contrib.celery.tasks import publish, sweep, watch

__all__ = ["by_transport", "current_uploader", "install", "publish", "sweep", "watch"]
