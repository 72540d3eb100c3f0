"""Whether this process was told to end: requests that only wait for news answer at once then."""

from threading import Event

ending = Event()
