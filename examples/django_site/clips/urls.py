"""One page, and what keeps it up to date."""

from django.urls import path

from clips import views

urlpatterns = [
    path("", views.index, name="index"),
    path("progress", views.progress, name="progress"),
]
