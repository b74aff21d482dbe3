"""Typed client of the HTTP API, for notebooks, pipelines and other services; it needs neither polars nor Flask."""

from service.api.schemas import Refused, Window
from service.api.schemas.changes import ChangeRequest
from service.api.schemas.verdicts import VerdictRequest
from service.client.client import Client
from service.client.errors import AnswerError, ClientError, UnreachableError
from service.client.sending import Sent

__all__ = [
    "AnswerError",
    "ChangeRequest",
    "Client",
    "ClientError",
    "Refused",
    "Sent",
    "UnreachableError",
    "VerdictRequest",
    "Window",
]
